package cli

import (
	"context"
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

// The groups of commands in bote's help. Cobra lists them in the order of AddGroup.
const (
	ownGroup   = "own"
	kafkaGroup = "kafka"
)

// runVerbs runs one of bote's own commands and returns its exit code.
func runVerbs(ctx context.Context, s *tool.Streams, args []string) int {
	root := &cobra.Command{
		Use:   "bote",
		Short: "An asynchronous messaging system that speaks Apache Kafka's protocol",
		Long: "bote is an asynchronous messaging system that speaks Apache Kafka's protocol. This program is its broker\n" +
			"and its tools: commands of its own, and Kafka's command-line tools with Kafka's options and output.\n" +
			"Run one of Kafka's tools as a command of bote, such as bote kafka-topics --help. In the directory tree\n" +
			"that make dist builds, each of them is a script too, such as bin/kafka-topics.sh.",
		Version: tool.BuildVersion(),
	}
	root.SetVersionTemplate("bote {{.Version}}\n")
	root.AddGroup(&cobra.Group{ID: ownGroup, Title: "Commands:"}, &cobra.Group{ID: kafkaGroup, Title: "Kafka's tools:"})
	root.SetHelpCommandGroupID(ownGroup)
	root.SetCompletionCommandGroupID(ownGroup)
	for _, c := range verbs(s) {
		c.GroupID = ownGroup
		root.AddCommand(c)
	}
	for name, t := range tools() {
		root.AddCommand(newToolCommand(ctx, s, name, t))
	}
	return verb.Run(ctx, s, root, args)
}

// newToolCommand makes a command of one of Kafka's tools, for bote's help and for the suggestions after a misspelt command. The
// tool reads its arguments itself.
func newToolCommand(ctx context.Context, s *tool.Streams, name string, t kafkaTool) *cobra.Command {
	c := &cobra.Command{
		Use: name, Short: t.about, GroupID: kafkaGroup, DisableFlagParsing: true,
		SuggestFor: []string{strings.TrimPrefix(name, "kafka-")},
		RunE: func(_ *cobra.Command, args []string) error {
			if code := t.run(ctx, s, args); code != tool.ExitOK {
				return verb.CodeError(code)
			}
			return nil
		},
	}
	c.SetHelpFunc(func(*cobra.Command, []string) { t.run(ctx, s, []string{"--help"}) })
	return c
}
