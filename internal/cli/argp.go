package cli

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// argument is an option of a family A tool.
type argument struct {
	// flags are the names with their dashes, the long one first: --id, -i.
	flags []string
	// metavar stands for the value in texts. Switches have none.
	metavar string
	// number is Integer or Long for values that must be numbers.
	number   string
	many     bool // takes one word or more
	append   bool // may be repeated; every value counts
	required bool
	group    string // of the arguments of one group, just one is allowed, and needed
	optional bool   // none of the group is needed
	def      string
	help     string
}

// dest is the key of the value.
func (a *argument) dest() string { return strings.TrimLeft(a.flags[0], "-") }

func (a *argument) name() string { return strings.Join(a.flags, "/") }

// usage is the argument in a usage line, without brackets.
func (a *argument) usage() string {
	switch {
	case a.metavar == "":
		return a.flags[0]
	case a.many:
		return a.flags[0] + " " + a.metavar + " [" + a.metavar + " ...]"
	}
	return a.flags[0] + " " + a.metavar
}

// argParser reads arguments as Kafka's argparse4j-based tools do: sub-commands, short flags that can be joined to their
// value, --name value and --name=value, help with justified paragraphs.
type argParser struct {
	prog  string
	about string
	args  []argument
	subs  []*argSub

	helpExit int
}

// argSub is a sub-command.
type argSub struct {
	name, help string
	args       []argument
}

// argSet is what was given.
type argSet struct {
	sub    string
	values map[string][]string
}

func (s *argSet) has(name string) bool { _, ok := s.values[name]; return ok }

func (s *argSet) text(name, def string) string {
	if v := s.values[name]; len(v) > 0 {
		return v[len(v)-1]
	}
	return def
}

func (s *argSet) int(name string, def int64) int64 {
	n, err := strconv.ParseInt(s.text(name, ""), 10, 64)
	if err != nil {
		return def
	}
	return n
}

// argError is a refusal by the parser: the usage of where it happened, then the message.
type argError struct {
	parser *argParser
	sub    *argSub
	text   string
}

// Error returns the message.
func (e *argError) Error() string { return e.text }

// helpError asks for the help of the tool or of a sub-command.
type helpError struct {
	parser *argParser
	sub    *argSub
}

// Error says what it is.
func (e *helpError) Error() string { return "help wanted" }

// run parses and hands the result over. It prints help and refusals itself.
func (p *argParser) run(s *streams, args []string, run func(*argSet) error) int {
	set, err := p.parse(args)
	if err == nil {
		err = run(set)
	}
	switch e := err.(type) { //nolint:errorlint // the parser's own, never wrapped
	case nil:
		return exitOK
	case *helpError:
		p.writeHelp(s.out, e.sub)
		return p.helpExit
	case *argError:
		p.writeUsage(s.err, e.sub)
		s.remark("%s", wrapJustified(p.prog+": error: "+e.text+"\n", "", 0))
		return exitError
	}
	s.complain(err, "%s%s\n", err, causes(err))
	return exitError
}

func (p *argParser) fail(sub *argSub, format string, args ...any) error {
	return &argError{parser: p, sub: sub, text: fmt.Sprintf(format, args...)}
}

// parse reads the tool's own arguments up to the sub-command, then those of the sub-command.
func (p *argParser) parse(args []string) (*argSet, error) {
	set := &argSet{values: map[string][]string{}}
	rest, err := p.read(set, nil, p.args, args)
	if err != nil {
		return nil, err
	}
	if len(p.subs) == 0 {
		if len(rest) > 0 {
			return nil, p.fail(nil, "unrecognized arguments: '%s'", strings.Join(rest, " "))
		}
		return set, p.complete(set, nil, p.args)
	}
	if len(rest) == 0 {
		return nil, p.fail(nil, "too few arguments")
	}
	i := slices.IndexFunc(p.subs, func(s *argSub) bool { return s.name == rest[0] })
	if i < 0 {
		return nil, p.fail(nil, "invalid choice: '%s' (choose from '%s')", rest[0], strings.Join(p.subNames(), "', '"))
	}
	sub := p.subs[i]
	set.sub = sub.name
	left, err := p.read(set, sub, sub.args, rest[1:])
	if err != nil {
		return nil, err
	}
	if len(left) > 0 {
		return nil, p.fail(sub, "unrecognized arguments: '%s'", strings.Join(left, " "))
	}
	if err := p.complete(set, nil, p.args); err != nil {
		return nil, err
	}
	return set, p.complete(set, sub, sub.args)
}

