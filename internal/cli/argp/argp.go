// Package argp owns the options of family A: the Kafka tools that parse their options with argparse4j, such as kafka-cluster
// and kafka-storage. A tool describes its options as a Parser. Parser.Run prints help and errors in argparse4j's words and
// layout, and gives the tool the parsed Set.
package argp

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/botehq/bote/internal/cli/exception"
	"github.com/botehq/bote/internal/cli/tool"
)

// Argument is an option of a family A tool.
type Argument struct {
	// Flags are the names with their dashes, the long one first: --id, -i.
	Flags []string
	// Metavar is the placeholder of the value in help texts. Switches have none.
	Metavar string
	// Number is Integer or Long if the value must be a number.
	Number   string
	Many     bool // takes one word or more
	Append   bool // may be repeated; every value counts
	Required bool
	Group    string // exactly one argument of a group must be given
	Optional bool   // the group may be left out
	Default  string
	Help     string
}

// dest is the key of the value in Set.Values.
func (a *Argument) dest() string { return strings.TrimLeft(a.Flags[0], "-") }

func (a *Argument) name() string { return strings.Join(a.Flags, "/") }

// usage formats the argument for a usage line, without brackets.
func (a *Argument) usage() string {
	switch {
	case a.Metavar == "":
		return a.Flags[0]
	case a.Many:
		return a.Flags[0] + " " + a.Metavar + " [" + a.Metavar + " ...]"
	}
	return a.Flags[0] + " " + a.Metavar
}

// Parser reads arguments as Kafka's argparse4j-based tools do: sub-commands, short flags that may be joined to their value,
// --name value and --name=value. Its help has justified paragraphs.
type Parser struct {
	Prog  string
	About string
	Args  []Argument
	Subs  []*SubCommand

	// HelpExit is the exit code of --help.
	HelpExit int
}

// SubCommand is a word after the tool's name, with its own arguments: kafka-storage format.
type SubCommand struct {
	Name, Help string
	Args       []Argument
}

// Set is a parsed command line.
type Set struct {
	// Sub is the name of the sub-command.
	Sub string
	// Values are the given values. The keys are the long names of the arguments without dashes.
	Values map[string][]string
}

// Has reports whether an argument was given. name is its long name without dashes.
func (s *Set) Has(name string) bool { _, ok := s.Values[name]; return ok }

// Text returns the last value of an argument, or the default.
func (s *Set) Text(name, def string) string {
	if v := s.Values[name]; len(v) > 0 {
		return v[len(v)-1]
	}
	return def
}

// Int returns the value of an argument whose Number the parser has checked, or the default.
func (s *Set) Int(name string, def int64) int64 {
	n, err := strconv.ParseInt(s.Text(name, ""), 10, 64)
	if err != nil {
		return def
	}
	return n
}

// usageError is an error about the command line. It is printed below the usage line of the tool or sub-command.
type usageError struct {
	parser *Parser
	sub    *SubCommand
	text   string
}

// Error returns the message.
func (e *usageError) Error() string { return e.text }

// helpError means that the help of the tool, or of a sub-command, was asked for.
type helpError struct {
	parser *Parser
	sub    *SubCommand
}

// Error implements error.
func (e *helpError) Error() string { return "help wanted" }

// Run parses the arguments, calls run with the result, and returns the exit code. It prints help and errors itself.
func (p *Parser) Run(s *tool.Streams, args []string, run func(*Set) error) int {
	set, err := p.parse(args)
	if err == nil {
		err = run(set)
	}
	switch e := err.(type) { //nolint:errorlint // the parser's own, never wrapped
	case nil:
		return tool.ExitOK
	case *helpError:
		p.WriteHelp(s.Out, e.sub)
		return p.HelpExit
	case *usageError:
		p.writeUsage(s.Err, e.sub)
		s.Remark("%s", wrapJustified(p.Prog+": error: "+e.text+"\n", "", 0))
		return tool.ExitError
	}
	s.Complain(err, "%s%s\n", err, exception.Causes(err))
	return tool.ExitError
}

// Errorf makes an error that is printed like the parser's own, below the usage line of a sub-command, or of the tool if sub is
// nil.
func (p *Parser) Errorf(sub *SubCommand, format string, args ...any) error {
	return &usageError{parser: p, sub: sub, text: fmt.Sprintf(format, args...)}
}

// parse reads the tool's own arguments up to the sub-command, then those of the sub-command.
func (p *Parser) parse(args []string) (*Set, error) {
	set := &Set{Values: map[string][]string{}}
	rest, err := p.read(set, nil, p.Args, args)
	if err != nil {
		return nil, err
	}
	if len(p.Subs) == 0 {
		if len(rest) > 0 {
			return nil, p.Errorf(nil, "unrecognized arguments: '%s'", strings.Join(rest, " "))
		}
		return set, p.complete(set, nil, p.Args)
	}
	if len(rest) == 0 {
		return nil, p.Errorf(nil, "too few arguments")
	}
	i := slices.IndexFunc(p.Subs, func(s *SubCommand) bool { return s.Name == rest[0] })
	if i < 0 {
		return nil, p.Errorf(nil, "invalid choice: '%s' (choose from '%s')", rest[0], strings.Join(p.subNames(), "', '"))
	}
	sub := p.Subs[i]
	set.Sub = sub.Name
	left, err := p.read(set, sub, sub.Args, rest[1:])
	if err != nil {
		return nil, err
	}
	if len(left) > 0 {
		return nil, p.Errorf(sub, "unrecognized arguments: '%s'", strings.Join(left, " "))
	}
	if err := p.complete(set, nil, p.Args); err != nil {
		return nil, err
	}
	return set, p.complete(set, sub, sub.Args)
}

