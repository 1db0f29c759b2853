package javaregex

import (
	"strings"
	"unicode"
)

// namedClass returns the set of \d, \h, \s, \v or \w, or its complement for a capital letter.
func (p *parser) namedClass(letter rune) runeSet {
	lower := unicode.ToLower(letter)
	return p.classOf(lower).negateIf(lower != letter)
}

func (p *parser) classOf(letter rune) runeSet {
	switch {
	case letter == 'h':
		return setOf(' ', ' ', '\t', '\t', 0xA0, 0xA0, 0x1680, 0x1680, 0x180E, 0x180E, 0x2000, 0x200A, 0x202F, 0x202F, 0x205F, 0x205F, 0x3000, 0x3000)
	case letter == 'v':
		return setOf('\n', '\r', 0x85, 0x85, 0x2028, 0x2029)
	case letter == 'd' && p.flags.unicodeClasses:
		return tableSet(unicode.Nd)
	case letter == 'd':
		return setOf('0', '9')
	case letter == 's' && p.flags.unicodeClasses:
		return unicodeProperty("WHITE_SPACE", false)
	case letter == 's':
		return posixClasses["Space"]
	case p.flags.unicodeClasses:
		return unicodeProperty("WORD", false)
	default:
		return posixClasses["Alnum"].union(setOf('_', '_'))
	}
}

// wordBeforeAndAfter returns the expressions for a word character before and after \b. Up to Java 18, \b counts more
// characters as parts of a word than \w does, and also combining marks on a letter.
func (p *parser) wordBeforeAndAfter() (before, after string) {
	base, mark := tableSet(unicode.L, unicode.Nd), tableSet(unicode.Mn).text()
	word := base.union(setOf('_', '_'))
	if p.flags.unicodeClasses {
		word = p.classOf('w')
	}
	marked := base.text() + mark + "+"
	return word.text() + "|" + marked, word.text() + "|" + mark + "(?<=" + marked + ")"
}

// property reads the name after \p or \P.
func (p *parser) property(negated bool) runeSet {
	ch := p.read()
	name := string(ch)
	switch ch {
	case atEnd:
		p.fail("Unclosed character family")
		return nil
	case '{':
		begin := p.at
		for p.peekAt(0) != '}' {
			if p.readAny() == atEnd {
				p.fail("Unclosed character family")
				return nil
			}
		}
		name = string(p.in[begin:p.at])
		p.at++
	}
	s := javaProperty(name, p.flags.ignoreCase, p.flags.unicodeClasses)
	if s == nil {
		p.fail("Unknown character property name {%s}", name)
		return nil
	}
	return s.negateIf(negated)
}

// javaProperty returns the characters that have a property of the JDK's CharPredicates, or nil if the name is unknown. Unicode
// blocks are missing, because Go does not have them.
func javaProperty(name string, ignoreCase, unicodeClasses bool) runeSet {
	if key, value, ok := strings.Cut(name, "="); ok {
		switch strings.ToLower(key) {
		case "sc", "script":
			return scriptSet(value)
		case "gc", "general_category":
			return plainProperty(value, ignoreCase)
		}
		return nil
	}
	if is, ok := strings.CutPrefix(name, "Is"); ok {
		for _, s := range []runeSet{unicodeProperty(strings.ToUpper(is), ignoreCase), plainProperty(is, ignoreCase), scriptSet(is)} {
			if s != nil {
				return s
			}
		}
		return nil
	}
	if unicodeClasses && posixNames[strings.ToUpper(name)] {
		return unicodeProperty(strings.ToUpper(name), ignoreCase)
	}
	return plainProperty(name, ignoreCase)
}

func scriptSet(name string) runeSet {
	for script, table := range unicode.Scripts {
		if strings.EqualFold(script, name) {
			return tableSet(table)
		}
	}
	return nil
}

// posixClasses are the POSIX classes, which contain only ASCII characters.
var posixClasses = map[string]runeSet{
	"Lower": {'a', 'z'}, "Upper": {'A', 'Z'}, "ASCII": {0, 0x7F}, "Alpha": {'A', 'Z', 'a', 'z'}, "Digit": {'0', '9'},
	"Alnum": {'0', '9', 'A', 'Z', 'a', 'z'}, "Punct": {'!', '/', ':', '@', '[', '`', '{', '~'}, "Graph": {'!', '~'}, "Print": {' ', '~'},
	"Blank": {'\t', '\t', ' ', ' '}, "Cntrl": {0, 0x1F, 0x7F, 0x7F}, "XDigit": {'0', '9', 'A', 'F', 'a', 'f'}, "Space": {'\t', '\r', ' ', ' '},
}

// posixNames are the POSIX classes that contain other characters too under the flag U.
var posixNames = map[string]bool{
	"ALPHA": true, "LOWER": true, "UPPER": true, "SPACE": true, "PUNCT": true, "XDIGIT": true,
	"ALNUM": true, "CNTRL": true, "DIGIT": true, "BLANK": true, "GRAPH": true, "PRINT": true,
}

