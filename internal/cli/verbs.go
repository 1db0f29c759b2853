package cli

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// verbs lists bote's own commands. A new one is a file with a constructor and a line here.
func verbs(s *streams) []*cobra.Command {
	return []*cobra.Command{
		newCheckCommand(s),
		newDLTCommand(s),
		newHealthCommand(s),
		newServeCommand(s),
		newVersionCommand(s),
	}
}

// runVerbs runs one of bote's own commands and returns its exit code.
func runVerbs(ctx context.Context, s *streams, args []string) int {
	root := &cobra.Command{
		Use:   "bote",
		Short: "An event log that speaks Apache Kafka's protocol",
		Long: "bote is an event log that speaks Apache Kafka's protocol, with Kafka's tools inside:\n" +
			"call it as one of them, or name one behind bote, as in bote kafka-topics --help.\n\n" +
			"Kafka's tools:\n  " + strings.Join(slices.Sorted(maps.Keys(tools())), "\n  "),
		Version: buildVersion(),
	}
	root.SetVersionTemplate("bote {{.Version}}\n")
	root.AddCommand(verbs(s)...)
	return runVerb(ctx, s, root, args)
}
