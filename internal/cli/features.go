package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func featuresParser() *argParser {
	feature := argument{flags: []string{"--feature"}, metavar: "FEATURE", append: true, help: "Feature and level, name=level; may be repeated."}
	release := argument{flags: []string{"--release-version"}, metavar: "RELEASE_VERSION", help: "The release whose levels are meant."}
	metadata := argument{flags: []string{"--metadata"}, metavar: "METADATA", help: "(DEPRECATED) Level of the metadata alone."}
	unsafe := argument{flags: []string{"--unsafe"}, help: "Also where metadata is lost."}
	dryRun := argument{flags: []string{"--dry-run"}, help: "Only check."}
	needed := feature
	needed.required = true
	disabled := feature
	disabled.help = "Feature to disable; may be repeated."
	return &argParser{
		prog: "kafka-features", about: "This tool shows and changes the features of a cluster.", helpExit: exitError,
		args: []argument{
			{flags: []string{"--bootstrap-server"}, metavar: "BOOTSTRAP_SERVER", group: "bootstrap", help: "Brokers to begin with."},
			{flags: []string{"--bootstrap-controller"}, metavar: "BOOTSTRAP_CONTROLLER", group: "bootstrap", help: "Controllers to begin with."},
			{flags: []string{"--command-config"}, metavar: "COMMAND_CONFIG", help: "Properties file with settings of the admin client."},
		},
		subs: []*argSub{
			{name: "describe", help: "Show the features and their levels.", args: []argument{{flags: []string{"--node-id"}, metavar: "NODE_ID", number: "Integer", help: "Ask this node."}}},
			{name: "upgrade", help: "Raise levels.", args: []argument{metadata, release, feature, dryRun}},
			{name: "downgrade", help: "Lower levels.", args: []argument{metadata, release, feature, unsafe, dryRun}},
			{name: "disable", help: "Lower levels to zero.", args: []argument{disabled, unsafe, dryRun}},
			{name: "version-mapping", help: "Show the levels that belong to a release.", args: []argument{release}},
			{name: "feature-dependencies", help: "Show what a level needs.", args: []argument{needed}},
		},
	}
}

func runFeatures(ctx context.Context, s *streams, args []string) int {
	return featuresParser().run(s, args, func(set *argSet) error { return features(ctx, s, set) })
}

func features(ctx context.Context, s *streams, set *argSet) error {
	settings, err := optionalProperties(set.text("command-config", ""))
	if err != nil {
		return err
	}
	conn, err := admin(ctx, s, set.text("bootstrap-server", set.text("bootstrap-controller", "")), settings)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.controller = set.has("bootstrap-controller")
	switch set.sub {
	case "describe":
		return describeFeatures(ctx, conn, set)
	case "version-mapping":
		return versionMapping(s, set.text("release-version", ""))
	case "feature-dependencies":
		return featureDependencies(s, set.values["feature"])
	}
	return changeFeatures(ctx, conn, set)
}

func describeFeatures(ctx context.Context, c *connection, set *argSet) error {
	var resp kmsg.Response
	err := c.await(ctx, "describeFeatures")
	if err != nil {
		return execution(err)
	}
	ctx, cancel := c.within(ctx)
	defer cancel()
	if id := set.int("node-id", -1); id >= 0 && !c.controller {
		resp, err = c.Broker(int(id)).Request(ctx, apiVersionsRequest())
	} else {
		resp, err = c.ask(ctx, "describeFeatures", apiVersionsRequest())
	}
	if err != nil {
		return execution(asException(err, "describeFeatures"))
	}
	versions := resp.(*kmsg.ApiVersionsResponse) //nolint:forcetypeassert // the request's own response
	epoch := "-"
	if versions.FinalizedFeaturesEpoch >= 0 {
		epoch = strconv.FormatInt(versions.FinalizedFeaturesEpoch, 10)
	}
	levels := map[string]int16{}
	for _, f := range versions.FinalizedFeatures {
		levels[f.Name] = f.MaxVersionLevel
	}
	supported := versions.SupportedFeatures
	slices.SortFunc(supported, func(a, b kmsg.ApiVersionsResponseSupportedFeature) int { return strings.Compare(a.Name, b.Name) })
	for _, f := range supported {
		c.s.printf("Feature: %s\tSupportedMinVersion: %s\tSupportedMaxVersion: %s\tFinalizedVersionLevel: %s\tEpoch: %s\n",
			f.Name, levelText(f.Name, f.MinVersion), levelText(f.Name, f.MaxVersion), levelText(f.Name, levels[f.Name]), epoch)
	}
	return nil
}