func (p *argParser) subNames() []string {
	names := make([]string, len(p.subs))
	for i, s := range p.subs {
		names[i] = s.name
	}
	return names
}

// read takes the options of one level. It stops at the first word that is no option and returns what is left.
func (p *argParser) read(set *argSet, sub *argSub, known []argument, args []string) ([]string, error) {
	for len(args) > 0 {
		word := args[0]
		if !strings.HasPrefix(word, "-") || word == "-" || isNumber(word) {
			return args, nil
		}
		if word == "-h" || word == "--help" {
			return nil, &helpError{parser: p, sub: sub}
		}
		a, value, inline := findArgument(known, word)
		if a == nil {
			return nil, p.fail(sub, "unrecognized arguments: '%s'", word)
		}
		args = args[1:]
		if a.group != "" {
			for i := range known {
				if other := &known[i]; other.group == a.group && other.dest() != a.dest() && set.has(other.dest()) {
					return nil, p.fail(sub, "argument %s: not allowed with argument %s", a.name(), other.name())
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

func (p *argParser) take(set *argSet, sub *argSub, a *argument, value string, inline bool, args []string) ([]string, error) {
	if a.metavar == "" {
		set.values[a.dest()] = []string{"true"}
		return args, nil
	}
	var values []string
	if inline {
		values = []string{value}
	}
	for !inline && len(args) > 0 && (!strings.HasPrefix(args[0], "-") || isNumber(args[0]) || args[0] == "-") {
		values, args = append(values, args[0]), args[1:]
		if !a.many {
			break
		}
	}
	if len(values) == 0 {
		if a.many {
			return nil, p.fail(sub, "argument %s: expected at least one argument", a.name())
		}
		return nil, p.fail(sub, "argument %s: expected one argument", a.name())
	}
	for _, v := range values {
		bits := map[string]int{"Integer": 32, "Long": 64}[a.number]
		if _, err := strconv.ParseInt(v, 10, max(bits, 1)); a.number != "" && err != nil {
			return nil, p.fail(sub, "argument %s: could not convert '%s' to %s (%d bits)", a.name(), v, strings.TrimSuffix(strings.ToLower(a.number), "eger"), bits)
		}
	}
	if a.append {
		values = append(set.values[a.dest()], values...)
	}
	set.values[a.dest()] = values
	return args, nil
}

func isNumber(word string) bool {
	_, err := strconv.ParseFloat(word, 64)
	return err == nil
}

// findArgument finds an option by its whole name, --name=value, or a short flag with its value joined.
func findArgument(known []argument, word string) (a *argument, value string, inline bool) {
	name, value, inline := strings.Cut(word, "=")
	for i := range known {
		if slices.Contains(known[i].flags, word) {
			return &known[i], "", false
		}
		if strings.HasPrefix(word, "--") && inline && slices.Contains(known[i].flags, name) {
			return &known[i], value, true
		}
		if len(word) > 2 && word[1] != '-' && slices.Contains(known[i].flags, word[:2]) {
			return &known[i], strings.TrimPrefix(word[2:], "="), true
		}
	}
	return nil, "", false
}

// complete refuses missing arguments, the required ones in the order of their names, before the groups.
func (p *argParser) complete(set *argSet, sub *argSub, known []argument) error {
	sorted := slices.SortedFunc(slices.Values(known), func(a, b argument) int { return strings.Compare(a.dest(), b.dest()) })
	for i := range sorted {
		if a := &sorted[i]; a.required && !set.has(a.dest()) {
			return p.fail(sub, "argument %s is required", a.name())
		}
	}
	for i := range known {
		group := known[i].group
		if group == "" || known[i].optional {
			continue
		}
		var names []string
		given := false
		for j := range known {
			if known[j].group == group {
				names = append(names, known[j].name())
				given = given || set.has(known[j].dest())
			}
		}
		if !given {
			return p.fail(sub, "one of the arguments %s is required", strings.Join(names, " "))
		}
	}
	return nil
}

func (p *argParser) writeUsage(w io.Writer, sub *argSub) { _, _ = io.WriteString(w, p.usage(sub)) }
