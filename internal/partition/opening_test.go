package partition_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/internal/partition"
	"github.com/botehq/bote/internal/record"
	"github.com/botehq/bote/internal/storage"
	"github.com/botehq/bote/internal/storage/commitlog"
	"github.com/botehq/bote/internal/topic"
)

// checkpointed is a log that takes a checkpoint while the partition is being opened.
type checkpointed struct {
	storage.Log
	store *commitlog.Store
	done  chan error
}

func (c checkpointed) Headers(ctx context.Context, from int64, visit func(record.Batch) error) error {
	c.done <- c.store.Checkpoint()
	return c.Log.Headers(ctx, from, visit)
}

// TestCheckpointDuringOpening: a checkpoint while a partition is being opened does not
// save its half-rebuilt producer state.
func TestCheckpointDuringOpening(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	_, err := b.put(t, b.from(7, 0, 0, 1))
	require.NoError(t, err)
	b.restart(t) // a snapshot at 1
	for seq := range int32(3) {
		_, err = b.put(t, b.from(7, 0, 1+seq, 1))
		require.NoError(t, err)
	}
	b.mem = b.mem.Fork() // killed
	old := b.store
	b.store, err = commitlog.Open(commitlog.Config{FS: b.mem, Dir: "/data"})
	require.NoError(t, err)
	require.NoError(t, old.Close())
	done := make(chan error, 1)
	b.Partition, err = partition.Open(t.Context(), func(h storage.Hooks) (storage.Log, storage.Recovered, error) {
		l, rec, err := b.store.OpenLog(t.Context(), storage.Partition{Topic: "t", ID: topic.ID{1}}, h)
		return checkpointed{l, b.store, done}, rec, err
	}, partition.Config{Epoch: 1, Settings: func() storage.Settings { return settings }, ProducerExpiry: func() time.Duration { return time.Hour }, Now: func() time.Time { return b.now }})
	require.NoError(t, err)
	require.NoError(t, <-done)
	require.Equal(t, int32(3), b.Producers()[0].LastSequence)

	b.crash(t)
	require.Equal(t, int32(3), b.Producers()[0].LastSequence)
	base, err := b.put(t, b.from(7, 0, 1, 1))
	require.NoError(t, err)
	require.Equal(t, int64(1), base, "a duplicate of what is at 1")
	require.Equal(t, int64(4), b.LogEndOffset())
}

// TestOpeningThatDoesNotEnd: a broker that stops while it rebuilds the producers of a
// partition saves nothing of them, and the next start rebuilds them.
func TestOpeningThatDoesNotEnd(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for seq := range int32(4) {
		_, err := b.put(t, b.from(7, 0, seq, 1))
		require.NoError(t, err)
	}
	b.mem = b.mem.Fork() // killed
	old := b.store
	var err error
	b.store, err = commitlog.Open(commitlog.Config{FS: b.mem, Dir: "/data"})
	require.NoError(t, err)
	require.NoError(t, old.Close())
	ctx, stop := context.WithCancel(t.Context())
	stop()
	_, err = partition.Open(ctx, func(h storage.Hooks) (storage.Log, storage.Recovered, error) {
		return b.store.OpenLog(t.Context(), storage.Partition{Topic: "t", ID: topic.ID{1}}, h)
	}, partition.Config{Settings: func() storage.Settings { return settings }, ProducerExpiry: func() time.Duration { return time.Hour }, Now: func() time.Time { return b.now }})
	require.ErrorIs(t, err, context.Canceled)
	b.restart(t) // as clean a stop as is possible here
	require.Equal(t, int32(3), b.Producers()[0].LastSequence)
	base, err := b.put(t, b.from(7, 0, 1, 1))
	require.NoError(t, err)
	require.Equal(t, int64(1), base, "a duplicate of what is at 1")
}
