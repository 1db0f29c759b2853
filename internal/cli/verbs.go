package cli

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/botehq/bote/internal/cli/check"
	"github.com/botehq/bote/internal/cli/dlt"
	"github.com/botehq/bote/internal/cli/server"
	"github.com/botehq/bote/internal/cli/tool"
	"github.com/botehq/bote/internal/cli/verb"
)

// verbs lists bote's own commands. A new one is a constructor in the package of its family and a line here.
func verbs(s *tool.Streams) []*cobra.Command {
	return []*cobra.Command{
		check.NewCommand(s),
		dlt.NewCommand(s),
		server.NewHealthCommand(s),
		server.NewServeCommand(s),
		newVersionCommand(s),
	}
}

// runVerbs runs one of bote's own commands and returns its exit code.
func runVerbs(ctx context.Context, s *tool.Streams, args []string) int {
	root := &cobra.Command{
		Use:   "bote",
		Short: "An event log that speaks Apache Kafka's protocol",
		Long: "bote is an event log that speaks Apache Kafka's protocol. It contains Kafka's tools:\n" +
			"run one by its own name, or as a command of bote: bote kafka-topics --help.\n\n" +
			"Kafka's tools:\n  " + strings.Join(slices.Sorted(maps.Keys(tools())), "\n  "),
		Version: tool.BuildVersion(),
	}
	root.SetVersionTemplate("bote {{.Version}}\n")
	root.AddCommand(verbs(s)...)
	return verb.Run(ctx, s, root, args)
}
