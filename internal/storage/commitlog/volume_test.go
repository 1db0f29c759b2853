package commitlog_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync"
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

// losing is a store on a disk whose first sync of the volume loses everything that is not on
// the disk by then. That sync fails; no later one reports the loss.
type losing struct {
	*commitlog.Store
	mem    *vfs.Mem
	faulty *vfs.Faulty
	logs   []outcome
	file   *gate // holds the first sync of a segment
	volume *gate // holds that sync of the volume
}

func openLosing(t *testing.T, logs int) *losing {
	t.Helper()
	d := &losing{mem: vfs.NewStrictMem(), file: newGate(), volume: newGate()}
	d.faulty = vfs.NewFaulty(d.mem)
	var err error
	d.Store, err = commitlog.Open(commitlog.Config{FS: d.faulty, Dir: "/data"})
	require.NoError(t, err)
	d.logs = openSeveral(t, d.Store, logs)
	var once sync.Once
	d.faulty.Inject(func(op vfs.Op, name string) (err error) {
		if op == vfs.OpSync && strings.HasSuffix(name, ".log") {
			d.file.pass()
		}
		if op == vfs.OpSyncFS {
			once.Do(func() {
				d.volume.pass()
				err = &vfs.FaultError{Err: syscall.EIO, Forget: true}
			})
		}
		return err
	})
	return d
}

// fill appends to the first log, and to the others while its sync is held.
func (d *losing) fill(t *testing.T, logs []outcome, appendTo func(*testing.T, *commitlog.Log)) {
	t.Helper()
	appendTo(t, logs[0].Log)
	<-d.file.inside
	for _, l := range logs[1:] {
		appendTo(t, l.Log)
	}
}

// requireFailed requires that logs fail and announce nothing, and that the stop is not clean.
func (d *losing) requireFailed(t *testing.T, logs []outcome) {
	t.Helper()
	for _, l := range logs {
		requireFailed(t, l, 0)
	}
	require.Error(t, d.Close())
}

// TestAVolumeThatFailedOnceIsNotBelieved: Linux reports lost writes once, to the next sync
// of the volume. After that each log must sync its own files.
func TestAVolumeThatFailedOnceIsNotBelieved(t *testing.T) {
	t.Parallel()
	t.Run("appended during a round that failed", func(t *testing.T) {
		t.Parallel()
		d := openLosing(t, 16)
		d.fill(t, d.logs[:8], appendOne)
		close(d.file.open)
		<-d.volume.inside
		for _, l := range d.logs[8:] {
			appendOne(t, l.Log)
		}
		close(d.volume.open)
		d.requireFailed(t, d.logs[1:])
	})
	t.Run("the failure is reported to Settle", func(t *testing.T) {
		t.Parallel()
		d := openLosing(t, 9)
		d.fill(t, d.logs, appendOne)
		settled := make(chan error)
		opening := openTogether(t, d.Store, "new", 5)
		go func() { settled <- opening.Settle() }()
		<-d.volume.inside
		close(d.file.open)
		close(d.volume.open)
		require.ErrorIs(t, <-settled, syscall.EIO)
		d.requireFailed(t, d.logs[1:])
	})
	t.Run("created during a round that failed", func(t *testing.T) {
		t.Parallel()
		d := openLosing(t, 8)
		d.fill(t, d.logs, appendOne)
		close(d.file.open)
		<-d.volume.inside
		opening := openTogether(t, d.Store, "new", 5)
		close(d.volume.open)
		require.Error(t, <-d.logs[1].failed) // the sync of the volume has failed by now
		require.ErrorIs(t, opening.Settle(), syscall.EIO, "their metadata is lost")
		d.requireFailed(t, d.logs[2:])
	})
}

// openTogether opens logs; Settle has yet to make them durable.
func openTogether(t *testing.T, s *commitlog.Store, name string, n int) *commitlog.Opening {
	t.Helper()
	o := s.NewOpening()
	for i := range n {
		_, _, err := o.OpenLog(t.Context(), storage.Partition{Topic: name, ID: topic.ID{7}, Index: int32(i)}, storage.Hooks{
			Settings: func() storage.Settings { return storagetest.Settings },
			Durable:  func(int64) {}, Failed: func(error) {},
		})
		require.NoError(t, err)
	}
	return o
}

