package server

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"github.com/botehq/bote/internal/cli/exception"
	"github.com/botehq/bote/internal/cli/jopt"
	"github.com/botehq/bote/internal/cli/tool"
)

// kafka-server-start runs the broker with a server.properties, in the foreground, or in the background with -daemon.

const startUsage = "USAGE: bin/kafka-server-start.sh [-daemon] server.properties [--override property=value]*"

func startParser() *jopt.Parser {
	return &jopt.Parser{Options: []jopt.Option{
		{Name: "override", Arg: jopt.RequiredArg, Type: "String", Help: "property=value, which overrides the setting in the file; may be repeated."},
		{Name: "version", Help: "Print the version."},
	}}
}

// RunStart is kafka-server-start.
func RunStart(ctx context.Context, s *tool.Streams, args []string) int {
	p := startParser()
	if len(args) == 0 {
		s.Printf("%s\n", startUsage)
		p.WriteTable(s.Err)
		return tool.ExitError
	}
	if args[0] == "-daemon" {
		return startDaemon(ctx, s, args[1:])
	}
	if slices.Contains(args, "--help") {
		return p.PrintUsage(s, startUsage)
	}
	v, closing := newServing(s, slog.LevelInfo)
	defer closing()
	v.strict = true
	v.log.line("INFO", "kafka.utils.Log4jControllerRegistration$", "Registered `kafka:type=kafka.Log4jController` MBean")
	if args[0] == "--version" {
		s.Printf("%s\n", tool.KafkaVersion)
		return tool.ExitOK
	}
	return v.start(ctx, p, args)
}

// start reads the file, applies the overrides, and runs the broker.
func (v *serving) start(ctx context.Context, p *jopt.Parser, args []string) int {
	values, err := tool.ReadProperties(args[0])
	if err != nil {
		return v.fatal("Exiting Kafka due to fatal exception", err)
	}
	set, err := p.Parse(args[1:])
	if err != nil {
		if e, ok := errors.AsType[*jopt.ParseError](err); ok {
			err = exception.New(e.Class, "%s", e.Text)
		}
		return v.fatal("Exiting Kafka due to fatal exception", err)
	}
	if len(set.Words) > 0 {
		return p.PrintUsage(v.s, "Found non argument parameters: "+strings.Join(set.Words, ","))
	}
	overrides, err := tool.ParsePairs(set.All("override"), true)
	if err != nil {
		return v.fatal("Exiting Kafka due to fatal exception", err)
	}
	maps.Copy(values, overrides)
	v.values = values
	return v.run(ctx)
}
