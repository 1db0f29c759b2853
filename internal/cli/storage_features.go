package cli

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

const (
	kraftVersion = "kraft.version"
	elrVersion   = "eligible.leader.replicas.version"
)

// formatFeatures are the levels a new cluster begins with, without those of level zero.
type formatFeatures struct {
	release release
	kraft   int16
	levels  map[string]int16
}

// featuresFor takes the levels of a release and lays --feature over them.
func featuresFor(releaseName string, words []string, quorumFlag bool, voters bool) (formatFeatures, error) {
	wanted := map[string]int16{}
	for _, word := range words {
		name, level, err := featureLevel(word)
		if err != nil {
			return formatFeatures{}, throw(classRuntime, "%s", err)
		}
		wanted[name] = level
	}
	f := formatFeatures{levels: map[string]int16{}}
	var err error
	if f.release, err = formatRelease(releaseName, wanted); err != nil {
		return f, err
	}
	f.kraft = 1
	if voters {
		f.kraft = 0
	}
	maps.Copy(f.levels, f.release.features)
	delete(f.levels, kraftVersion)
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		level := wanted[name]
		if err := checkLevel(name, level, f.release); err != nil {
			return f, err
		}
		switch {
		case name == metadataVersion:
		case name != kraftVersion:
			f.levels[name] = level
		case level == 0 && quorumFlag && !voters:
			return f, throw(classTerse, "Cannot set kraft.version to 0 if controller.quorum.voters is empty and one of the flags --standalone, --initial-controllers, or --no-initial-controllers is used. For dynamic controllers support, try removing the --feature flag for kraft.version.")
		default:
			f.kraft = level
		}
	}
	maps.DeleteFunc(f.levels, func(_ string, level int16) bool { return level == 0 })
	return f, nil
}

// formatRelease is the metadata version to begin with, from --release-version or --feature metadata.version.
func formatRelease(name string, wanted map[string]int16) (release, error) {
	for _, f := range slices.Sorted(maps.Keys(wanted)) {
		if _, ok := highestLevel[f]; !ok && f != metadataVersion {
			supported := slices.Sorted(maps.Keys(highestLevel))
			return release{}, throw(classTerse, "Unsupported feature: %s. Supported features are: %s", f, strings.Join(supported, ", "))
		}
	}
	level, byFeature := wanted[metadataVersion]
	if name != "" && byFeature {
		return release{}, throw(classTerse, "Use --release-version instead of --feature metadata.version=X to avoid ambiguity.")
	}
	if byFeature {
		i := slices.IndexFunc(releases, func(r release) bool { return r.level == level })
		if i < 0 {
			return release{}, throw(classArgument, "No MetadataVersion with feature level %d. Valid feature levels are from %d to %d.", level, releases[0].level, releases[len(releases)-1].level)
		}
		return releases[i], nil
	}
	if name == "" {
		name = latestRelease
	}
	r, err := releaseNamed(name)
	if err != nil { // the text of format leaves out what is not released yet
		return r, throw(classTerse, "%s", strings.TrimSuffix(err.Error(), ", 4.3-IV0"))
	}
	return r, nil
}

func checkLevel(name string, level int16, r release) error {
	if name == metadataVersion {
		return nil
	}
	if level < 0 || level > highestLevel[name] {
		return throw(classArgument, "No feature:%s with feature level %d", name, level)
	}
	const needs = 23 // KIP-966
	if name == elrVersion && level > 0 && r.level < needs {
		return throw(classArgument, "%s could not be set to %d because it depends on %s level %d", name, level, metadataVersion, needs)
	}
	return nil
}

// names are the features in the order of their records: the metadata version first.
func (f formatFeatures) names() []string {
	return append([]string{metadataVersion}, slices.Sorted(maps.Keys(f.levels))...)
}

func (f formatFeatures) level(name string) int16 {
	if name == metadataVersion {
		return f.release.level
	}
	return f.levels[name]
}

// bootstrapText is how Kafka prints the records that a cluster begins with.
func bootstrapText(f formatFeatures, users []scramUser) string {
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
	return fmt.Sprintf("BootstrapMetadata(records=[%s], metadataVersionLevel=%d, source=format command)", strings.Join(records, ", "), f.release.level)
}

// signedBytes is Arrays.toString of Java's bytes.
func signedBytes(p []byte) string {
	list := make([]string, len(p))
	for i, b := range p {
		list[i] = fmt.Sprint(int8(b))
	}
	return "[" + strings.Join(list, ", ") + "]"
}