// appendRolling appends a batch so large that a segment has room for no other.
func appendRolling(t *testing.T, l *commitlog.Log) {
	t.Helper()
	b := record.Build(l.End()+1, record.KeyValue{Value: bytes.Repeat([]byte("v"), 3000)})
	b.SetBaseOffset(l.End())
	require.NoError(t, l.Append(b))
}

// writeBack does what the kernel does in the background: the files of a directory reach the
// disk, except those with a prefix or suffix.
func writeBack(t *testing.T, mem *vfs.Mem, dir, but string) {
	t.Helper()
	names, err := mem.Names(dir)
	require.NoError(t, err)
	left := 0
	for _, name := range names {
		if strings.HasPrefix(name, but) || strings.HasSuffix(name, but) {
			left++
			continue
		}
		f, err := mem.OpenFile(filepath.Join(dir, name), os.O_RDWR)
		require.NoError(t, err, name)
		require.NoError(t, f.Sync())
		require.NoError(t, f.Close())
	}
	require.Positive(t, left)
}

// TestAFileMadeDuringAFailedSync: a log of the round rolls during the round's sync of the
// volume, and the failed sync loses only what the roll wrote. So syncs of the files that
// the round knows do not report it.
func TestAFileMadeDuringAFailedSync(t *testing.T) {
	t.Parallel()
	for _, lost := range []string{"00000000000000000001.log", "00000000000000000001.snapshot"} {
		t.Run(lost, func(t *testing.T) {
			t.Parallel()
			d := openLosing(t, 8)
			d.fill(t, d.logs, appendRolling)
			close(d.file.open)
			<-d.volume.inside
			for _, l := range d.logs[1:] {
				appendRolling(t, l.Log)
				writeBack(t, d.mem, l.Dir(), lost)
			}
			close(d.volume.open)
			for _, l := range d.logs[1:] {
				requireFailed(t, l, 2)
			}
			require.Error(t, d.Close())
		})
	}
}

// requireFailed requires that a log fails before it announces an end of at least before.
func requireFailed(t *testing.T, l outcome, before int64) {
	t.Helper()
	for {
		select {
		case err := <-l.failed:
			require.ErrorIs(t, err, syscall.EIO)
			return
		case end := <-l.durable:
			require.Less(t, end, before, "what is lost is announced")
		case <-time.After(10 * time.Second):
			require.Fail(t, "nothing is announced, and nothing fails")
		}
	}
}

// TestAProcessAfterAFailedSync: a sync of the volume fails and reports it to a process that
// is killed before its logs have synced their own files. The next process gets no report.
func TestAProcessAfterAFailedSync(t *testing.T) {
	t.Parallel()
	d := openLosing(t, 8)
	empty := openTogether(t, d.Store, "new", 5)
	d.fill(t, d.logs, appendOne)
	close(d.file.open)
	<-d.volume.inside
	killed := newGate()
	d.faulty.Inject(func(op vfs.Op, name string) error {
		if op == vfs.OpSync && strings.HasSuffix(name, ".log") {
			killed.pass()
		}
		return nil
	})
	close(d.volume.open)
	<-killed.inside
	left := d.mem.Fork()
	close(killed.open)
	require.ErrorIs(t, empty.Settle(), syscall.EIO)
	require.Error(t, d.Close())

	next := vfs.NewFaulty(left.Fork())
	s, err := commitlog.Open(commitlog.Config{FS: next, Dir: "/data"})
	require.NoError(t, err)
	next.Inject(func(op vfs.Op, name string) error {
		if op == vfs.OpWrite && strings.HasSuffix(name, "partition.metadata") {
			return syscall.ENOSPC
		}
		return nil
	})
	require.ErrorIs(t, openTogether(t, s, "new", 5).Settle(), syscall.EIO, "what cannot be written once more is synced by itself")
	_ = s.Close()

	s, err = commitlog.Open(commitlog.Config{FS: left, Dir: "/data"})
	require.NoError(t, err)
	require.ErrorIs(t, openTogether(t, s, "t", 8).Settle(), syscall.EIO)
	require.NoError(t, openTogether(t, s, "new", 5).Settle())
	metadata, err := vfs.ReadFile(left.Crash(), "/data/new-4/partition.metadata")
	require.NoError(t, err)
	require.Contains(t, string(metadata), "topic_id: ", "it was written once more")
	require.Error(t, s.Close())
}
