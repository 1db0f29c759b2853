package javaregex

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"unicode"
)

const lastRune = unicode.MaxRune

// runeSet is a set of characters: the first and the last character of each range. The ranges ascend and do not touch.
type runeSet []rune

var allRunes = runeSet{0, lastRune}

// setOf makes a set of ranges, which may be in any order. It never returns nil.
func setOf(ranges ...rune) runeSet {
	pairs := make([][2]rune, 0, len(ranges)/2)
	for i := 0; i+1 < len(ranges); i += 2 {
		pairs = append(pairs, [2]rune{ranges[i], ranges[i+1]})
	}
	slices.SortFunc(pairs, func(a, b [2]rune) int { return int(a[0] - b[0]) })
	s := runeSet{}
	for _, r := range pairs {
		if n := len(s); n > 0 && r[0] <= s[n-1]+1 {
			s[n-1] = max(s[n-1], r[1])
			continue
		}
		s = append(s, r[0], r[1])
	}
	return s
}

func tableSet(tables ...*unicode.RangeTable) runeSet {
	var ranges []rune
	add := func(lo, hi, stride rune) {
		if stride == 1 {
			ranges = append(ranges, lo, hi)
			return
		}
		for r := lo; r <= hi; r += stride {
			ranges = append(ranges, r, r)
		}
	}
	for _, t := range tables {
		for _, r := range t.R16 {
			add(rune(r.Lo), rune(r.Hi), rune(r.Stride))
		}
		for _, r := range t.R32 {
			add(rune(r.Lo), rune(r.Hi), rune(r.Stride))
		}
	}
	return setOf(ranges...)
}

func (s runeSet) union(others ...runeSet) runeSet {
	return setOf(slices.Concat(append([]runeSet{s}, others...)...)...)
}

func (s runeSet) negate() runeSet {
	out := runeSet{}
	first := rune(0)
	for i := 0; i < len(s); i += 2 {
		if s[i] > first {
			out = append(out, first, s[i]-1)
		}
		first = s[i+1] + 1
	}
	if first <= lastRune {
		out = append(out, first, lastRune)
	}
	return out
}

func (s runeSet) intersect(other runeSet) runeSet { return s.negate().union(other.negate()).negate() }

// negateIf returns the set, or its complement if negated is set.
func (s runeSet) negateIf(negated bool) runeSet {
	if negated {
		return s.negate()
	}
	return s
}

func (s runeSet) has(r rune) bool {
	for i := 0; i < len(s) && s[i] <= r; i += 2 {
		if r <= s[i+1] {
			return true
		}
	}
	return false
}

// text writes the set as an expression.
func (s runeSet) text() string {
	if len(s) == 2 && s[0] == s[1] {
		return runeText(s[0])
	}
	if len(s) == 0 {
		return "[^" + allRunes.text()[1:]
	}
	var b strings.Builder
	b.WriteByte('[')
	for i := 0; i < len(s); i += 2 {
		b.WriteString(runeText(s[i]))
		if s[i+1] > s[i] {
			b.WriteString("-" + runeText(s[i+1]))
		}
	}
	b.WriteByte(']')
	return b.String()
}

func runeText(r rune) string {
	switch {
	case isASCIILetter(r) || isASCIIDigit(r) || r == '_':
		return string(r)
	case r < 0x100:
		return fmt.Sprintf(`\x%02X`, r)
	}
	return fmt.Sprintf(`\x{%X}`, r)
}

// class reads a class after its opening bracket. In Java a class may contain characters, ranges, other classes, and
// intersections (&&).
func (p *parser) class() runeSet {
	negated := p.peekAt(0) == '^'
	if negated {
		p.at++
	}
	s := p.classMembers()
	if p.err == nil {
		p.at++ // the closing bracket
	}
	return s.negateIf(negated)
}

// javaMembers are the members of a class that have been read so far. Java collects single characters below 256 separately and
// adds them at the end, so an intersection in between does not apply to them. javaMembers does the same.
type javaMembers struct {
	set     runeSet // the other members; nil if there are none yet
	singles runeSet
	pending bool    // singles has members that are not in set yet
	last    runeSet // nil if the last member was one of the singles
}

func (m *javaMembers) add(s runeSet) {
	m.last = s
	m.set = m.set.union(s)
}

