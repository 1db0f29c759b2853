// Package groups owns the tools for groups: kafka-groups, which lists groups of all types, and kafka-consumer-groups, which
// describes consumer groups, deletes them, and resets their offsets.
package groups

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/botehq/bote/internal/cli/client"
	"github.com/botehq/bote/internal/cli/exception"
	"github.com/botehq/bote/internal/cli/jopt"
	"github.com/botehq/bote/internal/cli/tool"
)

const aboutGroups = "This tool lists groups of all types."

func groupsParser() *jopt.Parser {
	return &jopt.Parser{Options: []jopt.Option{
		{Name: "bootstrap-server", Arg: jopt.RequiredArg, Type: "String", What: "server to connect to", Required: true, Help: "The brokers to connect to, as host1:port1,host2:port2."},
		{Name: "command-config", Arg: jopt.RequiredArg, Type: "String", What: "command config property file", Help: "Properties file with settings for the admin client."},
		{Name: "list", Help: "List the groups."},
		{Name: "group-type", Arg: jopt.RequiredArg, Type: "String", What: "type", Help: "List only groups of this type: classic, consumer, share or streams."},
		{Name: "protocol", Arg: jopt.RequiredArg, Type: "String", What: "protocol", Help: "List only groups with this protocol, such as consumer."},
		{Name: "consumer", Help: "List only consumer groups, including classic ones."},
		{Name: "share", Help: "List only share groups."},
		{Name: "streams", Help: "List only streams groups."},
		jopt.HelpOption(),
		jopt.VersionOption(),
	}}
}

// Run is kafka-groups.
func Run(ctx context.Context, s *tool.Streams, args []string) int {
	p := groupsParser()
	set, err := p.Parse(args)
	if err != nil {
		return p.PrintUsage(s, err.Error())
	}
	if code, done := p.Begin(s, set, args, aboutGroups); done {
		return code
	}
	if err := checkGroups(set); err != nil {
		return p.Finish(s, err)
	}
	typ, err := set.Text("group-type", "")
	if err != nil {
		return p.Finish(s, err)
	}
	if set.Has("group-type") && !slices.Contains([]string{"classic", "consumer", "share", "streams"}, strings.ToLower(typ)) {
		return p.Finish(s, exception.New(exception.IllegalArgument, "--group-type must be a valid group type."))
	}
	if err := listGroups(ctx, s, set); err != nil {
		if exception.IsInterrupt(err) {
			return tool.ExitError
		}
		s.Printf("Error while executing groups command : %s%s\n", err, exception.Causes(err))
		s.Log(tool.LevelError, "org.apache.kafka.tools.GroupsCommand", "%s\n", exception.Named(err))
		return tool.ExitError
	}
	return tool.ExitOK
}

func checkGroups(set *jopt.Set) error {
	if !set.Has("list") {
		return jopt.BadUsage("Command must include exactly one action: --list.")
	}
	if err := set.Excludes("consumer", "group-type", "protocol", "share", "streams"); err != nil {
		return err
	}
	if err := set.Excludes("share", "group-type", "protocol", "consumer", "streams"); err != nil {
		return err
	}
	return set.Excludes("streams", "group-type", "protocol", "consumer", "share")
}

func listGroups(ctx context.Context, s *tool.Streams, set *jopt.Set) error {
	r := &jopt.Reader{Set: set}
	servers, file := r.Text("bootstrap-server", ""), r.Text("command-config", "")
	typ, protocol := r.Text("group-type", ""), r.Text("protocol", "")
	if r.Err != nil {
		return r.Err
	}
	settings, err := tool.OptionalProperties(file)
	if err != nil {
		return err
	}
	conn, err := client.Admin(ctx, s, servers, settings)
	if err != nil {
		return err
	}
	defer conn.Close()
	groups, err := conn.Groups(ctx)
	if err != nil {
		return err
	}
	groups = slices.DeleteFunc(groups, func(g client.Group) bool {
		switch {
		case set.Has("consumer"):
			return !g.OfConsumers()
		case set.Has("share"):
			return g.Type != "Share"
		case set.Has("streams"):
			return g.Type != "Streams"
		}
		return typ != "" && !strings.EqualFold(typ, g.Type) || protocol != "" && protocol != g.Protocol
	})
	width := 20
	for _, g := range groups {
		width = max(width, len(g.ID), len(g.Protocol))
	}
	s.Printf("%s\n", fmt.Sprintf("%-*s %-*s %-*s", width, "GROUP", width, "TYPE", width, "PROTOCOL"))
	for _, g := range groups {
		s.Printf("%-*s %-*s %-*s \n", width, g.ID, width, g.Type, width, g.Protocol)
	}
	return nil
}
