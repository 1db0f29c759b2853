package api_test

import (
	"flag"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/internal/api"
)

var update = flag.Bool("update", false, "rewrite the goldens")

// TestTable compares the table with docs/protocol.md. Rewrite it with
// go test ./internal/api -run TestTable -update.
func TestTable(t *testing.T) {
	t.Parallel()
	const golden = "../../docs/protocol.md"
	got := api.Markdown()
	if *update {
		require.NoError(t, os.WriteFile(golden, []byte(got), 0o600))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	require.Equal(t, string(want), got)
}
