// Package verb owns what bote's own commands share: how they run and end, and how they print tables and JSON objects. These
// commands use cobra. Kafka's tools do not use this package.
package verb

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/botehq/bote/internal/cli/exception"
	"github.com/botehq/bote/internal/cli/tool"
)

// Run runs a command and returns the exit code. args are the arguments after the command's name. Run prints errors itself.
func Run(ctx context.Context, s *tool.Streams, root *cobra.Command, args []string) int {
	root.SilenceUsage, root.SilenceErrors = true, true // Run prints them
	root.SetArgs(args)
	root.SetIn(s.In)
	root.SetOut(s.Out)
	root.SetErr(s.Err)
	root.InitDefaultCompletionCmd(args...)
	// A command that only has subcommands is runnable for mustNameOne, but its usage is only that of the subcommands.
	root.SetUsageTemplate(strings.Replace(root.UsageTemplate(), "{{if .Runnable}}", "{{if and .Runnable (not .HasAvailableSubCommands)}}", 1))
	for _, c := range root.Commands() {
		if c.HasSubCommands() {
			c.RunE, c.Args = mustNameOne, cobra.ArbitraryArgs
		}
	}
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return tool.ExitOK
	}
	if code, ok := errors.AsType[CodeError](err); ok {
		return int(code) // the command has printed its messages
	}
	text := exception.InFull(err)
	if strings.HasPrefix(text, "accepts ") || strings.HasPrefix(text, "requires at least") { // cobra's error about the number of words
		text = "usage: " + cmd.UseLine()
	}
	s.Remark("Error: %s\n", text)
	if isUsage(err) {
		s.Remark("Run '%s --help' for usage.\n", cmd.CommandPath())
	}
	return tool.ExitError
}

// isUsage reports whether the error is about the command line, so that a hint at --help is useful. Cobra's own errors about
// words and flags have no type.
func isUsage(err error) bool {
	if _, ok := errors.AsType[UsageError](err); ok {
		return true
	}
	for _, start := range []string{"unknown command", "unknown flag", "unknown shorthand", "flag needs an argument", "invalid argument", "accepts ", "requires ", "required flag", "at least one of the flags", "if any flags in the group"} {
		if strings.HasPrefix(err.Error(), start) {
			return true
		}
	}
	return false
}

// mustNameOne is the RunE of a command that only has subcommands. Without it, cobra answers an unknown word with help and exit
// code 0.
func mustNameOne(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return c.Help() //nolint:wrapcheck // writing it failed
	}
	names := make([]string, 0, len(c.Commands()))
	for _, sub := range c.Commands() {
		names = append(names, sub.Name())
	}
	return UsageError{Err: fmt.Errorf("unknown command %q for %q; the commands are %s", args[0], c.CommandPath(), strings.Join(names, ", "))}
}
