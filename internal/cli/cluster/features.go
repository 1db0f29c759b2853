package cluster

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/cli/argp"
	"github.com/botehq/bote/internal/cli/client"
	"github.com/botehq/bote/internal/cli/exception"
	"github.com/botehq/bote/internal/cli/releases"
	"github.com/botehq/bote/internal/cli/tool"
)

func featuresParser() *argp.Parser {
	feature := argp.Argument{Flags: []string{"--feature"}, Metavar: "FEATURE", Append: true, Help: "Feature and level, name=level; may be repeated."}
	release := argp.Argument{Flags: []string{"--release-version"}, Metavar: "RELEASE_VERSION", Help: "Use the feature levels of this release."}
	metadata := argp.Argument{Flags: []string{"--metadata"}, Metavar: "METADATA", Help: "(DEPRECATED) Change only metadata.version, to this level."}
	unsafe := argp.Argument{Flags: []string{"--unsafe"}, Help: "Allow changes that lose metadata."}
	dryRun := argp.Argument{Flags: []string{"--dry-run"}, Help: "Check the change, but do not make it."}
	needed := feature
	needed.Required = true
	disabled := feature
	disabled.Help = "Feature to disable; may be repeated."
	return &argp.Parser{
		Prog: "kafka-features", About: "This tool shows and changes the features of a cluster.", HelpExit: tool.ExitError,
		Args: []argp.Argument{
			{Flags: []string{"--bootstrap-server"}, Metavar: "BOOTSTRAP_SERVER", Group: "bootstrap", Help: "The brokers to connect to."},
			{Flags: []string{"--bootstrap-controller"}, Metavar: "BOOTSTRAP_CONTROLLER", Group: "bootstrap", Help: "The controllers to connect to."},
			{Flags: []string{"--command-config"}, Metavar: "COMMAND_CONFIG", Help: "Properties file with settings for the admin client."},
		},
		Subs: []*argp.SubCommand{
			{Name: "describe", Help: "Show the features and their levels.", Args: []argp.Argument{{Flags: []string{"--node-id"}, Metavar: "NODE_ID", Number: "Integer", Help: "Ask this node."}}},
			{Name: "upgrade", Help: "Raise feature levels.", Args: []argp.Argument{metadata, release, feature, dryRun}},
			{Name: "downgrade", Help: "Lower feature levels.", Args: []argp.Argument{metadata, release, feature, unsafe, dryRun}},
			{Name: "disable", Help: "Disable features: lower their levels to zero.", Args: []argp.Argument{disabled, unsafe, dryRun}},
			{Name: "version-mapping", Help: "Show the feature levels of a release.", Args: []argp.Argument{release}},
			{Name: "feature-dependencies", Help: "Show which features a feature level depends on.", Args: []argp.Argument{needed}},
		},
	}
}

// RunFeatures is kafka-features.
func RunFeatures(ctx context.Context, s *tool.Streams, args []string) int {
	return featuresParser().Run(s, args, func(set *argp.Set) error { return features(ctx, s, set) })
}

func features(ctx context.Context, s *tool.Streams, set *argp.Set) error {
	settings, err := tool.OptionalProperties(set.Text("command-config", ""))
	if err != nil {
		return err
	}
	conn, err := client.Admin(ctx, s, set.Text("bootstrap-server", set.Text("bootstrap-controller", "")), settings)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.Controller = set.Has("bootstrap-controller")
	switch set.Sub {
	case "describe":
		return describeFeatures(ctx, conn, set)
	case "version-mapping":
		return releases.PrintMapping(s, set.Text("release-version", ""))
	case "feature-dependencies":
		return releases.PrintDependencies(s, set.Values["feature"])
	}
	return changeFeatures(ctx, conn, set)
}

