package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/bench/broker"
)

// names returns the names of the cells of groups.
func names(all []group) []string {
	var names []string
	for _, g := range all {
		for _, c := range g.cells {
			names = append(names, c.name)
		}
	}
	return names
}

func TestSelected(t *testing.T) {
	t.Parallel()
	for only, want := range map[string][]string{
		"base":                 {"base"},
		"e2e*":                 {"e2e200", "e2e2000", "e2e20000"},
		"partitions1000,java":  {"java", "partitions1000"},
		"small,start":          {"start", "connections", "groups"},
		"large":                {"recovery"},
		"partitions10000,base": {"base", "partitions10000"},
		"pinned":               {"pinned-raw", "pinned-partitions100", "pinned-cold", "pinned-e2e2000"},
	} {
		some, err := selected(groups(true), only, true, true)
		require.NoError(t, err)
		require.Equal(t, want, names(some), only)
	}
	_, err := selected(groups(true), "base,none", true, true)
	require.ErrorContains(t, err, `no cell "none"`)
	_, err = selected(groups(true), "[", true, true)
	require.Error(t, err)
}

func TestHeavyCells(t *testing.T) {
	t.Parallel()
	measured := func(quick, recovery bool) []string {
		some, err := selected(groups(quick), "", quick, recovery)
		require.NoError(t, err)
		return names(some)
	}
	require.Contains(t, measured(false, true), "recovery")
	require.NotContains(t, measured(false, false), "recovery")
	require.Contains(t, measured(false, false), "partitions10000")
	require.NotContains(t, measured(true, true), "recovery")
	require.NotContains(t, measured(true, true), "partitions10000")
}

// TestRowsAndCells: every row shows an existing cell, and every cell has a row.
func TestRowsAndCells(t *testing.T) {
	t.Parallel()
	shown := map[string]bool{}
	for _, s := range sections() {
		for _, row := range s.Rows {
			shown[row.Cell] = true
			require.NotEmpty(t, row.Value)
		}
	}
	for _, name := range names(groups(false)) {
		require.True(t, shown[name], name)
		delete(shown, name)
	}
	require.Empty(t, shown)
}

// TestCellsOfTheBareProgram: it is measured only where the raw client alone is used.
func TestCellsOfTheBareProgram(t *testing.T) {
	t.Parallel()
	var of []group
	for _, g := range groups(false) {
		require.Equal(t, g, g.of(column{kind: broker.Kafka{}}))
		of = append(of, g.of(column{kind: broker.Bare{}}))
	}
	require.Equal(t, []string{"pinned-raw", "pinned-partitions100", "pinned-cold"}, names(of))
}

func TestFirstTwo(t *testing.T) {
	t.Parallel()
	b, c, err := firstTwo([]int{3, 5, 6})
	require.NoError(t, err)
	require.Equal(t, []int{3, 5}, []int{b, c})
	_, _, err = firstTwo([]int{3})
	require.ErrorContains(t, err, "but there are 1")
}

func TestRatesOfKafkasTools(t *testing.T) {
	t.Parallel()
	rate, err := producedRate("500 records sent, 100.5 records/sec (0.10 MB/sec), 1.0 ms avg latency\n" +
		"1000 records sent, 250.25 records/sec (0.24 MB/sec), 1.0 ms avg latency, 2.0 ms max latency, 1 ms 50th.\n")
	require.NoError(t, err)
	require.InDelta(t, 250.25, rate, 0, "the last line is the sum")
	rate, err = consumedRate("a warning, with a comma\n2026-01-02 03:04:05:678, 2026-01-02 03:04:06:678, 976.5625, 976.5, 1000000, 1000000.0, 300, 700, 1395.0, 1428571.4\n")
	require.NoError(t, err)
	require.InDelta(t, 1428571.4, rate, 0)
	_, err = producedRate("")
	require.Error(t, err)
	_, err = consumedRate("")
	require.Error(t, err)
}

func TestFlags(t *testing.T) {
	t.Parallel()
	var out, remarks bytes.Buffer
	require.Zero(t, run(t.Context(), []string{"-h"}, &out, &remarks))
	require.Contains(t, remarks.String(), "-only NAMES")
	require.Zero(t, run(t.Context(), []string{"-list", "-only", "e2e*"}, &out, &remarks))
	require.Equal(t, 3, strings.Count(out.String(), "\n"))
	require.Equal(t, 2, run(t.Context(), []string{"-none"}, &out, &remarks))
	require.Equal(t, 1, run(t.Context(), []string{"-only", "none"}, &out, &remarks))
	require.Zero(t, run(t.Context(), []string{"load", "-h"}, &out, &remarks))
	require.Equal(t, 1, run(t.Context(), []string{"-brokers", "none", "-only", "base", "-data", t.TempDir(), "-out", filepath.Join(t.TempDir(), "o")}, &out, &remarks))
	require.Contains(t, remarks.String(), `no broker "none"`)
}
