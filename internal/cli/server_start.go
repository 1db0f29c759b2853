package cli

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
)

// kafka-server-start runs the broker on a server.properties, in the foreground or, with -daemon, behind the shell's back.

const serverStartUsage = "USAGE: bin/kafka-server-start.sh [-daemon] server.properties [--override property=value]*"

func serverStartParser() *optParser {
	return &optParser{options: []option{
		{name: "override", arg: requiredArg, typ: "String", help: "A setting, property=value, that wins over the file's; may be repeated."},
		{name: "version", help: "Show the version."},
	}}
}

func runServerStart(ctx context.Context, s *streams, args []string) int {
	p := serverStartParser()
	if len(args) == 0 {
		s.printf("%s\n", serverStartUsage)
		p.writeTable(s.err)
		return exitError
	}
	if args[0] == "-daemon" {
		return startDaemon(ctx, s, args[1:])
	}
	if slices.Contains(args, "--help") {
		return p.printUsage(s, serverStartUsage)
	}
	v, closing := newServing(s, slog.LevelInfo)
	defer closing()
	v.strict = true
	v.log.line("INFO", "kafka.utils.Log4jControllerRegistration$", "Registered `kafka:type=kafka.Log4jController` MBean")
	if args[0] == "--version" {
		s.printf("%s\n", Version)
		return exitOK
	}
	return v.start(ctx, p, args)
}

// start reads the file, lays the overrides over it, and runs.
func (v *serving) start(ctx context.Context, p *optParser, args []string) int {
	values, err := readProperties(args[0])
	if err != nil {
		return v.fatal("Exiting Kafka due to fatal exception", err)
	}
	set, err := p.parse(args[1:])
	if err != nil {
		if e, ok := errors.AsType[*parseError](err); ok {
			err = throw(e.class, "%s", e.text)
		}
		return v.fatal("Exiting Kafka due to fatal exception", err)
	}
	if len(set.words) > 0 {
		return p.printUsage(v.s, "Found non argument parameters: "+strings.Join(set.words, ","))
	}
	overrides, err := pairs(set.all("override"), true)
	if err != nil {
		return v.fatal("Exiting Kafka due to fatal exception", err)
	}
	maps.Copy(values, overrides)
	v.values = values
	return v.run(ctx)
}