// changeFeatures raises or lowers levels.
func changeFeatures(ctx context.Context, c *connection, set *argSet) error {
	levels, err := wantedLevels(c, set)
	if err != nil {
		return err
	}
	verb, done := set.sub, map[string]string{"upgrade": "upgraded", "downgrade": "downgraded", "disable": "disabled"}[set.sub]
	req := kmsg.NewPtrUpdateFeaturesRequest()
	req.TimeoutMillis = 60_000
	req.ValidateOnly = set.has("dry-run")
	for _, name := range slices.Sorted(maps.Keys(levels)) {
		u := kmsg.NewUpdateFeaturesRequestFeatureUpdate()
		u.Feature, u.MaxVersionLevel = name, levels[name]
		u.UpgradeType = 1
		if verb != "upgrade" {
			u.UpgradeType, u.AllowDowngrade = 2, true
			if set.has("unsafe") {
				u.UpgradeType = 3
			}
		}
		req.FeatureUpdates = append(req.FeatureUpdates, u)
	}
	resp, err := c.ask(ctx, "updateFeatures", req)
	if err != nil {
		return execution(err)
	}
	return reportFeatures(c, resp.(*kmsg.UpdateFeaturesResponse), levels, verb, done, req.ValidateOnly) //nolint:forcetypeassert // the request's own response
}

func reportFeatures(c *connection, resp *kmsg.UpdateFeaturesResponse, levels map[string]int16, verb, done string, dryRun bool) error {
	failed := 0
	for _, name := range slices.Sorted(maps.Keys(levels)) {
		err := brokerError(resp.ErrorCode, resp.ErrorMessage)
		for _, r := range resp.Results {
			if r.Feature == name && err == nil {
				err = brokerError(r.ErrorCode, r.ErrorMessage)
			}
		}
		what := verb + " " + name
		target := fmt.Sprintf(" to %d", levels[name])
		if verb == "disable" {
			target = ""
		}
		switch {
		case err != nil:
			failed++
			c.s.printf("Could not %s%s. %s\n", what, target, err)
		case dryRun:
			c.s.printf("%s can be %s%s.\n", name, done, target)
		default:
			c.s.printf("%s was %s%s.\n", name, done, target)
		}
	}
	if failed > 0 {
		return throw(classTerse, "%d out of %d operation(s) failed.", failed, len(levels))
	}
	return nil
}

// wantedLevels reads --feature, --release-version or --metadata.
func wantedLevels(c *connection, set *argSet) (map[string]int16, error) {
	levels := map[string]int16{}
	if set.has("metadata") {
		c.s.printf(" `metadata` flag is deprecated and may be removed in a future release.\n")
		r, err := releaseNamed(set.text("metadata", ""))
		if err != nil {
			return nil, err
		}
		levels[metadataVersion] = r.level
	}
	if set.has("release-version") {
		if len(levels) > 0 || set.has("feature") {
			return nil, throw(classTerse, "Can not specify `release-version` with other feature flags.")
		}
		r, err := releaseNamed(set.text("release-version", ""))
		if err != nil {
			return nil, err
		}
		levels[metadataVersion] = r.level
		for _, f := range featureNames {
			levels[f] = r.features[f]
		}
	}
	for _, word := range set.values["feature"] {
		if set.sub == "disable" {
			levels[word] = 0
			continue
		}
		name, level, err := featureLevel(word)
		if err != nil {
			return nil, err
		}
		levels[name] = level
	}
	if len(levels) == 0 {
		return nil, throw(classTerse, "You must specify at least one feature to %s", set.sub)
	}
	return levels, nil
}
