package segment_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/internal/record"
	"github.com/botehq/bote/internal/storage/segment"
)

// FuzzScan: whatever the bytes are, a scan visits batches one after the other from the
// beginning on, all within the size. ScanLengths visits all batches that ScanChecksums
// visits, and Headers all that ScanLengths visits.
func FuzzScan(f *testing.F) {
	m := build(f, 4, 0)
	f.Add(m.raw, int64(0))
	f.Add(m.raw[:len(m.raw)-7], int64(base+3))
	f.Add(append(m.raw, make([]byte, 100)...), int64(0))
	f.Fuzz(func(t *testing.T, raw []byte, known int64) {
		b := segment.Body{Source: memory(raw), Base: base, Size: int64(len(raw))}
		walk := func(scan func(segment.Visit) error) (at []int64, err error) {
			next := int64(0)
			err = scan(func(h record.Batch, position int64) (bool, error) {
				require.Equal(t, next, position)
				size, err := record.Size(h)
				require.NoError(t, err)
				next += int64(size)
				at = append(at, position)
				return true, nil
			})
			return at, err
		}
		proven, err := walk(func(v segment.Visit) error {
			return b.ScanChecksums(t.Context(), 0, known, func(batch record.Batch, at int64) (bool, error) {
				require.LessOrEqual(t, at+int64(len(batch)), b.Size)
				require.True(t, batch.ValidCRC() || batch.NextOffset() <= known && b.Spans(batch))
				return v(batch, at)
			})
		})
		require.NoError(t, err)
		whole, err := walk(func(v segment.Visit) error { return b.ScanLengths(t.Context(), 0, v) })
		require.NoError(t, err)
		// Bytes that are no batch end it with an error.
		all, _ := walk(func(v segment.Visit) error { return b.Headers(t.Context(), 0, v) })
		require.True(t, slices.Equal(proven, whole[:len(proven)]))
		require.True(t, slices.Equal(whole, all[:len(whole)]))
		require.LessOrEqual(t, len(all), len(whole)+1, "the last may be cut off")
	})
}

// FuzzFind: whatever the bytes and the indexes are, Find returns a batch that ends at
// or above the offset, searches return records within the range, and what is trusted
// lies within the body.
func FuzzFind(f *testing.F) {
	m := build(f, 6, 100)
	f.Add(m.raw, []byte(m.offsets), []byte(m.times), int64(base+4), int64(5300))
	f.Add(m.raw[:len(m.raw)-30], []byte(m.times), []byte(m.offsets), int64(base), int64(-1))
	f.Fuzz(func(t *testing.T, raw, offsets, times []byte, offset, ts int64) {
		b := segment.Body{Source: memory(raw), Base: base, Size: int64(len(raw))}
		if at, err := b.Find(t.Context(), offsets, offset); err == nil && at < b.Size {
			h, err := segment.NewReader(b, 1, nil).At(t.Context(), at, record.HeaderSize)
			require.NoError(t, err)
			require.GreaterOrEqual(t, record.Batch(h).LastOffset(), offset)
		}
		in := segment.Range{From: offset, To: offset + 1000}
		if s, ok, err := b.FindTime(t.Context(), offsets, times, ts, in); err == nil && ok {
			require.GreaterOrEqual(t, s.Timestamp, ts)
			require.GreaterOrEqual(t, s.Offset, in.From)
		}
		if s, err := b.FindLatest(t.Context(), offsets, times, in); err == nil && s.Timestamp >= 0 {
			require.GreaterOrEqual(t, s.Offset, in.From)
		}
		tr := b.Trust(t.Context(), offsets, times, offset)
		require.True(t, tr.Position >= 0 && tr.Position <= b.Size && tr.Offset >= base)
		require.LessOrEqual(t, tr.Offset, max(offset, base))
	})
}