var javaCategories = map[string]string{
	"Lu": "Lu", "Ll": "Ll", "Lt": "Lt", "Lm": "Lm", "Lo": "Lo", "Mn": "Mn", "Me": "Me", "Mc": "Mc", "Nd": "Nd", "Nl": "Nl", "No": "No",
	"Zs": "Zs", "Zl": "Zl", "Zp": "Zp", "Cc": "Cc", "Cf": "Cf", "Co": "Co", "Cs": "Cs", "Pd": "Pd", "Ps": "Ps", "Pe": "Pe", "Pc": "Pc",
	"Po": "Po", "Pi": "Pi", "Pf": "Pf", "Sm": "Sm", "Sc": "Sc", "Sk": "Sk", "So": "So", "L": "L", "M": "M", "N": "N", "Z": "Z", "P": "P", "S": "S",
}

// plainProperty returns the characters for a name without a prefix such as Is: a category, a POSIX class, or a method of
// java.lang.Character.
func plainProperty(name string, ignoreCase bool) runeSet {
	if ignoreCase {
		switch name {
		case "Lu", "Ll", "Lt":
			return tableSet(unicode.Lu, unicode.Ll, unicode.Lt)
		case "Lower", "Upper":
			name = "Alpha"
		}
	}
	if s, ok := posixClasses[name]; ok {
		return s
	}
	if category, ok := javaCategories[name]; ok {
		return tableSet(unicode.Categories[category])
	}
	switch name {
	case "Cn":
		return assigned().negate()
	case "C":
		return tableSet(unicode.Cc, unicode.Cf, unicode.Co, unicode.Cs).union(assigned().negate())
	case "LC":
		return tableSet(unicode.Lu, unicode.Ll, unicode.Lt)
	case "LD":
		return tableSet(unicode.L, unicode.Nd)
	case "L1":
		return setOf(0, 0xFF)
	case "all":
		return allRunes
	}
	if method, ok := strings.CutPrefix(name, "java"); ok {
		return methodProperty(method, ignoreCase)
	}
	return nil
}

func assigned() runeSet {
	return tableSet(unicode.L, unicode.M, unicode.N, unicode.P, unicode.S, unicode.Z, unicode.Cc, unicode.Cf, unicode.Co, unicode.Cs)
}

// methodProperty returns the characters for which a method of java.lang.Character returns true.
func methodProperty(name string, ignoreCase bool) runeSet {
	switch name {
	case "LowerCase", "UpperCase", "TitleCase", "Alphabetic", "Ideographic", "Digit", "Letter":
		return unicodeProperty(strings.ToUpper(name), ignoreCase)
	case "LetterOrDigit":
		return tableSet(unicode.L, unicode.Nd)
	case "Defined":
		return assigned()
	case "SpaceChar":
		return tableSet(unicode.Z)
	case "Whitespace":
		noBreak := setOf(0xA0, 0xA0, 0x2007, 0x2007, 0x202F, 0x202F)
		return tableSet(unicode.Z).intersect(noBreak.negate()).union(setOf('\t', '\r', 0x1C, 0x1F))
	case "ISOControl":
		return setOf(0, 0x1F, 0x7F, 0x9F)
	}
	return nil
}

// unicodeProperty returns the characters with a binary property of Unicode. name is in capitals.
func unicodeProperty(name string, ignoreCase bool) runeSet {
	lower, upper, title := tableSet(unicode.Ll, unicode.Other_Lowercase), tableSet(unicode.Lu, unicode.Other_Uppercase), tableSet(unicode.Lt)
	alphabetic := tableSet(unicode.L, unicode.Nl, unicode.Other_Alphabetic)
	blank := tableSet(unicode.Zs).union(setOf('\t', '\t'))
	graph := assigned().intersect(tableSet(unicode.Z, unicode.Cc, unicode.Cs).negate())
	switch name {
	case "LOWERCASE", "LOWER", "UPPERCASE", "UPPER", "TITLECASE":
		switch {
		case ignoreCase:
			return lower.union(upper, title)
		case name[0] == 'L':
			return lower
		case name[0] == 'U':
			return upper
		}
		return title
	case "ALPHABETIC", "ALPHA":
		return alphabetic
	case "LETTER":
		return tableSet(unicode.L)
	case "DIGIT":
		return tableSet(unicode.Nd)
	case "ALNUM":
		return alphabetic.union(tableSet(unicode.Nd))
	case "IDEOGRAPHIC":
		return tableSet(unicode.Ideographic)
	case "WHITE_SPACE", "WHITESPACE", "SPACE":
		return tableSet(unicode.Z).union(setOf('\t', '\r', 0x85, 0x85))
	case "CONTROL", "CNTRL":
		return tableSet(unicode.Cc)
	case "PUNCTUATION", "PUNCT":
		return tableSet(unicode.P)
	case "HEX_DIGIT", "HEXDIGIT", "XDIGIT":
		return tableSet(unicode.Nd, unicode.Hex_Digit)
	case "ASSIGNED":
		return assigned()
	case "NONCHARACTER_CODE_POINT", "NONCHARACTERCODEPOINT":
		return tableSet(unicode.Noncharacter_Code_Point)
	case "JOIN_CONTROL", "JOINCONTROL":
		return tableSet(unicode.Join_Control)
	case "BLANK":
		return blank
	case "GRAPH":
		return graph
	case "PRINT":
		return graph.union(blank).intersect(tableSet(unicode.Cc).negate())
	case "WORD":
		return alphabetic.union(tableSet(unicode.M, unicode.Nd, unicode.Pc, unicode.Join_Control))
	}
	return nil
}
