package commitlog_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/internal/storage"
	"github.com/botehq/bote/internal/storage/commitlog"
	"github.com/botehq/bote/internal/storage/storagetest"
	"github.com/botehq/bote/internal/storage/vfs"
	"github.com/botehq/bote/internal/topic"
)

// longest is the longest name that a topic may have: behind it there is no room for
// what a deleted directory is called.
var longest = strings.Repeat("x", topic.MaxNameLength)

// openSix opens partitions of the topic with the longest name in a real directory.
func openSix(t *testing.T, dir string) (store *commitlog.Store, logs []*commitlog.Log) {
	t.Helper()
	store, err := commitlog.Open(commitlog.Config{Dir: dir})
	require.NoError(t, err)
	return store, openLogs(t, store, storage.Partition{Topic: longest, ID: topic.ID{1}}, 6)
}

// openLogs opens the first partitions of a topic, which stay long when they are deleted.
func openLogs(t *testing.T, store *commitlog.Store, p storage.Partition, n int32) (logs []*commitlog.Log) {
	t.Helper()
	set := storagetest.Settings
	set.FileDeleteMs = 3_600_000
	for p.Index = range n {
		logs = append(logs, openLog(t, store, p, hooksOf(&set)))
	}
	return logs
}

// movedNames are the directories that end in a suffix, of which none may be longer
// than file systems take.
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
	require.NoError(t, store.Delete(logs, topic.ID{1}))
	require.Len(t, movedNames(t, dir, "-delete"), 6)
	require.NoError(t, store.Close())
	store, err := commitlog.Open(commitlog.Config{Dir: dir})
	require.NoError(t, err)
	require.Empty(t, movedNames(t, dir, "-delete"), "the next start finishes deletions")
	require.NoError(t, store.Close())
}

// TestSetAsideLongName: the broker was killed while it deleted the topic.
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

// TestDeleteTwice: adding a partition failed, since another one could not be opened,
// and then worked. The directory of the first attempt waits for its removal when the
// topic is deleted.
func TestDeleteTwice(t *testing.T) {
	t.Parallel()
	store := openStore(t, vfs.NewStrictMem())
	for range 2 {
		require.NoError(t, store.Delete(openLogs(t, store, testPartition, 1), testPartition.ID))
	}
	require.NoError(t, store.Close())
}
