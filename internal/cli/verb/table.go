package verb

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// Table writes rows for people or objects for programs.
type Table struct {
	out    io.Writer
	asJSON bool
	tab    *tabwriter.Writer
}

// NewTable writes to out, with a head of columns, or objects if asJSON is set.
func NewTable(out io.Writer, asJSON bool, columns ...any) *Table {
	t := &Table{out: out, asJSON: asJSON, tab: tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)}
	if !asJSON {
		t.Cells(columns...)
	}
	return t
}

// Row writes the object, or else the cells.
func (t *Table) Row(object any, cells ...any) error {
	if t.asJSON {
		return WriteJSON(t.out, object)
	}
	t.Cells(cells...)
	return nil
}

// Cells writes a row. A cell without text is a dash.
func (t *Table) Cells(cells ...any) {
	text := make([]string, len(cells))
	for i, c := range cells {
		text[i] = cmp.Or(fmt.Sprint(c), "-")
	}
	_, _ = fmt.Fprintln(t.tab, strings.Join(text, "\t"))
}

// Flush writes what is left; columns are as wide as their widest cell.
func (t *Table) Flush() error {
	if err := t.tab.Flush(); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}

// WriteJSON writes a value in one line.
func WriteJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}
