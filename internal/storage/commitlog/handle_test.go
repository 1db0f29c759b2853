package commitlog

import (
	"errors"
	"io/fs"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/internal/storage"
	"github.com/botehq/bote/internal/storage/vfs"
)

// counting is a file system that counts its open files.
type counting struct {
	vfs.FS
	open atomic.Int64
}

func (c *counting) OpenFile(name string, flag int) (vfs.File, error) {
	f, err := c.FS.OpenFile(name, flag)
	if err != nil {
		return nil, err
	}
	c.open.Add(1)
	return countedFile{f, c}, nil
}

type countedFile struct {
	vfs.File
	of *counting
}

func (f countedFile) Close() error {
	f.of.open.Add(-1)
	return f.File.Close()
}

// TestSegmentThatCannotBeCreated: a segment that cannot be created keeps no file open.
func TestSegmentThatCannotBeCreated(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for _, op := range []vfs.Op{vfs.OpTruncate, vfs.OpOpen} {
		mem := vfs.NewMem()
		require.NoError(t, mem.MkdirAll("/d"))
		faulty := vfs.NewFaulty(mem)
		files := &counting{FS: faulty}
		opens := 0
		faulty.Inject(func(is vfs.Op, _ string) error {
			if is == vfs.OpOpen {
				opens++
			}
			if is == op && (op != vfs.OpOpen || opens > 1) { // an index
				return broken
			}
			return nil
		})
		_, err := createSegment(files, "/d", 0)
		require.ErrorIs(t, err, broken)
		require.Zero(t, files.open.Load(), op)
	}
}

// TestReaderMakesNoFile: reading does not create a file; a segment that vanished is
// missing, not empty.
func TestReaderMakesNoFile(t *testing.T) {
	t.Parallel()
	mem := vfs.NewMem()
	require.NoError(t, mem.MkdirAll("/d"))
	s := newSegment(mem, "/d", 0)
	s.size.Store(100)
	_, err := s.seek(t.Context(), 0)
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, err = s.file.acquire()
	require.ErrorIs(t, err, fs.ErrNotExist)
	there, err := vfs.Exists(mem, "/d/"+fileName(0, logSuffix))
	require.NoError(t, err)
	require.False(t, there)
}

// TestIndexesInUseAreKept: an index of a closed segment is dropped when nobody has used
// it for a while, and kept while somebody uses it.
func TestIndexesInUseAreKept(t *testing.T) {
	t.Parallel()
	mem := vfs.NewMem()
	require.NoError(t, mem.MkdirAll("/d"))
	s, err := createSegment(mem, "/d", 0)
	require.NoError(t, err)
	require.NoError(t, s.offsets.load())
	before := time.Now().Add(-time.Minute)
	s.closeIdle(before, false)
	require.True(t, s.offsets.loaded, "used since")
	s.closeIdle(time.Now().Add(time.Hour), true)
	require.True(t, s.offsets.loaded, "the active segment's is always needed")
	s.closeIdle(time.Now().Add(time.Hour), false)
	require.False(t, s.offsets.loaded)
	require.False(t, s.times.loaded)
}

// TestAnnouncedNeverGoesBack: appends and flushes announce at the same time.
func TestAnnouncedNeverGoesBack(t *testing.T) {
	t.Parallel()
	l := &Log{hooks: storage.Hooks{Durable: func(int64) {}}}
	var all sync.WaitGroup
	for part := range int64(4) {
		all.Go(func() {
			last := int64(0)
			for end := part; end < 20_000; end += 4 {
				l.announce(end)
				now := l.announcedTo.Load()
				if now < end || now < last {
					t.Errorf("announced went from %d to %d", max(end, last), now)
				}
				last = now
			}
		})
	}
	all.Wait()
	require.Equal(t, int64(19_999), l.announcedTo.Load())
}
