package commitlog_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/internal/record"
	"github.com/botehq/bote/internal/storage"
	"github.com/botehq/bote/internal/storage/commitlog"
	"github.com/botehq/bote/internal/storage/storagetest"
	"github.com/botehq/bote/internal/storage/vfs"
)

// benchLog is a log in a directory of the operating system that does not wait for syncs.
func benchLog(b *testing.B) *commitlog.Log {
	b.Helper()
	store, err := commitlog.Open(commitlog.Config{FS: vfs.OS{}, Dir: b.TempDir(), Flush: commitlog.FlushOS})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, store.Close()) })
	settings := storagetest.Settings
	settings.SegmentBytes, settings.SegmentMs, settings.IndexBytes, settings.IndexInterval = 1<<30, math.MaxInt64, 10<<20, 4096
	l, _, err := store.OpenLog(b.Context(), testPartition, storage.Hooks{
		Settings: func() storage.Settings { return settings },
		Durable:  func(int64) {}, Failed: func(err error) { b.Error(err) }, Snapshot: func() ([]byte, int64) { return nil, 0 },
		Deletable: func() int64 { return math.MaxInt64 }, Turn: func(f func() error) error { return f() }, StartMoved: func(int64) {},
	})
	require.NoError(b, err)
	return l
}

// kibibyte returns a batch of two records and about a kibibyte.
func kibibyte(ts int64) record.Batch {
	return record.Build(ts, record.KeyValue{Value: make([]byte, 900)}, record.KeyValue{Value: make([]byte, 50)})
}

// filled returns a log of such batches, one a second.
func filled(b *testing.B, batches int) *commitlog.Log {
	b.Helper()
	l := benchLog(b)
	for range batches {
		batch := kibibyte(500 * l.End())
		batch.SetBaseOffset(l.End())
		require.NoError(b, l.Append(batch))
	}
	return l
}

func BenchmarkAppend(b *testing.B) {
	l := benchLog(b)
	batch := kibibyte(1000)
	b.ReportAllocs()
	for b.Loop() {
		batch.SetBaseOffset(l.End())
		if err := l.Append(batch); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRead reads as fetches do: sequentially, and from any offset.
func BenchmarkRead(b *testing.B) {
	const batches = 20_000
	l, size := filled(b, batches), len(kibibyte(0))
	for name, step := range map[string]func(int64, storage.Chunk) int64{
		"sequential": func(from int64, c storage.Chunk) int64 {
			return from + int64(c.Len()/size)*2
		},
		"anywhere": func(from int64, _ storage.Chunk) int64 { return (from + 7919) % (2 * batches) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			from := int64(0)
			for b.Loop() {
				c, err := l.Read(b.Context(), storage.Range{From: from, To: l.End(), MaxBytes: 16 << 10, AtLeastOne: true})
				if err != nil {
					b.Fatal(err)
				}
				from = step(from, c)
				if from >= l.End() {
					from = 0
				}
				c.Release()
			}
		})
	}
}

func BenchmarkFindTime(b *testing.B) {
	const batches = 20_000
	l := filled(b, batches)
	b.ReportAllocs()
	ts := int64(0)
	for b.Loop() {
		_, ok, err := l.FindTime(b.Context(), 500*ts, l.End())
		if err != nil || !ok {
			b.Fatal(err)
		}
		ts = (ts + 7919) % (2*batches - 1)
	}
}

func BenchmarkHeaders(b *testing.B) {
	l := filled(b, 2000)
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		if err := l.Headers(b.Context(), 0, func(record.Batch) error { n++; return nil }); err != nil || n != 2000 {
			b.Fatal(n, err)
		}
	}
}
