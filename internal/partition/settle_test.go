package partition_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/internal/partition"
	"github.com/botehq/bote/internal/record"
	"github.com/botehq/bote/internal/storage"
	"github.com/botehq/bote/internal/storage/commitlog"
	"github.com/botehq/bote/internal/storage/vfs"
	"github.com/botehq/bote/internal/topic"
)

// TestSettle: Settle waits for a slow disk, at most until its context ends, and does not
// wait for a disk that has failed.
func TestSettle(t *testing.T) {
	t.Parallel()
	disk := vfs.NewFaulty(vfs.NewStrictMem())
	store, err := commitlog.Open(commitlog.Config{FS: disk, Dir: "/data"})
	require.NoError(t, err)
	p, err := partition.Open(t.Context(), func(h storage.Hooks) (storage.Log, storage.Recovered, error) {
		return store.OpenLog(t.Context(), storage.Partition{Topic: "t", ID: topic.ID{1}}, h)
	}, partition.Config{Settings: func() storage.Settings { return settings }, ProducerExpiry: func() time.Duration { return time.Hour }})
	require.NoError(t, err)
	require.NoError(t, p.Settle(t.Context()), "there is nothing to wait for")

	syncing, slow := make(chan struct{}), make(chan error)
	var armed atomic.Bool
	disk.Inject(func(op vfs.Op, name string) error {
		if op == vfs.OpSync && strings.HasSuffix(name, ".log") && armed.Swap(false) {
			syncing <- struct{}{}
			return <-slow
		}
		return nil
	})
	armed.Store(true)
	appended := make(chan error, 1)
	p.Append(record.Build(1, record.KeyValue{Value: []byte("a")}), func(_ partition.Appended, err error) { appended <- err })
	<-syncing
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, p.Settle(ctx), context.Canceled)
	settled := make(chan error, 1)
	go func() { settled <- p.Settle(t.Context()) }()
	slow <- nil
	require.NoError(t, <-settled)
	require.NoError(t, <-appended)
	require.Equal(t, int64(1), p.HighWatermark())

	armed.Store(true)
	p.Append(record.Build(1, record.KeyValue{Value: []byte("b")}), func(_ partition.Appended, err error) { appended <- err })
	<-syncing
	go func() { settled <- p.Settle(t.Context()) }()
	slow <- errors.New("the disk is gone")
	require.NoError(t, <-settled)
	require.Error(t, <-appended)
	require.NoError(t, p.Settle(t.Context()))
	_ = store.Close() // it returns the failed sync
}
