package bote_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestWhereIs: each file and function of the table in docs/architecture.md is there. A
// function is in the file that the row names last before it.
func TestWhereIs(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join("docs", "architecture.md"))
	require.NoError(t, err)
	_, table, _ := strings.Cut(string(page), "\n## Where is …?\n")
	table, _, _ = strings.Cut(table, "\n## ")
	rows := regexp.MustCompile("(?m)^\\| [^|]+ \\| (`[^`|]+\\.go`) \\| (`.*) \\|$").FindAllStringSubmatch(table, -1)
	require.Len(t, rows, strings.Count(table, "\n| ")-1, "rows that look like the others")
	require.GreaterOrEqual(t, len(rows), 30)
	for _, row := range rows {
		name, text := "", ""
		for _, word := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(row[1]+row[2], -1) {
			if strings.HasSuffix(word[1], ".go") {
				raw, err := os.ReadFile(filepath.FromSlash(word[1]))
				require.NoError(t, err)
				name, text = word[1], string(raw)
				continue
			}
			declared := regexp.MustCompile(`(?m)^(func (\([^)]*\) )?|type |var )` + regexp.QuoteMeta(word[1]) + `\b`)
			require.Regexp(t, declared, text, "%s in %s", word[1], name)
		}
	}
}
