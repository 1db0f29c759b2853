package commitlog

import (
	"math"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/internal/record"
	"github.com/botehq/bote/internal/storage"
	"github.com/botehq/bote/internal/storage/vfs"
	"github.com/botehq/bote/internal/topic"
)

// TestSnapshotIsTakenInTheTurn: a snapshot describes the offset at which it was taken,
// even if the log is closed during an append.
func TestSnapshotIsTakenInTheTurn(t *testing.T) {
	t.Parallel()
	mem := vfs.NewMem()
	store, err := Open(Config{FS: mem, Dir: "/data", Flush: FlushOS})
	require.NoError(t, err)
	turn := make(chan struct{}, 1)
	inTurn := atomic.Bool{}
	var l *Log
	l, _, err = store.OpenLog(t.Context(), storage.Partition{Topic: "t", ID: topic.ID{1}}, storage.Hooks{
		Settings: func() storage.Settings {
			return storage.Settings{SegmentBytes: 1 << 20, SegmentMs: math.MaxInt64, IndexBytes: 1 << 20, IndexInterval: 4096, RetentionMs: -1, RetentionBytes: -1}
		},
		Durable: func(int64) {}, Deletable: func() int64 { return 0 }, StartMoved: func(int64) {},
		Snapshot: func() ([]byte, int64) {
			if !inTurn.Load() {
				t.Error("a snapshot outside of the turn")
			}
			return []byte("state"), l.End()
		},
		Turn: func(f func() error) error {
			turn <- struct{}{}
			inTurn.Store(true)
			defer func() { inTurn.Store(false); <-turn }()
			return f()
		},
	})
	require.NoError(t, err)
	b := record.Build(1, record.KeyValue{Value: []byte("x")})
	b.SetLeaderEpoch(0)
	require.NoError(t, l.Append(b))
	require.NoError(t, store.Close())
	there, err := vfs.Exists(mem, "/data/t-0/"+fileName(1, snapshotSuffix))
	require.NoError(t, err)
	require.True(t, there)
}
