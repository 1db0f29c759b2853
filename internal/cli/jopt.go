package cli

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// argKind says whether an option takes an argument.
type argKind uint8

const (
	noArg argKind = iota
	requiredArg
	optionalArg
)

// option is one option of a family J tool.
type option struct {
	name string
	arg  argKind
	// typ is the type of the argument: String, Integer or Long. what describes it in the table.
	typ, what string
	def       string
	help      string
	// required options are checked by the parser; most tools check theirs themselves, with another text.
	required bool
	// with lists options of which one must be there too.
	with []string
}

// optParser reads options as Kafka's joptsimple-based tools do: --name value, --name=value and -name, no abbreviations, left
// over words are collected.
type optParser struct {
	options []option
}

// optSet is what was given.
type optSet struct {
	given map[string][]string
	words []string
}

// parseError is a refusal by the parser, in joptsimple's words.
type parseError struct {
	class string
	text  string
}

// Error returns the text.
func (e *parseError) Error() string { return e.text }

// named is Throwable.toString: the name and the text.
func (e *parseError) named() string { return e.class + ": " + e.text }

func refuse(class, format string, args ...any) error {
	return &parseError{class: "joptsimple." + class, text: fmt.Sprintf(format, args...)}
}

func (p *optParser) find(name string) *option {
	i := slices.IndexFunc(p.options, func(o option) bool { return o.name == name })
	if i < 0 {
		return nil
	}
	return &p.options[i]
}

// parse reads the arguments. The defaults of options that were not given are not in the result; see optSet.
func (p *optParser) parse(args []string) (*optSet, error) {
	set := &optSet{given: map[string][]string{}}
	for len(args) > 0 {
		word := args[0]
		args = args[1:]
		if word == "--" {
			set.words = append(set.words, args...)
			break
		}
		if word == "-" || !strings.HasPrefix(word, "-") {
			set.words = append(set.words, word)
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

// lookUp finds the option of a word. A single dash before anything but a whole name begins a cluster of one-letter options,
// which no tool has, so its first letter is reported.
func (p *optParser) lookUp(word string) (o *option, value string, inline bool, err error) {
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

func (p *optParser) take(set *optSet, o *option, value string, inline bool, args []string) ([]string, error) {
	values := set.given[o.name]
	switch {
	case o.arg == noArg:
	case inline:
		values = append(values, value)
	case o.arg == requiredArg:
		if len(args) == 0 {
			return nil, refuse("OptionMissingRequiredArgumentException", "Option %s requires an argument", o.name)
		}
		values, args = append(values, args[0]), args[1:]
	case len(args) > 0 && !looksLikeOption(args[0]):
		values, args = append(values, args[0]), args[1:]
	}
	if values == nil {
		values = []string{}
	}
	set.given[o.name] = values
	return args, nil
}

func looksLikeOption(word string) bool { return strings.HasPrefix(word, "-") && word != "-" }

func (p *optParser) complete(set *optSet) error {
	var missing, unavailable []string
	for _, o := range p.options {
		if o.required && !set.has(o.name) && !set.has("help") && !set.has("version") {
			missing = append(missing, o.name)
		}
		if len(o.with) > 0 && set.has(o.name) && !slices.ContainsFunc(o.with, set.has) {
			unavailable = append(unavailable, o.name)
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

func (s *optSet) has(name string) bool { _, ok := s.given[name]; return ok }

// all returns every argument of an option that may be repeated.
func (s *optSet) all(name string) []string { return s.given[name] }

// text returns the argument of an option that may not be repeated, or the default given here.
func (s *optSet) text(name, def string) (string, error) {
	values := s.given[name]
	switch len(values) {
	case 0:
		return def, nil
	case 1:
		return values[0], nil
	}
	return "", refuse("MultipleArgumentsForOptionException", "Found multiple arguments for option %s, but you asked for only one", name)
}

// integer returns a number of the given size in bits.
func (s *optSet) integer(name string, def int64, bits int) (int64, error) {
	v, err := s.text(name, strconv.FormatInt(def, 10))
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(v, 10, bits)
	if err != nil {
		return 0, refuse("OptionArgumentConversionException", "Cannot parse argument '%s' of option %s", v, name)
	}
	return n, nil
}

// reader reads several options and keeps the first error, so that a tool can ask for all its values and check once.
type reader struct {
	set *optSet
	err error
}

func (r *reader) text(name, def string) string {
	v, err := r.set.text(name, def)
	r.keep(err)
	return v
}

func (r *reader) int32(name string, def int32) int32 {
	n, err := r.set.integer(name, int64(def), 32)
	r.keep(err)
	return int32(n)
}

func (r *reader) int64(name string, def int64) int64 {
	n, err := r.set.integer(name, def, 64)
	r.keep(err)
	return n
}

func (r *reader) keep(err error) {
	if r.err == nil {
		r.err = err
	}
}
