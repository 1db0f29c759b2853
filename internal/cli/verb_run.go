package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// runVerb runs a command with the arguments behind its name and returns the exit code. It prints the errors itself.
func runVerb(ctx context.Context, s *streams, root *cobra.Command, args []string) int {
	root.SilenceUsage, root.SilenceErrors = true, true // said below
	root.SetArgs(args)
	root.SetIn(s.in)
	root.SetOut(s.out)
	root.SetErr(s.err)
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
	return wordsError{err: fmt.Errorf("unknown command %q for %q: it has %s", args[0], c.CommandPath(), strings.Join(names, ", "))}
}
