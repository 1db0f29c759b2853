package report

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// The lines between which UpdateDocs puts the tables.
const (
	beginMark = "<!-- bench: begin -->\n"
	endMark   = "<!-- bench: end -->\n"
)

// Write writes table.md and result.json to a directory, and creates it if need be.
func Write(dir string, d *Data, sections []Section) error {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return fmt.Errorf("make directory of results: %w", err)
	}
	var table strings.Builder
	if err := Markdown(&table, d, sections); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "table.md"), []byte(table.String()), 0o600); err != nil {
		return fmt.Errorf("write table: %w", err)
	}
	text, err := json.MarshalIndent(d, "", "  ")
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "result.json"), append(text, '\n'), 0o600)
	}
	if err != nil {
		return fmt.Errorf("write result: %w", err)
	}
	return nil
}

// UpdateDocs puts the tables between the two markers of a file.
func UpdateDocs(file string, d *Data, sections []Section) error {
	text, err := os.ReadFile(file) //nolint:gosec // the page that was named
	if err != nil {
		return fmt.Errorf("read page: %w", err)
	}
	before, rest, begins := strings.Cut(string(text), beginMark)
	_, after, ends := strings.Cut(rest, endMark)
	if !begins || !ends {
		return fmt.Errorf("update %s: it needs the lines %q and %q", file, strings.TrimSpace(beginMark), strings.TrimSpace(endMark))
	}
	var table strings.Builder
	if err := Markdown(&table, d, sections); err != nil {
		return err
	}
	if err := os.WriteFile(file, []byte(before+beginMark+table.String()+endMark+after), 0o600); err != nil {
		return fmt.Errorf("write page: %w", err)
	}
	return nil
}
