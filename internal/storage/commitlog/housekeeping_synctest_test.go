package commitlog_test

import (
	"os"
	"path"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/internal/storage"
	"github.com/botehq/bote/internal/storage/commitlog"
	"github.com/botehq/bote/internal/storage/storagetest"
	"github.com/botehq/bote/internal/storage/vfs"
)

// inBubble runs a test in a bubble, whose clock moves when everything waits. The log
// is on a disk in memory that forgets what is not synced.
func inBubble(t *testing.T, cfg commitlog.Config, set storage.Settings, f func(t *testing.T, fs *vfs.Mem, store *commitlog.Store, l *commitlog.Log)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		fs := vfs.NewStrictMem()
		cfg.FS, cfg.Dir = fs, "/data"
		store, err := commitlog.Open(cfg)
		require.NoError(t, err)
		defer func() { require.NoError(t, store.Close()) }()
		f(t, fs, store, openLog(t, store, testPartition, hooksOf(&set)))
	})
}

// filesOf lists the files of the test's partition that end in a suffix.
func filesOf(t *testing.T, fs *vfs.Mem, suffix string) (out []string) {
	t.Helper()
	names, err := fs.Names("/data/t-0")
	require.NoError(t, err)
	for _, name := range names {
		if strings.HasSuffix(name, suffix) {
			out = append(out, name)
		}
	}
	return out
}

// recoveryPoint returns the saved recovery point of the test's partition, "" if none
// was saved yet.
func recoveryPoint(t *testing.T, fs *vfs.Mem) string {
	t.Helper()
	raw, err := vfs.ReadFile(fs, "/data/recovery-point-offset-checkpoint")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(raw)) {
		if end, ok := strings.CutPrefix(line, "t 0 "); ok {
			return strings.TrimSpace(end)
		}
	}
	return ""
}

func TestFlushIntervalSyncsWhatIsDirty(t *testing.T) {
	inBubble(t, commitlog.Config{Flush: commitlog.FlushInterval, FlushEvery: time.Second}, storagetest.Settings, func(t *testing.T, fs *vfs.Mem, _ *commitlog.Store, l *commitlog.Log) {
		survives := func() int64 {
			store, err := commitlog.Open(commitlog.Config{FS: fs.Crash(), Dir: "/data"})
			require.NoError(t, err)
			again := openLog(t, store, testPartition, hooksOf(&storage.Settings{}))
			end := again.End()
			require.NoError(t, store.Close())
			return end
		}
		require.NoError(t, l.Append(batchAt(0, 1, "a")))
		require.NoError(t, l.Append(batchAt(1, 1, "b")))
		require.Zero(t, survives(), "not before the interval is over")
		time.Sleep(time.Second)
		synctest.Wait()
		require.EqualValues(t, 2, survives())
	})
}

func TestCheckpointComesWithTime(t *testing.T) {
	inBubble(t, commitlog.Config{CheckpointEvery: time.Minute}, storagetest.Settings, func(t *testing.T, fs *vfs.Mem, _ *commitlog.Store, l *commitlog.Log) {
		fill(t, l, 5, "v")
		require.NotEqual(t, "5", recoveryPoint(t, fs))
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Equal(t, "5", recoveryPoint(t, fs))
	})
}

func TestCheckpointComesWithBytes(t *testing.T) {
	inBubble(t, commitlog.Config{CheckpointEvery: 24 * time.Hour, CheckpointBytes: 10_000}, storagetest.Settings, func(t *testing.T, fs *vfs.Mem, _ *commitlog.Store, l *commitlog.Log) {
		fill(t, l, 5, "v")
		synctest.Wait()
		require.NotEqual(t, "5", recoveryPoint(t, fs), "not many bytes yet")
		fill(t, l, 105, strings.Repeat("v", 100))
		synctest.Wait()
		require.NotEmpty(t, recoveryPoint(t, fs))
	})
}

