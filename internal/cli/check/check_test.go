package check

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/botehq/bote"
	"github.com/botehq/bote/internal/cli/clitest"
	"github.com/botehq/bote/internal/cli/tool"
	"github.com/botehq/bote/internal/storage/commitlog"
)

// checkVerb runs bote check.
func checkVerb(ctx context.Context, args ...string) (code int, out, errs string) {
	return clitest.VerbOutput(ctx, NewCommand, args...)
}

// brokerOn starts a broker on a directory. It returns a client, and a function that stops both.
func brokerOn(t *testing.T, dir string) (*kgo.Client, func()) {
	t.Helper()
	b, err := bote.Open(t.Context(), bote.Config{DataDir: dir, Listen: "127.0.0.1:0"})
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- b.Serve(context.Background()) }()
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(kgo.NoCompression()))
	require.NoError(t, err)
	return client, func() {
		client.Close()
		require.NoError(t, b.Close())
		require.NoError(t, <-served)
	}
}

// stoppedDir makes the data directory of a stopped broker: topic orders has two
// partitions with several segments, indexes and a log start offset above 0.
func stoppedDir(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	client, stop := brokerOn(t, dir)
	defer stop()
	admin := kadm.NewClient(client)
	small := func(v string) *string { return &v }
	_, err := admin.CreateTopic(t.Context(), 2, 1, map[string]*string{"segment.bytes": small("1048576"), "index.interval.bytes": small("4096")}, "orders")
	require.NoError(t, err)
	value := bytes.Repeat([]byte("order "), 1000)
	for i := range 400 {
		r := &kgo.Record{Topic: "orders", Partition: int32(i % 2), Key: fmt.Appendf(nil, "%d", i), Value: value}
		require.NoError(t, client.ProduceSync(t.Context(), r).FirstErr())
	}
	var del kadm.Offsets
	del.AddOffset("orders", 1, 5, -1)
	_, err = admin.DeleteRecords(t.Context(), del)
	require.NoError(t, err)
	return dir
}

// ordersReadable is the number of records that stoppedDir leaves from the log start offset on.
const ordersReadable = 395

func TestCheckStoppedDirectory(t *testing.T) {
	t.Parallel()
	dir := stoppedDir(t)
	code, out, errs := checkVerb(t.Context(), dir)
	require.Equal(t, tool.ExitOK, code, out+errs)
	require.Contains(t, out, "orders-0  ")
	require.Contains(t, out, ": all is well.\n")
	require.NotContains(t, out, "DAMAGE")
	require.Empty(t, errs)

	code, out, _ = checkVerb(t.Context(), dir, "--topic", "orders", "--output", "json", "--deep=false")
	require.Equal(t, tool.ExitOK, code)
	var report commitlog.CheckReport
	require.NoError(t, json.Unmarshal([]byte(out), &report))
	require.True(t, report.Clean)
	require.Len(t, report.Partitions, 2)
	require.Equal(t, int64(200), report.Partitions[0].Records)
	require.Equal(t, int64(200), report.Partitions[1].End)
	require.Equal(t, int64(5), report.Partitions[1].Start)
	require.Greater(t, report.Partitions[0].Segments, 1)
}

func TestCheckCannot(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	code, _, errs := checkVerb(t.Context(), filepath.Join(dir, "none"))
	require.Equal(t, exitNotChecked, code)
	require.Equal(t, "Error: "+filepath.Join(dir, "none")+" does not exist\n", errs)
	notes := filepath.Join(dir, "notes")
	require.NoError(t, os.MkdirAll(filepath.Join(notes, "dbus-1"), 0o700)) // named like a partition
	require.NoError(t, os.WriteFile(filepath.Join(notes, "letter.txt"), nil, 0o600))
	code, out, errs := checkVerb(t.Context(), notes)
	require.Equal(t, exitNotChecked, code)
	require.Empty(t, out)
	require.Equal(t, "Error: "+notes+" is not a data directory: it has no meta.properties\n", errs)
	for _, args := range [][]string{{}, {dir, dir}, {dir, "--output", "xml"}, {dir, "--unknown"}} {
		code, _, errs = checkVerb(t.Context(), args...)
		require.Equal(t, exitNotChecked, code)
		require.Contains(t, errs, "Error: ")
	}

	_, stop := brokerOn(t, filepath.Join(dir, "data"))
	code, out, errs = checkVerb(t.Context(), filepath.Join(dir, "data"))
	require.Equal(t, exitNotChecked, code)
	require.Empty(t, out)
	require.Equal(t, "Error: a broker is using "+filepath.Join(dir, "data")+": stop it first, or check a copy of the directory\n", errs)
	stop()

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	code, out, errs = checkVerb(ctx, filepath.Join(dir, "data"))
	require.Equal(t, tool.ExitInterrupted, code)
	require.Empty(t, out)
	require.Equal(t, "Interrupted; nothing was changed.\n", errs)
}

