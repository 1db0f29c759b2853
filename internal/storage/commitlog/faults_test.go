package commitlog_test

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/internal/record"
	"github.com/botehq/bote/internal/storage"
	"github.com/botehq/bote/internal/storage/commitlog"
	"github.com/botehq/bote/internal/storage/storagetest"
	"github.com/botehq/bote/internal/storage/vfs"
	"github.com/botehq/bote/internal/topic"
)

// probe is a log with the events that its hooks saw.
type probe struct {
	*commitlog.Log
	store    *commitlog.Store
	settings storage.Settings
	turn     sync.Mutex // held during an append
	durable  atomic.Int64
	moved    chan struct{}
	failed   chan error
}

var testPartition = storage.Partition{Topic: "t", ID: topic.ID{1, 2, 3}}

func openProbe(t *testing.T, cfg commitlog.Config) *probe {
	t.Helper()
	if cfg.Dir == "" {
		cfg.Dir = "/data"
	}
	store, err := commitlog.Open(cfg)
	require.NoError(t, err)
	p := &probe{store: store, settings: storagetest.Settings, moved: make(chan struct{}, 1), failed: make(chan error, 10)}
	p.Log, _, err = store.OpenLog(t.Context(), testPartition, storage.Hooks{
		Settings: func() storage.Settings { return p.settings },
		Durable: func(end int64) {
			p.durable.Store(end)
			select {
			case p.moved <- struct{}{}:
			default:
			}
		},
		Failed:     func(err error) { p.failed <- err },
		Snapshot:   func() ([]byte, int64) { return nil, 0 },
		Deletable:  func() int64 { return math.MaxInt64 },
		Turn:       p.inTurn,
		StartMoved: func(int64) {},
	})
	require.NoError(t, err)
	return p
}

func (p *probe) inTurn(f func() error) error {
	p.turn.Lock()
	defer p.turn.Unlock()
	return f()
}

// Append appends as a partition does: a log that fails during an append cuts nothing off
// before the append has ended.
func (p *probe) Append(b record.Batch) error {
	return p.inTurn(func() error { return p.Log.Append(b) })
}

func (p *probe) batch(value string) record.Batch {
	b := record.Build(p.End()+1, record.KeyValue{Value: []byte(value)})
	b.SetBaseOffset(p.End())
	b.SetLeaderEpoch(0)
	return b
}

func (p *probe) await(t *testing.T, end int64) {
	t.Helper()
	for p.durable.Load() < end {
		select {
		case <-p.moved:
		case <-time.After(10 * time.Second):
			t.Fatalf("offset %d was not announced", end)
		}
	}
}

func (p *probe) values(t *testing.T) []string {
	t.Helper()
	var out []string
	for from := p.Start(); from < p.End(); {
		c, err := p.Read(t.Context(), storage.Range{From: from, To: math.MaxInt64, MaxBytes: 1 << 20, AtLeastOne: true})
		require.NoError(t, err)
		if c.Len() == 0 {
			break // a failed log may end before its End
		}
		for data := c.Data; len(data) > 0; {
			b, rest, err := record.Split(data)
			require.NoError(t, err)
			require.True(t, b.ValidCRC())
			for r, err := range record.Records(b.Payload(), b.Count()) {
				require.NoError(t, err)
				out = append(out, string(r.Value))
			}
			from, data = b.NextOffset(), rest
		}
		c.Release()
	}
	return out
}

var errDisk = errors.New("input/output error")

func TestSyncErrorFailsTheLog(t *testing.T) {
	t.Parallel()
	mem := vfs.NewStrictMem()
	faulty := vfs.NewFaulty(mem)
	p := openProbe(t, commitlog.Config{FS: faulty})
	require.NoError(t, p.Append(p.batch("kept")))
	p.await(t, 1)
	faulty.Inject(func(op vfs.Op, name string) error {
		if op == vfs.OpSync && strings.HasSuffix(name, ".log") {
			return errDisk
		}
		return nil
	})
	require.NoError(t, p.Append(p.batch("lost")))
	err := <-p.failed
	require.ErrorIs(t, err, errDisk)
	require.ErrorIs(t, err, storage.ErrFailed)
	faulty.Inject(nil)
	require.ErrorIs(t, p.Append(p.batch("refused")), storage.ErrFailed, "no retry over lost pages")
	require.Equal(t, int64(1), p.durable.Load())
	require.Error(t, p.store.Close(), "not a clean stop")

	after := openProbe(t, commitlog.Config{FS: mem.Crash()})
	require.Equal(t, []string{"kept"}, after.values(t))
	require.NoError(t, after.store.Close())
}

