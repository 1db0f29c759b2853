package commitlog_test

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/internal/storage"
	"github.com/botehq/bote/internal/storage/commitlog"
	"github.com/botehq/bote/internal/storage/storagetest"
	"github.com/botehq/bote/internal/storage/vfs"
)

// TestRetentionThatCannotSync: the directory cannot be synced while retention removes
// segments. The leader epochs still follow the log start.
func TestRetentionThatCannotSync(t *testing.T) {
	t.Parallel()
	mem, set := vfs.NewStrictMem(), smallSegments()
	faulty := vfs.NewFaulty(mem)
	store := openStore(t, faulty)
	l := openLog(t, store, testPartition, hooksOf(set))
	fill(t, l, 20, "value")
	faulty.Inject(func(op vfs.Op, name string) error {
		if op == vfs.OpSyncDir && strings.HasSuffix(name, "t-0") {
			return syscall.EMFILE
		}
		return nil
	})
	store.Retain()
	faulty.Inject(nil)
	start := l.Start()
	require.Positive(t, start)
	store.Retain() // there is nothing more to remove
	require.NoError(t, store.Close())

	store = openStore(t, mem)
	require.True(t, store.Clean())
	require.Equal(t, start, openLog(t, store, testPartition, hooksOf(set)).Start())
	require.NoError(t, store.Close())
}

// noStat is a file system that, while on is set, can neither tell whether segments exist
// nor rename them.
type noStat struct {
	*vfs.Faulty
	on atomic.Bool
}

func (n *noStat) Stat(name string) (vfs.Info, error) {
	if n.on.Load() && strings.HasSuffix(name, ".log") {
		return vfs.Info{}, errDisk
	}
	return n.Faulty.Stat(name)
}

// TestSegmentsThatCannotBeLookedAt: an error of Stat does not mean that a segment is gone.
// Retention removes the segment anyway, or the next start finds it.
func TestSegmentsThatCannotBeLookedAt(t *testing.T) {
	t.Parallel()
	for name, rename := range map[string]error{"renamed": nil, "not renamed": errDisk} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mem, set := vfs.NewStrictMem(), smallSegments()
			disk := &noStat{Faulty: vfs.NewFaulty(mem)}
			store := openStore(t, disk)
			l := openLog(t, store, testPartition, hooksOf(set))
			fill(t, l, 20, "value")
			disk.on.Store(true)
			disk.Inject(func(op vfs.Op, name string) error {
				if op == vfs.OpRename && strings.HasSuffix(name, ".log.deleted") {
					return rename
				}
				return nil
			})
			store.Retain()
			disk.on.Store(false)
			disk.Inject(nil)
			start := l.Start()
			require.Positive(t, start)
			require.NoError(t, store.Checkpoint())
			killed := mem.Fork()
			require.NoError(t, store.Close())
			for _, after := range []*vfs.Mem{killed, mem} {
				store = openStore(t, after)
				require.Equal(t, start, openLog(t, store, testPartition, hooksOf(set)).Start())
				require.NoError(t, store.Close())
			}
		})
	}
}

// full fails what a full disk has no room for: new files. The last block of existing files
// may still have some room.
func full(op vfs.Op, name string) error {
	if op == vfs.OpWrite && strings.HasSuffix(name, ".tmp") {
		return syscall.ENOSPC
	}
	return nil
}

// TestRetentionOnAFullDisk: the disk is full of what retention would remove. A crash at
// any point leaves the end of the log, and a clean stop leaves all that was not removed.
func TestRetentionOnAFullDisk(t *testing.T) {
	t.Parallel()
	bytes := func(s *storage.Settings) { s.RetentionBytes = 0 }
	for name, c := range map[string]struct {
		floor  int64 // the log start before
		start  int64 // and the log start after
		change func(s *storage.Settings)
	}{
		"by size":                 {0, 18, bytes},
		"by time":                 {0, 20, func(s *storage.Settings) { s.RetentionMs = 1 }},
		"below the log start":     {11, 18, bytes},
		"all below the log start": {20, 20, bytes},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			point, done := 1, false
			for ; !done; point++ {
				done = retainFull(t, point, c.floor, c.start, c.change)
			}
			require.Greater(t, point, 20, "there are many points")
		})
	}
}

