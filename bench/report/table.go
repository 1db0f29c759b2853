package report

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

// Section is one table of the report.
type Section struct {
	Title string
	Note  string // below the title, may be empty
	Rows  []Row
}

// Row shows one value of one cell in all columns.
type Row struct {
	Cell, Value string
	Label       string // with the unit
	Targets     []Target
}

// Target is what a column's value must be.
type Target struct {
	Column string  // whose value
	Than   string  // the column that it is compared with; empty if Limit is the value itself
	Most   bool    // at most Limit, not at least
	Limit  float64 // a factor of Than's value, or a value itself
}

// outcome says what is required, what was measured, and whether that is enough. It
// is empty if a value is missing.
func (t Target) outcome(d *Data, row Row) string {
	own := d.values(row.Cell, t.Column, row.Value)
	if len(own) == 0 {
		return ""
	}
	got, unit := own.median(), ""
	if t.Than != "" {
		other := d.values(row.Cell, t.Than, row.Value)
		if len(other) == 0 || other.median() == 0 {
			return ""
		}
		got, unit = got/other.median(), "×"
	}
	sign, met := "≥", got >= t.Limit
	if t.Most {
		sign, met = "≤", got <= t.Limit
	}
	verdict := "met"
	if !met {
		verdict = "**missed**"
	}
	return fmt.Sprintf("%s %s %s%s: %s%s %s", short(t.Column), sign, number(t.Limit), unit, number(got), unit, verdict)
}

// short returns what follows the dash in a column's name.
func short(column string) string {
	if _, after, ok := strings.Cut(column, "-"); ok {
		return after
	}
	return column
}

// Markdown writes the tables. Rows without any value are left out, and so are a
// section's columns without any value, and sections without rows.
func Markdown(out io.Writer, d *Data, sections []Section) error {
	var b strings.Builder
	heading(&b, d)
	for _, s := range sections {
		columns := s.columns(d)
		var rows strings.Builder
		for _, row := range s.Rows {
			line(&rows, d, columns, row)
		}
		if rows.Len() == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n### %s\n\n", s.Title)
		if s.Note != "" {
			fmt.Fprintf(&b, "%s\n\n", s.Note)
		}
		b.WriteString("| |")
		for _, c := range columns {
			fmt.Fprintf(&b, " %s |", c.Title)
		}
		b.WriteString(" target |\n|---|" + strings.Repeat("---|", len(columns)+1) + "\n" + rows.String())
	}
	failures(&b, d)
	if _, err := io.WriteString(out, b.String()); err != nil {
		return fmt.Errorf("write table: %w", err)
	}
	return nil
}

// heading writes where, when and what was measured.
func heading(b *strings.Builder, d *Data) {
	how := ""
	if d.Quick {
		how = " in a quick pass"
	}
	fmt.Fprintf(b, "Measured%s on %s, in %s, on %s.", how, d.Began.Format(time.DateOnly), d.Took, d.Machine)
	for _, name := range slices.Sorted(maps.Keys(d.Versions)) {
		fmt.Fprintf(b, " %s is %s.", name, d.Versions[name])
	}
	b.WriteString(" Numbers are medians, with the least and the greatest of several rounds.\n")
}

// columns returns the columns that have something in the section.
func (s Section) columns(d *Data) []Column {
	return slices.DeleteFunc(slices.Clone(d.Columns), func(c Column) bool {
		return !slices.ContainsFunc(s.Rows, func(row Row) bool { return d.text(row, c) != "" })
	})
}

// text returns what a row shows in a column.
func (d *Data) text(row Row, c Column) string {
	text := d.values(row.Cell, c.Name, row.Value).text()
	if n, _ := d.failed(row.Cell, c.Name); text == "" && n > 0 {
		return "failed"
	}
	return text
}

func line(b *strings.Builder, d *Data, columns []Column, row Row) {
	texts := make([]string, 0, len(columns))
	some := false
	for _, c := range columns {
		text := d.text(row, c)
		some = some || text != ""
		texts = append(texts, text)
	}
	if !some {
		return
	}
	var outcomes []string
	for _, t := range row.Targets {
		if text := t.outcome(d, row); text != "" {
			outcomes = append(outcomes, text)
		}
	}
	fmt.Fprintf(b, "| %s | %s | %s |\n", row.Label, strings.Join(texts, " | "), strings.Join(outcomes, "; "))
}

// failures lists what failed, and why.
func failures(b *strings.Builder, d *Data) {
	first := true
	for _, c := range d.Cells {
		rounds, why := d.failed(c.Name, c.Column)
		if rounds == 0 {
			continue
		}
		if first {
			b.WriteString("\nFailed:\n\n")
			first = false
		}
		fmt.Fprintf(b, "- %s of %s, %d of %d rounds: %s\n", c.Name, c.Column, rounds, len(c.Rounds), strings.ReplaceAll(why, "\n", " "))
	}
}

// Summary returns one line with the values of a cell that have a row.
func Summary(cell string, values map[string]float64, sections []Section) string {
	var parts []string
	for _, s := range sections {
		for _, row := range s.Rows {
			if value, ok := values[row.Value]; ok && row.Cell == cell {
				parts = append(parts, row.Label+" "+number(value))
			}
		}
	}
	return strings.Join(parts, ", ")
}