// TestWhatASyncLostIsCutOffForGood: the kernel may count the lost bytes as written, and
// still write them some time later. The shorter file must reach the disk before that.
func TestWhatASyncLostIsCutOffForGood(t *testing.T) {
	t.Parallel()
	faulty := vfs.NewFaulty(vfs.NewStrictMem())
	p := openProbe(t, commitlog.Config{FS: faulty})
	var mu sync.Mutex
	var ops []vfs.Op
	faulty.Inject(func(op vfs.Op, name string) error {
		if !strings.HasSuffix(name, ".log") || op != vfs.OpSync && op != vfs.OpTruncate {
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		if ops = append(ops, op); len(ops) == 1 {
			return errDisk
		}
		return nil
	})
	require.NoError(t, p.Append(p.batch("lost")))
	require.ErrorIs(t, <-p.failed, errDisk)
	require.Error(t, p.store.Close())
	require.Equal(t, []vfs.Op{vfs.OpSync, vfs.OpTruncate, vfs.OpSync}, ops)
}

// TestSyncErrorLeavesNoHole: where batches do not wait for syncs, bytes that an fsync
// lost can still be read after a kill, and the log goes on behind them. A later power
// cut must not leave a hole.
func TestSyncErrorLeavesNoHole(t *testing.T) {
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
	add(100) // more than a segment
	faulty.Inject(func(op vfs.Op, name string) error {
		if op == vfs.OpSync && strings.HasSuffix(name, ".log") {
			return &vfs.FaultError{Err: errDisk, Forget: true}
		}
		return nil
	})
	require.ErrorIs(t, p.store.Checkpoint(), errDisk)
	require.ErrorIs(t, <-p.failed, errDisk)
	killed := mem.Fork()
	require.Error(t, p.store.Close())

	p = openProbe(t, commitlog.Config{FS: killed, Flush: commitlog.FlushOS})
	require.Equal(t, want, p.values(t))
	add(50)
	require.NoError(t, p.store.Checkpoint())
	cut := killed.Crash()
	require.NoError(t, p.store.Close())

	p = openProbe(t, commitlog.Config{FS: cut, Flush: commitlog.FlushOS})
	require.Equal(t, want, p.values(t))
	require.NoError(t, p.store.Close())
}

func TestFullDisk(t *testing.T) {
	t.Parallel()
	mem := vfs.NewStrictMem()
	faulty := vfs.NewFaulty(mem)
	p := openProbe(t, commitlog.Config{FS: faulty})
	require.NoError(t, p.Append(p.batch("a")))
	faulty.Inject(func(op vfs.Op, name string) error {
		if op == vfs.OpWrite {
			return syscall.ENOSPC
		}
		return nil
	})
	for range 3 {
		require.ErrorIs(t, p.Append(p.batch("no room")), syscall.ENOSPC)
	}
	require.Equal(t, []string{"a"}, p.values(t), "reads go on")
	faulty.Inject(nil)
	require.NoError(t, p.Append(p.batch("b")))
	p.await(t, 2)
	require.Equal(t, []string{"a", "b"}, p.values(t))
	require.NoError(t, p.store.Close())
	require.Empty(t, p.failed)
}

func TestUncuttableAppendFailsTheLog(t *testing.T) {
	t.Parallel()
	faulty := vfs.NewFaulty(vfs.NewStrictMem())
	p := openProbe(t, commitlog.Config{FS: faulty})
	faulty.Inject(func(op vfs.Op, _ string) error {
		if op == vfs.OpWrite || op == vfs.OpTruncate {
			return errDisk
		}
		return nil
	})
	require.NoError(t, p.SetStart(t.Context(), 0))
	// The first append writes the epoch checkpoint, which fails before the log does.
	require.Error(t, p.Append(p.batch("x")))
	faulty.Inject(nil)
	require.NoError(t, p.Append(p.batch("a")))
	p.await(t, 1)
	faulty.Inject(func(op vfs.Op, name string) error {
		if strings.HasSuffix(name, ".log") && (op == vfs.OpWrite || op == vfs.OpTruncate) {
			return errDisk
		}
		return nil
	})
	require.ErrorIs(t, p.Append(p.batch("x")), errDisk)
	require.ErrorIs(t, <-p.failed, errDisk)
	require.Error(t, p.store.Close())
}

func TestRetentionBySizeAndTime(t *testing.T) {
	t.Parallel()
	now := time.UnixMilli(100)
	p := openProbe(t, commitlog.Config{FS: vfs.NewStrictMem(), Now: func() time.Time { return now }})
	for range 60 {
		require.NoError(t, p.Append(p.batch(strings.Repeat("x", 200))))
	}
	p.await(t, 60)
	size := p.Size()
	p.settings.RetentionBytes = size / 2
	p.store.Retain()
	require.Less(t, p.Size(), size)
	require.GreaterOrEqual(t, p.Size(), size/2)
	require.Positive(t, p.Start())
	p.settings.RetentionBytes, p.settings.RetentionMs = -1, 1000
	p.store.Retain()
	require.NotEqual(t, p.Start(), p.End(), "nothing is old yet")
	now = time.UnixMilli(100_000)
	p.store.Retain() // removes all but the active segment, then that too
	p.store.Retain()
	require.Equal(t, int64(60), p.Start())
	require.Equal(t, int64(60), p.End())
	require.NoError(t, p.Append(p.batch("next")))
	require.Equal(t, []string{"next"}, p.values(t))
	require.NoError(t, p.store.Close())
}

func TestDeleteFreesTheName(t *testing.T) {
	t.Parallel()
	mem := vfs.NewStrictMem()
	p := openProbe(t, commitlog.Config{FS: mem})
	for range 60 {
		require.NoError(t, p.Append(p.batch(strings.Repeat("x", 200))))
	}
	p.await(t, 60)
	require.NoError(t, p.SetStart(t.Context(), 50))
	require.NoError(t, p.store.WriteCheckpoints())
	p.settings.FileDeleteMs = 3_600_000
	require.NoError(t, p.store.Delete([]*commitlog.Log{p.Log}))
	again, _, err := p.store.OpenLog(t.Context(), storage.Partition{Topic: "t", ID: topic.ID{9}}, storage.Hooks{
		Settings: func() storage.Settings { return p.settings }, Durable: func(int64) {}, Snapshot: func() ([]byte, int64) { return nil, 0 },
		Deletable: func() int64 { return 0 }, StartMoved: func(int64) {},
	})
	require.NoError(t, err)
	require.Zero(t, again.Start())
	require.Zero(t, again.End())
	names := func() (out []string) {
		infos, err := mem.ReadDir("/data")
		require.NoError(t, err)
		for _, i := range infos {
			if i.Dir {
				out = append(out, i.Name)
			}
		}
		return out
	}
	require.Len(t, names(), 2)
	require.Equal(t, "t-0", names()[0])
	require.Regexp(t, `^t-0\.[0-9a-f]{32}-delete$`, names()[1])
	require.NoError(t, p.store.Close())
	store, err := commitlog.Open(commitlog.Config{FS: mem, Dir: "/data"})
	require.NoError(t, err)
	require.Equal(t, []string{"t-0"}, names(), "the next start finishes deletions")
	require.NoError(t, store.Close())
}

// TestDeletionThatTheDiskRefused: the checkpoint files still name a deleted log. A new
// log of the same name must not get the old one's log start at the next start.
func TestDeletionThatTheDiskRefused(t *testing.T) {
	t.Parallel()
	for _, refused := range []string{"log-start-offset-checkpoint", "recovery-point-offset-checkpoint", "/data"} {
		t.Run(refused, func(t *testing.T) {
			t.Parallel()
			mem := vfs.NewStrictMem()
			faulty := vfs.NewFaulty(mem)
			p := openProbe(t, commitlog.Config{FS: faulty})
			for range 10 {
				require.NoError(t, p.Append(p.batch("x")))
			}
			p.await(t, 10)
			require.NoError(t, p.SetStart(t.Context(), 4))
			faulty.Inject(func(_ vfs.Op, name string) error {
				if strings.HasSuffix(strings.TrimSuffix(name, ".tmp"), refused) {
					return syscall.EIO
				}
				return nil
			})
			require.ErrorIs(t, p.store.Delete([]*commitlog.Log{p.Log}), syscall.EIO)
			faulty.Inject(nil)
			other, hooks := storage.Partition{Topic: "t", ID: topic.ID{9}}, storage.Hooks{
				Settings: func() storage.Settings { return p.settings }, Durable: func(int64) {}, Snapshot: func() ([]byte, int64) { return nil, 0 },
				Deletable: func() int64 { return 0 }, StartMoved: func(int64) {},
			}
			again, _, err := p.store.OpenLog(t.Context(), other, hooks)
			require.NoError(t, err)
			require.Zero(t, again.Start())
			killed := mem.Fork()
			require.NoError(t, p.store.Close())

			store, err := commitlog.Open(commitlog.Config{FS: killed, Dir: "/data"})
			require.NoError(t, err)
			again, _, err = store.OpenLog(t.Context(), other, hooks)
			require.NoError(t, err)
			require.Zero(t, again.Start())
			require.NoError(t, store.Close())
		})
	}
}

func TestForeignDirectories(t *testing.T) {
	t.Parallel()
	mem := vfs.NewMem()
	_, err := commitlog.ReadIdentity(mem, "/none")
	require.ErrorIs(t, err, commitlog.ErrNotFormatted)
	id := commitlog.Identity{ClusterID: "abc", NodeID: 3, DirectoryID: "def"}
	require.NoError(t, commitlog.WriteIdentity(mem, "/data", id))
	got, err := commitlog.ReadIdentity(mem, "/data")
	require.NoError(t, err)
	require.Equal(t, id, got)
	require.NoError(t, mem.MkdirAll("/photos"))
	require.NoError(t, vfs.WriteFile(mem, "/photos", "cat.jpg", []byte("x")))
	_, err = commitlog.ReadIdentity(mem, "/photos")
	require.ErrorIs(t, err, commitlog.ErrForeign)
	require.NoError(t, vfs.WriteFile(mem, "/data", "meta.properties", []byte("version=9\n")))
	_, err = commitlog.ReadIdentity(mem, "/data")
	require.ErrorContains(t, err, "not understood")
}

func TestOneStorePerDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	store, err := commitlog.Open(commitlog.Config{Dir: dir})
	require.NoError(t, err)
	_, err = commitlog.Open(commitlog.Config{Dir: dir})
	require.ErrorContains(t, err, "another broker is using")
	require.NoError(t, store.Close())
}

