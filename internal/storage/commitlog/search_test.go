package commitlog_test

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/internal/record"
	"github.com/botehq/bote/internal/storage"
	"github.com/botehq/bote/internal/storage/commitlog"
	"github.com/botehq/bote/internal/storage/vfs"
	"github.com/botehq/bote/internal/topic"
)

// TestSearchNeedsNoMemory: a search by time looks into a packed batch without
// holding what it unpacks to. It is not parallel: it counts what the process
// allocates.
func TestSearchNeedsNoMemory(t *testing.T) {
	const size = 64 << 20
	store, err := commitlog.Open(commitlog.Config{FS: vfs.NewMem(), Dir: "/d", Flush: commitlog.FlushOS})
	require.NoError(t, err)
	defer func() { require.NoError(t, store.Close()) }()
	l, _, err := store.OpenLog(t.Context(), storage.Partition{Topic: "t", ID: topic.ID{1}}, storage.Hooks{
		Settings: func() storage.Settings {
			return storage.Settings{SegmentBytes: 1 << 20, SegmentMs: 1 << 40, IndexBytes: 1 << 16, IndexInterval: 4096, RetentionMs: -1, RetentionBytes: -1}
		},
		Durable: func(int64) {}, Failed: func(err error) { t.Error(err) }, Snapshot: func() []byte { return nil },
	})
	require.NoError(t, err)
	plain := record.Build(1000, record.KeyValue{Value: make([]byte, size)}, record.KeyValue{Value: []byte("last")})
	b, err := record.Recode(plain, plain.Payload(), record.Gzip, 1)
	require.NoError(t, err)
	require.NoError(t, l.Append(b))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	at, ok, err := l.FindTime(t.Context(), 1000, 2)
	runtime.ReadMemStats(&after)
	require.NoError(t, err)
	require.True(t, ok)
	require.Zero(t, at.Offset)
	require.Less(t, int(after.TotalAlloc-before.TotalAlloc), size/8)
}

// allocated is what f allocates. Nothing else may run meanwhile.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}
