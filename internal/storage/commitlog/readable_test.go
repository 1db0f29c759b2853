package commitlog_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/internal/storage"
	"github.com/botehq/bote/internal/storage/commitlog"
	"github.com/botehq/bote/internal/storage/vfs"
)

// TestReadable: what a read says about bytes that it could not return.
func TestReadable(t *testing.T) {
	t.Parallel()
	p := openProbe(t, commitlog.Config{FS: vfs.NewStrictMem()})
	size := len(p.batch("x"))
	for range 10 {
		require.NoError(t, p.Append(p.batch("x")))
	}
	p.await(t, 10)
	read := func(from, to int64, maxBytes int) storage.Chunk {
		c, err := p.Read(t.Context(), storage.Range{From: from, To: to, MaxBytes: maxBytes})
		require.NoError(t, err)
		defer c.Release()
		return c
	}
	c := read(0, 10, 3*size+1)
	require.Equal(t, []int{3 * size, 3*size + 1}, []int{c.Len(), c.Readable}, "as many as were asked for")
	c = read(7, 10, 10*size)
	require.Equal(t, []int{3 * size, 3 * size}, []int{c.Len(), c.Readable}, "all there are")
	c = read(0, 3, 10*size)
	require.Equal(t, []int{3 * size, 3 * size}, []int{c.Len(), c.Readable}, "what lies behind is not to be seen")
	c = read(0, 3, 3*size-1)
	require.Equal(t, []int{2 * size, 3*size - 1}, []int{c.Len(), c.Readable}, "another is visible, and does not fit")
	c = read(0, 3, 2*size+1)
	require.Equal(t, []int{2 * size, 2 * size}, []int{c.Len(), c.Readable}, "whether another is visible was not read")
	require.False(t, c.Sealed)
	for p.End() < 200 { // more than a segment
		require.NoError(t, p.Append(p.batch("x")))
	}
	c = read(0, math.MaxInt64, 10*size)
	require.True(t, c.Sealed)
	c = read(0, 20, 10*size)
	require.False(t, c.Sealed, "nothing is visible behind the segment")
	c = read(199, math.MaxInt64, 10*size)
	require.False(t, c.Sealed)
	require.NoError(t, p.store.Close())
}
