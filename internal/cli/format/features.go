package format

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/botehq/bote/internal/cli/exception"
	"github.com/botehq/bote/internal/cli/releases"
)

const (
	kraftVersion = "kraft.version"
	elrVersion   = "eligible.leader.replicas.version"
)

// featureLevels are the feature levels of a new cluster. Features at level zero are left out.
type featureLevels struct {
	release releases.Release
	kraft   int16
	levels  map[string]int16
}

// featuresFor returns the levels of a release, overridden by the words of --feature.
func featuresFor(releaseName string, words []string, quorumFlag bool, voters bool) (featureLevels, error) {
	wanted := map[string]int16{}
	for _, word := range words {
		name, level, err := releases.ParseLevel(word)
		if err != nil {
			return featureLevels{}, exception.New(exception.Runtime, "%s", err)
		}
		wanted[name] = level
	}
	f := featureLevels{levels: map[string]int16{}}
	var err error
	if f.release, err = releaseFor(releaseName, wanted); err != nil {
		return f, err
	}
	f.kraft = 1
	if voters {
		f.kraft = 0
	}
	maps.Copy(f.levels, f.release.Features)
	delete(f.levels, kraftVersion)
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		level := wanted[name]
		if err := checkLevel(name, level, f.release); err != nil {
			return f, err
		}
		switch {
		case name == releases.MetadataVersion:
		case name != kraftVersion:
			f.levels[name] = level
		case level == 0 && quorumFlag && !voters:
			return f, exception.New(exception.Terse, "Cannot set kraft.version to 0 if controller.quorum.voters is empty and one of the flags --standalone, --initial-controllers, or --no-initial-controllers is used. For dynamic controllers support, try removing the --feature flag for kraft.version.")
		default:
			f.kraft = level
		}
	}
	maps.DeleteFunc(f.levels, func(_ string, level int16) bool { return level == 0 })
	return f, nil
}

// releaseFor returns the metadata version of the new cluster, from --release-version or --feature metadata.version.
func releaseFor(name string, wanted map[string]int16) (releases.Release, error) {
	for _, f := range slices.Sorted(maps.Keys(wanted)) {
		if _, ok := releases.HighestLevel[f]; !ok && f != releases.MetadataVersion {
			supported := slices.Sorted(maps.Keys(releases.HighestLevel))
			return releases.Release{}, exception.New(exception.Terse, "Unsupported feature: %s. Supported features are: %s", f, strings.Join(supported, ", "))
		}
	}
	level, byFeature := wanted[releases.MetadataVersion]
	if name != "" && byFeature {
		return releases.Release{}, exception.New(exception.Terse, "Use --release-version instead of --feature metadata.version=X to avoid ambiguity.")
	}
	if byFeature {
		i := slices.IndexFunc(releases.All, func(r releases.Release) bool { return r.Level == level })
		if i < 0 {
			return releases.Release{}, exception.New(exception.IllegalArgument, "No MetadataVersion with feature level %d. Valid feature levels are from %d to %d.", level, releases.All[0].Level, releases.All[len(releases.All)-1].Level)
		}
		return releases.All[i], nil
	}
	if name == "" {
		name = releases.Latest
	}
	r, err := releases.Named(name)
	if err != nil { // format's text omits unreleased versions
		return r, exception.New(exception.Terse, "%s", strings.TrimSuffix(err.Error(), ", 4.3-IV0"))
	}
	return r, nil
}

func checkLevel(name string, level int16, r releases.Release) error {
	if name == releases.MetadataVersion {
		return nil
	}
	if level < 0 || level > releases.HighestLevel[name] {
		return exception.New(exception.IllegalArgument, "No feature:%s with feature level %d", name, level)
	}
	const needs = 23 // KIP-966
	if name == elrVersion && level > 0 && r.Level < needs {
		return exception.New(exception.IllegalArgument, "%s could not be set to %d because it depends on %s level %d", name, level, releases.MetadataVersion, needs)
	}
	return nil
}

// names returns the features in the order of their records: metadata.version first.
func (f featureLevels) names() []string {
	return append([]string{releases.MetadataVersion}, slices.Sorted(maps.Keys(f.levels))...)
}

func (f featureLevels) level(name string) int16 {
	if name == releases.MetadataVersion {
		return f.release.Level
	}
	return f.levels[name]
}

// bootstrapText formats the first records of a cluster as Kafka prints them.
func bootstrapText(f featureLevels, users []scramUser) string {
	var records []string
	for _, name := range f.names() {
		records = append(records, fmt.Sprintf("FeatureLevelRecord(name='%s', featureLevel=%d)", name, f.level(name)))
	}
	for _, u := range users {
		records = append(records, fmt.Sprintf("UserScramCredentialRecord(name='%s', mechanism=%d, salt=%s, storedKey=%s, serverKey=%s, iterations=%d)",
			u.name, u.mechanism, signedBytes(u.salt), signedBytes(u.storedKey), signedBytes(u.serverKey), u.iterations))
	}
	for i, r := range records {
		records[i] = "ApiMessageAndVersion(" + r + " at version 0)"
	}
	return fmt.Sprintf("BootstrapMetadata(records=[%s], metadataVersionLevel=%d, source=format command)", strings.Join(records, ", "), f.release.Level)
}

// signedBytes formats bytes as Java's Arrays.toString does.
func signedBytes(p []byte) string {
	list := make([]string, len(p))
	for i, b := range p {
		list[i] = fmt.Sprint(int8(b))
	}
	return "[" + strings.Join(list, ", ") + "]"
}
