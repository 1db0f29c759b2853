package commitlog_test

import (
	"math"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/internal/record"
	"github.com/botehq/bote/internal/storage"
	"github.com/botehq/bote/internal/storage/commitlog"
	"github.com/botehq/bote/internal/storage/storagetest"
	"github.com/botehq/bote/internal/storage/vfs"
	"github.com/botehq/bote/internal/topic"
)

// hooksOf returns the hooks of a partition that has settings and an append turn, and
// does nothing else.
func hooksOf(set *storage.Settings) storage.Hooks {
	turn := make(chan struct{}, 1)
	return storage.Hooks{
		Settings: func() storage.Settings { return *set }, Durable: func(int64) {}, Failed: func(error) {},
		Snapshot: func() ([]byte, int64) { return nil, 0 }, Deletable: func() int64 { return math.MaxInt64 }, StartMoved: func(int64) {},
		Turn: func(f func() error) error {
			turn <- struct{}{}
			defer func() { <-turn }()
			return f()
		},
	}
}

// smallSegments are settings with which a segment holds a few batches and retention
// removes all segments but the last.
func smallSegments() *storage.Settings {
	set := storagetest.Settings
	set.SegmentBytes, set.RetentionBytes = 400, 0
	return &set
}

func openLog(t *testing.T, store *commitlog.Store, p storage.Partition, hooks storage.Hooks) *commitlog.Log {
	t.Helper()
	l, _, err := store.OpenLog(t.Context(), p, hooks)
	require.NoError(t, err)
	return l
}

func openStore(t *testing.T, fs vfs.FS) *commitlog.Store {
	t.Helper()
	store, err := commitlog.Open(commitlog.Config{FS: fs, Dir: "/data"})
	require.NoError(t, err)
	return store
}

// batchAt makes a batch of one record; a timestamp of -1 means none.
func batchAt(offset, ts int64, value string) record.Batch {
	b := record.Build(ts, record.KeyValue{Value: []byte(value)})
	b.SetBaseOffset(offset)
	b.SetLeaderEpoch(0)
	return b
}

func fill(t *testing.T, l *commitlog.Log, end int64, value string) {
	t.Helper()
	for l.End() < end {
		require.NoError(t, l.Append(batchAt(l.End(), l.End()+1, value)))
	}
	require.NoError(t, l.Sync(t.Context()))
}

// meanwhile returns begin, which runs f once in a goroutine of its own and returns
// when f is done or waits for begin's caller.
func meanwhile(f func()) (begin func(), ended func(t *testing.T)) {
	done := make(chan struct{})
	var begun atomic.Bool
	return func() {
			if !begun.Swap(true) {
				go func() {
					defer close(done)
					f()
				}()
				synctest.Wait()
			}
		}, func(t *testing.T) {
			t.Helper()
			require.True(t, begun.Load(), "never met")
			<-done
		}
}

// before returns an injector that calls begin before an operation.
func before(op vfs.Op, suffix string, begin func()) func(vfs.Op, string) error {
	return func(is vfs.Op, name string) error {
		if is == op && strings.HasSuffix(name, suffix) {
			begin()
		}
		return nil
	}
}

// TestRetentionBesideDeleteAndCreate: retention has found out what expired in a topic
// and is removing what expired in another one, when the first topic is deleted and
// created again.
func TestRetentionBesideDeleteAndCreate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem, set := vfs.NewStrictMem(), smallSegments()
		store := openStore(t, mem)
		logs, first, again := map[string]*commitlog.Log{}, "", ""
		begin, ended := meanwhile(func() {
			again = map[string]string{"a": "b", "b": "a"}[first]
			require.NoError(t, store.Delete([]*commitlog.Log{logs[again]}))
			fill(t, openLog(t, store, storage.Partition{Topic: again, ID: topic.ID{2}}, hooksOf(set)), 1, "new")
		})
		for _, name := range []string{"a", "b"} {
			hooks := hooksOf(set)
			hooks.StartMoved = func(int64) {
				if first == "" {
					first = name
				}
				begin()
			}
			logs[name] = openLog(t, store, storage.Partition{Topic: name, ID: topic.ID{1}}, hooks)
			fill(t, logs[name], 20, "old")
		}
		store.Retain()
		ended(t)
		require.NoError(t, store.Close())

		store = openStore(t, mem)
		l := openLog(t, store, storage.Partition{Topic: again, ID: topic.ID{2}}, hooksOf(set))
		require.Zero(t, l.Start())
		require.Equal(t, int64(1), l.End())
		require.NoError(t, store.Close())
	})
}

