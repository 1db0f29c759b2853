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

// losingVolume holds the first sync of the volume and then makes it fail. Everything that
// is not on the disk by then is lost, and no other sync of the volume reports that.
func losingVolume(f *vfs.Faulty, firstFile *gate) *gate {
	g := newGate()
	var once sync.Once
	f.Inject(func(op vfs.Op, name string) (err error) {
		if op == vfs.OpSync && strings.HasSuffix(name, ".log") {
			firstFile.pass()
		}
		if op == vfs.OpSyncFS {
			once.Do(func() {
				g.pass()
				err = &vfs.FaultError{Err: syscall.EIO, Forget: true}
			})
		}
		return err
	})
	return g
}

// TestAVolumeThatFailedOnceIsNotBelieved: Linux reports lost writes once, to the next sync
// of the volume. After that each log must sync its own files.
func TestAVolumeThatFailedOnceIsNotBelieved(t *testing.T) {
	t.Parallel()
	check := func(t *testing.T, s *commitlog.Store, later []outcome) {
		t.Helper()
		for _, l := range later {
			requireFailed(t, l, 0)
		}
		require.Error(t, s.Close())
	}
	t.Run("appended during a round that failed", func(t *testing.T) {
		t.Parallel()
		faulty := vfs.NewFaulty(vfs.NewStrictMem())
		s, err := commitlog.Open(commitlog.Config{FS: faulty, Dir: "/data"})
		require.NoError(t, err)
		logs := openSeveral(t, s, 16)
		files := newGate()
		volume := losingVolume(faulty, files)
		fillRound(t, files, logs[:8])
		<-volume.inside
		for _, l := range logs[8:] {
			appendOne(t, l.Log)
		}
		close(volume.open)
		check(t, s, logs[1:])
	})
	t.Run("the failure is reported to Settle", func(t *testing.T) {
		t.Parallel()
		faulty := vfs.NewFaulty(vfs.NewStrictMem())
		s, err := commitlog.Open(commitlog.Config{FS: faulty, Dir: "/data"})
		require.NoError(t, err)
		logs := openSeveral(t, s, 9)
		files := newGate()
		volume := losingVolume(faulty, files)
		appendOne(t, logs[0].Log)
		<-files.inside
		for _, l := range logs[1:] {
			appendOne(t, l.Log)
		}
		settled := make(chan error)
		opening := openTogether(t, s, "new", 5)
		go func() { settled <- opening.Settle() }()
		<-volume.inside
		close(files.open)
		close(volume.open)
		require.ErrorIs(t, <-settled, syscall.EIO)
		check(t, s, logs[1:])
	})
	t.Run("created during a round that failed", func(t *testing.T) {
		t.Parallel()
		mem := vfs.NewStrictMem()
		faulty := vfs.NewFaulty(mem)
		s, err := commitlog.Open(commitlog.Config{FS: faulty, Dir: "/data"})
		require.NoError(t, err)
		logs := openSeveral(t, s, 8)
		files := newGate()
		volume := losingVolume(faulty, files)
		fillRound(t, files, logs)
		<-volume.inside
		opening := openTogether(t, s, "new", 5)
		close(volume.open)
		require.Error(t, <-logs[1].failed) // the sync of the volume has failed by now
		require.ErrorIs(t, opening.Settle(), syscall.EIO, "their metadata is lost")
		check(t, s, logs[2:])
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
			mem := vfs.NewStrictMem()
			faulty := vfs.NewFaulty(mem)
			s, err := commitlog.Open(commitlog.Config{FS: faulty, Dir: "/data"})
			require.NoError(t, err)
			logs := openSeveral(t, s, 8)
			files := newGate()
			volume := losingVolume(faulty, files)
			appendRolling(t, logs[0].Log)
			<-files.inside
			for _, l := range logs[1:] {
				appendRolling(t, l.Log)
			}
			close(files.open)
			<-volume.inside
			for _, l := range logs[1:] {
				appendRolling(t, l.Log)
				writeBack(t, mem, l.Dir(), lost)
			}
			close(volume.open)
			for _, l := range logs[1:] {
				requireFailed(t, l, 2)
			}
			require.Error(t, s.Close())
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

// TestAProcessAfterAFailedSync: a sync of the volume fails, and the process that was told
// is killed before its logs have synced their own files. The next process is not told.
func TestAProcessAfterAFailedSync(t *testing.T) {
	t.Parallel()
	mem := vfs.NewStrictMem()
	faulty := vfs.NewFaulty(mem)
	s, err := commitlog.Open(commitlog.Config{FS: faulty, Dir: "/data"})
	require.NoError(t, err)
	logs := openSeveral(t, s, 8)
	empty := openTogether(t, s, "new", 5)
	files := newGate()
	volume := losingVolume(faulty, files)
	fillRound(t, files, logs)
	<-volume.inside
	told, hold := newGate(), make(chan struct{})
	faulty.Inject(func(op vfs.Op, name string) error {
		if op == vfs.OpSync && strings.HasSuffix(name, ".log") {
			told.once.Do(func() { close(told.inside) })
			<-hold
		}
		return nil
	})
	close(volume.open)
	<-told.inside
	left := mem.Fork()
	close(hold)
	require.ErrorIs(t, empty.Settle(), syscall.EIO)
	require.Error(t, s.Close())

	s, err = commitlog.Open(commitlog.Config{FS: left, Dir: "/data"})
	require.NoError(t, err)
	require.ErrorIs(t, openTogether(t, s, "t", 8).Settle(), syscall.EIO)
	require.NoError(t, openTogether(t, s, "new", 5).Settle())
	metadata, err := vfs.ReadFile(left.Crash(), "/data/new-4/partition.metadata")
	require.NoError(t, err)
	require.Contains(t, string(metadata), "topic_id: ", "it was written once more")
	require.Error(t, s.Close())
}
