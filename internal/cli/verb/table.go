package verb

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// Table writes rows for people, or JSON objects for programs.
type Table struct {
	out    io.Writer
	asJSON bool
	tab    *tabwriter.Writer
}

// NewTable makes a table that writes to out: a header of columns and rows, or objects if asJSON is set.
func NewTable(out io.Writer, asJSON bool, columns ...any) *Table {
	t := &Table{out: out, asJSON: asJSON, tab: tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)}
	if !asJSON {
		t.Cells(columns...)
	}
	return t
}

// Row writes the object, or the cells if the table is for people.
func (t *Table) Row(object any, cells ...any) error {
	if t.asJSON {
		return WriteJSON(t.out, object)
	}
	t.Cells(cells...)
	return nil
}

// Cells writes a row. An empty cell is written as a dash.
func (t *Table) Cells(cells ...any) {
	text := make([]string, len(cells))
	for i, c := range cells {
		text[i] = cmp.Or(fmt.Sprint(c), "-")
	}
	_, _ = fmt.Fprintln(t.tab, strings.Join(text, "\t"))
}

// Flush writes the collected rows. Each column is as wide as its widest cell.
func (t *Table) Flush() error {
	if err := t.tab.Flush(); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}

// WriteJSON writes a value as one line.
func WriteJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}
