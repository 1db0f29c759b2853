package commitlog_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/internal/storage"
	"github.com/botehq/bote/internal/storage/commitlog"
	"github.com/botehq/bote/internal/storage/storagetest"
	"github.com/botehq/bote/internal/storage/vfs"
	"github.com/botehq/bote/internal/topic"
)

// longest is the longest name that a topic may have: it leaves no room for the suffix of
// a deleted directory.
var longest = strings.Repeat("x", topic.MaxNameLength)

// openSix opens partitions of the topic with the longest name in a real directory.
func openSix(t *testing.T, dir string) (store *commitlog.Store, logs []*commitlog.Log) {
	t.Helper()
	store, err := commitlog.Open(commitlog.Config{Dir: dir})
	require.NoError(t, err)
	return store, openLogs(t, store, storage.Partition{Topic: longest, ID: topic.ID{1}}, 6)
}

// openLogs opens the first n partitions of a topic; when deleted, their directories stay
// for an hour.
func openLogs(t *testing.T, store *commitlog.Store, p storage.Partition, n int32) (logs []*commitlog.Log) {
	t.Helper()
	set := storagetest.Settings
	set.FileDeleteMs = 3_600_000
	for p.Index = range n {
		logs = append(logs, openLog(t, store, p, hooksOf(&set)))
	}
	return logs
}

// movedNames returns the directories that end in a suffix, and requires that their names
// are a topic name, maybe cut, a partition and a unique ID.
func movedNames(t *testing.T, dir, suffix string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), suffix) {
			require.Regexp(t, `^x+-[0-9]\.[0-9a-f]{32}`+suffix+"$", e.Name())
			names = append(names, e.Name())
		}
	}
	return names
}

func TestDeleteLongName(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	store, logs := openSix(t, dir)
	require.NoError(t, store.Delete(logs))
	require.Len(t, movedNames(t, dir, "-delete"), 6)
	require.NoError(t, store.Close())
	store, err := commitlog.Open(commitlog.Config{Dir: dir})
	require.NoError(t, err)
	require.Empty(t, movedNames(t, dir, "-delete"), "the next start finishes deletions")
	require.NoError(t, store.Close())
}

// TestSetAsideLongName: the broker was killed while it deleted a topic with the longest
// name.
func TestSetAsideLongName(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	store, _ := openSix(t, dir)
	require.NoError(t, store.Close())
	store, err := commitlog.Open(commitlog.Config{Dir: dir})
	require.NoError(t, err)
	require.NoError(t, store.SetAside(func(string) (topic.ID, bool) { return topic.ID{}, false }))
	require.Len(t, movedNames(t, dir, "-stray"), 6)
	require.NoError(t, store.Close())
}

// TestDeleteTwice: adding partitions failed, since one of them could not be opened, and
// then succeeded. When the topic is deleted, the directory of the first attempt still
// waits for its removal.
func TestDeleteTwice(t *testing.T) {
	t.Parallel()
	store := openStore(t, vfs.NewStrictMem())
	for range 2 {
		require.NoError(t, store.Delete(openLogs(t, store, testPartition, 1)))
	}
	require.NoError(t, store.Close())
}

// TestDeletionOfWhichHalfFailed: one of several partitions cannot be renamed, and a new
// topic with one partition takes the name. The next start sets aside what is left.
func TestDeletionOfWhichHalfFailed(t *testing.T) {
	t.Parallel()
	for name, refused := range map[string]string{"first": "/data/t-1.", "last": "/data/t-2."} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mem := vfs.NewStrictMem()
			faulty := vfs.NewFaulty(mem)
			store := openStore(t, faulty)
			logs := openLogs(t, store, testPartition, 3)
			faulty.Inject(func(op vfs.Op, name string) error {
				if op == vfs.OpRename && strings.HasPrefix(name, refused) {
					return errDisk
				}
				return nil
			})
			require.ErrorIs(t, store.Delete(logs), errDisk)
			faulty.Inject(nil)
			other := storage.Partition{Topic: "t", ID: topic.ID{9}}
			openLogs(t, store, other, 1)
			require.NoError(t, store.Close())

			store = openStore(t, mem)
			known := func(name string) (topic.ID, bool) { return other.ID, name == "t" }
			require.NoError(t, store.SetAside(known))
			openLogs(t, store, other, 1)
			names, err := mem.Names("/data")
			require.NoError(t, err)
			require.Equal(t, 1, strings.Count(strings.Join(names, " "), "-stray"))
			require.NoError(t, store.Close())
			store = openStore(t, mem)
			require.True(t, store.Clean())
			require.NoError(t, store.Close())
		})
	}
}

