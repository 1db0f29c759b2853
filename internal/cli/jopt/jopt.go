// Package jopt owns the options of family J: the Kafka tools that parse their options with joptsimple, such as kafka-topics and
// kafka-console-producer. jopt.go parses, table.go writes the table of options, and tool.go has the rest that these tools
// share: help, version, refusals and exit codes. Each tool decides itself which options need or exclude each other.
package jopt

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// ArgKind says whether an option takes an argument.
type ArgKind uint8

// The kinds of options.
const (
	NoArg ArgKind = iota
	RequiredArg
	OptionalArg
)

// Option is one option of a family J tool.
type Option struct {
	Name string
	Arg  ArgKind
	// Type is the type of the argument: String, Integer or Long. What describes the argument in the table.
	Type, What string
	Default    string
	Help       string
	// Required has the parser check that the option is given. Most tools check that themselves, with another text.
	Required bool
	// With lists options. If it is not empty, at least one of them must be given too.
	With []string
}

// Parser reads options as Kafka's joptsimple-based tools do: --name value, --name=value and -name, without abbreviations. It
// collects the words that are not options.
type Parser struct {
	Options []Option
}

// Set is a parsed command line.
type Set struct {
	given map[string][]string
	// Words are the arguments that are neither options nor arguments of options.
	Words []string
}

// ParseError is the parser's error about a command line, in joptsimple's words.
type ParseError struct {
	Class string
	Text  string
}

// Error returns the text.
func (e *ParseError) Error() string { return e.Text }

// Named is Throwable.toString: the name and the text.
func (e *ParseError) Named() string { return e.Class + ": " + e.Text }

func refuse(class, format string, args ...any) error {
	return &ParseError{Class: "joptsimple." + class, Text: fmt.Sprintf(format, args...)}
}

func (p *Parser) find(name string) *Option {
	i := slices.IndexFunc(p.Options, func(o Option) bool { return o.Name == name })
	if i < 0 {
		return nil
	}
	return &p.Options[i]
}

// Parse reads the arguments. The result holds no defaults: the caller gives a default to Set.Text or Set.Integer.
func (p *Parser) Parse(args []string) (*Set, error) {
	set := &Set{given: map[string][]string{}}
	for len(args) > 0 {
		word := args[0]
		args = args[1:]
		if word == "--" {
			set.Words = append(set.Words, args...)
			break
		}
		if word == "-" || !strings.HasPrefix(word, "-") {
			set.Words = append(set.Words, word)
			continue
		}
		o, value, inline, err := p.lookUp(word)
		if err != nil {
			return nil, err
		}
		if args, err = p.take(set, o, value, inline, args); err != nil {
			return nil, err
		}
	}
	return set, p.complete(set)
}

// lookUp finds the option that a word names. After a single dash, anything but a whole name is a cluster of one-letter
// options. No tool has one-letter options, so the error names the first letter.
func (p *Parser) lookUp(word string) (o *Option, value string, inline bool, err error) {
	name, long := strings.CutPrefix(word, "--")
	if !long {
		name = word[1:]
	}
	name, value, inline = strings.Cut(name, "=")
	if o = p.find(name); o != nil {
		return o, value, inline, nil
	}
	if !long && name != "" {
		name = string([]rune(name)[:1])
	}
	return nil, "", false, refuse("UnrecognizedOptionException", "%s is not a recognized option", name)
}

func (p *Parser) take(set *Set, o *Option, value string, inline bool, args []string) ([]string, error) {
	values := set.given[o.Name]
	switch {
	case o.Arg == NoArg:
	case inline:
		values = append(values, value)
	case o.Arg == RequiredArg:
		if len(args) == 0 {
			return nil, refuse("OptionMissingRequiredArgumentException", "Option %s requires an argument", o.Name)
		}
		values, args = append(values, args[0]), args[1:]
	case len(args) > 0 && !looksLikeOption(args[0]):
		values, args = append(values, args[0]), args[1:]
	}
	if values == nil {
		values = []string{}
	}
	set.given[o.Name] = values
	return args, nil
}

func looksLikeOption(word string) bool { return strings.HasPrefix(word, "-") && word != "-" }

func (p *Parser) complete(set *Set) error {
	var missing, unavailable []string
	for _, o := range p.Options {
		if o.Required && !set.Has(o.Name) && !set.Has("help") && !set.Has("version") {
			missing = append(missing, o.Name)
		}
		if len(o.With) > 0 && set.Has(o.Name) && !slices.ContainsFunc(o.With, set.Has) {
			unavailable = append(unavailable, o.Name)
		}
	}
	if len(missing) > 0 {
		return refuse("MissingRequiredOptionsException", "Missing required option(s) [%s]", strings.Join(missing, ", "))
	}
	if len(unavailable) > 0 {
		return refuse("UnavailableOptionException", "Option(s) [%s] are unavailable given other options on the command line", strings.Join(unavailable, ", "))
	}
	return nil
}

// Has reports whether an option was given.
func (s *Set) Has(name string) bool { _, ok := s.given[name]; return ok }

// All returns all arguments of an option that may be repeated.
func (s *Set) All(name string) []string { return s.given[name] }

// Text returns the argument of an option that must not be repeated, or def if the option is not given.
func (s *Set) Text(name, def string) (string, error) {
	values := s.given[name]
	switch len(values) {
	case 0:
		return def, nil
	case 1:
		return values[0], nil
	}
	return "", refuse("MultipleArgumentsForOptionException", "Found multiple arguments for option %s, but you asked for only one", name)
}

// Integer returns the argument of an option as a number of so many bits, or def if the option is not given.
func (s *Set) Integer(name string, def int64, bits int) (int64, error) {
	v, err := s.Text(name, strconv.FormatInt(def, 10))
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(v, 10, bits)
	if err != nil {
		return 0, refuse("OptionArgumentConversionException", "Cannot parse argument '%s' of option %s", v, name)
	}
	return n, nil
}

// Reader reads several options and keeps the first error, so that a tool can ask for all its values and check once.
type Reader struct {
	Set *Set
	Err error
}

// Text returns the argument of an option, or the default.
func (r *Reader) Text(name, def string) string {
	v, err := r.Set.Text(name, def)
	r.keep(err)
	return v
}

// Int32 returns the argument of an option of type Integer, or the default.
func (r *Reader) Int32(name string, def int32) int32 {
	n, err := r.Set.Integer(name, int64(def), 32)
	r.keep(err)
	return int32(n)
}

// Int64 returns the argument of an option of type Long, or the default.
func (r *Reader) Int64(name string, def int64) int64 {
	n, err := r.Set.Integer(name, def, 64)
	r.keep(err)
	return n
}

func (r *Reader) keep(err error) {
	if r.Err == nil {
		r.Err = err
	}
}
