package commitlog_test

import (
	"archive/tar"
	"compress/gzip"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/internal/record"
	"github.com/botehq/bote/internal/storage"
	"github.com/botehq/bote/internal/storage/commitlog"
	"github.com/botehq/bote/internal/storage/storagetest"
	"github.com/botehq/bote/internal/topic"
)

// kafkaPartition is what Apache Kafka 4.2 served from its own directory after a
// restart.
type kafkaPartition struct {
	Topic                        string
	TopicID                      string
	LogStartOffset, LogEndOffset int64
	Batches                      []kafkaBatch
}

type kafkaBatch struct {
	BaseOffset, LastOffset    int64
	Attributes                int16
	ProducerID                int64
	ProducerEpoch             int16
	BaseSequence, LeaderEpoch int32
	BaseTimestamp, MaxTime    int64
	Size                      int
}

// unpack extracts a recorded data directory.
func unpack(t *testing.T, archive string) string {
	t.Helper()
	dir := t.TempDir()
	f, err := os.Open(archive)
	require.NoError(t, err)
	defer func() { require.NoError(t, f.Close()) }()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return dir
		}
		require.NoError(t, err)
		name := filepath.Join(dir, filepath.FromSlash(h.Name))
		if h.Typeflag == tar.TypeDir {
			require.NoError(t, os.MkdirAll(name, 0o755))
			continue
		}
		raw, err := io.ReadAll(r)
		require.NoError(t, err)
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
		require.NoError(t, os.WriteFile(name, raw, 0o600))
	}
}

// dataDir finds the directory that has the checkpoints.
func dataDir(t *testing.T, root string) string {
	t.Helper()
	found := ""
	require.NoError(t, filepath.WalkDir(root, func(path string, _ os.DirEntry, err error) error {
		if filepath.Base(path) == "recovery-point-offset-checkpoint" {
			found = filepath.Dir(path)
		}
		return err
	}))
	require.NotEmpty(t, found)
	return found
}

// TestKafkasDirectories opens directories that Apache Kafka wrote, after a clean
// stop and after a kill. bote must find what Kafka found in them: the same batches,
// starts and epochs, and torn and corrupt tails cut at the same offset.
func TestKafkasDirectories(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"clean", "killed"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			raw, err := os.ReadFile("testdata/kafka-" + name + ".json")
			require.NoError(t, err)
			var want struct{ Partitions []kafkaPartition }
			require.NoError(t, json.Unmarshal(raw, &want))
			require.Greater(t, len(want.Partitions), 10)
			store, err := commitlog.Open(commitlog.Config{Dir: dataDir(t, unpack(t, "testdata/kafka-"+name+".tar.gz"))})
			require.NoError(t, err)
			require.Equal(t, name == "clean", store.Clean())
			for _, p := range want.Partitions {
				t.Run(p.Topic, func(t *testing.T) { checkKafkaPartition(t, store, p) })
			}
			require.NoError(t, store.Close())
		})
	}
}

func checkKafkaPartition(t *testing.T, store *commitlog.Store, want kafkaPartition) {
	t.Helper()
	id, err := hex.DecodeString(want.TopicID)
	require.NoError(t, err)
	log, _, err := store.OpenLog(t.Context(), storage.Partition{Topic: want.Topic, ID: topic.ID(id)}, storage.Hooks{
		Settings: func() storage.Settings { return storagetest.Settings }, Durable: func(int64) {},
		Snapshot: func() ([]byte, int64) { return nil, 0 }, Deletable: func() int64 { return math.MaxInt64 }, StartMoved: func(int64) {},
	})
	require.NoError(t, err)
	require.Equal(t, want.LogStartOffset, log.Start())
	require.Equal(t, want.LogEndOffset, log.End())
	var got []kafkaBatch
	for from := log.Start(); from < log.End(); {
		c, err := log.Read(t.Context(), storage.Range{From: from, To: math.MaxInt64, MaxBytes: 1 << 20, AtLeastOne: true})
		require.NoError(t, err)
		if len(c.Data) == 0 {
			break // a gap that compaction left at the end
		}
		for data := c.Data; len(data) > 0; {
			b, rest, err := record.Split(data)
			require.NoError(t, err)
			require.True(t, b.ValidCRC())
			got = append(got, kafkaBatch{
				b.BaseOffset(), b.LastOffset(), b.Attributes(), b.ProducerID(), b.ProducerEpoch(), b.BaseSequence(), b.LeaderEpoch(),
				b.BaseTimestamp(), b.MaxTimestamp(), len(b),
			})
			from, data = b.NextOffset(), rest
		}
		c.Release()
	}
	require.Equal(t, want.Batches, got)
}
