package cli

import (
	"context"

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
			"call it as kafka-topics, kafka-console-producer and so on, or as bote kafka-topics ...",
		SilenceUsage: true,
	}
	root.SetArgs(args)
	root.SetIn(s.in)
	root.SetOut(s.out)
	root.SetErr(s.err)
	root.AddCommand(verbs(s)...)
	if err := root.ExecuteContext(ctx); err != nil {
		return codeOf(err)
	}
	return exitOK
}
