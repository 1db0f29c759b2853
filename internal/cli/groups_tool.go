package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

const aboutGroups = "This tool lists the groups of all kinds."

func groupsParser() *optParser {
	return &optParser{options: []option{
		{name: "bootstrap-server", arg: requiredArg, typ: "String", what: "server to connect to", required: true, help: "Brokers to begin with, host:port and commas between."},
		{name: "command-config", arg: requiredArg, typ: "String", what: "command config property file", help: "Properties file with settings of the admin client."},
		{name: "list", help: "List the groups."},
		{name: "group-type", arg: requiredArg, typ: "String", what: "type", help: "Only groups of a type: classic, consumer, share, streams."},
		{name: "protocol", arg: requiredArg, typ: "String", what: "protocol", help: "Only groups of a protocol, such as consumer."},
		{name: "consumer", help: "Only groups of consumers, classic ones too."},
		{name: "share", help: "Only share groups."},
		{name: "streams", help: "Only streams groups."},
		helpOption(),
		versionOption(),
	}}
}

func runGroups(ctx context.Context, s *streams, args []string) int {
	p := groupsParser()
	set, err := p.parse(args)
	if err != nil {
		return p.printUsage(s, err.Error())
	}
	if code, done := p.begin(s, set, args, aboutGroups); done {
		return code
	}
	if err := checkGroups(set); err != nil {
		return p.finish(s, err)
	}
	typ, err := set.text("group-type", "")
	if err != nil {
		return p.finish(s, err)
	}
	if set.has("group-type") && !slices.Contains([]string{"classic", "consumer", "share", "streams"}, strings.ToLower(typ)) {
		return p.finish(s, throw(classArgument, "--group-type must be a valid group type."))
	}
	if err := listGroups(ctx, s, set); err != nil {
		if isInterrupt(err) {
			return exitError
		}
		s.printf("Error while executing groups command : %s%s\n", err, causes(err))
		s.log(levelError, "org.apache.kafka.tools.GroupsCommand", "%s\n", named(err))
		return exitError
	}
	return exitOK
}

func checkGroups(set *optSet) error {
	if !set.has("list") {
		return usage("Command must include exactly one action: --list.")
	}
	if err := set.excludes("consumer", "group-type", "protocol", "share", "streams"); err != nil {
		return err
	}
	if err := set.excludes("share", "group-type", "protocol", "consumer", "streams"); err != nil {
		return err
	}
	return set.excludes("streams", "group-type", "protocol", "consumer", "share")
}

func listGroups(ctx context.Context, s *streams, set *optSet) error {
	r := &reader{set: set}
	servers, file := r.text("bootstrap-server", ""), r.text("command-config", "")
	typ, protocol := r.text("group-type", ""), r.text("protocol", "")
	if r.err != nil {
		return r.err
	}
	settings, err := optionalProperties(file)
	if err != nil {
		return err
	}
	conn, err := admin(ctx, s, servers, settings)
	if err != nil {
		return err
	}
	defer conn.Close()
	groups, err := conn.groups(ctx)
	if err != nil {
		return err
	}
	groups = slices.DeleteFunc(groups, func(g listedGroup) bool {
		switch {
		case set.has("consumer"):
			return !g.consumers()
		case set.has("share"):
			return g.typ != "Share"
		case set.has("streams"):
			return g.typ != "Streams"
		}
		return typ != "" && !strings.EqualFold(typ, g.typ) || protocol != "" && protocol != g.protocol
	})
	width := 20
	for _, g := range groups {
		width = max(width, len(g.id), len(g.protocol))
	}
	s.printf("%s\n", fmt.Sprintf("%-*s %-*s %-*s", width, "GROUP", width, "TYPE", width, "PROTOCOL"))
	for _, g := range groups {
		s.printf("%-*s %-*s %-*s \n", width, g.id, width, g.typ, width, g.protocol)
	}
	return nil
}
