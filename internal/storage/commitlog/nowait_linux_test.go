package commitlog_test

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/botehq/bote/internal/storage"
	"github.com/botehq/bote/internal/storage/commitlog"
	"github.com/botehq/bote/internal/storage/vfs"
)

// TestReadThatMustNotWait: a read that must not wait returns what the system has in
// memory. What is not there is refused, and so is a read that has to search. It never
// returns what a waiting read would not.
func TestReadThatMustNotWait(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := openProbe(t, commitlog.Config{Dir: dir})
	p.settings.SegmentBytes = 1 << 20
	const batches = 200
	for i := range batches {
		require.NoError(t, p.Append(p.batch(fmt.Sprint(i))))
	}
	p.await(t, batches)
	read := func(from int64, noWait bool) ([]byte, error) {
		c, err := p.Read(t.Context(), storage.Range{From: from, To: math.MaxInt64, MaxBytes: 1000, AtLeastOne: true, NoWait: noWait})
		data := append([]byte{}, c.Data...)
		c.Release()
		return data, err
	}
	name := filepath.Join(dir, "t-0", "00000000000000000000.log")
	require.True(t, cachedBySystem(t, name), "this file system cannot tell what is in memory")
	want, err := read(0, false)
	require.NoError(t, err)
	got, err := read(0, true)
	require.NoError(t, err)
	require.Equal(t, want, got)
	_, err = read(100, true)
	require.ErrorIs(t, err, storage.ErrWouldWait, "it takes a search")
	_, err = read(100, false)
	require.NoError(t, err)

	// Asking whether the system has the file in memory makes the system read it, so a read
	// after the question may find it there again.
	for !droppedFromMemory(t, name) {
		if got, err = read(0, true); errors.Is(err, storage.ErrWouldWait) {
			break
		}
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	got, err = read(0, false)
	require.NoError(t, err)
	require.Equal(t, want, got)
	require.NoError(t, p.store.Close())
}

// cachedBySystem reports whether the beginning of a file is in the system's memory.
func cachedBySystem(t *testing.T, name string) bool {
	t.Helper()
	f, err := vfs.OS{}.OpenFile(name, os.O_RDONLY)
	require.NoError(t, err)
	defer func() { require.NoError(t, f.Close()) }()
	_, err = vfs.ReadCached(f, make([]byte, 100), 0)
	return err == nil
}

// droppedFromMemory makes the system drop a file from its memory. It returns true if
// memory is the only place where the file is.
func droppedFromMemory(t *testing.T, name string) (onlyThere bool) {
	t.Helper()
	f, err := os.Open(name)
	require.NoError(t, err)
	defer func() { require.NoError(t, f.Close()) }()
	require.NoError(t, f.Sync())
	require.NoError(t, unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED))
	var fs unix.Statfs_t
	require.NoError(t, unix.Fstatfs(int(f.Fd()), &fs))
	return fs.Type == unix.TMPFS_MAGIC
}