// retainFull crashes retention on a full disk at a point. It returns true if retention was
// done before that point.
func retainFull(t *testing.T, point int, floor, start int64, change func(*storage.Settings)) bool {
	t.Helper()
	mem := vfs.NewStrictMem()
	c := &cutAt{Faulty: vfs.NewFaulty(mem), mem: mem, fault: full, left: point}
	s := &story{probe: openProbe(t, commitlog.Config{FS: c})}
	s.settings.SegmentBytes = 1000
	s.append(t, 10)
	s.epoch = 1
	s.append(t, 10)
	s.setStart(t, floor)
	require.NoError(t, s.store.WriteCheckpoints())
	change(&s.settings)
	c.arm(s, crashesOf(3, point))
	s.store.Retain()
	s.store.Retain() // removes the active segment, once it is the only one
	require.Equal(t, start, s.Start())
	require.Equal(t, int64(20), s.End())
	c.Inject(nil)
	require.NoError(t, s.store.Close())
	for i, mem := range c.crashed {
		after := &story{probe: openProbe(t, commitlog.Config{FS: mem}), values: s.values}
		after.check(t, 20, floor, fmt.Sprintf("point %d, crash %d", point, i))
		require.NoError(t, after.store.Close())
	}
	after := &story{probe: openProbe(t, commitlog.Config{FS: mem}), values: s.values}
	require.True(t, after.store.Clean())
	after.check(t, 20, start, "after a clean stop")
	require.NoError(t, after.store.Close())
	return c.crashed == nil
}

// TestRetentionOnAFullDiskStops at a segment that cannot be renamed. If it went on to
// remove later ones, that segment would be all that the next start finds.
func TestRetentionOnAFullDiskStops(t *testing.T) {
	t.Parallel()
	mem := vfs.NewStrictMem()
	faulty := vfs.NewFaulty(mem)
	s := &story{probe: openProbe(t, commitlog.Config{FS: faulty})}
	s.settings.SegmentBytes = 1000
	s.append(t, 20)
	s.settings.RetentionBytes = 0
	renames := 0
	faulty.Inject(func(op vfs.Op, name string) error {
		if op == vfs.OpRename && strings.HasSuffix(name, ".log.deleted") {
			if renames++; renames == 2 {
				return errDisk
			}
		}
		return full(op, name)
	})
	s.store.Retain()
	require.Equal(t, 2, renames)
	faulty.Inject(nil)
	killed := mem.Fork()
	require.NoError(t, s.store.Close())
	for _, mem := range []*vfs.Mem{killed, mem} {
		after := &story{probe: openProbe(t, commitlog.Config{FS: mem}), values: s.values}
		after.check(t, 20, 1, "what is left has no hole")
		require.NoError(t, after.store.Close())
	}
}

// TestStartIsPromisedWhenItIsKept: if a full disk cannot sync names either, nobody is told
// of a log start that a crash would take back.
func TestStartIsPromisedWhenItIsKept(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(s *storage.Settings){
		"segments":    func(s *storage.Settings) { s.RetentionBytes = 0 },
		"all of them": func(s *storage.Settings) { s.RetentionMs = 1 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mem := vfs.NewStrictMem()
			faulty := vfs.NewFaulty(mem)
			s := &story{probe: openProbe(t, commitlog.Config{FS: faulty})}
			s.settings.SegmentBytes = 1000
			s.append(t, 20)
			require.NoError(t, s.Sync(t.Context()))
			change(&s.settings)
			faulty.Inject(func(op vfs.Op, name string) error {
				if op == vfs.OpSyncDir {
					return &vfs.FaultError{Err: syscall.ENOSPC}
				}
				return full(op, name)
			})
			for range 3 {
				s.store.Retain()
				require.Zero(t, s.Start())
				c, err := s.Read(t.Context(), storage.Range{To: 20, MaxBytes: 1000, AtLeastOne: true})
				require.NoError(t, err, "what is there can be read")
				c.Release()
			}
			after := &story{probe: openProbe(t, commitlog.Config{FS: mem.Crash()}), values: s.values}
			after.check(t, 20, 0, "after a crash")
			require.NoError(t, after.store.Close())
			faulty.Inject(nil)
			s.store.Retain()
			s.store.Retain()
			require.GreaterOrEqual(t, s.Start(), int64(18))
			require.NoError(t, s.store.Close())
		})
	}
}