// TestDirectoryBesideDeleteAndCreate: a topic is deleted and created again while a
// goroutine works in its directory. That work must not reach the new topic.
func TestDirectoryBesideDeleteAndCreate(t *testing.T) {
	t.Parallel()
	const second = "00000000000000000005"
	for name, c := range map[string]struct {
		op     vfs.Op
		suffix string
		do     func(t *testing.T, s *commitlog.Store, l *commitlog.Log)
	}{
		"roll": {vfs.OpOpen, second + ".log", func(t *testing.T, _ *commitlog.Store, l *commitlog.Log) {
			t.Helper()
			require.NoError(t, l.Append(batchAt(5, 1, "old")))
		}},
		"roll, later": {vfs.OpOpen, second + ".index", func(t *testing.T, _ *commitlog.Store, l *commitlog.Log) {
			t.Helper()
			require.NoError(t, l.Append(batchAt(5, 1, "old")))
		}},
		"new epoch": {vfs.OpOpen, "leader-epoch-checkpoint.tmp", func(t *testing.T, _ *commitlog.Store, l *commitlog.Log) {
			t.Helper()
			b := batchAt(5, 1, "old")
			b.SetLeaderEpoch(7)
			require.NoError(t, l.Append(b))
		}},
		"checkpoint": {vfs.OpOpen, "00000000000000000000.index", func(_ *testing.T, s *commitlog.Store, _ *commitlog.Log) {
			_ = s.Checkpoint() // the log may be closed before it is synced
		}},
		"start": {vfs.OpOpen, "log-start-offset-checkpoint.tmp", func(t *testing.T, _ *commitlog.Store, l *commitlog.Log) {
			t.Helper()
			require.NoError(t, l.SetStart(t.Context(), 2))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				mem, set := vfs.NewStrictMem(), smallSegments()
				set.IndexInterval = 1
				faulty := vfs.NewFaulty(mem)
				store := openStore(t, faulty)
				p, hooks := testPartition, hooksOf(set)
				old := openLog(t, store, p, hooks)
				fill(t, old, 5, "old")
				p.ID = topic.ID{9}
				begin, ended := meanwhile(func() {
					require.NoError(t, store.Delete([]*commitlog.Log{old}))
					fill(t, openLog(t, store, p, hooksOf(set)), 1, "new")
				})
				faulty.Inject(before(c.op, c.suffix, begin))
				// The partition appends in its turn too.
				if strings.HasPrefix(name, "roll") || name == "new epoch" {
					require.NoError(t, hooks.Turn(func() error { c.do(t, store, old); return nil }))
				} else {
					c.do(t, store, old)
				}
				ended(t)
				faulty.Inject(nil)
				killed := mem.Fork()
				require.NoError(t, store.Close())
				for _, after := range []*vfs.Mem{mem, killed} {
					names, err := after.Names("/data/t-0")
					require.NoError(t, err)
					require.NotContains(t, strings.Join(names, " "), second)
					store := openStore(t, after)
					l := openLog(t, store, p, hooksOf(set))
					require.Zero(t, l.Start())
					require.Equal(t, int64(1), l.End())
					require.Equal(t, []storage.Epoch{{Epoch: 0, Start: 0}}, l.Epochs())
					require.NoError(t, store.Close())
				}
			})
		})
	}
}

