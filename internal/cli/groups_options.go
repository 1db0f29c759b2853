package cli

import (
	"fmt"
	"slices"
	"strings"
)

const aboutConsumerGroups = "This tool lists, describes and deletes consumer groups, and moves their offsets."

func consumerGroupsParser() *optParser {
	describe, list := []string{"describe"}, []string{"list"}
	return &optParser{options: []option{
		bootstrapOption("Brokers to begin with; needed by all but --validate-regex."),
		{name: "group", arg: requiredArg, typ: "String", what: "consumer group", help: "The group; may be repeated."},
		{name: "topic", arg: requiredArg, typ: "String", what: "topic", help: "Topic whose offsets are reset or deleted, as topic or topic:0,1; may be repeated."},
		{name: "all-topics", help: "Reset the offsets of all topics the group has offsets for."},
		{name: "list", help: "Print the names of all groups."},
		{name: "describe", help: "Show a group's offsets and lag, its members, or its state."},
		{name: "all-groups", help: "Take all groups."},
		{name: "delete", help: "Delete the groups with all their offsets."},
		{name: "timeout", arg: requiredArg, typ: "Long", what: "timeout (ms)", def: "5000", help: "How long to wait for the cluster."},
		{name: "command-config", arg: requiredArg, typ: "String", what: "command config property file", help: "Properties file with settings of the clients."},
		{name: "reset-offsets", help: "Move the offsets of inactive groups. Choose a scope (topic, all-topics), a target (to-earliest, to-latest, to-current, to-offset, to-datetime, by-duration, shift-by, from-file), and execute, dry-run or export."},
		{name: "delete-offsets", help: "Delete a group's offsets of topics."},
		{name: "dry-run", help: "Only show what --reset-offsets would do."},
		{name: "execute", help: "Do what --reset-offsets says."},
		{name: "export", help: "Write the result of --reset-offsets as CSV."},
		{name: "to-offset", arg: requiredArg, typ: "Long", what: "offset", help: "Move to an offset."},
		{name: "from-file", arg: requiredArg, typ: "String", what: "path to CSV file", help: "Move to the offsets of a CSV file."},
		{name: "to-datetime", arg: requiredArg, typ: "String", what: "datetime", help: "Move to the first record at or after a time: YYYY-MM-DDTHH:mm:SS.sss."},
		{name: "by-duration", arg: requiredArg, typ: "String", what: "duration", help: "Move back by a time from now: PnDTnHnMnS."},
		{name: "to-earliest", help: "Move to the beginning."},
		{name: "to-latest", help: "Move to the end."},
		{name: "to-current", help: "Stay where the offsets are."},
		{name: "shift-by", arg: requiredArg, typ: "Long", what: "number-of-offsets", help: "Move by so many records, back if negative."},
		{name: "members", with: describe, help: "Show the members."},
		{name: "verbose", with: describe, help: "Show more columns."},
		{name: "offsets", with: describe, help: "Show offsets and lag; this is the default."},
		{name: "state", arg: optionalArg, typ: "String", with: append(describe, list...), help: "Show the state. With --list it takes states to choose."},
		{name: "type", arg: optionalArg, typ: "String", with: list, help: "Show the type. It takes types to choose: classic, consumer."},
		{name: "validate-regex", arg: requiredArg, typ: "String", what: "regex", help: "Check a regular expression as the broker would (RE2)."},
		helpOption(),
		versionOption(),
	}}
}

var (
	groupActions   = []string{"list", "describe", "delete", "reset-offsets", "delete-offsets", "validate-regex"}
	resetScenarios = []string{"to-offset", "to-datetime", "by-duration", "to-earliest", "to-latest", "to-current", "shift-by", "from-file"}
)

// checkConsumerGroups refuses what does not go together, in Kafka's order.
func checkConsumerGroups(s *streams, set *optSet) error {
	if set.has("validate-regex") {
		return checkGroupActions(set)
	}
	if err := set.needs("bootstrap-server"); err != nil {
		return err
	}
	for _, check := range []func(*streams, *optSet) error{checkDescribe, checkDelete, checkReset} {
		if err := check(s, set); err != nil {
			return err
		}
	}
	if err := set.excludes("group", "all-groups", "list"); err != nil {
		return err
	}
	if err := set.excludes("topic", "list", "describe"); err != nil {
		return err
	}
	return checkGroupActions(set)
}

func checkGroupActions(set *optSet) error {
	if set.count(groupActions...) != 1 {
		return usage("Command must include exactly one action: --list, --describe, --delete, --reset-offsets, --delete-offsets, --validate-regex")
	}
	return nil
}

func needsGroup(set *optSet, action string) error {
	if !set.has("group") && !set.has("all-groups") {
		return usage(fmt.Sprintf("Option [%s] takes one of these options: %s", action, bracketed("group", "all-groups")))
	}
	return nil
}

func checkDescribe(_ *streams, set *optSet) error {
	if !set.has("describe") {
		return nil
	}
	if err := needsGroup(set, "describe"); err != nil {
		return err
	}
	if set.count("members", "offsets", "state") > 1 {
		return usage("Option [describe] takes at most one of these options: " + bracketed("members", "offsets", "state"))
	}
	if len(set.all("state")) > 0 {
		return usage("Option [describe] does not take a value for [state]")
	}
	return nil
}

func checkDelete(_ *streams, set *optSet) error {
	if set.has("delete") {
		if err := needsGroup(set, "delete"); err != nil {
			return err
		}
		if set.has("topic") {
			return usage("The consumer does not support topic-specific offset deletion from a consumer group.")
		}
	}
	if set.has("delete-offsets") && (!set.has("topic") || !set.has("group")) {
		return usage("Option [delete-offsets] takes the following options: " + bracketed("topic", "group"))
	}
	return nil
}

func checkReset(s *streams, set *optSet) error {
	if !set.has("reset-offsets") {
		return nil
	}
	if set.has("dry-run") && set.has("execute") {
		return usage("Option [reset-offsets] only accepts one of [execute] and [dry-run]")
	}
	if !set.has("dry-run") && !set.has("execute") {
		s.remark("WARN: No action will be performed as the --execute option is missing. In version 5.0, this command will require either --dry-run or --execute to be specified. You should add the --dry-run option explicitly if you are scripting this command and want to keep the current default behavior without prompting.\n")
	}
	if err := needsGroup(set, "reset-offsets"); err != nil {
		return err
	}
	for i, scenario := range resetScenarios {
		if err := set.excludes(scenario, slices.Delete(slices.Clone(resetScenarios), i, i+1)...); err != nil {
			return err
		}
	}
	return nil
}

// wanted reads the values of --state or --type, which are compared ignoring case. known lists them in Kafka's spelling.
func wanted(set *optSet, option, plural string, known []string) ([]string, error) {
	text, err := set.text(option, "")
	if err != nil || text == "" {
		return nil, err
	}
	var list []string
	for word := range strings.SplitSeq(text, ",") {
		i := slices.IndexFunc(known, func(k string) bool { return strings.EqualFold(k, strings.TrimSpace(word)) })
		if i < 0 {
			return nil, usage(fmt.Sprintf("Invalid %s list '%s'. Valid %ss are: %s", plural, text, strings.TrimSuffix(plural, "s"), strings.Join(known, ", ")))
		}
		list = append(list, known[i])
	}
	return list, nil
}

func groupStates() []string {
	return []string{"PreparingRebalance", "Stable", "CompletingRebalance", "Dead", "Assigning", "Empty", "Reconciling"}
}

func groupTypes() []string { return []string{"Consumer", "Classic"} }
