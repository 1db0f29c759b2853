// Package javaregex owns the regular expressions of the tools. It translates the dialect of java.util.regex to that of Go's
// package regexp, or to that of regexp2 if regexp cannot express it.
package javaregex

import (
	"regexp"
	"time"

	"github.com/dlclark/regexp2"
)

// Regexp is an expression in the dialect of java.util.regex, which Kafka's tools read. An expression that Go's package can
// express is matched in linear time. All others are matched by backtracking, for a limited time: those with lookaround, back
// references, word boundaries, possessive quantifiers or atomic groups.
//
// Exactly one of the two fields is set.
type Regexp struct {
	linear *regexp.Regexp
	full   *regexp2.Regexp
}

// longestMatch limits the time for matching one text. An expression that needs longer does not match.
const longestMatch = time.Second

// Compile compiles an expression that must match a whole name. It returns a *SyntaxError for an expression that Java refuses
// or that is not supported.
func Compile(expr string) (*Regexp, error) {
	t, err := translate(expr)
	if err != nil {
		return nil, err
	}
	return t.compile(`\A(?:` + t.text + `)\z`)
}

// CompileSeparator compiles an expression that matches the separators at which a text is split.
func CompileSeparator(expr string) (*Regexp, error) {
	t, err := translate(expr)
	if err != nil {
		return nil, err
	}
	re, err := t.compile(t.text)
	if err == nil && re.linear != nil && re.linear.MatchString("") {
		return t.backtracking(t.text) // Go's package skips an empty match right after a match
	}
	return re, err
}

// compile compiles the translation's text, or a longer expression that contains it.
func (t translation) compile(text string) (*Regexp, error) {
	if t.linear {
		if re, err := regexp.Compile(text); err == nil { // fails above the package's limits, as with {1001}
			return &Regexp{linear: re}, nil
		}
	}
	return t.backtracking(text)
}

func (t translation) backtracking(text string) (*Regexp, error) {
	re, err := regexp2.Compile(text, regexp2.None)
	if err != nil {
		return nil, err //nolint:wrapcheck // the tools have words of their own
	}
	re.MatchTimeout = longestMatch
	return &Regexp{full: re}, nil
}

// GoExpr returns the expression in the dialect of Go's package. ok is false if Go's package cannot express it.
func (r *Regexp) GoExpr() (expr string, ok bool) {
	if r.linear == nil {
		return "", false
	}
	return r.linear.String(), true
}

// MatchString reports whether there is a match in s.
func (r *Regexp) MatchString(s string) bool {
	if r.linear != nil {
		return r.linear.MatchString(s)
	}
	ok, err := r.full.MatchString(s)
	return ok && err == nil
}

// Split returns the pieces between the matches, as Pattern.split does. It leaves out the empty piece before an empty match at
// the start, and empty pieces at the end. The result may be empty.
func (r *Regexp) Split(s string) []string {
	var pieces []string
	begin := 0
	for _, match := range r.matches(s) {
		if match[1] > 0 {
			pieces = append(pieces, s[begin:match[0]])
			begin = match[1]
		}
	}
	if begin == 0 {
		return []string{s}
	}
	pieces = append(pieces, s[begin:])
	for len(pieces) > 0 && pieces[len(pieces)-1] == "" {
		pieces = pieces[:len(pieces)-1]
	}
	return pieces
}

// matches returns the start and end of each match in bytes, from left to right.
func (r *Regexp) matches(s string) (list [][]int) {
	if r.linear != nil {
		return r.linear.FindAllStringIndex(s, -1)
	}
	var bytesAt []int // the byte offset of each rune; regexp2 counts in runes
	for at := range s {
		bytesAt = append(bytesAt, at)
	}
	bytesAt = append(bytesAt, len(s))
	m, err := r.full.FindStringMatch(s)
	for err == nil && m != nil {
		list = append(list, []int{bytesAt[m.Index], bytesAt[m.Index+m.Length]})
		m, err = r.full.FindNextMatch(m)
	}
	return list
}