// TestNothingIsLeftOfACreation: the disk was full when a partition was to be created.
func TestNothingIsLeftOfACreation(t *testing.T) {
	t.Parallel()
	mem := vfs.NewStrictMem()
	faulty := vfs.NewFaulty(mem)
	store := openStore(t, faulty)
	faulty.Inject(func(op vfs.Op, name string) error {
		if op == vfs.OpWrite && strings.Contains(name, "partition.metadata") {
			return syscall.ENOSPC
		}
		return nil
	})
	set := storagetest.Settings
	_, _, err := store.OpenLog(t.Context(), testPartition, hooksOf(&set))
	require.ErrorIs(t, err, syscall.ENOSPC)
	names, err := mem.Names("/data")
	require.NoError(t, err)
	require.NotContains(t, names, "t-0")
	faulty.Inject(nil)
	require.NoError(t, store.Close())
}

// TestDirectoriesOfNobody: after a crash, a directory that is named like a partition and
// has no records does not keep the next stop from being clean.
func TestDirectoriesOfNobody(t *testing.T) {
	t.Parallel()
	mem := vfs.NewStrictMem()
	require.NoError(t, openStore(t, mem).Close())
	require.NoError(t, mem.Remove("/data/.kafka_cleanshutdown"))
	require.NoError(t, mem.MkdirAll("/data/created-0"))
	require.NoError(t, vfs.WriteFile(mem, "/data/created-0", "00000000000000000000.log", nil))
	require.NoError(t, vfs.WriteFile(mem, "/data/created-0", "partition.metadata", nil))
	require.NoError(t, mem.MkdirAll("/data/holiday-2024"))
	require.NoError(t, vfs.WriteFile(mem, "/data/holiday-2024", "cat.jpg", []byte("x")))
	require.NoError(t, vfs.WriteFile(mem, "/data", "notes-1", []byte("x")))
	stop := func() {
		store := openStore(t, mem)
		require.False(t, store.Clean())
		require.NoError(t, store.SetAside(func(string) (topic.ID, bool) { return topic.ID{}, false }))
		require.NoError(t, store.Close())
	}
	records := "/data/records-0/00000000000000000000.log"
	require.NoError(t, mem.MkdirAll(filepath.Dir(records)))
	require.NoError(t, vfs.WriteFile(mem, filepath.Dir(records), filepath.Base(records), []byte("x")))
	stop()
	require.NoError(t, mem.Remove(records))
	stop() // it had records the last time
	store := openStore(t, mem)
	require.True(t, store.Clean())
	require.NoError(t, store.Close())
}

// TestDeletionsBesideEverything: topics of one name come and go while everything that
// touches directories is at work. Each topic has exactly what was appended to it, and
// nothing hangs.
func TestDeletionsBesideEverything(t *testing.T) {
	t.Parallel()
	mem, set := vfs.NewStrictMem(), smallSegments()
	store := openStore(t, mem)
	var current atomic.Pointer[commitlog.Log]
	var workers sync.WaitGroup
	stop := make(chan struct{})
	for _, work := range []func(){
		store.Retain,
		func() { _ = store.Checkpoint() }, // a log may be closed before it is synced
		func() {
			if l := current.Load(); l != nil {
				_ = l.SetStart(t.Context(), l.End()/2) // the log may be closed by now
			}
		},
	} {
		workers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					work()
				}
			}
		})
	}
	p := testPartition
	for i := range byte(40) {
		p.ID = topic.ID{1, i}
		hooks := hooksOf(set)
		l := openLog(t, store, p, hooks)
		require.Zero(t, l.Start())
		require.Zero(t, l.End())
		current.Store(l)
		for offset := range int64(20) {
			b := batchAt(offset, offset+1, "value")
			b.SetLeaderEpoch(int32(offset / 7))
			require.NoError(t, hooks.Turn(func() error { return l.Append(b) }))
		}
		require.NoError(t, l.Sync(t.Context()))
		killed := openStore(t, mem.Fork())
		require.Equal(t, int64(20), openLog(t, killed, p, hooksOf(set)).End())
		require.NoError(t, killed.Close())
		if i < 39 {
			require.NoError(t, store.Delete([]*commitlog.Log{l}))
		}
	}
	close(stop)
	workers.Wait()
	require.NoError(t, store.Close())
	store = openStore(t, mem)
	require.True(t, store.Clean())
	require.Equal(t, int64(20), openLog(t, store, p, hooksOf(set)).End())
	require.NoError(t, store.Close())
}

// TestCleanStopAfterDeletion: a log that was deleted before it was synced needs no
// recovery.
func TestCleanStopAfterDeletion(t *testing.T) {
	t.Parallel()
	for _, mode := range []commitlog.FlushMode{commitlog.FlushCommit, commitlog.FlushOS} {
		mem := vfs.NewStrictMem()
		p := openProbe(t, commitlog.Config{FS: mem, Flush: mode})
		require.NoError(t, p.Append(p.batch("a")))
		p.await(t, 1)
		require.NoError(t, p.store.Delete([]*commitlog.Log{p.Log}))
		require.NoError(t, p.store.Close())
		s, err := commitlog.Open(commitlog.Config{FS: mem, Dir: "/data"})
		require.NoError(t, err)
		require.True(t, s.Clean(), "mode %v", mode)
		require.NoError(t, s.Close())
	}
}
