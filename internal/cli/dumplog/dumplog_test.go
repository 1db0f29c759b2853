package dumplog

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/internal/cli/clitest"
	"github.com/botehq/bote/internal/cli/tool"
)

// unpackKafkaLogs unpacks a data directory that Apache Kafka wrote.
func unpackKafkaLogs(t *testing.T) string {
	t.Helper()
	f, err := os.Open("../../storage/commitlog/testdata/kafka-clean.tar.gz")
	require.NoError(t, err)
	defer f.Close()
	zipped, err := gzip.NewReader(f)
	require.NoError(t, err)
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	require.NoError(t, err)
	defer root.Close()
	for files := tar.NewReader(zipped); ; {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			return dir
		}
		require.NoError(t, err)
		if h.FileInfo().IsDir() {
			require.NoError(t, root.MkdirAll(filepath.Clean(h.Name), 0o750))
			continue
		}
		raw, err := io.ReadAll(files)
		require.NoError(t, err)
		require.NoError(t, root.WriteFile(filepath.Clean(h.Name), raw, 0o600))
	}
}

// TestDumpLogAsKafka compares the output for Kafka's files with that of Kafka's own tool.
func TestDumpLogAsKafka(t *testing.T) {
	t.Parallel()
	dir := unpackKafkaLogs(t)
	const data = "--deep-iteration --print-data-log"
	for _, c := range []struct {
		golden, options string
		files           []string
	}{
		{"plain.log", data, []string{"plain-0/*0.log"}},
		{"codec-snappy.log", data, []string{"codec-snappy-0/*0.log"}},
		{"idempotent.log", data, []string{"idempotent-0/*0.log"}},
		{"transactions.log", data, []string{"transactions-0/*.log"}},
		{"transactions.txnindex", "", []string{"transactions-0/*.txnindex"}},
		{"compacted.log", data, []string{"compacted-0/*.log"}},
		{"segments.log", "", []string{"segments-0/*.log"}},
		{"segments.index", "", []string{"segments-0/*.index", "segments-0/*.timeindex"}},
		{"segments.snapshot", "", []string{"segments-0/*.snapshot"}},
		{"consumer-offsets", "--offsets-decoder", []string{"__consumer_offsets-0/*0.log"}},
		{"transaction-state", "--transaction-log-decoder", []string{"__transaction_state-0/*0.log"}},
		{"share-group-state", "--share-group-state-decoder", []string{"__share_group_state-0/*0.log"}},
	} {
		t.Run(c.golden, func(t *testing.T) {
			t.Parallel()
			want, err := os.ReadFile(filepath.Join("testdata", c.golden+".txt"))
			require.NoError(t, err)
			sorted := strings.Contains(c.golden, "segments.index")
			var files []string
			for _, pattern := range c.files {
				found, err := filepath.Glob(filepath.Join(dir, pattern))
				require.NoError(t, err)
				files = append(files, found...)
			}
			if sorted { // the order in which the golden was made
				files = inOrderOf(files, string(want), dir)
			}
			args := strings.Fields(c.options)
			code, out, errs := clitest.Output(t, Run, append(args, "--files", strings.Join(files, ","))...)
			require.Equal(t, tool.ExitOK, code, errs)
			wantErr := ""
			if c.golden == "compacted.log" { // compaction left gaps
				wantErr = "Non-consecutive offsets in " + files[0] + "\n  20 is followed by 26\n  26 is followed by 28\n"
			}
			require.Equal(t, wantErr, errs)
			require.Empty(t, cmp.Diff(string(want), strings.ReplaceAll(out, dir+string(filepath.Separator), "")))
		})
	}
}

// inOrderOf sorts files by the order in which a golden dumps them.
func inOrderOf(files []string, golden, dir string) []string {
	var list []string
	for line := range strings.Lines(golden) {
		name, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "Dumping ")
		if !ok {
			continue
		}
		for _, f := range files {
			if f == filepath.Join(dir, name) {
				list = append(list, f)
			}
		}
	}
	return list
}

func TestDumpLogFindsDamage(t *testing.T) {
	t.Parallel()
	dir := unpackKafkaLogs(t)
	log := filepath.Join(dir, "segments-0", "00000000000000000000.log")
	raw, err := os.ReadFile(log)
	require.NoError(t, err)

	t.Run("bytes behind the last batch", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "00000000000000000000.log")
		require.NoError(t, os.WriteFile(file, append(bytes.Clone(raw), 1, 2, 3), 0o600))
		_, out, _ := clitest.Output(t, Run, "--files", file)
		require.Contains(t, out, "Found 3 invalid bytes at the end of "+file+"\n")
	})
	t.Run("a wrong checksum", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "00000000000000000000.log")
		wrong := bytes.Clone(raw)
		wrong[70]++
		require.NoError(t, os.WriteFile(file, wrong, 0o600))
		_, out, _ := clitest.Output(t, Run, "--files", file)
		require.Contains(t, out, "isvalid: false\n")
	})
	t.Run("an index that points elsewhere", func(t *testing.T) {
		part := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(part, "00000000000000000000.log"), raw, 0o600))
		file := filepath.Join(part, "00000000000000000000.index")
		require.NoError(t, os.WriteFile(file, []byte{0, 0, 0, 3, 0, 0, 0, 0}, 0o600))
		code, out, errs := clitest.Output(t, Run, "--files", file)
		require.Equal(t, tool.ExitOK, code)
		require.Contains(t, out, "offset: 3 position: 0\n")
		require.Equal(t, "Mismatches in :"+file+"\n  Index offset: 3, log offset: 0\n", errs)
	})
	t.Run("no file", func(t *testing.T) {
		code, out, errs := clitest.Output(t, Run, "--files", "00000000000000000099.log")
		require.Equal(t, tool.ExitError, code)
		require.Equal(t, "Dumping 00000000000000000099.log\nLog starting offset: 99\n", out)
		require.Equal(t, "Exception in thread \"main\" java.nio.file.NoSuchFileException: 00000000000000000099.log\n", errs)
	})
	t.Run("hostile records", func(t *testing.T) {
		for i := 0; i < len(raw); i += 7 {
			file := filepath.Join(t.TempDir(), "00000000000000000000.log")
			wrong := bytes.Clone(raw)
			wrong[i] ^= 0xff
			require.NoError(t, os.WriteFile(file, wrong, 0o600))
			for _, decoder := range []string{"--print-data-log", "--offsets-decoder", "--cluster-metadata-decoder"} {
				require.NotPanics(t, func() { clitest.Output(t, Run, decoder, "--files", file) })
			}
		}
	})
}
