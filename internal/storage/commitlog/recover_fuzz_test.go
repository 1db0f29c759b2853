package commitlog_test

import (
	"encoding/binary"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/internal/record"
	"github.com/botehq/bote/internal/storage"
	"github.com/botehq/bote/internal/storage/commitlog"
	"github.com/botehq/bote/internal/storage/vfs"
	"github.com/botehq/bote/internal/topic"
)

// sealed makes the checksums of a segment's batches right, so that the fuzzer gets
// past them. A batch with a negative leader epoch keeps its checksum.
func sealed(log []byte) []byte {
	for p := log; ; {
		b, rest, err := record.Split(p)
		if err != nil {
			return log
		}
		if b.LeaderEpoch() >= 0 {
			b.SealCRC()
		}
		p = rest
	}
}

// FuzzRecovery: whatever the files of a partition hold, the log opens, or is
// refused after a clean stop, because somebody changed the files since. A log that
// opens offers whole batches in ascending order and accepts one more batch, and the
// next start finds the same again.
func FuzzRecovery(f *testing.F) {
	var log []byte
	for i := range int64(3) {
		b := record.Build(1000+i, record.KeyValue{Value: []byte("v")}, record.KeyValue{Key: []byte("k")})
		b.SetBaseOffset(2 * i)
		b.SetLeaderEpoch(0)
		log = append(log, b...)
	}
	index := []byte{0, 0, 0, 3, 0, 0, 0, byte(len(log) / 3)}
	times := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64(nil, 1001), 3)
	f.Add(log, index, times, []byte("0\n1\n0 0\n"), uint8(0))
	f.Add(log[:len(log)-5], []byte{}, []byte{}, []byte{}, uint8(1))
	f.Add(append(log, make([]byte, 300)...), make([]byte, 16), make([]byte, 24), []byte("0\n1\n5 5\n"), uint8(3))
	f.Fuzz(func(t *testing.T, log, index, times, epochs []byte, mode uint8) {
		mem := vfs.NewMem()
		dir := filepath.Join("/d", "t-0")
		part := storage.Partition{Topic: "t", ID: topic.ID{1}}
		open := func(mayRefuse bool) (*commitlog.Store, *commitlog.Log, storage.Recovered) {
			store, err := commitlog.Open(commitlog.Config{FS: mem, Dir: "/d", Flush: commitlog.FlushOS})
			require.NoError(t, err)
			l, rec, err := store.OpenLog(t.Context(), part, storage.Hooks{
				Settings: func() storage.Settings {
					return storage.Settings{SegmentBytes: 1 << 20, SegmentMs: 1 << 40, IndexBytes: 1 << 16, IndexInterval: 64, RetentionMs: -1, RetentionBytes: -1}
				},
				Durable: func(int64) {}, Failed: func(err error) { t.Error(err) }, Snapshot: func() ([]byte, int64) { return nil, 0 },
				Turn: func(f func() error) error { return f() }, Deletable: func() int64 { return 0 }, StartMoved: func(int64) {},
			})
			if mayRefuse && store.Clean() && err != nil {
				require.NoError(t, store.Close())
				return nil, nil, rec
			}
			require.NoError(t, err)
			return store, l, rec
		}
		store, _, _ := open(false) // creates the directory and its metadata
		require.NoError(t, store.Close())
		if mode&1 != 0 {
			require.NoError(t, mem.Remove("/d/.kafka_cleanshutdown"))
		}
		for name, raw := range map[string][]byte{
			"00000000000000000000.log": sealed(log), "00000000000000000000.index": index, "00000000000000000000.timeindex": times,
			"leader-epoch-checkpoint": epochs, "00000000000000000002.snapshot": epochs,
		} {
			require.NoError(t, vfs.WriteFile(mem, dir, name, raw))
		}
		store, l, rec := open(true)
		if store == nil {
			return
		}
		require.LessOrEqual(t, l.Start(), l.End())
		require.LessOrEqual(t, rec.SnapshotEnd, l.End())
		end, clean := l.End(), store.Clean()
		readAll(t, l, !clean)
		if mode&2 != 0 && end < 1<<40 {
			b := record.Build(5, record.KeyValue{Value: []byte("more")})
			b.SetBaseOffset(end)
			b.SetLeaderEpoch(1 << 30)
			require.NoError(t, l.Append(b))
			end++
		}
		require.NoError(t, store.Close())
		store, l, _ = open(false)
		require.Equal(t, end, l.End(), "after a clean stop")
		readAll(t, l, !clean)
		require.NoError(t, store.Close())
	})
}

// readAll reads from start to end. After a clean stop the files are trusted, so
// changes made to them since may show; they must do no more harm than an error.
func readAll(t *testing.T, l *commitlog.Log, strict bool) {
	t.Helper()
	next := l.Start()
	for next < l.End() {
		c, err := l.Read(t.Context(), storage.Range{From: next, To: l.End(), MaxBytes: 1 << 16, AtLeastOne: true})
		if !strict && (err != nil || len(c.Data) == 0) {
			c.Release()
			return
		}
		require.NoError(t, err)
		require.NotEmpty(t, c.Data, "at %d of %d", next, l.End())
		for p := c.Data; len(p) > 0; {
			b, rest, err := record.Split(p)
			if !strict && (err != nil || b.NextOffset() <= next) {
				c.Release()
				return
			}
			require.NoError(t, err)
			require.Greater(t, b.NextOffset(), next)
			if strict {
				require.True(t, b.ValidCRC())
			}
			next, p = b.NextOffset(), rest
		}
		c.Release()
	}
}
