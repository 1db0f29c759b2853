package cli

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// table writes rows for people or objects for programs.
type table struct {
	out    io.Writer
	asJSON bool
	tab    *tabwriter.Writer
}

func newTable(out io.Writer, asJSON bool, columns ...any) *table {
	t := &table{out: out, asJSON: asJSON, tab: tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)}
	if !asJSON {
		t.cells(columns...)
	}
	return t
}

func (t *table) row(object any, cells ...any) error {
	if t.asJSON {
		return writeObject(t.out, object)
	}
	t.cells(cells...)
	return nil
}

func (t *table) cells(cells ...any) {
	text := make([]string, len(cells))
	for i, c := range cells {
		text[i] = cmp.Or(fmt.Sprint(c), "-")
	}
	_, _ = fmt.Fprintln(t.tab, strings.Join(text, "\t"))
}

func (t *table) flush() error {
	if err := t.tab.Flush(); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}

// writeObject writes one line.
func writeObject(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}
