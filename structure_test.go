package bote_test

import (
	"flag"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "rewrite the goldens")

const module = "github.com/botehq/bote"

// packages returns, for every package, its imports from this module without those of
// tests, and its documentation.
func packages(t *testing.T) (imports map[string][]string, docs map[string]string) {
	t.Helper()
	imports, docs = map[string][]string{}, map[string]string{}
	require.NoError(t, filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name := d.Name(); path != "." && (strings.HasPrefix(name, ".") || slices.Contains([]string{"testdata", "dist", "docs", "node_modules", "test"}, name)) {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly|parser.ParseComments)
		require.NoError(t, err)
		pkg := filepath.ToSlash(filepath.Dir(path))
		if _, ok := imports[pkg]; !ok {
			imports[pkg] = []string{}
		}
		if f.Doc != nil {
			docs[pkg] += f.Doc.Text()
		}
		for _, spec := range f.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			require.NoError(t, err)
			if name == module {
				imports[pkg] = append(imports[pkg], ".")
			} else if rest, ok := strings.CutPrefix(name, module+"/"); ok {
				imports[pkg] = append(imports[pkg], rest)
			}
		}
		return nil
	}))
	return imports, docs
}

// TestImports compares the import graph with testdata/imports.txt, so that a new
// edge shows in review. Rewrite it with go test . -run TestImports -update.
func TestImports(t *testing.T) {
	t.Parallel()
	imports, _ := packages(t)
	var out strings.Builder
	for _, pkg := range slices.Sorted(func(yield func(string) bool) {
		for pkg := range imports {
			if !yield(pkg) {
				return
			}
		}
	}) {
		to := slices.Clone(imports[pkg])
		slices.Sort(to)
		out.WriteString(pkg + ": " + strings.Join(slices.Compact(to), " ") + "\n")
	}
	const golden = "testdata/imports.txt"
	if *update {
		require.NoError(t, os.WriteFile(golden, []byte(out.String()), 0o600))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	require.Equal(t, string(want), out.String())
}

// TestPackageDocs checks that every package says what it owns.
func TestPackageDocs(t *testing.T) {
	t.Parallel()
	imports, docs := packages(t)
	for pkg := range imports {
		require.Greater(t, len(docs[pkg]), 40, "package %s needs a documentation comment that says what it owns", pkg)
	}
}
