package argp

import (
	"io"
	"slices"
	"strings"
)

const (
	lineWidth  = 75
	helpColumn = 25
	// longestProg is the longest program name after which the usage continues on the same line.
	longestProg = 30
)

// usage returns the usage line, or lines, of the tool or of a sub-command.
func (p *Parser) usage(sub *SubCommand) string {
	head := "usage: " + p.Prog
	indent := len(head) + 1
	words := []string{}
	if sub != nil {
		words = append(append(words, groupUsage(p.Args)...), sub.Name)
		words = append(words, usageOf(sub.Args)...)
	} else {
		words = append(words, usageOf(p.Args)...)
		if len(p.Subs) > 0 {
			words = append(words, "{"+strings.Join(p.subNames(), ",")+"}", "...")
		}
	}
	line := head
	if indent > longestProg {
		indent = len("usage: ")
		line += "\n" + strings.Repeat(" ", indent-1)
	}
	var b strings.Builder
	width := len(line) - strings.LastIndexByte(line, '\n') - 1
	b.WriteString(line)
	for _, word := range words {
		if width+1+len(word) > lineWidth {
			b.WriteString("\n" + strings.Repeat(" ", indent) + word)
			width = indent + len(word)
			continue
		}
		b.WriteString(" " + word)
		width += 1 + len(word)
	}
	return b.String() + "\n"
}

// usageOf lists the arguments: help, then those outside groups, then the groups.
func usageOf(args []Argument) []string {
	words := []string{"[-h]"}
	for i := range args {
		switch a := &args[i]; {
		case a.Group != "":
		case a.Required:
			words = append(words, a.usage())
		default:
			words = append(words, "["+a.usage()+"]")
		}
	}
	return append(words, groupUsage(args)...)
}

// groupUsage returns (--a A | --b B) for each group, in square brackets if the group may be left out. It is cut where a line
// may break.
func groupUsage(args []Argument) []string {
	var words, groups []string
	for i := range args {
		group := args[i].Group
		if group == "" || slices.Contains(groups, group) {
			continue
		}
		groups = append(groups, group)
		opening, closing := "(", ")"
		if args[i].Optional {
			opening, closing = "[", "]"
		}
		var parts []string
		for j := range args {
			if args[j].Group == group {
				parts = append(parts, args[j].usage())
			}
		}
		for j, part := range parts {
			if j == 0 {
				part = opening + part
			}
			if j < len(parts)-1 {
				part += " |"
			} else {
				part += closing
			}
			words = append(words, part)
		}
	}
	return words
}

// WriteHelp writes usage, description, sub-commands and arguments.
func (p *Parser) WriteHelp(w io.Writer, sub *SubCommand) {
	var b strings.Builder
	b.WriteString(p.usage(sub) + "\n")
	args, about := p.Args, p.About
	if sub != nil {
		args, about = sub.Args, ""
	}
	if about != "" {
		b.WriteString(wrapJustified(about, "", 0) + "\n\n")
	}
	if sub == nil && len(p.Subs) > 0 {
		b.WriteString("positional arguments:\n")
		b.WriteString("  {" + strings.Join(p.subNames(), ",") + "}\n")
		for _, s := range p.Subs {
			b.WriteString(helpEntry("    "+s.Name, s.Help))
		}
		b.WriteString("\n")
	}
	b.WriteString("optional arguments:\n")
	b.WriteString(helpEntry("  -h, --help", "show this help message and exit"))
	for i := range args {
		a := &args[i]
		title := make([]string, len(a.Flags))
		for j, f := range a.Flags {
			one := *a
			one.Flags = []string{f}
			title[j] = one.usage()
		}
		help := a.Help
		if a.Default != "" {
			help += " (default: " + a.Default + ")"
		}
		b.WriteString(helpEntry("  "+strings.Join(title, ", "), help))
	}
	_, _ = io.WriteString(w, b.String())
}

func helpEntry(title, help string) string {
	if help == "" {
		return title + "\n"
	}
	gap := strings.Repeat(" ", helpColumn)
	text := wrapJustified(help, gap, helpColumn)
	if len(title) < helpColumn-1 {
		return title + strings.Repeat(" ", helpColumn-len(title)) + text + "\n"
	}
	return title + "\n" + gap + text + "\n"
}

// wrapJustified breaks a text into lines and fills every line but the last to the full width, as argparse4j does. offset is
// the column at which the first line begins. indent stands before the other lines.
func wrapJustified(text, indent string, offset int) string {
	var b strings.Builder
	line, width := "", offset
	for _, piece := range linePieces(text) {
		if width+len(piece) > lineWidth && line != "" {
			b.WriteString(justified(line, lineWidth-width+len(line)) + "\n" + indent)
			line, width = "", len(indent)
		}
		line += piece
		width += len(piece)
	}
	b.WriteString(line)
	return b.String()
}

// justified spreads blanks evenly over the gaps of a line. The remainder goes to the gaps in the middle.
func justified(line string, width int) string {
	words := strings.Fields(line)
	if len(words) < 2 {
		return line
	}
	gaps := len(words) - 1
	length := gaps
	for _, w := range words {
		length += len(w)
	}
	each, left := (width-length)/gaps, (width-length)%gaps
	first := (gaps - left + 1) / 2
	var b strings.Builder
	for i, w := range words {
		b.WriteString(w)
		if i == gaps {
			break
		}
		n := 1 + each
		if i >= first && i < first+left {
			n++
		}
		b.WriteString(strings.Repeat(" ", n))
	}
	return b.String()
}

// linePieces cuts a text where Java may break a line: after a blank, after a hyphen before a letter or digit, after other
// punctuation before a letter or a hyphen, and between a letter or digit and an opening bracket.
func linePieces(text string) []string {
	var list []string
	start := 0
	for i := 1; i < len(text); i++ {
		if javaBreak(text, i) {
			list = append(list, text[start:i])
			start = i
		}
	}
	return append(list, text[start:])
}

func javaBreak(text string, i int) bool {
	before, at := text[i-1], text[i]
	switch {
	case at == ' ':
		return false
	case before == ' ':
		return true
	case before == '-':
		number := digit(at) && (i == 1 || text[i-2] == ' ')
		return at != '-' && !number && (letter(at) || digit(at))
	case strings.IndexByte(".,:;!?", before) >= 0:
		return letter(at) || at == '-'
	case at == '(' || at == '[' || at == '{':
		return letter(before) || digit(before)
	}
	return false
}

func digit(c byte) bool { return '0' <= c && c <= '9' }

func letter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
