package groups

import (
	"fmt"
	"slices"
	"strings"

	"github.com/botehq/bote/internal/cli/jopt"
	"github.com/botehq/bote/internal/cli/tool"
)

const aboutConsumerGroups = "This tool lists, describes and deletes consumer groups, and resets their offsets."

func consumerGroupsParser() *jopt.Parser {
	describe, list := []string{"describe"}, []string{"list"}
	return &jopt.Parser{Options: []jopt.Option{
		jopt.BootstrapOption("The brokers to connect to; required except for --validate-regex."),
		{Name: "group", Arg: jopt.RequiredArg, Type: "String", What: "consumer group", Help: "Name of the group; may be repeated."},
		{Name: "topic", Arg: jopt.RequiredArg, Type: "String", What: "topic", Help: "Topic whose offsets are reset or deleted, as topic or topic:0,1; may be repeated."},
		{Name: "all-topics", Help: "Reset the offsets of all topics that the group has offsets for."},
		{Name: "list", Help: "Print the names of all groups."},
		{Name: "describe", Help: "Show a group's offsets and lag, its members, or its state."},
		{Name: "all-groups", Help: "Apply to all groups."},
		{Name: "delete", Help: "Delete groups and all their offsets."},
		{Name: "timeout", Arg: jopt.RequiredArg, Type: "Long", What: "timeout (ms)", Default: "5000", Help: "How long to wait for the cluster, in milliseconds."},
		{Name: "command-config", Arg: jopt.RequiredArg, Type: "String", What: "command config property file", Help: "Properties file with settings for the admin client."},
		{Name: "reset-offsets", Help: "Reset the offsets of inactive groups. Give a scope (topic, all-topics), a target (to-earliest, to-latest, to-current, to-offset, to-datetime, by-duration, shift-by, from-file), and one of execute, dry-run and export."},
		{Name: "delete-offsets", Help: "Delete the offsets that a group has for topics."},
		{Name: "dry-run", Help: "Only show the offsets that --reset-offsets would set."},
		{Name: "execute", Help: "Make the changes of --reset-offsets."},
		{Name: "export", Help: "Print the result of --reset-offsets as CSV."},
		{Name: "to-offset", Arg: jopt.RequiredArg, Type: "Long", What: "offset", Help: "Reset to an offset."},
		{Name: "from-file", Arg: jopt.RequiredArg, Type: "String", What: "path to CSV file", Help: "Reset to the offsets in a CSV file."},
		{Name: "to-datetime", Arg: jopt.RequiredArg, Type: "String", What: "datetime", Help: "Reset to the first record at or after this time: YYYY-MM-DDTHH:mm:SS.sss."},
		{Name: "by-duration", Arg: jopt.RequiredArg, Type: "String", What: "duration", Help: "Reset to the first record at or after now minus this duration: PnDTnHnMnS."},
		{Name: "to-earliest", Help: "Reset to the earliest offset."},
		{Name: "to-latest", Help: "Reset to the latest offset."},
		{Name: "to-current", Help: "Reset to the current offset."},
		{Name: "shift-by", Arg: jopt.RequiredArg, Type: "Long", What: "number-of-offsets", Help: "Shift by this number of records; a negative number shifts back."},
		{Name: "members", With: describe, Help: "Show the members."},
		{Name: "verbose", With: describe, Help: "Show more columns."},
		{Name: "offsets", With: describe, Help: "Show offsets and lag; this is the default."},
		{Name: "state", Arg: jopt.OptionalArg, Type: "String", With: append(describe, list...), Help: "Show the state of groups. With --list, it may have a comma-separated list of states to show."},
		{Name: "type", Arg: jopt.OptionalArg, Type: "String", With: list, Help: "Show the type of groups. It may have a comma-separated list of types to show: classic, consumer."},
		{Name: "validate-regex", Arg: jopt.RequiredArg, Type: "String", What: "regex", Help: "Check a regular expression as the broker would (RE2)."},
		jopt.HelpOption(),
		jopt.VersionOption(),
	}}
}

var (
	groupActions   = []string{"list", "describe", "delete", "reset-offsets", "delete-offsets", "validate-regex"}
	resetScenarios = []string{"to-offset", "to-datetime", "by-duration", "to-earliest", "to-latest", "to-current", "shift-by", "from-file"}
)

