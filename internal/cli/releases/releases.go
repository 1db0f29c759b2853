// Package releases owns what Kafka's tools know about releases without asking a broker: the metadata versions, and the feature
// levels that belong to each of them.
package releases

import (
	"slices"
	"strconv"
	"strings"

	"github.com/botehq/bote/internal/cli/exception"
	"github.com/botehq/bote/internal/cli/tool"
)

// Release is a metadata version and the levels of the other features that belong to it.
type Release struct {
	Name     string
	Level    int16
	Features map[string]int16
}

// FeatureNames are the features besides metadata.version, in the order in which mappings show them.
var FeatureNames = []string{"kraft.version", "transaction.version", "group.version", "eligible.leader.replicas.version", "share.version", "streams.version"}

// All are the metadata versions that Kafka 4.2's tools know.
var All = newReleases(
	"3.3-IV3", "3.4-IV0", "3.5-IV0", "3.5-IV1", "3.5-IV2", "3.6-IV0", "3.6-IV1", "3.6-IV2", "3.7-IV0", "3.7-IV1", "3.7-IV2", "3.7-IV3", "3.7-IV4",
	"3.8-IV0", "3.9-IV0", "4.0-IV0", "4.0-IV1", "4.0-IV2", "4.0-IV3", "4.1-IV0", "4.1-IV1", "4.2-IV0", "4.2-IV1", "4.3-IV0",
)

// Latest is the newest stable metadata version.
const Latest = "4.2-IV1"

// newReleases numbers the names from level 7 on and adds the feature levels that came with each metadata level.
func newReleases(names ...string) []Release {
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
	list := make([]Release, len(names))
	for i, name := range names {
		list[i] = Release{Name: name, Level: int16(i) + 7, Features: map[string]int16{}}
		for _, s := range since {
			if list[i].Level >= s.from {
				list[i].Features[s.feature] = s.level
			}
		}
	}
	return list
}

// Named finds a metadata version by its name, or by a release such as 4.0, which means the last version of that release.
func Named(name string) (Release, error) {
	var names []string
	for _, r := range slices.Backward(All) {
		if r.Name == name || strings.HasPrefix(r.Name, name+"-IV") && strings.Count(name, ".") == 1 {
			return r, nil
		}
	}
	for _, r := range All {
		names = append(names, r.Name)
	}
	return Release{}, exception.New(exception.Terse, "Unknown metadata.version '%s'. Supported metadata.version are: %s", name, strings.Join(names, ", "))
}

// PrintMapping prints the levels of all features that belong to a release. An empty name means the latest release.
func PrintMapping(s *tool.Streams, name string) error {
	if name == "" {
		name = Latest
	}
	r, err := Named(name)
	if err != nil {
		return err
	}
	s.Printf("%s=%d (%s)\n", MetadataVersion, r.Level, name)
	for _, f := range FeatureNames {
		s.Printf("%s=%d\n", f, r.Features[f])
	}
	return nil
}

// HighestLevel is the highest level of each feature.
var HighestLevel = map[string]int16{
	"kraft.version": 1, "transaction.version": 2, "group.version": 1, "eligible.leader.replicas.version": 1, "share.version": 1, "streams.version": 1,
}

// PrintDependencies prints, for each feature=level, the levels that it needs of other features.
func PrintDependencies(s *tool.Streams, words []string) error {
	for _, word := range words {
		name, level, err := ParseLevel(word)
		if err != nil {
			return err
		}
		if name == MetadataVersion {
			if !slices.ContainsFunc(All, func(r Release) bool { return r.Level == level }) {
				return exception.New(exception.Terse, "Unknown metadata.version %d", level)
			}
		} else if high, ok := HighestLevel[name]; !ok {
			return exception.New(exception.Terse, "Unknown feature: %s", name)
		} else if level < 0 || level > high {
			return exception.New(exception.Terse, "No feature:%s with feature level %d", name, level)
		}
		if name == "eligible.leader.replicas.version" && level == 1 {
			s.Printf("%s=%d requires:\n    metadata.version=23 (4.0-IV1)\n", name, level)
			continue
		}
		s.Printf("%s=%d has no dependencies.\n", name, level)
	}
	return nil
}

// MetadataVersion is the feature whose levels are the metadata versions.
const MetadataVersion = "metadata.version"

// ParseLevel reads feature=level.
func ParseLevel(word string) (string, int16, error) {
	name, text, ok := strings.Cut(word, "=")
	if !ok {
		return "", 0, exception.New(exception.Terse, "Can't parse feature=level string %s: equals sign not found.", word)
	}
	level, err := strconv.ParseInt(strings.TrimSpace(text), 10, 16)
	if err != nil {
		return "", 0, exception.New(exception.Terse, "Can't parse feature=level string %s: unable to parse %s as a short.", word, text)
	}
	return strings.TrimSpace(name), int16(level), nil
}

// LevelText formats a level: the metadata version for metadata.version, the number for all other features.
func LevelText(feature string, level int16) string {
	if feature == MetadataVersion {
		for _, r := range All {
			if r.Level == level {
				return r.Name
			}
		}
	}
	return strconv.Itoa(int(level))
}