// TestCheckFormatted checks a directory that was formatted and has had no broker.
func TestCheckFormatted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "meta.properties"), []byte("version=1\ncluster.id=MkU3OEVBNTcwNTJENDM2Qg\nnode.id=1\n"), 0o600))
	code, out, errs := checkVerb(t.Context(), dir)
	require.Equal(t, tool.ExitOK, code, errs)
	require.Contains(t, out, "\nNo broker has run on this directory yet.\n0 partitions, 0 segments, 0 records, 0 bytes: all is well.\n")
}

// TestCheckPrintsDamageFirst: remarks must not bury the line that matters.
func TestCheckPrintsDamageFirst(t *testing.T) {
	t.Parallel()
	dir := stoppedDir(t)
	for _, name := range []string{"a-file", "z-file"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), nil, 0o600))
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "orders-0", "partition.metadata"), nil, 0o600))
	code, out, _ := checkVerb(t.Context(), dir)
	require.Equal(t, tool.ExitError, code)
	require.Regexp(t, `\n\nDAMAGE orders-0/partition\.metadata: .*\nremark a-file: .*\nremark z-file: .*\n2 partitions, `, out)
	require.Contains(t, out, ": 1 found damaged.\n")
}

func TestProgressLine(t *testing.T) {
	t.Parallel()
	require.Equal(t, "0 of 0 MiB checked, 0 MiB/s", progressLine(new(commitlog.CheckProgress), 1e9))
}

// wound is one flipped bit.
type wound struct {
	what string
	file string // below the directory
	at   int    // the byte; a negative number counts from the end
	bit  int
	want string // what the report must say
}

func flip(t *testing.T, name string, at int, bit int) (undo func()) {
	t.Helper()
	raw, err := os.ReadFile(name)
	require.NoError(t, err)
	if at < 0 {
		at += len(raw)
	}
	bad := bytes.Clone(raw)
	bad[at] ^= 1 << bit
	require.NoError(t, os.WriteFile(name, bad, 0o600))
	return func() { require.NoError(t, os.WriteFile(name, raw, 0o600)) }
}

// TestCheckShow flips one bit in each kind of file of a stopped directory and prints
// what bote check says: go test -run TestCheckShow -v.
func TestCheckShow(t *testing.T) {
	t.Parallel()
	dir := stoppedDir(t)
	second := func(suffix string) string {
		names, err := filepath.Glob(filepath.Join(dir, "orders-1", "*"+suffix))
		require.NoError(t, err)
		require.Greater(t, len(names), 1)
		return filepath.Join("orders-1", filepath.Base(names[0]))
	}
	first := filepath.Join("orders-0", filepath.Base(second(".log")))
	for _, w := range []wound{
		{"the value of a record", first, 100_000, 3, "the batch is damaged: its checksum is"},
		{"the length of a batch", first, 8, 3, "the batch is damaged"},
		{"the base offset of a batch", first, 7, 3, "no checksum covers the field"},
		{"the leader epoch of a batch", first, 15, 3, "leader epoch 8"},
		{"the magic of a batch", first, 16, 3, "format version"},
		{"the position in an offset index", second(".index"), 6, 3, "entry 0 points to byte"},
		{"the offset in an offset index", second(".index"), 11, 3, "entry 1 says offset"},
		{"the timestamp in a time index", second(".timeindex"), 5, 3, "entry 0 says timestamp"},
		{"a producer snapshot", second(".snapshot"), 20, 3, "its checksum does not match its bytes"},
		{"a leader epoch", filepath.Join("orders-1", "leader-epoch-checkpoint"), 4, 3, "leader-epoch-checkpoint"},
		{"the topic ID of a partition", filepath.Join("orders-1", "partition.metadata"), 25, 3, "orders-1/partition.metadata: "},
		{"a recovery point", "recovery-point-offset-checkpoint", -2, 3, "says 208, but the log ends at 200"},
		{"a log start", "log-start-offset-checkpoint", -2, 1, "one of them is wrong"},
		{"a high watermark", "replication-offset-checkpoint", -2, 3, "says 208, but the log ends at 200"},
		{"the identity", "meta.properties", 9, 3, "the broker refuses to start with it"},
		{"the metadata", botesMetadata, 32, 3, "the metadata file is damaged"},
	} {
		undo := flip(t, filepath.Join(dir, w.file), w.at, w.bit)
		code, out, errs := checkVerb(t.Context(), dir)
		t.Logf("one bit of %s (%s, byte %d)\n%s%sexit code %d\n\n", w.what, filepath.ToSlash(w.file), w.at, onlyFindings(out), errs, code)
		require.Equal(t, tool.ExitError, code, w.what)
		require.Contains(t, out, w.want, w.what)
		require.Contains(t, out, filepath.Base(w.file), w.what)
		undo()
	}
	code, out, _ := checkVerb(t.Context(), dir)
	require.Equal(t, tool.ExitOK, code, out)
}

// onlyFindings removes the table of partitions.
func onlyFindings(out string) string {
	_, rest, _ := strings.Cut(out, "\n\n")
	return rest
}
