package cli

import (
	"context"
	"errors"
	"fmt"
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
		Version:       buildVersion(),
		SilenceUsage:  true,
		SilenceErrors: true, // said below
	}
	root.SetVersionTemplate("bote {{.Version}}\n")
	root.SetArgs(args)
	root.SetIn(s.in)
	root.SetOut(s.out)
	root.SetErr(s.err)
	root.AddCommand(verbs(s)...)
	root.InitDefaultCompletionCmd(args...)
	for _, c := range root.Commands() {
		if c.HasSubCommands() {
			c.RunE, c.Args = mustNameOne, cobra.ArbitraryArgs
		}
	}
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}
	if code, ok := errors.AsType[codeError](err); ok {
		return int(code) // it has said everything
	}
	text := inFull(err)
	if strings.HasPrefix(text, "accepts ") || strings.HasPrefix(text, "requires at least") { // cobra on the number of words
		text = "usage: " + cmd.UseLine()
	}
	s.remark("Error: %s\n", text)
	if isUsage(err) {
		s.remark("Run '%s --help' for usage.\n", cmd.CommandPath())
	}
	return exitError
}

// wordsError is a command line that cannot be understood.
type wordsError struct{ error }

// Unwrap returns what is wrong with it.
func (e wordsError) Unwrap() error { return e.error }

// isUsage reports whether help would help. Cobra's own errors about words and flags have no type.
func isUsage(err error) bool {
	if _, ok := errors.AsType[wordsError](err); ok {
		return true
	}
	for _, start := range []string{"unknown command", "unknown flag", "unknown shorthand", "flag needs an argument", "invalid argument", "accepts ", "requires ", "required flag", "at least one of the flags", "if any flags in the group"} {
		if strings.HasPrefix(err.Error(), start) {
			return true
		}
	}
	return false
}

// mustNameOne is the RunE of a command that only has others below it: without it cobra shows help for any unknown word, and
// calls that a success.
func mustNameOne(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return c.Help() //nolint:wrapcheck // writing it failed
	}
	names := make([]string, 0, len(c.Commands()))
	for _, sub := range c.Commands() {
		names = append(names, sub.Name())
	}
	return wordsError{fmt.Errorf("unknown command %q for %q: it has %s", args[0], c.CommandPath(), strings.Join(names, ", "))}
}