func (p *Parser) subNames() []string {
	names := make([]string, len(p.Subs))
	for i, s := range p.Subs {
		names[i] = s.Name
	}
	return names
}

// read reads the options of the tool or of a sub-command. It stops at the first word that is not an option and returns the
// words from there on.
func (p *Parser) read(set *Set, sub *SubCommand, known []Argument, args []string) ([]string, error) {
	for len(args) > 0 {
		word := args[0]
		if !strings.HasPrefix(word, "-") || word == "-" || isNumber(word) {
			return args, nil
		}
		if word == "-h" || word == "--help" {
			return nil, &helpError{parser: p, sub: sub}
		}
		a, value, inline := find(known, word)
		if a == nil {
			return nil, p.Errorf(sub, "unrecognized arguments: '%s'", word)
		}
		args = args[1:]
		if a.Group != "" {
			for i := range known {
				if other := &known[i]; other.Group == a.Group && other.dest() != a.dest() && set.Has(other.dest()) {
					return nil, p.Errorf(sub, "argument %s: not allowed with argument %s", a.name(), other.name())
				}
			}
		}
		var err error
		if args, err = p.take(set, sub, a, value, inline, args); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

func (p *Parser) take(set *Set, sub *SubCommand, a *Argument, value string, inline bool, args []string) ([]string, error) {
	if a.Metavar == "" {
		set.Values[a.dest()] = []string{"true"}
		return args, nil
	}
	var values []string
	if inline {
		values = []string{value}
	}
	for !inline && len(args) > 0 && (!strings.HasPrefix(args[0], "-") || isNumber(args[0]) || args[0] == "-") {
		values, args = append(values, args[0]), args[1:]
		if !a.Many {
			break
		}
	}
	if len(values) == 0 {
		if a.Many {
			return nil, p.Errorf(sub, "argument %s: expected at least one argument", a.name())
		}
		return nil, p.Errorf(sub, "argument %s: expected one argument", a.name())
	}
	for _, v := range values {
		bits := map[string]int{"Integer": 32, "Long": 64}[a.Number]
		if _, err := strconv.ParseInt(v, 10, max(bits, 1)); a.Number != "" && err != nil {
			return nil, p.Errorf(sub, "argument %s: could not convert '%s' to %s (%d bits)", a.name(), v, strings.TrimSuffix(strings.ToLower(a.Number), "eger"), bits)
		}
	}
	if a.Append {
		values = append(set.Values[a.dest()], values...)
	}
	set.Values[a.dest()] = values
	return args, nil
}

func isNumber(word string) bool {
	_, err := strconv.ParseFloat(word, 64)
	return err == nil
}

// find finds the option that a word names: --name, --name=value, or a short flag, perhaps joined to its value.
func find(known []Argument, word string) (a *Argument, value string, inline bool) {
	name, value, inline := strings.Cut(word, "=")
	for i := range known {
		if slices.Contains(known[i].Flags, word) {
			return &known[i], "", false
		}
		if strings.HasPrefix(word, "--") && inline && slices.Contains(known[i].Flags, name) {
			return &known[i], value, true
		}
		if len(word) > 2 && word[1] != '-' && slices.Contains(known[i].Flags, word[:2]) {
			return &known[i], strings.TrimPrefix(word[2:], "="), true
		}
	}
	return nil, "", false
}

// complete returns an error if an argument is missing. It checks the required arguments first, in the order of their names,
// and then the groups.
func (p *Parser) complete(set *Set, sub *SubCommand, known []Argument) error {
	sorted := slices.SortedFunc(slices.Values(known), func(a, b Argument) int { return strings.Compare(a.dest(), b.dest()) })
	for i := range sorted {
		if a := &sorted[i]; a.Required && !set.Has(a.dest()) {
			return p.Errorf(sub, "argument %s is required", a.name())
		}
	}
	for i := range known {
		group := known[i].Group
		if group == "" || known[i].Optional {
			continue
		}
		var names []string
		given := false
		for j := range known {
			if known[j].Group == group {
				names = append(names, known[j].name())
				given = given || set.Has(known[j].dest())
			}
		}
		if !given {
			return p.Errorf(sub, "one of the arguments %s is required", strings.Join(names, " "))
		}
	}
	return nil
}

func (p *Parser) writeUsage(w io.Writer, sub *SubCommand) { _, _ = io.WriteString(w, p.usage(sub)) }
