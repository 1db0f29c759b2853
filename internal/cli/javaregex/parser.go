package javaregex

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// SyntaxError is why an expression is refused. The texts are Java's where Java refuses it, too.
type SyntaxError struct{ text string }

// Error implements error.
func (e *SyntaxError) Error() string { return e.text }

// translation is an expression of Java in words that Go's package and regexp2 read alike: classes are ranges, flags are
// worked in, and groups have no names. Where linear is false, it has what only regexp2 knows. The text that is matched has no
// line breaks: it is a name of Kafka, or part of a line. So the end of a line is the end of the text.
type translation struct {
	text   string
	linear bool
}

func translate(expr string) (translation, error) {
	in := unquoteJava([]rune(expr))
	p := parser{in: in, lastGroup: math.MaxInt}
	text := p.whole()
	if p.references && p.err == nil {
		p = parser{in: in, lastGroup: p.groups} // a reference to a group that never comes matches nothing
		text = p.whole()
	}
	if p.err != nil {
		return translation{}, p.err
	}
	return translation{text: text, linear: !p.backtracks}, nil
}

// unquoteJava writes \Q...\E as escapes, before anything else is read, as Java does. Letters stand for themselves, and so do digits
// but for the first one, which could be part of an escape before the quotation.
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

// modes are the letters in (?...).
type modes struct{ ignoreCase, dotAll, unixLines, unicodeCase, comments, unicodeClasses bool }

// parser reads an expression and writes its translation on the way. After an error it is at the end.
type parser struct {
	in    []rune
	at    int // <= len(in)
	flags modes
	err   error

	groups     int // capturing groups that have begun
	lastGroup  int // capturing groups of the whole expression
	names      map[string]int
	references bool
	backtracks bool

	lookbehinds int // that have begun and not ended
	// Java wants to know how long a text a lookbehind may match.
	unlimited bool // what was read since the last lookbehind began has no greatest length
	varies    bool // what was read since the last group began may match in more than one way
}

// atEnd is what is read behind the last character.
const atEnd rune = -1

func (p *parser) fail(format string, args ...any) {
	if p.err == nil {
		p.err = &SyntaxError{fmt.Sprintf(format, args...)}
	}
	p.at = len(p.in)
}

// peek is the next character that means something.
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

// peekAt is the character that lies so far ahead, whatever it is.
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

// readAny reads a character, also if it is a blank that could be passed over.
func (p *parser) readAny() rune {
	ch := p.peekAt(0)
	if ch != atEnd {
		p.at++
	}
	return ch
}

// next reports whether the next character is this one, and reads it then.
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

// alternatives reads up to the end, or to a bracket that closes a group.
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

// atom is what a quantifier belongs to. It is simple if it is no group in Java: a character, a class, a reference, a place.
type atom struct {
	text   string
	simple bool
	varies bool // it may match in more than one way
}

func charOf(s runeSet) atom { return atom{text: s.text(), simple: true} }

// atom reads what is no group. Nothing is read at a brace: there Java takes an empty text for what is repeated.
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
		// What was repeated once is not given back in part, either.
		p.atomic()
		return "(?>(?>" + a.text + ")" + quantifier + ")"
	}
	return a.text + quantifier
}

// quantifier returns a quantifier and its limits, nothing if none follows.
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

// count reads a number, 0 if there is none.
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

// anyCase is a character, in lower and upper case if case is ignored.
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