// TestDamagedFilesAreNotBelieved overwrites index, snapshot and checkpoint files with
// garbage. What can be rebuilt is rebuilt, and all records are there.
func TestDamagedFilesAreNotBelieved(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"t-0/00000000000000000000.index", "t-0/00000000000000000000.timeindex", "t-0/leader-epoch-checkpoint",
		"recovery-point-offset-checkpoint", "replication-offset-checkpoint",
	} {
		t.Run(filepath.Base(name), func(t *testing.T) {
			t.Parallel()
			mem := vfs.NewStrictMem()
			p := openProbe(t, commitlog.Config{FS: mem})
			for i := range 60 {
				require.NoError(t, p.Append(p.batch(fmt.Sprintf("%d%s", i, strings.Repeat("x", 200)))))
			}
			want := p.values(t)
			require.NoError(t, p.store.Close())
			require.NoError(t, mem.Remove("/data/.kafka_cleanshutdown"))
			require.NoError(t, vfs.WriteFile(mem, "/data/"+filepath.Dir(name), filepath.Base(name), []byte("rubbish, and more of it")))
			after := openProbe(t, commitlog.Config{FS: mem})
			require.Equal(t, want, after.values(t))
			s, ok, err := after.FindTime(t.Context(), 31, math.MaxInt64)
			require.NoError(t, err)
			require.True(t, ok)
			require.Equal(t, int64(30), s.Offset)
			require.NoError(t, after.store.Close())
		})
	}
}

// TestCheckpointsOfUnopenedLogs: a checkpoint written while logs are still being opened
// must keep the starts of those not open yet, or deleted records would come back.
func TestCheckpointsOfUnopenedLogs(t *testing.T) {
	t.Parallel()
	mem := vfs.NewStrictMem()
	p := openProbe(t, commitlog.Config{FS: mem})
	for range 5 {
		require.NoError(t, p.Append(p.batch("x")))
	}
	p.await(t, 5)
	require.NoError(t, p.SetStart(t.Context(), 3))
	require.NoError(t, p.store.Close())
	store, err := commitlog.Open(commitlog.Config{FS: mem, Dir: "/data"})
	require.NoError(t, err)
	require.NoError(t, store.WriteCheckpoints())
	after := openProbe(t, commitlog.Config{FS: mem.Crash()})
	require.Equal(t, int64(3), after.Start())
	require.NoError(t, after.store.Close())
	require.NoError(t, store.Close())
}
