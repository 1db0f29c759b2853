package commitlog_test

import (
	"io"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/internal/record"
	"github.com/botehq/bote/internal/storage"
	"github.com/botehq/bote/internal/storage/commitlog"
)

// TestPartsOfFilesAreWholeBatches: a read that returns part of a file returns whole
// batches: those that a copy would begin with, and never one that ends at or above the
// bound.
func TestPartsOfFilesAreWholeBatches(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := openProbe(t, commitlog.Config{Dir: dir, Flush: commitlog.FlushOS})
	p.settings.SegmentBytes = 300 << 10
	p.settings.IndexInterval = 4096
	for i := range 400 {
		size := 10 + i*37%9000
		b := record.Build(p.End()+1, record.KeyValue{Value: make([]byte, size)}, record.KeyValue{Value: make([]byte, 5)})
		b.SetBaseOffset(p.End())
		require.NoError(t, p.Append(b))
	}
	files := 0
	for from := p.Start(); from < p.End(); from += 3 {
		for _, r := range []storage.Range{
			{MaxBytes: 1 << 20, To: p.End()}, {MaxBytes: 100 << 10, To: p.End()}, {MaxBytes: 1 << 20, To: from + 60}, {MaxBytes: 70 << 10, To: math.MaxInt64},
		} {
			r.From, r.AtLeastOne = from, true
			want, err := p.Read(t.Context(), r)
			require.NoError(t, err)
			r.FileWanted = true
			got, err := p.Read(t.Context(), r)
			require.NoError(t, err)
			data := got.Data
			if got.File != nil {
				files++
				data = make([]byte, got.Size)
				_, err := got.File.ReadAt(data, got.At)
				require.NoError(t, err)
			}
			require.NotEmpty(t, data)
			require.LessOrEqual(t, len(data), len(want.Data))
			require.Equal(t, want.Data[:len(data)], data)
			for rest := data; len(rest) > 0; {
				var b record.Batch
				b, rest, err = record.Split(rest)
				require.NoError(t, err)
				require.Less(t, b.BaseOffset(), r.To)
			}
			want.Release()
			got.Release()
		}
	}
	require.Greater(t, files, 300, "the files were hardly used")
	require.NoError(t, p.store.Close())

	// A file that is no longer in the log can be read until it is released.
	p = openProbe(t, commitlog.Config{Dir: dir, Flush: commitlog.FlushOS})
	c, err := p.Read(t.Context(), storage.Range{From: 0, To: p.End(), MaxBytes: 1 << 20, FileWanted: true})
	require.NoError(t, err)
	require.NotNil(t, c.File)
	require.NoError(t, p.store.Close())
	_, err = io.ReadFull(io.NewSectionReader(c.File, c.At, int64(c.Size)), make([]byte, c.Size))
	require.NoError(t, err)
	c.Release()
}
