// Package disttree builds the tree that users unpack, for tests that do what users do. It owns nothing: the layout is that of
// dist/packaging.
package disttree

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// Build lays out the tree in a temporary directory, with the binary for the system, and returns its root.
func Build(tb testing.TB, goos string) string {
	tb.Helper()
	_, here, _, ok := runtime.Caller(0)
	require.True(tb, ok)
	repository := filepath.Join(filepath.Dir(here), "..", "..")
	dir := tb.TempDir()
	binary, root := filepath.Join(dir, "bote"), filepath.Join(dir, "bote-tree")
	if goos == "windows" {
		binary += ".exe"
	}
	run(tb, repository, []string{"GOOS=" + goos, "CGO_ENABLED=0"}, "go", "build", "-o", binary, "./cmd/bote")
	run(tb, repository, nil, "go", "run", "./dist/packaging", "-out", root, "-binary", binary)
	return root
}

func run(tb testing.TB, dir string, env []string, name string, args ...string) {
	tb.Helper()
	cmd := exec.CommandContext(tb.Context(), name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	require.NoError(tb, err, "%s %v: %s", name, args, out)
}

// Needs fails the test if a program is missing. It does not skip: whoever set the switch wanted the test.
func Needs(tb testing.TB, programs ...string) {
	tb.Helper()
	for _, p := range programs {
		_, err := exec.LookPath(p)
		require.NoError(tb, err, "%s is needed", p)
	}
}
