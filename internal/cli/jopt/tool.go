package jopt

import (
	"errors"
	"slices"
	"strings"

	"github.com/botehq/bote/internal/cli/exception"
	"github.com/botehq/bote/internal/cli/tool"
)

// UsageError is an error about the options. The option table is printed below it.
type UsageError struct{ Text string }

// Error returns the text.
func (e *UsageError) Error() string { return e.Text }

// BadUsage makes a UsageError.
func BadUsage(text string) error { return &UsageError{Text: text} }

// PrintUsage writes a message and the option table to stderr and returns the exit code.
func (p *Parser) PrintUsage(s *tool.Streams, message string) int {
	s.Remark("%s\n", message)
	p.WriteTable(s.Err)
	return tool.ExitError
}

// Begin does what all family J tools do once their options are parsed. --help, or no arguments, print the tool's help line and
// the table; --version prints the version. If done is true, the tool ends with the exit code.
func (p *Parser) Begin(s *tool.Streams, set *Set, args []string, about string) (code int, done bool) {
	switch {
	case len(args) == 0 || set.Has("help"):
		return p.PrintUsage(s, about), true
	case set.Has("version"):
		s.Printf("%s\n", tool.KafkaVersion)
		return tool.ExitOK, true
	}
	return tool.ExitOK, false
}

// Needs returns an error if one of the options is missing.
func (s *Set) Needs(names ...string) error {
	for _, name := range names {
		if !s.Has(name) {
			return BadUsage(`Missing required argument "[` + name + `]"`)
		}
	}
	return nil
}

// Excludes returns an error if the option is given together with one of the others.
func (s *Set) Excludes(name string, others ...string) error {
	if !s.Has(name) {
		return nil
	}
	for _, other := range others {
		if s.Has(other) {
			return BadUsage(`Option "[` + name + `]" can't be used with option "[` + other + `]"`)
		}
	}
	return nil
}

// Count returns how many of the options were given.
func (s *Set) Count(names ...string) int {
	n := 0
	for _, name := range names {
		if s.Has(name) {
			n++
		}
	}
	return n
}

// Bracketed formats option names as Kafka's messages do: [a], [b].
func Bracketed(names ...string) string {
	list := slices.Clone(names)
	for i := range list {
		list[i] = "[" + list[i] + "]"
	}
	return strings.Join(list, ", ")
}

// HelpOption is the option --help, which all family J tools have.
func HelpOption() Option { return Option{Name: "help", Help: "Print this help."} }

// VersionOption is the option --version, which all family J tools have.
func VersionOption() Option { return Option{Name: "version", Help: "Print the version."} }

// BootstrapOption is the option --bootstrap-server, which most tools have.
func BootstrapOption(help string) Option {
	return Option{Name: "bootstrap-server", Arg: RequiredArg, Type: "String", What: "server to connect to", Help: help}
}

// Finish prints the error of a tool and returns the exit code. Below a UsageError it prints the option table.
func (p *Parser) Finish(s *tool.Streams, err error) int {
	if err == nil {
		return tool.ExitOK
	}
	if u, ok := errors.AsType[*UsageError](err); ok {
		return p.PrintUsage(s, u.Text)
	}
	if !exception.IsInterrupt(err) {
		s.Remark("%s%s\n", err, exception.Causes(err))
	}
	return tool.ExitError
}