// checkConsumerGroups returns an error for options that exclude each other, in Kafka's order.
func checkConsumerGroups(s *tool.Streams, set *jopt.Set) error {
	if set.Has("validate-regex") {
		return checkGroupActions(set)
	}
	if err := set.Needs("bootstrap-server"); err != nil {
		return err
	}
	for _, check := range []func(*tool.Streams, *jopt.Set) error{checkDescribe, checkDelete, checkReset} {
		if err := check(s, set); err != nil {
			return err
		}
	}
	if err := set.Excludes("group", "all-groups", "list"); err != nil {
		return err
	}
	if err := set.Excludes("topic", "list", "describe"); err != nil {
		return err
	}
	return checkGroupActions(set)
}

func checkGroupActions(set *jopt.Set) error {
	if set.Count(groupActions...) != 1 {
		return jopt.BadUsage("Command must include exactly one action: --list, --describe, --delete, --reset-offsets, --delete-offsets, --validate-regex")
	}
	return nil
}

func needsGroup(set *jopt.Set, action string) error {
	if !set.Has("group") && !set.Has("all-groups") {
		return jopt.BadUsage(fmt.Sprintf("Option [%s] takes one of these options: %s", action, jopt.Bracketed("group", "all-groups")))
	}
	return nil
}

func checkDescribe(_ *tool.Streams, set *jopt.Set) error {
	if !set.Has("describe") {
		return nil
	}
	if err := needsGroup(set, "describe"); err != nil {
		return err
	}
	if set.Count("members", "offsets", "state") > 1 {
		return jopt.BadUsage("Option [describe] takes at most one of these options: " + jopt.Bracketed("members", "offsets", "state"))
	}
	if len(set.All("state")) > 0 {
		return jopt.BadUsage("Option [describe] does not take a value for [state]")
	}
	return nil
}

func checkDelete(_ *tool.Streams, set *jopt.Set) error {
	if set.Has("delete") {
		if err := needsGroup(set, "delete"); err != nil {
			return err
		}
		if set.Has("topic") {
			return jopt.BadUsage("The consumer does not support topic-specific offset deletion from a consumer group.")
		}
	}
	if set.Has("delete-offsets") && (!set.Has("topic") || !set.Has("group")) {
		return jopt.BadUsage("Option [delete-offsets] takes the following options: " + jopt.Bracketed("topic", "group"))
	}
	return nil
}

func checkReset(s *tool.Streams, set *jopt.Set) error {
	if !set.Has("reset-offsets") {
		return nil
	}
	if set.Has("dry-run") && set.Has("execute") {
		return jopt.BadUsage("Option [reset-offsets] only accepts one of [execute] and [dry-run]")
	}
	if !set.Has("dry-run") && !set.Has("execute") {
		s.Remark("WARN: No action will be performed as the --execute option is missing. In version 5.0, this command will require either --dry-run or --execute to be specified. You should add the --dry-run option explicitly if you are scripting this command and want to keep the current default behavior without prompting.\n")
	}
	if err := needsGroup(set, "reset-offsets"); err != nil {
		return err
	}
	for i, scenario := range resetScenarios {
		if err := set.Excludes(scenario, slices.Delete(slices.Clone(resetScenarios), i, i+1)...); err != nil {
			return err
		}
	}
	return nil
}

// wanted reads the values of --state or --type, ignoring case. known lists the valid values in Kafka's spelling.
func wanted(set *jopt.Set, option, plural string, known []string) ([]string, error) {
	text, err := set.Text(option, "")
	if err != nil || text == "" {
		return nil, err
	}
	var list []string
	for word := range strings.SplitSeq(text, ",") {
		i := slices.IndexFunc(known, func(k string) bool { return strings.EqualFold(k, strings.TrimSpace(word)) })
		if i < 0 {
			return nil, jopt.BadUsage(fmt.Sprintf("Invalid %s list '%s'. Valid %ss are: %s", plural, text, strings.TrimSuffix(plural, "s"), strings.Join(known, ", ")))
		}
		list = append(list, known[i])
	}
	return list, nil
}

func groupStates() []string {
	return []string{"PreparingRebalance", "Stable", "CompletingRebalance", "Dead", "Assigning", "Empty", "Reconciling"}
}

func groupTypes() []string { return []string{"Consumer", "Classic"} }
