package javaregex

// group reads a group after its opening bracket. It returns false if there is no group, only flags as in (?i).
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

// lookaround reads a lookahead or lookbehind group. unlimited means that the text it matches has no maximum length.
func (p *parser) lookaround(opening string, outside modes) (a atom, unlimited bool) {
	outerUnlimited, outerVaries := p.unlimited, p.varies
	p.backtracks, p.unlimited = true, false
	a = p.groupBody(opening, outside)
	unlimited = p.unlimited
	p.unlimited, p.varies = outerUnlimited, outerVaries
	return atom{text: a.text, simple: true}, unlimited
}

// atomic notes that the expression has an atomic part, which does not give back what it has matched. It refuses that in a
// lookbehind: there Java matches from left to right and regexp2 from right to left, with different results.
func (p *parser) atomic() {
	p.backtracks = true
	if p.lookbehinds > 0 {
		p.fail("a possessive quantifier or an atomic group is not supported in a lookbehind")
	}
}

// groupBody reads a group up to and including its closing bracket. After the bracket, the flags are those of outside again.
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

// groupName reads the rest of a name, whose first character is ch, and the bracket after the name.
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

// setFlags reads flags. It sets those before a minus and clears those after it.
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
		return letter == 'm' // without line breaks, m changes nothing
	}
	return true
}
