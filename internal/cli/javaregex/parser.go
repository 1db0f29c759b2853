package javaregex

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// SyntaxError says why an expression is refused. The text is Java's if Java refuses the expression too.
type SyntaxError struct{ text string }

// Error implements error.
func (e *SyntaxError) Error() string { return e.text }

// translation is a Java expression in a syntax that Go's package and regexp2 read in the same way: classes are lists of ranges,
// flags are applied, and groups have no names. If linear is false, the expression has parts that only regexp2 knows. The matched
// texts are names in Kafka or parts of lines, so they have no line breaks, and the end of a line is the end of the text.
type translation struct {
	text   string
	linear bool
}

func translate(expr string) (translation, error) {
	in := unquoteJava([]rune(expr))
	p := parser{in: in, lastGroup: math.MaxInt}
	text := p.whole()
	if p.references && p.err == nil {
		p = parser{in: in, lastGroup: p.groups} // a reference to a group that does not exist matches nothing
		text = p.whole()
	}
	if p.err != nil {
		return translation{}, p.err
	}
	return translation{text: text, linear: !p.backtracks}, nil
}

// unquoteJava replaces \Q...\E by escapes before anything else is read, as Java does. It does not escape letters and digits,
// except a first digit, which could otherwise become part of an escape before the quotation.
func unquoteJava(in []rune) []rune {
	var out []rune
	for i := 0; i < len(in); i++ {
		if in[i] != '\\' || i+1 == len(in) {
			out = append(out, in[i])
			continue
		}
		i++
		if in[i] != 'Q' {
			out = append(out, '\\', in[i])
			continue
		}
		begin := i + 1
		for i = begin; i < len(in) && (in[i] != '\\' || i+1 == len(in) || in[i+1] != 'E'); i++ {
			switch {
			case in[i] >= 0x80 || isASCIILetter(in[i]) || isASCIIDigit(in[i]) && i > begin:
			case isASCIIDigit(in[i]):
				out = append(out, '\\', 'x', '3')
			default:
				out = append(out, '\\')
			}
			out = append(out, in[i])
		}
		i++
	}
	return out
}