func TestDeletedFilesAreRemovedAfterTheDelay(t *testing.T) {
	set := *smallSegments()
	set.FileDeleteMs = 60_000
	inBubble(t, commitlog.Config{RetentionEvery: 24 * time.Hour}, set, func(t *testing.T, fs *vfs.Mem, store *commitlog.Store, l *commitlog.Log) {
		fill(t, l, 20, strings.Repeat("v", 100))
		store.Retain()
		require.NotEmpty(t, filesOf(t, fs, ".deleted"))
		time.Sleep(59 * time.Second)
		synctest.Wait()
		require.NotEmpty(t, filesOf(t, fs, ".deleted"), "before the delay is over")
		time.Sleep(time.Second)
		synctest.Wait()
		require.Empty(t, filesOf(t, fs, ".deleted"))
	})
}

func TestRetentionStopsAtTheHighWatermark(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := openStore(t, vfs.NewMem())
		hooks := hooksOf(smallSegments())
		hooks.Deletable = func() int64 { return 7 }
		l := openLog(t, store, testPartition, hooks)
		fill(t, l, 20, strings.Repeat("v", 100))
		store.Retain()
		require.Positive(t, l.Start(), "something goes")
		require.LessOrEqual(t, l.Start(), int64(7))
		require.NoError(t, store.Close())
	})
}

func TestSizeRetentionKeepsWhatFitsAndNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := vfs.NewMem()
		store := openStore(t, fs)
		set := smallSegments()
		set.RetentionBytes = -1
		l := openLog(t, store, testPartition, hooksOf(set))
		fill(t, l, 40, strings.Repeat("v", 100))
		logs := filesOf(t, fs, ".log")
		require.Greater(t, len(logs), 5)
		keep := logs[len(logs)-3:]
		set.RetentionBytes = 0
		for _, name := range keep {
			info, err := fs.Stat(path.Join("/data/t-0", name))
			require.NoError(t, err)
			set.RetentionBytes += info.Size
		}
		store.Retain()
		require.Equal(t, keep, filesOf(t, fs, ".log"))
		require.NoError(t, store.Close())
	})
}

func TestSegmentsRollByTheirAge(t *testing.T) {
	set := storagetest.Settings
	set.SegmentMs = 1000
	inBubble(t, commitlog.Config{}, set, func(t *testing.T, fs *vfs.Mem, _ *commitlog.Store, l *commitlog.Log) {
		for i, ts := range []int64{10_000, 11_000, 11_001, 12_002} {
			require.NoError(t, l.Append(batchAt(int64(i), ts, "v")))
		}
		require.Len(t, filesOf(t, fs, ".log"), 3, "11,001 is above 1,000 ms after the first of its segment, and 12,002 again")
	})
}

// TestACutTailStaysCut: recovery cuts off what is not whole. A crash right after that
// must not bring it back behind records that were appended in its place.
func TestACutTailStaysCut(t *testing.T) {
	fs, set := vfs.NewStrictMem(), storagetest.Settings
	store := openStore(t, fs)
	l := openLog(t, store, testPartition, hooksOf(&set))
	fill(t, l, 3, "v")
	whole := l.Size()
	disk := fs.Crash()
	require.NoError(t, store.Close())
	const name = "/data/t-0/00000000000000000000.log"
	f, err := disk.OpenFile(name, os.O_RDWR)
	require.NoError(t, err)
	_, err = f.WriteAt([]byte(strings.Repeat("torn", 20)), whole)
	require.NoError(t, err)
	require.NoError(t, f.Sync())
	require.NoError(t, f.Close())
	again := openStore(t, disk)
	require.EqualValues(t, 3, openLog(t, again, testPartition, hooksOf(&set)).End())
	info, err := disk.Crash().Stat(name)
	require.NoError(t, err)
	require.Equal(t, whole, info.Size)
	require.NoError(t, again.Close())
}
