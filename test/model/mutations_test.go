package model_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// mutation is a bug to be planted: a piece of text that occurs once in a file, and
// the text that replaces it.
type mutation struct {
	name, file, old, new string
}

var mutations = []mutation{
	{
		"acknowledge before the fsync", "internal/storage/commitlog/append.go",
		"func (l *Log) announceOrQueue(end int64, set storage.Settings) {\n",
		"func (l *Log) announceOrQueue(end int64, set storage.Settings) {\n\tl.announcedTo.Store(end)\n\tl.hooks.Durable(end)\n",
	},
	{
		"no checksums in recovery", "internal/storage/segment/walk.go",
		"if !batch.ValidCRC() && ", "if false && ",
	},
	{
		"high watermark past the synced end", "internal/partition/partition.go",
		"func (p *Partition) HighWatermark() int64 { return p.highWatermark.Load() }",
		"func (p *Partition) HighWatermark() int64 { return p.log.End() }",
	},
	{
		"producer snapshot newer than the log", "internal/storage/commitlog/snapshot.go",
		"&& end <= l.End() {", "{",
	},
	{
		"producer snapshot without all that is in flight", "internal/partition/snapshot.go",
		"batches := p.batches\n", "batches := p.batches[max(0, len(p.batches)-1):]\n",
	},
	{
		"checkpoint before the data", "internal/storage/commitlog/checkpointing.go",
		"recovery[name] = l.disk.recoveryPoint()", "recovery[name] = l.End()",
	},
	{
		"directory not synced after a new segment", "internal/storage/commitlog/flush.go",
		"if p.unsyncedNamesOrIndexes {", "if false {",
	},
	{
		"fsync error swallowed", "internal/storage/commitlog/flush.go",
		"if err := s.sync(); err != nil && p.log.has(s) {", "if err := s.sync(); err != nil && false {",
	},
}

// maxSeeds is how many histories a planted bug may survive. Without a bug they all
// pass.
const maxSeeds = 800

// TestMutations plants bugs and counts the histories until the model notices each.
// It needs the go command and several minutes, so it runs only with
// BOTE_MUTATIONS=1.
func TestMutations(t *testing.T) {
	if os.Getenv("BOTE_MUTATIONS") != "1" {
		t.Skip("set BOTE_MUTATIONS=1 to plant bugs")
	}
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	t.Run("none", func(t *testing.T) {
		require.Zero(t, survives(t, root, nil), "the tree as it is")
	})
	for _, m := range mutations {
		t.Run(m.name, func(t *testing.T) {
			n := survives(t, root, &m)
			require.Positive(t, n, "not seen in %d histories", maxSeeds)
			t.Logf("seen in history %d", n)
		})
	}
}

// survives builds this package with the mutation in place and returns the number of
// the history that fails, 0 if none does.
func survives(t *testing.T, root string, m *mutation) int {
	t.Helper()
	dir := t.TempDir()
	overlay := map[string]map[string]string{"Replace": {}}
	if m != nil {
		file := filepath.Join(root, filepath.FromSlash(m.file))
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Equal(t, 1, strings.Count(string(text), m.old), "%s has %q", m.file, m.old)
		mutant := filepath.Join(dir, "mutant.go")
		require.NoError(t, os.WriteFile(mutant, []byte(strings.Replace(string(text), m.old, m.new, 1)), 0o600))
		overlay["Replace"][file] = mutant
	}
	raw, err := json.Marshal(overlay)
	require.NoError(t, err)
	list := filepath.Join(dir, "overlay.json")
	require.NoError(t, os.WriteFile(list, raw, 0o600))
	binary := filepath.Join(dir, "model.test")
	build := exec.CommandContext(t.Context(), "go", "test", "-c", "-overlay", list, "-o", binary, "./test/model")
	build.Dir = root
	out, err := build.CombinedOutput()
	require.NoError(t, err, string(out))

	run := exec.CommandContext(t.Context(), binary, "-test.run", "^TestModel$", "-test.timeout", "10m", "-histories", strconv.Itoa(maxSeeds))
	run.Env = append(os.Environ(), "BOTE_SHRINK=0", "BOTE_MODEL=")
	run.Dir = dir
	out, err = run.CombinedOutput()
	if err == nil {
		return 0
	}
	found := regexp.MustCompile(`seed (\d+): (.*)`).FindSubmatch(out)
	require.NotNil(t, found, "%v: %s", err, out)
	t.Logf("%s", found[2])
	n, err := strconv.Atoi(string(found[1]))
	require.NoError(t, err)
	return n
}