func isASCIILetter(r rune) bool { return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' }

func isASCIIDigit(r rune) bool { return r >= '0' && r <= '9' }

// modes are the flags, which are the letters in (?...).
type modes struct{ ignoreCase, dotAll, unixLines, unicodeCase, comments, unicodeClasses bool }

// parser reads an expression and writes its translation at the same time. After an error its position is the end.
type parser struct {
	in    []rune
	at    int // <= len(in)
	flags modes
	err   error

	groups     int // capturing groups that have begun
	lastGroup  int // capturing groups of the whole expression; MaxInt if not known yet
	names      map[string]int
	references bool
	backtracks bool

	lookbehinds int // open lookbehinds
	// Java refuses a lookbehind whose text has no maximum length. These two fields find that out.
	unlimited bool // the text matched since the lookbehind began has no maximum length
	varies    bool // the part since the group began may match in several ways
}

// atEnd is the result of reading after the last character.
const atEnd rune = -1

func (p *parser) fail(format string, args ...any) {
	if p.err == nil {
		p.err = &SyntaxError{fmt.Sprintf(format, args...)}
	}
	p.at = len(p.in)
}

// peek returns the next character. With the flag x it skips blanks and comments.
func (p *parser) peek() rune {
	for p.flags.comments && p.at < len(p.in) {
		if strings.ContainsRune(" \t\n\v\f\r", p.in[p.at]) {
			p.at++
			continue
		}
		if p.in[p.at] != '#' {
			break
		}
		for p.at < len(p.in) && !p.endsLine(p.in[p.at]) {
			p.at++
		}
	}
	return p.peekAt(0)
}

// peekAt returns the character at a distance from the position. It skips nothing.
func (p *parser) peekAt(ahead int) rune {
	if p.at+ahead >= len(p.in) {
		return atEnd
	}
	return p.in[p.at+ahead]
}

func (p *parser) endsLine(r rune) bool {
	return r == '\n' || !p.flags.unixLines && (r == '\r' || r == 0x85 || r == 0x2028 || r == 0x2029)
}

func (p *parser) read() rune {
	p.peek()
	return p.readAny()
}

// readAny reads a character. It skips nothing, not even with the flag x.
func (p *parser) readAny() rune {
	ch := p.peekAt(0)
	if ch != atEnd {
		p.at++
	}
	return ch
}

// next reads the next character if it is ch, and reports whether it is.
func (p *parser) next(ch rune) bool {
	if p.peek() != ch {
		return false
	}
	p.at++
	return true
}

func (p *parser) whole() string {
	text := p.alternatives()
	if p.peek() != atEnd {
		p.fail("Unmatched closing ')'")
	}
	return text
}

// alternatives reads up to the end or to a closing bracket.
func (p *parser) alternatives() string {
	list := []string{p.sequence()}
	for p.next('|') {
		p.varies = true
		list = append(list, p.sequence())
	}
	return strings.Join(list, "|")
}

func (p *parser) sequence() string {
	var out strings.Builder
	for {
		switch ch := p.peek(); ch {
		case atEnd, '|', ')':
			return out.String()
		case '?', '*', '+':
			p.fail("Dangling meta character '%c'", ch)
		case '(':
			p.at++
			if group, ok := p.group(); ok {
				out.WriteString(p.quantified(group))
			}
		default:
			out.WriteString(p.quantified(p.atom()))
		}
	}
}

// atom is the part of an expression that a quantifier repeats. It is simple if it is not a group in Java: a character, a class,
// a reference, or a position.
type atom struct {
	text   string
	simple bool
	varies bool // it may match in several ways
}

func charOf(s runeSet) atom { return atom{text: s.text(), simple: true} }

// atom reads an atom that is not a group. At a brace it reads nothing, because Java repeats the empty text there.
func (p *parser) atom() atom {
	switch p.peek() {
	case '{':
		return atom{text: "(?:)", simple: true}
	case '[':
		p.at++
		return charOf(p.class())
	case '\\':
		p.at++
		return p.escape()
	}
	switch ch := p.readAny(); ch {
	case '^':
		return atom{text: `\A`, simple: true}
	case '$':
		return atom{text: `\z`, simple: true}
	case '.':
		return charOf(p.dot())
	default:
		return charOf(p.anyCase(ch))
	}
}

func (p *parser) dot() runeSet {
	switch {
	case p.flags.dotAll:
		return allRunes
	case p.flags.unixLines:
		return setOf('\n', '\n').negate()
	}
	return setOf('\n', '\n', '\r', '\r', 0x85, 0x85, 0x2028, 0x2029).negate()
}

// quantified reads the quantifier of an atom, if there is one.
func (p *parser) quantified(a atom) string {
	quantifier, least, most := p.quantifier()
	if quantifier == "" {
		return a.text
	}
	kind := p.peek()
	if kind == '?' || kind == '+' {
		p.at++
	}
	if optional := least == 0 && most == 1; !a.simple && !optional && (most == math.MaxInt32 || a.varies && kind != '+') {
		p.unlimited = true
	}
	p.varies = p.varies || least != most
	switch kind {
	case '?':
		return a.text + quantifier + "?"
	case '+':
		// In Java, each single repetition is atomic too.
		p.atomic()
		return "(?>(?>" + a.text + ")" + quantifier + ")"
	}
	return a.text + quantifier
}

// quantifier reads a quantifier and returns its text and limits. The text is empty if no quantifier follows.
func (p *parser) quantifier() (text string, least, most int) {
	switch ch := p.peek(); ch {
	case '?':
		p.at++
		return "?", 0, 1
	case '*':
		p.at++
		return "*", 0, math.MaxInt32
	case '+':
		p.at++
		return "+", 1, math.MaxInt32
	case '{':
		p.at++
	default:
		return "", 0, 0
	}
	if !isASCIIDigit(p.peekAt(0)) {
		p.fail(`Illegal repetition: a { that begins no quantifier must be written as \{`)
		return "", 0, 0
	}
	least = p.count()
	most = least
	text = "{" + strconv.Itoa(least)
	if p.next(',') {
		text += ","
		most = math.MaxInt32
		if p.peek() != '}' {
			most = p.count()
			text += strconv.Itoa(most)
		}
	}
	if !p.next('}') {
		p.fail("Unclosed counted closure")
	}
	if most < least {
		p.fail("Illegal repetition range")
	}
	return text + "}", least, most
}

// count reads a number. It returns 0 if there is none.
func (p *parser) count() (n int) {
	for isASCIIDigit(p.peek()) {
		n = 10*n + int(p.read()-'0')
		if n > math.MaxInt32 {
			p.fail("Illegal repetition range")
			return 0
		}
	}
	return n
}

// anyCase returns the set of a character, with its upper and lower case if case is ignored.
func (p *parser) anyCase(ch rune) runeSet {
	if !p.flags.ignoreCase {
		return setOf(ch, ch)
	}
	if p.flags.unicodeCase {
		upper, lower := upperLower(ch)
		return foldUnicode(setOf(slices.Concat([]rune{ch, ch, upper, upper, lower, lower})...))
	}
	return foldASCII(setOf(ch, ch))
}