// TestDeleteRecordsBesideEpochs: the log start moves while another goroutine writes
// the leader epochs. The next start compares the two.
func TestDeleteRecordsBesideEpochs(t *testing.T) {
	t.Parallel()
	newEpoch := func(t *testing.T, _ *commitlog.Store, l *commitlog.Log) {
		t.Helper()
		b := batchAt(10, 1, "value")
		b.SetLeaderEpoch(1)
		require.NoError(t, l.Append(b))
	}
	for name, c := range map[string]struct {
		op     vfs.Op
		suffix string
		start  int64
		do     func(t *testing.T, s *commitlog.Store, l *commitlog.Log)
	}{
		"retention syncs":      {vfs.OpSyncDir, "t-0", 9, func(_ *testing.T, s *commitlog.Store, _ *commitlog.Log) { s.Retain() }},
		"new epoch":            {vfs.OpOpen, "leader-epoch-checkpoint.tmp", 5, newEpoch},
		"new epoch is renamed": {vfs.OpRename, "leader-epoch-checkpoint", 5, newEpoch},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				mem, set := vfs.NewStrictMem(), smallSegments()
				faulty := vfs.NewFaulty(mem)
				store := openStore(t, faulty)
				l := openLog(t, store, testPartition, hooksOf(set))
				fill(t, l, 10, "value")
				begin, ended := meanwhile(func() { require.NoError(t, l.SetStart(t.Context(), c.start)) })
				faulty.Inject(before(c.op, c.suffix, begin))
				c.do(t, store, l)
				ended(t)
				faulty.Inject(nil)
				epochs := l.Epochs()
				require.Equal(t, c.start, epochs[0].Start)
				require.NoError(t, store.Close())

				store = openStore(t, mem)
				require.True(t, store.Clean())
				l = openLog(t, store, testPartition, hooksOf(set))
				require.Equal(t, epochs, l.Epochs())
				require.NoError(t, store.Close())
			})
		})
	}
}

// TestReadersBesideRetention: retention removes the first segment when a reader is
// about to load its index, which is not in memory yet.
func TestReadersBesideRetention(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		suffix string
		do     func(t *testing.T, l *commitlog.Log)
	}{
		"read": {".index", func(t *testing.T, l *commitlog.Log) {
			t.Helper()
			_, err := l.Read(t.Context(), storage.Range{From: 2, To: math.MaxInt64, MaxBytes: 1000, AtLeastOne: true})
			require.ErrorIs(t, err, storage.ErrOutOfRange)
		}},
		"find time": {".timeindex", func(t *testing.T, l *commitlog.Log) {
			t.Helper()
			s, ok, err := l.FindTime(t.Context(), 40, math.MaxInt64)
			require.NoError(t, err)
			require.True(t, ok)
			require.Equal(t, int64(39), s.Offset)
		}},
		"find the largest time": {".timeindex", func(t *testing.T, l *commitlog.Log) {
			t.Helper()
			s, ok, err := l.FindMaxTime(t.Context(), math.MaxInt64)
			require.NoError(t, err)
			require.True(t, ok)
			require.Equal(t, int64(39), s.Offset)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				mem, set := vfs.NewStrictMem(), smallSegments()
				set.IndexInterval = 1
				store := openStore(t, mem)
				fill(t, openLog(t, store, testPartition, hooksOf(set)), 40, "value")
				require.NoError(t, store.Close())

				faulty := vfs.NewFaulty(mem)
				store = openStore(t, faulty)
				l := openLog(t, store, testPartition, hooksOf(set))
				// Retention does not need the mutex that a reader of an index holds: it is done
				// when the reader goes on.
				begin, ended := meanwhile(store.Retain)
				faulty.Inject(before(vfs.OpOpen, "00000000000000000000"+c.suffix, begin))
				c.do(t, l)
				ended(t)
				require.Positive(t, l.Start())
				require.NoError(t, store.Close())
			})
		})
	}
}
