package javaregex

// group reads a group behind its opening bracket. It is none where flags alone are set.
func (p *parser) group() (atom, bool) {
	outside := p.flags
	if !p.next('?') {
		p.groups++
		return p.groupBody("(", outside), true
	}
	switch ch := p.readAny(); ch {
	case ':':
		return p.groupBody("(?:", outside), true
	case '>':
		p.atomic()
		return p.groupBody("(?>", outside), true
	case '=', '!':
		a, _ := p.lookaround("(?"+string(ch), outside)
		return a, true
	case '<':
		return p.lookbehindOrName(outside), true
	case '$', '@':
		p.fail("Unknown group type")
	default:
		if ch != atEnd {
			p.at--
		}
	}
	p.setFlags()
	switch p.read() {
	case ')':
		return atom{}, false
	case ':':
		return p.groupBody("(?:", outside), true
	}
	p.fail("Unknown inline modifier")
	return atom{}, false
}

func (p *parser) lookbehindOrName(outside modes) atom {
	ch := p.read()
	if ch != '=' && ch != '!' {
		name := p.groupName(ch)
		if _, ok := p.names[name]; ok {
			p.fail("Named capturing group <%s> is already defined", name)
		}
		p.groups++
		if p.names == nil {
			p.names = map[string]int{}
		}
		p.names[name] = p.groups
		return p.groupBody("(", outside)
	}
	p.lookbehinds++
	a, unlimited := p.lookaround("(?<"+string(ch), outside)
	p.lookbehinds--
	if unlimited {
		p.fail("Look-behind group does not have an obvious maximum length")
	}
	return a
}

// lookaround reads a group that has no length itself, and reports whether what it looks at has no greatest length.
func (p *parser) lookaround(opening string, outside modes) (a atom, unlimited bool) {
	outerUnlimited, outerVaries := p.unlimited, p.varies
	p.backtracks, p.unlimited = true, false
	a = p.groupBody(opening, outside)
	unlimited = p.unlimited
	p.unlimited, p.varies = outerUnlimited, outerVaries
	return atom{text: a.text, simple: true}, unlimited
}

// atomic notes that what was matched is not given back. In a lookbehind, Java matches from left to right and regexp2 from right to
// left, which then is not the same.
func (p *parser) atomic() {
	p.backtracks = true
	if p.lookbehinds > 0 {
		p.fail("a possessive quantifier or an atomic group is not supported in a lookbehind")
	}
}

// groupBody reads a group up to its closing bracket, behind which the flags are those from outside.
func (p *parser) groupBody(opening string, outside modes) atom {
	varied := p.varies
	p.varies = false
	a := atom{text: opening + p.alternatives() + ")"}
	if !p.next(')') {
		p.fail("Unclosed group")
	}
	a.varies = p.varies
	p.varies = varied || a.varies
	p.flags = outside
	return a
}

// groupName reads the rest of a name, whose first character was read, and the bracket behind it.
func (p *parser) groupName(ch rune) string {
	if !isASCIILetter(ch) {
		p.fail("capturing group name does not start with a Latin letter")
	}
	var name []rune
	for ; isASCIILetter(ch) || isASCIIDigit(ch); ch = p.read() {
		name = append(name, ch)
	}
	if ch != '>' {
		p.fail("named capturing group is missing trailing '>'")
	}
	return string(name)
}

// setFlags reads flags that are set, and those behind a minus, which are taken back.
func (p *parser) setFlags() {
	for on := true; ; {
		ch := p.peek()
		switch {
		case ch == '-' && on:
			on = false
		case !p.setFlag(ch, on):
			return
		}
		p.at++
	}
}

func (p *parser) setFlag(letter rune, on bool) bool {
	switch letter {
	case 'i':
		p.flags.ignoreCase = on
	case 's':
		p.flags.dotAll = on
	case 'd':
		p.flags.unixLines = on
	case 'u':
		p.flags.unicodeCase = on
	case 'x':
		p.flags.comments = on
	case 'U':
		p.flags.unicodeClasses, p.flags.unicodeCase = on, on
	case 'c':
		p.fail("the flag c is not supported")
	default:
		return letter == 'm' // there are no line breaks
	}
	return true
}
