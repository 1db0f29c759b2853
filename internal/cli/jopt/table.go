package jopt

import (
	"io"
	"slices"
	"strings"
)

const (
	tableWidth = 80
	tableGap   = 2
)

// WriteTable writes the options as Kafka's tools do: two columns, 80 wide, sorted by name, padded with blanks.
func (p *Parser) WriteTable(w io.Writer) {
	rows := p.rows()
	left, right := 0, 0
	for _, r := range rows {
		left, right = max(left, len(r[0])), max(right, len(r[1]))
	}
	left = min((tableWidth-tableGap)/2, left)
	right = min(tableWidth-left-tableGap, right)
	var b strings.Builder
	for _, r := range rows {
		l, d := fold(r[0], left), fold(r[1], right)
		for i := range max(len(l), len(d)) {
			b.WriteString(padded(l, i, left) + strings.Repeat(" ", tableGap) + padded(d, i, right) + "\n")
		}
	}
	_, _ = io.WriteString(w, b.String())
}

func padded(lines []string, i, width int) string {
	if i >= len(lines) {
		return strings.Repeat(" ", width)
	}
	return lines[i] + strings.Repeat(" ", max(0, width-len(lines[i])))
}

// rows returns the header, the line below it, and the options.
func (p *Parser) rows() [][2]string {
	head := "Option"
	if slices.ContainsFunc(p.Options, func(o Option) bool { return o.Required }) {
		head = "Option (* = required)"
	}
	rows := [][2]string{{head, "Description"}, {strings.Repeat("-", len(head)), strings.Repeat("-", len("Description"))}}
	sorted := slices.Clone(p.Options)
	slices.SortFunc(sorted, func(a, b Option) int { return strings.Compare(a.Name, b.Name) })
	for _, o := range sorted {
		rows = append(rows, [2]string{o.title(), o.description()})
	}
	return rows
}

func (o Option) title() string {
	t := "--" + o.Name
	if o.Required {
		t = "* " + t
	}
	arg := o.Type
	if o.What != "" {
		arg += ": " + o.What
	}
	switch o.Arg {
	case RequiredArg:
		t += " <" + arg + ">"
	case OptionalArg:
		t += " [" + arg + "]"
	case NoArg:
	}
	return t
}

func (o Option) description() string {
	if o.Default != "" {
		return o.Help + " (default: " + o.Default + ")"
	}
	return o.Help
}

// fold breaks a cell into lines. All but the first are indented by two columns. As in Kafka, the blank after a word counts
// towards the width.
func fold(cell string, width int) []string {
	var lines []string
	line := ""
	for _, piece := range fitting(pieces(cell), width-2) {
		if line != "" && len(line)+len(piece) > width {
			lines = append(lines, strings.TrimRight(line, " "))
			line = "  "
		}
		line += piece
	}
	return append(lines, strings.TrimRight(line, " "))
}

// fitting cuts a piece that is wider than a line after its last full stop that fits, or else where the line ends.
func fitting(list []string, width int) []string {
	var fit []string
	for _, piece := range list {
		for len(piece) > width {
			end := strings.LastIndexByte(piece[:width], '.') + 1
			if end == 0 {
				end = width
			}
			fit = append(fit, piece[:end])
			piece = piece[end:]
		}
		fit = append(fit, piece)
	}
	return fit
}

// pieces cuts a text where a line may break: after blanks, hyphens, colons, commas and other punctuation.
func pieces(text string) []string {
	var list []string
	start := 0
	for i := 1; i < len(text); i++ {
		if breaksBefore(text, i) {
			list = append(list, text[start:i])
			start = i
		}
	}
	return append(list, text[start:])
}

func breaksBefore(text string, i int) bool {
	before, at := text[i-1], text[i]
	if at == ' ' {
		return false
	}
	switch before {
	case ' ':
		return true
	case '-':
		number := digit(at) && (i == 1 || text[i-2] == ' ')
		return at != '-' && !number
	case ':', ',', ';', '!', '?':
		return letter(at) || at == '-'
	}
	return false
}

func digit(c byte) bool { return '0' <= c && c <= '9' }

func letter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
