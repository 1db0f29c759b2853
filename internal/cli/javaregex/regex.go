// Package javaregex owns the regular expressions of the tools: the dialect of java.util.regex, translated to that of Go's package
// where that can express it, else to that of regexp2.
package javaregex

import (
	"regexp"
	"time"

	"github.com/dlclark/regexp2"
)

// Regexp is an expression in the dialect of java.util.regex, which Kafka's tools read. What Go's package can express is
// matched in linear time. The rest, which is lookaround, back references, word boundaries and possessive quantifiers, is matched
// by backtracking, for a bounded time.
//
// One of the two fields is set.
type Regexp struct {
	linear *regexp.Regexp
	full   *regexp2.Regexp
}

// longestMatch bounds what an expression may cost for one text. An expression that needs longer matches nothing.
const longestMatch = time.Second

// Compile compiles an expression that means whole names. What Java refuses, or what is not supported, gives a
// *SyntaxError.
func Compile(expr string) (*Regexp, error) {
	t, err := translate(expr)
	if err != nil {
		return nil, err
	}
	return t.compile(`\A(?:` + t.text + `)\z`)
}

// CompileSeparator compiles an expression that means the places where a text is split.
func CompileSeparator(expr string) (*Regexp, error) {
	t, err := translate(expr)
	if err != nil {
		return nil, err
	}
	re, err := t.compile(t.text)
	if err == nil && re.linear != nil && re.linear.MatchString("") {
		return t.backtracking(t.text) // after a match, Go's package passes over an empty one
	}
	return re, err
}

// compile compiles the text of a translation, or a longer expression around it.
func (t translation) compile(text string) (*Regexp, error) {
	if t.linear {
		if re, err := regexp.Compile(text); err == nil { // it has limits: {1001} is above them
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

// GoExpr is the expression in the dialect of Go's package; ok is false if Go's package cannot express it.
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

// Split returns what lies between the matches, as Pattern.split does: without an empty piece before an empty match at the start,
// and without empty pieces at the end. There may be none at all.
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

// matches are where the matches begin and end, in bytes, from left to right.
func (r *Regexp) matches(s string) (list [][]int) {
	if r.linear != nil {
		return r.linear.FindAllStringIndex(s, -1)
	}
	var bytesAt []int // of each rune, which regexp2 counts in
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
