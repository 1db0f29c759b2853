package bote_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestWhereIs: each file and function of the table in docs/architecture.md is there.
func TestWhereIs(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join("docs", "architecture.md"))
	require.NoError(t, err)
	rows := regexp.MustCompile("(?m)^\\| [^|]+ \\| `([^`|]+\\.go)` \\| `(\\w+)` \\|$").FindAllSubmatch(page, -1)
	require.GreaterOrEqual(t, len(rows), 30)
	for _, row := range rows {
		text, err := os.ReadFile(filepath.FromSlash(string(row[1])))
		require.NoError(t, err)
		declared := regexp.MustCompile(`(?m)^(func (\([^)]*\) )?|type )` + string(row[2]) + `\b`)
		require.Regexp(t, declared, string(text), "%s in %s", row[2], row[1])
	}
}
