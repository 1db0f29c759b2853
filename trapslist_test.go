package bote_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTrapsAreListed: every trap that a Go file names by its number is in docs/traps.md.
func TestTrapsAreListed(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join("docs", "traps.md"))
	require.NoError(t, err)
	listed := map[int]bool{}
	for i, row := range regexp.MustCompile(`(?m)^(\d+)\. [^\n]+\.$`).FindAllStringSubmatch(string(page), -1) {
		n, err := strconv.Atoi(row[1])
		require.NoError(t, err)
		require.Equal(t, i+1, n, "in their order")
		listed[n] = true
	}
	named := regexp.MustCompile(`(?i)\btraps?[ -]?(\d+)|Trap(\d+)`)
	seen := 0
	require.NoError(t, filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && strings.HasPrefix(d.Name(), ".") && path != "." {
			return fs.SkipDir
		}
		if filepath.Ext(path) != ".go" {
			return nil
		}
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		for _, m := range named.FindAllStringSubmatch(string(text), -1) {
			n, err := strconv.Atoi(m[1] + m[2])
			require.NoError(t, err)
			require.True(t, listed[n], "%s: trap %d", path, n)
			seen++
		}
		return nil
	}))
	require.Greater(t, seen, 100)
}
