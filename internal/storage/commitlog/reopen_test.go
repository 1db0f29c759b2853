package commitlog_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/internal/record"
	"github.com/botehq/bote/internal/storage"
	"github.com/botehq/bote/internal/storage/commitlog"
	"github.com/botehq/bote/internal/storage/vfs"
)

// reopen opens a probe's log again, as a partition does.
func (p *probe) reopen(t *testing.T) error {
	t.Helper()
	opening := p.store.NewOpening()
	l, _, err := opening.ReopenLog(t.Context(), p.Log, storage.Hooks{
		Settings: func() storage.Settings { return p.settings },
		Durable: func(end int64) {
			p.durable.Store(end)
			select {
			case p.moved <- struct{}{}:
			default:
			}
		},
		Failed:     func(err error) { p.failed <- err },
		Snapshot:   func() ([]byte, int64) { return []byte("state"), p.End() },
		Deletable:  func() int64 { return math.MaxInt64 },
		Turn:       func(f func() error) error { return f() },
		StartMoved: func(int64) {},
	})
	if err != nil {
		return err
	}
	if err := opening.Settle(); err != nil {
		opening.Abandon()
		return err
	}
	p.Log = l
	return nil
}

// forgetting makes all syncs of segments fail and lose what they should have written.
func forgetting(op vfs.Op, name string) error {
	if op == vfs.OpSync && strings.HasSuffix(name, ".log") || op == vfs.OpSyncFS {
		return &vfs.FaultError{Err: errDisk, Forget: true}
	}
	return nil
}

// TestFailedLogIsOpenedAgain: what was acknowledged is there, what a failed sync may
// have lost is not believed, and the log goes on. A later power cut leaves all of it.
func TestFailedLogIsOpenedAgain(t *testing.T) {
	t.Parallel()
	mem := vfs.NewStrictMem()
	faulty := vfs.NewFaulty(mem)
	p := openProbe(t, commitlog.Config{FS: faulty})
	var want []string
	add := func(n int) {
		for range n {
			want = append(want, fmt.Sprint(len(want)))
			require.NoError(t, p.Append(p.batch(want[len(want)-1])))
		}
		p.await(t, int64(len(want)))
	}
	add(150) // more than a segment
	require.ErrorIs(t, p.reopen(t), storage.ErrClosed, "it has not failed")
	faulty.Inject(forgetting)
	require.NoError(t, p.Append(p.batch("lost")))
	require.ErrorIs(t, <-p.failed, errDisk)
	failed := p.Log
	for range 3 {
		require.ErrorIs(t, p.reopen(t), errDisk, "the disk does not answer yet")
	}
	require.Equal(t, want, p.values(t), "reads go on")
	faulty.Inject(nil)
	require.NoError(t, p.reopen(t))
	require.Equal(t, int64(len(want)), p.End())
	require.Equal(t, want, p.values(t))
	require.ErrorIs(t, failed.Append(p.batch("x")), storage.ErrClosed)
	add(50)
	require.NoError(t, p.SetStart(t.Context(), 10))
	cut := mem.Crash()
	require.NoError(t, p.store.Close(), "a clean stop")

	for _, left := range []*vfs.Mem{cut, mem} {
		p = openProbe(t, commitlog.Config{FS: left})
		require.Equal(t, int64(10), p.Start())
		require.Equal(t, want[10:], p.values(t))
		require.NoError(t, p.store.Close())
	}
}

// TestFailedLogWithUnsyncedBatchesIsOpenedAgain: batches that were acknowledged before
// they were synced are there again, and on the disk.
func TestFailedLogWithUnsyncedBatchesIsOpenedAgain(t *testing.T) {
	t.Parallel()
	mem := vfs.NewStrictMem()
	faulty := vfs.NewFaulty(mem)
	p := openProbe(t, commitlog.Config{FS: faulty, Flush: commitlog.FlushOS})
	var want []string
	add := func(n int) {
		for range n {
			want = append(want, fmt.Sprint(len(want)))
			require.NoError(t, p.Append(p.batch(want[len(want)-1])))
		}
	}
	add(50)
	require.NoError(t, p.store.Checkpoint())
	add(100)
	faulty.Inject(forgetting)
	require.ErrorIs(t, p.store.Checkpoint(), errDisk)
	require.ErrorIs(t, <-p.failed, errDisk)
	require.ErrorIs(t, p.reopen(t), errDisk)
	faulty.Inject(nil)
	require.NoError(t, p.reopen(t))
	require.Equal(t, want, p.values(t))
	cut := mem.Crash()
	add(20)
	require.NoError(t, p.store.Close())

	p = openProbe(t, commitlog.Config{FS: cut, Flush: commitlog.FlushOS})
	require.Equal(t, want[:150], p.values(t), "opening the log again has synced them")
	require.NoError(t, p.store.Close())
}

