package javaregex

import (
	"strconv"
	"unicode/utf16"
)

// escape reads an escape outside a class, after its backslash.
func (p *parser) escape() atom {
	switch ch := p.peekAt(0); ch {
	case '1', '2', '3', '4', '5', '6', '7', '8', '9':
		return p.reference(p.groupNumber())
	case 'k':
		p.at++
		if p.read() != '<' {
			p.fail(`\k is not followed by '<' for named capturing group`)
		}
		name := p.groupName(p.read())
		n, ok := p.names[name]
		if !ok {
			p.fail("named capturing group <%s> does not exist", name)
		}
		return p.reference(n)
	case 'A', 'B', 'G', 'R', 'X', 'Z', 'b', 'z':
		p.at++
		return p.place(ch)
	}
	ch, class, isClass := p.character()
	if isClass {
		return charOf(class)
	}
	return charOf(p.anyCase(ch))
}

// place translates an escape that matches a position, or several characters.
func (p *parser) place(letter rune) atom {
	switch letter {
	case 'A':
		return atom{text: `\A`, simple: true}
	case 'Z', 'z':
		return atom{text: `\z`, simple: true}
	case 'R':
		return atom{text: `(?:\x0D\x0A|[\x0A-\x0D\x85\x{2028}\x{2029}])`, simple: true}
	case 'b', 'B':
		if letter == 'b' && p.peekAt(0) == '{' && p.peekAt(1) == 'g' {
			break
		}
		p.backtracks = true
		before, after := p.wordBeforeAndAfter()
		if letter == 'b' {
			return atom{text: "(?:(?<=" + before + ")(?!" + after + ")|(?<!" + before + ")(?=" + after + "))", simple: true}
		}
		return atom{text: "(?:(?<=" + before + ")(?=" + after + ")|(?<!" + before + ")(?!" + after + "))", simple: true}
	}
	p.fail(`\%c is not supported`, letter)
	return atom{}
}

// groupNumber reads the number of a group. It stops before a digit that would make it the number of a group that has not begun
// yet.
func (p *parser) groupNumber() int {
	n := int(p.readAny() - '0')
	for isASCIIDigit(p.peek()) {
		longer := 10*n + int(p.peek()-'0')
		if longer > p.groups {
			break
		}
		n = longer
		p.at++
	}
	return n
}

func (p *parser) reference(group int) atom {
	p.backtracks, p.references, p.unlimited = true, true, true
	switch {
	case group > p.lastGroup:
		return atom{text: "(?!)", simple: true}
	case p.flags.ignoreCase:
		return atom{text: `(?i:\` + strconv.Itoa(group) + ")", simple: true}
	}
	return atom{text: `(?:\` + strconv.Itoa(group) + ")", simple: true}
}

// character reads the rest of an escape that stands for one character, or for a class of characters.
func (p *parser) character() (ch rune, class runeSet, isClass bool) {
	switch letter := p.readAny(); letter {
	case atEnd:
		p.fail("Unexpected internal error")
	case 'd', 'D', 'h', 'H', 's', 'S', 'v', 'V', 'w', 'W':
		return 0, p.namedClass(letter), true
	case 'p', 'P':
		return 0, p.property(letter == 'P'), true
	case '0':
		return p.octal(), nil, false
	case 'x':
		return p.hexadecimal(), nil, false
	case 'u':
		return p.utf16(), nil, false
	case 'c':
		if ch = p.read(); ch == atEnd {
			p.fail("Illegal control escape sequence")
		}
		return ch ^ 0x40, nil, false
	case 'N':
		p.fail(`\N{...} is not supported; write the character itself`)
	case 'a':
		return '\a', nil, false
	case 'e':
		return 0x1b, nil, false
	case 'f':
		return '\f', nil, false
	case 'n':
		return '\n', nil, false
	case 'r':
		return '\r', nil, false
	case 't':
		return '\t', nil, false
	default:
		if isASCIILetter(letter) || isASCIIDigit(letter) {
			p.fail("Illegal/unsupported escape sequence")
		}
		return letter, nil, false
	}
	return 0, nil, false
}

// octal reads \0n, \0nn and \0mnn, where m is at most 3.
func (p *parser) octal() rune {
	isOctal := func(r rune) bool { return r >= '0' && r <= '7' }
	if !isOctal(p.peek()) {
		p.fail("Illegal octal escape sequence")
		return 0
	}
	first := p.read() - '0'
	n := first
	for digits := 1; isOctal(p.peek()) && (digits == 1 || digits == 2 && first <= 3); digits++ {
		n = 8*n + p.read() - '0'
	}
	return n
}

func hexDigit(r rune) (rune, bool) {
	switch {
	case isASCIIDigit(r):
		return r - '0', true
	case r >= 'a' && r <= 'f':
		return r - 'a' + 10, true
	case r >= 'A' && r <= 'F':
		return r - 'A' + 10, true
	}
	return 0, false
}

// hexDigits reads exactly count digits.
func (p *parser) hexDigits(count int, name string) (n rune) {
	for range count {
		digit, ok := hexDigit(p.read())
		if !ok {
			p.fail("Illegal %s escape sequence", name)
			return 0
		}
		n = 16*n + digit
	}
	return n
}

// hexadecimal reads \xhh and \x{h...h}.
func (p *parser) hexadecimal() (n rune) {
	const name = "hexadecimal"
	if p.peek() != '{' {
		return p.hexDigits(2, name)
	}
	p.at++
	for digits := 0; ; digits++ {
		ch := p.read()
		digit, ok := hexDigit(ch)
		switch {
		case ok:
			n = 16*n + digit
		case digits == 0:
			p.fail("Illegal %s escape sequence", name)
			return 0
		case ch != '}':
			p.fail("Unclosed %s escape sequence", name)
			return 0
		default:
			return n
		}
		if n > lastRune {
			p.fail("Hexadecimal codepoint is too big")
			return 0
		}
	}
}

// utf16 reads \uhhhh. Two of them in sequence may be a surrogate pair, which is one character.
func (p *parser) utf16() rune {
	n := p.hexDigits(4, "Unicode")
	after := p.at
	if utf16.IsSurrogate(n) && p.next('\\') && p.readAny() == 'u' {
		if whole := utf16.DecodeRune(n, p.hexDigits(4, "Unicode")); whole != '\uFFFD' {
			return whole
		}
	}
	if p.err == nil {
		p.at = after
	}
	return n
}
