package cli

import (
	"slices"
	"strconv"
	"strings"
)

// release is a metadata version with the levels of the other features that belong to it.
type release struct {
	name     string
	level    int16
	features map[string]int16
}

// featureNames are the features beside metadata.version, in the order in which mappings show them.
var featureNames = []string{"kraft.version", "transaction.version", "group.version", "eligible.leader.replicas.version", "share.version", "streams.version"}

// releases are the metadata versions of Kafka 4.2's tools.
var releases = newReleases(
	"3.3-IV3", "3.4-IV0", "3.5-IV0", "3.5-IV1", "3.5-IV2", "3.6-IV0", "3.6-IV1", "3.6-IV2", "3.7-IV0", "3.7-IV1", "3.7-IV2", "3.7-IV3", "3.7-IV4",
	"3.8-IV0", "3.9-IV0", "4.0-IV0", "4.0-IV1", "4.0-IV2", "4.0-IV3", "4.1-IV0", "4.1-IV1", "4.2-IV0", "4.2-IV1", "4.3-IV0",
)

// latestRelease is the newest stable one.
const latestRelease = "4.2-IV1"

// newReleases numbers the names from 7 on and finds their features: each came at a level of the metadata.
func newReleases(names ...string) []release {
	since := []struct {
		feature string
		from    int16
		level   int16
	}{
		{"kraft.version", 21, 1},
		{"transaction.version", 24, 2},
		{"group.version", 22, 1},
		{"eligible.leader.replicas.version", 26, 1},
		{"share.version", 28, 1},
		{"streams.version", 29, 1},
	}
	list := make([]release, len(names))
	for i, name := range names {
		list[i] = release{name: name, level: int16(i) + 7, features: map[string]int16{}}
		for _, s := range since {
			if list[i].level >= s.from {
				list[i].features[s.feature] = s.level
			}
		}
	}
	return list
}

// releaseNamed finds a metadata version by its name or by a release, such as 4.0, which means its last one.
func releaseNamed(name string) (release, error) {
	var names []string
	for _, r := range slices.Backward(releases) {
		if r.name == name || strings.HasPrefix(r.name, name+"-IV") && strings.Count(name, ".") == 1 {
			return r, nil
		}
	}
	for _, r := range releases {
		names = append(names, r.name)
	}
	return release{}, throw(classTerse, "Unknown metadata.version '%s'. Supported metadata.version are: %s", name, strings.Join(names, ", "))
}

func versionMapping(s *streams, name string) error {
	if name == "" {
		name = latestRelease
	}
	r, err := releaseNamed(name)
	if err != nil {
		return err
	}
	s.printf("%s=%d (%s)\n", metadataVersion, r.level, name)
	for _, f := range featureNames {
		s.printf("%s=%d\n", f, r.features[f])
	}
	return nil
}

// highestLevel is the highest level of each feature.
var highestLevel = map[string]int16{
	"kraft.version": 1, "transaction.version": 2, "group.version": 1, "eligible.leader.replicas.version": 1, "share.version": 1, "streams.version": 1,
}

func featureDependencies(s *streams, words []string) error {
	for _, word := range words {
		name, level, err := featureLevel(word)
		if err != nil {
			return err
		}
		if name == metadataVersion {
			if !slices.ContainsFunc(releases, func(r release) bool { return r.level == level }) {
				return throw(classTerse, "Unknown metadata.version %d", level)
			}
		} else if high, ok := highestLevel[name]; !ok {
			return throw(classTerse, "Unknown feature: %s", name)
		} else if level < 0 || level > high {
			return throw(classTerse, "No feature:%s with feature level %d", name, level)
		}
		if name == "eligible.leader.replicas.version" && level == 1 {
			s.printf("%s=%d requires:\n    metadata.version=23 (4.0-IV1)\n", name, level)
			continue
		}
		s.printf("%s=%d has no dependencies.\n", name, level)
	}
	return nil
}

const metadataVersion = "metadata.version"

// featureLevel reads name=level.
func featureLevel(word string) (string, int16, error) {
	name, text, ok := strings.Cut(word, "=")
	if !ok {
		return "", 0, throw(classTerse, "Can't parse feature=level string %s: equals sign not found.", word)
	}
	level, err := strconv.ParseInt(strings.TrimSpace(text), 10, 16)
	if err != nil {
		return "", 0, throw(classTerse, "Can't parse feature=level string %s: unable to parse %s as a short.", word, text)
	}
	return strings.TrimSpace(name), int16(level), nil
}

// levelText is the number of a level, or the release for those of the metadata.
func levelText(feature string, level int16) string {
	if feature == metadataVersion {
		for _, r := range releases {
			if r.level == level {
				return r.name
			}
		}
	}
	return strconv.Itoa(int(level))
}