// TestRetentionWithoutTimestamps: records without timestamps are as old as the last append
// to their segment, in this process and in the next.
func TestRetentionWithoutTimestamps(t *testing.T) {
	t.Parallel()
	now := time.Now()
	cfg := commitlog.Config{Dir: t.TempDir(), Now: func() time.Time { return now }}
	p := openProbe(t, cfg)
	p.settings.RetentionMs = time.Hour.Milliseconds()
	add := func() { require.NoError(t, p.Append(batchAt(p.End(), -1, "x"))) }
	add()
	now = now.Add(time.Hour)
	add()
	p.await(t, 2)
	now = now.Add(time.Hour - time.Minute)
	p.store.Retain()
	require.Zero(t, p.Start())
	now = now.Add(time.Hour)
	p.store.Retain()
	require.Equal(t, int64(2), p.Start())
	add()
	p.await(t, 3)
	require.NoError(t, p.store.Close())

	info, err := os.Stat(filepath.Join(p.Dir(), "00000000000000000002.log"))
	require.NoError(t, err)
	p = openProbe(t, cfg)
	p.settings.RetentionMs = time.Hour.Milliseconds()
	now = info.ModTime().Add(time.Hour - time.Minute)
	p.store.Retain()
	require.Equal(t, int64(2), p.Start())
	now = info.ModTime().Add(time.Hour + time.Minute)
	p.store.Retain()
	require.Equal(t, int64(3), p.Start())
	require.NoError(t, p.store.Close())
}

// TestJitterIsBelowSegmentMs: with a larger jitter each batch would begin a new segment.
func TestJitterIsBelowSegmentMs(t *testing.T) {
	t.Parallel()
	p := openProbe(t, commitlog.Config{FS: vfs.NewStrictMem()})
	p.settings.SegmentBytes, p.settings.SegmentMs, p.settings.SegmentJitterMs = 1<<20, 3_600_000, math.MaxInt64
	for range 20 {
		require.NoError(t, p.Append(batchAt(p.End(), 1000, "x")))
	}
	p.settings.RetentionBytes = 0 // removes all segments but the last
	p.await(t, 20)
	p.store.Retain()
	require.Zero(t, p.Start(), "they are in one")
	require.NoError(t, p.store.Close())
}

// TestRetentionBesideAnAppend: retention has found that all records are old and waits for
// its turn, when a record is appended and announced at once.
func TestRetentionBesideAnAppend(t *testing.T) {
	t.Parallel()
	set := storagetest.Settings
	set.RetentionMs = time.Hour.Milliseconds()
	store, err := commitlog.Open(commitlog.Config{FS: vfs.NewStrictMem(), Dir: "/data", Flush: commitlog.FlushOS})
	require.NoError(t, err)
	hooks := hooksOf(&set)
	var l *commitlog.Log
	turns := 0
	hooks.Turn = func(f func() error) error {
		turns++
		require.NoError(t, l.Append(batchAt(l.End(), time.Now().UnixMilli(), "of this moment")))
		return f()
	}
	l = openLog(t, store, testPartition, hooks)
	fill(t, l, 1, "old")
	store.Retain()
	require.Equal(t, 1, turns)
	require.Zero(t, l.Start())
	require.NoError(t, store.Close())
}