// whole returns the set including the single characters.
func (m *javaMembers) whole() runeSet {
	if !m.pending {
		return m.set
	}
	return m.set.union(m.singles)
}

// classMembers reads up to the closing bracket of the class. It does not read the bracket.
func (p *parser) classMembers() runeSet {
	var m javaMembers
	for {
		switch ch := p.peek(); {
		case ch == '[':
			p.at++
			m.add(p.class())
		case ch == '&' && p.isIntersection():
			p.intersection(&m)
		case ch == ']' && (m.set != nil || m.pending):
			return m.whole()
		case ch == atEnd:
			p.fail("Unclosed character class")
			return nil
		default:
			p.member(&m)
		}
	}
}

func (p *parser) isIntersection() bool {
	begin := p.at
	p.at++
	is := p.peek() == '&'
	p.at = begin
	return is
}

// intersection reads && and the members after it.
func (p *parser) intersection(m *javaMembers) {
	p.at++
	p.next('&')
	var right runeSet
	for ch := p.peek(); ch != ']' && ch != '&' && p.err == nil; ch = p.peek() {
		if ch == '[' {
			p.at++
			right = right.union(p.class())
		} else {
			right = right.union(p.classMembers())
		}
	}
	if m.pending {
		if m.set == nil {
			m.last = m.singles
		}
		m.set, m.pending = m.whole(), false
	}
	if right != nil {
		m.last = right
	}
	switch {
	case m.set == nil && right == nil:
		p.fail("Bad class syntax")
	case m.set == nil:
		m.set = right
	case m.last == nil:
		p.fail("Bad intersection syntax")
	default:
		m.set = m.set.intersect(m.last)
	}
}

// member reads a character, a range or an escape.
func (p *parser) member(m *javaMembers) {
	first, class, isClass := p.classCharacter(true)
	if isClass {
		m.add(class)
		return
	}
	if p.err == nil && p.peek() == '-' && p.peekAt(1) != '[' && p.peekAt(1) != ']' {
		p.at++
		p.peek()
		last, _, isClass := p.classCharacter(false)
		if isClass || last < first {
			p.fail("Illegal character range")
			return
		}
		m.add(p.anyCaseRange(first, last))
		return
	}
	if s := p.anyCase(first); first < 0x100 {
		m.singles, m.pending, m.last = m.singles.union(s), true, nil
	} else {
		m.add(s)
	}
}

// classCharacter reads a character or an escape within a class. At the ends of a range, \v is one character and not a class.
func (p *parser) classCharacter(mayBegin bool) (ch rune, class runeSet, isClass bool) {
	if ch = p.readAny(); ch != '\\' {
		return ch, nil, false
	}
	if p.peekAt(0) == 'v' && (!mayBegin || p.peekAt(1) == '-') {
		p.at++
		return '\v', nil, false
	}
	return p.character()
}

func (p *parser) anyCaseRange(first, last rune) runeSet {
	s := setOf(first, last)
	switch {
	case !p.flags.ignoreCase:
		return s
	case p.flags.unicodeCase:
		return foldUnicode(s)
	}
	return foldASCII(s)
}

// foldASCII adds the other case of each ASCII letter.
func foldASCII(s runeSet) runeSet {
	folded := slices.Clone(s)
	for r := 'a'; r <= 'z'; r++ {
		if upper := r - 'a' + 'A'; s.has(r) || s.has(upper) {
			folded = append(folded, r, r, upper, upper)
		}
	}
	return setOf(folded...)
}

// foldUnicode adds each character whose upper case is in the set, or whose upper case turned to lower case is.
func foldUnicode(s runeSet) runeSet {
	folded := slices.Clone(s)
	for _, r := range cased() {
		if upper, lower := upperLower(r); s.has(upper) || s.has(lower) {
			folded = append(folded, r, r)
		}
	}
	return setOf(folded...)
}

func upperLower(r rune) (upper, lower rune) {
	upper = unicode.ToUpper(r)
	return upper, unicode.ToLower(upper)
}

// cased returns the characters whose upper or lower case is another character.
var cased = sync.OnceValue(func() (list []rune) {
	for _, r := range unicode.CaseRanges {
		for ch := rune(r.Lo); ch <= rune(r.Hi); ch++ {
			list = append(list, ch)
		}
	}
	return list
})
