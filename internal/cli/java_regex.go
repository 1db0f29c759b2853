package cli

import (
	"errors"
	"regexp"
	"strings"
	"time"

	"github.com/dlclark/regexp2"
)

// javaRegex matches whole names against an expression in the dialect of java.util.regex, which Kafka's tools take. What Go's
// package knows too means the same there, and is matched by it in linear time. The rest, lookaround, back references,
// possessive quantifiers and Java's names of classes, is matched by backtracking, for a bounded time.
type javaRegex struct {
	linear *regexp.Regexp
	full   *regexp2.Regexp
}

// longestMatch bounds what an expression may cost for one name. An expression that needs longer matches nothing.
const longestMatch = time.Second

func compileJavaRegex(expr string) (*javaRegex, error) {
	if classInClass.MatchString(escaped.ReplaceAllString(expr, "")) {
		return nil, errClassInClass
	}
	if openBrace.MatchString(plainText.ReplaceAllString(expr, "")) {
		return nil, errOpenBrace
	}
	// It is compiled alone, too: a bracket of its own must not close ours.
	if _, err := regexp.Compile(expr); err == nil {
		if re, err := regexp.Compile(`^(?:` + expr + `)$`); err == nil {
			return &javaRegex{linear: re}, nil
		}
	}
	if _, err := regexp2.Compile(translateJava(expr), regexp2.None); err != nil {
		return nil, err //nolint:wrapcheck // the tools have words of their own
	}
	re, err := regexp2.Compile(`\A(?:`+translateJava(expr)+`)\z`, regexp2.None)
	if err != nil {
		return nil, err //nolint:wrapcheck // the same
	}
	re.MatchTimeout = longestMatch
	return &javaRegex{full: re}, nil
}

// Java knows unions and intersections of classes, as in [a-z&&[^x]]. Other dialects read the same letters as something else,
// so they are refused.
var (
	errClassInClass = errors.New("a class within a class, or an intersection of classes (&&), is not supported; write one class, or a lookahead such as (?!x)[a-z]")
	escaped         = regexp.MustCompile(`(?s)\\Q.*?(?:\\E|$)|\\.`)
	classInClass    = regexp.MustCompile(`\[\^?\]?[^\]]*(?:\[|&&)`)
)

// Other dialects take a brace that begins no quantifier as itself.
var (
	errOpenBrace = errors.New(`a { that begins no quantifier must be written as \{`)
	plainText    = regexp.MustCompile(`(?s)\\Q.*?(?:\\E|$)|\\[pPxN]\{\w+\}|\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\{\d+(?:,\d*)?\}`)
	openBrace    = regexp.MustCompile(`\{`)
)

// MatchString reports whether the expression matches all of s.
func (r *javaRegex) MatchString(s string) bool {
	if r.linear != nil {
		return r.linear.MatchString(s)
	}
	ok, err := r.full.MatchString(s)
	return ok && err == nil
}

// javaClasses are the names in \p{...} that other dialects do not have, as the inside of a bracket expression.
var javaClasses = map[string]string{
	"Lower": `a-z`, "Upper": `A-Z`, "ASCII": `\x00-\x7F`, "Alpha": `a-zA-Z`, "Digit": `0-9`, "Alnum": `a-zA-Z0-9`,
	"Punct": `!-/:-@\[-` + "`" + `{-~`, "Graph": `!-~`, "Print": ` -~`, "Blank": ` \t`, "Cntrl": `\x00-\x1F\x7F`, "XDigit": `0-9a-fA-F`,
	"Space": ` \t\n\x0B\f\r`, "javaLowerCase": `\p{Ll}`, "javaUpperCase": `\p{Lu}`, "IsAlphabetic": `\p{L}\p{Nl}`, "IsDigit": `\p{Nd}`,
}

// translateJava writes an expression of Java in the dialect of .NET, which regexp2 reads: Java's classes become ranges, \Q...\E
// becomes escapes, and a possessive quantifier becomes an atomic group.
func translateJava(expr string) string {
	t := javaTranslator{in: expr}
	t.alternatives(false)
	return t.out.String()
}

type javaTranslator struct {
	in  string
	out strings.Builder
}

// alternatives reads up to the end, or to the bracket that closes a group.
func (t *javaTranslator) alternatives(inGroup bool) {
	for t.in != "" && (t.in[0] != ')' || !inGroup) {
		if t.in[0] == '|' {
			t.pass(1)
			continue
		}
		t.quantified()
	}
}

// quantified reads one atom and its quantifier.
func (t *javaTranslator) quantified() {
	outer := t.out
	t.out = strings.Builder{}
	t.atom()
	atom := t.out.String()
	t.out = strings.Builder{}
	quantifier := leadingQuantifier(t.in)
	t.in = t.in[len(quantifier):]
	possessive := strings.HasSuffix(quantifier, "+") && len(quantifier) > 1
	text := outer.String()
	t.out.WriteString(text)
	if possessive {
		t.out.WriteString("(?>" + atom + strings.TrimSuffix(quantifier, "+") + ")")
		return
	}
	t.out.WriteString(atom + quantifier)
}

var quantifierPattern = regexp.MustCompile(`^(?:[*+?]|\{\d+(?:,\d*)?\})[+?]?`)

func leadingQuantifier(s string) string { return quantifierPattern.FindString(s) }

func (t *javaTranslator) atom() {
	switch t.in[0] {
	case '(':
		t.pass(1)
		t.alternatives(true)
		t.pass(min(1, len(t.in)))
	case '[':
		t.class()
	case '\\':
		t.escape(false)
	default:
		t.pass(1)
	}
}

// class reads a bracket expression.
func (t *javaTranslator) class() {
	t.pass(1)
	if strings.HasPrefix(t.in, "^") {
		t.pass(1)
	}
	for first := true; t.in != "" && (t.in[0] != ']' || first); first = false {
		if t.in[0] == '\\' {
			t.escape(true)
			continue
		}
		t.pass(1)
	}
	t.pass(min(1, len(t.in)))
}

// escape reads what begins with a backslash.
func (t *javaTranslator) escape(inClass bool) {
	if rest, ok := strings.CutPrefix(t.in, `\Q`); ok {
		quoted, after, _ := strings.Cut(rest, `\E`)
		t.out.WriteString("(?:" + regexp.QuoteMeta(quoted) + ")")
		t.in = after
		return
	}
	if m := classPattern.FindStringSubmatch(t.in); m != nil {
		if ranges, ok := javaClasses[m[2]]; ok && (m[1] == "p" || !inClass) {
			t.in = t.in[len(m[0]):]
			switch {
			case inClass:
				t.out.WriteString(ranges)
			case m[1] == "P":
				t.out.WriteString("[^" + ranges + "]")
			default:
				t.out.WriteString("[" + ranges + "]")
			}
			return
		}
	}
	t.pass(min(2, len(t.in)))
}

var classPattern = regexp.MustCompile(`^\\([pP])\{(\w+)\}`)

// pass copies so many bytes.
func (t *javaTranslator) pass(n int) {
	t.out.WriteString(t.in[:n])
	t.in = t.in[n:]
}