func describeFeatures(ctx context.Context, c *client.Conn, set *argp.Set) error {
	var resp kmsg.Response
	err := c.Await(ctx, "describeFeatures")
	if err != nil {
		return exception.InFuture(err)
	}
	ctx, cancel := c.Within(ctx)
	defer cancel()
	if id := set.Int("node-id", -1); id >= 0 && !c.Controller {
		resp, err = c.Broker(int(id)).Request(ctx, client.APIVersionsRequest())
	} else {
		resp, err = c.Ask(ctx, "describeFeatures", client.APIVersionsRequest())
	}
	if err != nil {
		return exception.InFuture(exception.Of(err, "describeFeatures"))
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
		c.Streams.Printf("Feature: %s\tSupportedMinVersion: %s\tSupportedMaxVersion: %s\tFinalizedVersionLevel: %s\tEpoch: %s\n",
			f.Name, releases.LevelText(f.Name, f.MinVersion), releases.LevelText(f.Name, f.MaxVersion), releases.LevelText(f.Name, levels[f.Name]), epoch)
	}
	return nil
}

// changeFeatures raises or lowers feature levels.
func changeFeatures(ctx context.Context, c *client.Conn, set *argp.Set) error {
	levels, err := wantedLevels(c, set)
	if err != nil {
		return err
	}
	verb, done := set.Sub, map[string]string{"upgrade": "upgraded", "downgrade": "downgraded", "disable": "disabled"}[set.Sub]
	req := kmsg.NewPtrUpdateFeaturesRequest()
	req.TimeoutMillis = 60_000
	req.ValidateOnly = set.Has("dry-run")
	for _, name := range slices.Sorted(maps.Keys(levels)) {
		u := kmsg.NewUpdateFeaturesRequestFeatureUpdate()
		u.Feature, u.MaxVersionLevel = name, levels[name]
		u.UpgradeType = 1
		if verb != "upgrade" {
			u.UpgradeType, u.AllowDowngrade = 2, true
			if set.Has("unsafe") {
				u.UpgradeType = 3
			}
		}
		req.FeatureUpdates = append(req.FeatureUpdates, u)
	}
	resp, err := c.Ask(ctx, "updateFeatures", req)
	if err != nil {
		return exception.InFuture(err)
	}
	return reportFeatures(c, resp.(*kmsg.UpdateFeaturesResponse), levels, verb, done, req.ValidateOnly) //nolint:forcetypeassert // the request's own response
}

func reportFeatures(c *client.Conn, resp *kmsg.UpdateFeaturesResponse, levels map[string]int16, verb, done string, dryRun bool) error {
	failed := 0
	for _, name := range slices.Sorted(maps.Keys(levels)) {
		err := exception.FromBroker(resp.ErrorCode, resp.ErrorMessage)
		for _, r := range resp.Results {
			if r.Feature == name && err == nil {
				err = exception.FromBroker(r.ErrorCode, r.ErrorMessage)
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
			c.Streams.Printf("Could not %s%s. %s\n", what, target, err)
		case dryRun:
			c.Streams.Printf("%s can be %s%s.\n", name, done, target)
		default:
			c.Streams.Printf("%s was %s%s.\n", name, done, target)
		}
	}
	if failed > 0 {
		return exception.New(exception.Terse, "%d out of %d operation(s) failed.", failed, len(levels))
	}
	return nil
}

// wantedLevels reads --feature, --release-version or --metadata.
func wantedLevels(c *client.Conn, set *argp.Set) (map[string]int16, error) {
	levels := map[string]int16{}
	if set.Has("metadata") {
		c.Streams.Printf(" `metadata` flag is deprecated and may be removed in a future release.\n")
		r, err := releases.Named(set.Text("metadata", ""))
		if err != nil {
			return nil, err
		}
		levels[releases.MetadataVersion] = r.Level
	}
	if set.Has("release-version") {
		if len(levels) > 0 || set.Has("feature") {
			return nil, exception.New(exception.Terse, "Can not specify `release-version` with other feature flags.")
		}
		r, err := releases.Named(set.Text("release-version", ""))
		if err != nil {
			return nil, err
		}
		levels[releases.MetadataVersion] = r.Level
		for _, f := range releases.FeatureNames {
			levels[f] = r.Features[f]
		}
	}
	for _, word := range set.Values["feature"] {
		if set.Sub == "disable" {
			levels[word] = 0
			continue
		}
		name, level, err := releases.ParseLevel(word)
		if err != nil {
			return nil, err
		}
		levels[name] = level
	}
	if len(levels) == 0 {
		return nil, exception.New(exception.Terse, "You must specify at least one feature to %s", set.Sub)
	}
	return levels, nil
}
