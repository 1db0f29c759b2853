package cli

import (
	"errors"
	"slices"
	"strings"
)

// usageError is a refusal of the options that ends with the option table.
type usageError struct{ text string }

// Error returns the text.
func (e *usageError) Error() string { return e.text }

func usage(text string) error { return &usageError{text: text} }

// printUsage writes a message and the option table to stderr and returns the exit code.
func (p *optParser) printUsage(s *streams, message string) int {
	s.remark("%s\n", message)
	p.writeTable(s.err)
	return exitError
}

// begin handles what all family J tools do alike once their options parsed: --help and no arguments print the table below
// the tool's help line, --version prints the version. done means there is nothing more to do.
func (p *optParser) begin(s *streams, set *optSet, args []string, about string) (code int, done bool) {
	switch {
	case len(args) == 0 || set.has("help"):
		return p.printUsage(s, about), true
	case set.has("version"):
		s.printf("%s\n", Version)
		return exitOK, true
	}
	return exitOK, false
}

// needs refuses a set without one of the options.
func (s *optSet) needs(names ...string) error {
	for _, name := range names {
		if !s.has(name) {
			return usage(`Missing required argument "[` + name + `]"`)
		}
	}
	return nil
}

// excludes refuses options beside another one.
func (s *optSet) excludes(name string, others ...string) error {
	if !s.has(name) {
		return nil
	}
	for _, other := range others {
		if s.has(other) {
			return usage(`Option "[` + name + `]" can't be used with option "[` + other + `]"`)
		}
	}
	return nil
}

// count returns how many of the options were given.
func (s *optSet) count(names ...string) int {
	n := 0
	for _, name := range names {
		if s.has(name) {
			n++
		}
	}
	return n
}

// bracketed renders option names as Kafka's messages do: [a], [b].
func bracketed(names ...string) string {
	list := slices.Clone(names)
	for i := range list {
		list[i] = "[" + list[i] + "]"
	}
	return strings.Join(list, ", ")
}

// The options that all family J tools have.
func helpOption() option    { return option{name: "help", help: "Show this table."} }
func versionOption() option { return option{name: "version", help: "Show the version."} }

func bootstrapOption(help string) option {
	return option{name: "bootstrap-server", arg: requiredArg, typ: "String", what: "server to connect to", help: help}
}

// finish turns the error of a tool into its exit code: a usage error prints the table, anything else its text.
func (p *optParser) finish(s *streams, err error) int {
	if err == nil {
		return exitOK
	}
	if u, ok := errors.AsType[*usageError](err); ok {
		return p.printUsage(s, u.text)
	}
	if !isInterrupt(err) {
		s.remark("%s%s\n", err, causes(err))
	}
	return exitError
}
