package report_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/bench/proc"
	"github.com/botehq/bote/bench/report"
)

// measured returns two columns; one has three rounds, of which one failed.
func measured() *report.Data {
	d := &report.Data{
		Began: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Took: 90 * time.Second, Versions: map[string]string{"kafka": "4.2.0"},
		Machine: proc.Machine{Cores: 2, Processor: "a processor", MemoryGB: 8, System: "linux/amd64", Kernel: "6.1", FileSystem: "ext4", Load: 0.25},
		Columns: []report.Column{{Name: "kafka", Title: "Kafka"}, {Name: "bote-os", Title: "bote"}, {Name: "none", Title: "in no table"}},
	}
	for _, rate := range []float64{210, 190, 1234.4} {
		d.Add("base", "kafka", map[string]float64{"rate": rate, "cpu": 4}, nil)
	}
	d.Add("base", "bote-os", map[string]float64{"rate": 700, "cpu": 1.01}, nil)
	d.Add("base", "bote-os", nil, errors.New("it took\ntoo long"))
	d.Add("other", "bote-os", nil, errors.New("no disk"))
	return d
}

var sections = []report.Section{
	{Title: "Speed", Note: "MB/s.", Rows: []report.Row{
		{Cell: "base", Value: "rate", Label: "produce", Targets: []report.Target{{Column: "bote-os", Than: "kafka", Limit: 3}, {Column: "bote-os", Most: true, Limit: 25}}},
		{Cell: "base", Value: "cpu", Label: "CPU", Targets: []report.Target{{Column: "bote-os", Than: "kafka", Most: true, Limit: 0.25}, {Column: "bote-commit", Most: true, Limit: 1}}},
		{Cell: "other", Value: "rate", Label: "other"},
		{Cell: "none", Value: "rate", Label: "not measured"},
	}},
	{Title: "Nothing", Rows: []report.Row{{Cell: "none", Value: "rate", Label: "not measured"}}},
}

const table = `Measured on 2026-01-02, in 1m30s, on 2 cores (a processor), 8 GB of memory, linux/amd64, kernel 6.1, data on ext4, load average 0.2 before the start. kafka is 4.2.0. Numbers are medians, with the least and the greatest of several rounds.

### Speed

MB/s.

| | Kafka | bote | target |
|---|---|---|---|
| produce | 210 (190–1,234) | 700 | os ≥ 3.00×: 3.33× met; os ≤ 25.0: 700 **missed** |
| CPU | 4.00 (4.00–4.00) | 1.01 | os ≤ 0.25×: 0.25× **missed** |
| other |  | failed |  |

Failed:

- base of bote-os, 1 of 2 rounds: it took too long
- other of bote-os, 1 of 1 rounds: no disk
`

func TestMarkdown(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	require.NoError(t, report.Markdown(&out, measured(), sections))
	require.Equal(t, table, out.String())
}

func TestWrite(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "results")
	require.NoError(t, report.Write(dir, measured(), sections))
	text, err := os.ReadFile(filepath.Join(dir, "table.md"))
	require.NoError(t, err)
	require.Equal(t, table, string(text))
	text, err = os.ReadFile(filepath.Join(dir, "result.json"))
	require.NoError(t, err)
	var back report.Data
	require.NoError(t, json.Unmarshal(text, &back))
	require.Equal(t, measured().Cells[0], back.Cells[0])
	require.Len(t, back.Cells, 3)
	require.InDelta(t, 210, back.Cells[0].Medians["rate"], 0)
}

func TestUpdateDocs(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "page.md")
	require.NoError(t, os.WriteFile(file, []byte("# Page\n\n<!-- bench: begin -->\nold\n<!-- bench: end -->\n\nrest\n"), 0o600))
	for range 2 { // the second time it finds its own marks
		require.NoError(t, report.UpdateDocs(file, measured(), sections))
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Equal(t, "# Page\n\n<!-- bench: begin -->\n"+table+"<!-- bench: end -->\n\nrest\n", string(text))
	}
	require.NoError(t, os.WriteFile(file, []byte("# Page\n"), 0o600))
	require.ErrorContains(t, report.UpdateDocs(file, measured(), sections), "it needs the lines")
}

func TestSummary(t *testing.T) {
	t.Parallel()
	require.Equal(t, "produce 12.5, CPU 0.50", report.Summary("base", map[string]float64{"rate": 12.5, "cpu": 0.5, "unknown": 1}, sections))
}