// TestOpeningAgainFailsAtEachOperation: whichever operation fails, the next attempt
// finds everything.
func TestOpeningAgainFailsAtEachOperation(t *testing.T) {
	t.Parallel()
	for _, mode := range []commitlog.FlushMode{commitlog.FlushCommit, commitlog.FlushOS} {
		for n := range 200 {
			mem := vfs.NewStrictMem()
			faulty := vfs.NewFaulty(mem)
			p := openProbe(t, commitlog.Config{FS: faulty, Flush: mode})
			var want []string
			for i := range 120 {
				want = append(want, fmt.Sprint(i))
				require.NoError(t, p.Append(p.batch(want[i])))
			}
			p.await(t, 120)
			faulty.Inject(forgetting)
			if err := p.Append(p.batch("120")); err == nil && mode == commitlog.FlushOS { // it may have failed by now
				want = append(want, "120")
			}
			_ = p.store.Checkpoint()
			require.ErrorIs(t, <-p.failed, errDisk)
			left := n
			faulty.Inject(func(op vfs.Op, name string) error {
				if left--; left < 0 {
					return &vfs.FaultError{Err: errDisk, Forget: true}
				}
				return nil
			})
			err := p.reopen(t)
			faulty.Inject(nil)
			done := err == nil
			if !done {
				require.NoError(t, p.reopen(t), "after operation %d failed", n)
			}
			require.Equal(t, want, p.values(t), "after operation %d failed", n)
			cut := mem.Crash()
			require.NoError(t, p.store.Close())
			p = openProbe(t, commitlog.Config{FS: cut, Flush: mode})
			require.Equal(t, want, p.values(t), "after operation %d failed, and a power cut", n)
			require.NoError(t, p.store.Close())
			if done {
				break
			}
			require.Less(t, n, 199)
		}
	}
}

// TestSnapshotThatWasNotSyncedIsNotBelieved: the kernel may have it while the disk has
// not.
func TestSnapshotThatWasNotSyncedIsNotBelieved(t *testing.T) {
	t.Parallel()
	mem := vfs.NewStrictMem()
	faulty := vfs.NewFaulty(mem)
	p := openProbe(t, commitlog.Config{FS: faulty})
	require.NoError(t, p.Append(p.batch("a")))
	p.await(t, 1)
	faulty.Inject(forgetting)
	require.NoError(t, p.Append(p.batch("b")))
	require.Error(t, <-p.failed)
	for _, end := range []string{"00000000000000000001", "00000000000000000002"} {
		require.NoError(t, vfs.WriteUnsynced(mem, "/data/t-0", end+".snapshot", []byte("of another world")))
	}
	faulty.Inject(nil)
	require.NoError(t, p.reopen(t))
	names, err := mem.Names("/data/t-0")
	require.NoError(t, err)
	require.NotContains(t, strings.Join(names, " "), ".snapshot")
	require.NoError(t, p.store.Close())
}

// TestClosedLogIsOpenedByItsCheckpoint: a log that the same process closes and opens
// again is as it was when it was closed, not as the process found it when it started.
func TestClosedLogIsOpenedByItsCheckpoint(t *testing.T) {
	t.Parallel()
	mem := vfs.NewStrictMem()
	p := openProbe(t, commitlog.Config{FS: mem})
	for i := range 20 {
		require.NoError(t, p.Append(p.batch(fmt.Sprint(i))))
	}
	require.NoError(t, p.SetStart(t.Context(), 5))
	require.NoError(t, p.Close())
	l, _, err := p.store.OpenLog(t.Context(), testPartition, storage.Hooks{
		Settings: func() storage.Settings { return p.settings }, Durable: func(int64) {}, Snapshot: func() ([]byte, int64) { return nil, 0 },
		Deletable: func() int64 { return 0 }, StartMoved: func(int64) {},
	})
	require.NoError(t, err)
	require.Equal(t, int64(5), l.Start())
	require.Equal(t, int64(20), l.End())
	require.NoError(t, l.Append(func() record.Batch {
		b := record.Build(1, record.KeyValue{Value: []byte("x")})
		b.SetBaseOffset(20)
		b.SetLeaderEpoch(0)
		return b
	}()))
	require.NoError(t, p.store.Close())
}
