package segment_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/internal/record"
	"github.com/botehq/bote/internal/storage/segment"
)

// TestFormats: the bytes of entries are those of docs/formats/log.md.
func TestFormats(t *testing.T) {
	t.Parallel()
	offsets := segment.OffsetIndex{}.Append(segment.OffsetEntry{Relative: 0x01020304, Position: 0x05060708})
	require.Equal(t, segment.OffsetIndex{1, 2, 3, 4, 5, 6, 7, 8}, offsets)
	require.Equal(t, segment.OffsetEntry{Relative: 0x01020304, Position: 0x05060708}, offsets.At(0))
	times := segment.TimeIndex{}.Append(segment.TimeEntry{Timestamp: 0x0102030405060708, Relative: 0x090a0b0c})
	require.Equal(t, segment.TimeIndex{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, times)
	require.Equal(t, segment.TimeEntry{Timestamp: 0x0102030405060708, Relative: 0x090a0b0c}, times.At(0))
	aborted := segment.AbortedIndex(make([]byte, 2*segment.AbortedEntrySize+1))
	for i, at := range []int{1, 9, 17, 25, 33} {
		aborted[segment.AbortedEntrySize+at] = byte(i + 1)
	}
	require.Equal(t, 2, aborted.Len())
	require.Equal(t, segment.Aborted{Version: 1, ProducerID: 2, FirstOffset: 3, LastOffset: 4, LastStableOffset: 5}, aborted.At(1))
}

// TestFirstIsNotOverwritten: appending to the first entries does not change the others,
// which another goroutine may be reading.
func TestFirstIsNotOverwritten(t *testing.T) {
	t.Parallel()
	offsets := make(segment.OffsetIndex, 0, 100)
	times := make(segment.TimeIndex, 0, 100)
	for i := range int32(3) {
		offsets = offsets.Append(segment.OffsetEntry{Relative: i, Position: i})
		times = times.Append(segment.TimeEntry{Timestamp: int64(i), Relative: i})
	}
	_ = offsets.First(1).Append(segment.OffsetEntry{Relative: 9, Position: 9})
	_ = times.First(1).Append(segment.TimeEntry{Timestamp: 9, Relative: 9})
	require.Equal(t, segment.OffsetEntry{Relative: 1, Position: 1}, offsets.At(1))
	require.Equal(t, segment.TimeEntry{Timestamp: 1, Relative: 1}, times.At(1))
	require.Equal(t, 2, offsets.CountBelow(2))
	require.Equal(t, 2, times.CountBelow(2))
	require.Zero(t, offsets.CountBelow(0))
}

// TestUsed: zeros behind the entries, and part of an entry, do not count. An entry of
// zeros before another entry does count.
func TestUsed(t *testing.T) {
	t.Parallel()
	require.Empty(t, segment.OffsetIndex(make([]byte, 803)).Used())
	x := segment.OffsetIndex(make([]byte, 8)).Append(segment.OffsetEntry{Relative: 1, Position: 2})
	require.Equal(t, x, append(x.First(2), make([]byte, 83)...).Used())
	y := segment.TimeIndex(make([]byte, 12)).Append(segment.TimeEntry{Timestamp: 1})
	require.Equal(t, y, append(y.First(2), make([]byte, 83)...).Used())
}

// TestSane: indexes that go back, begin below zero or point behind the body are not
// sane.
func TestSane(t *testing.T) {
	t.Parallel()
	offsets := func(pairs ...int32) (x segment.OffsetIndex) {
		for i := 0; i < len(pairs); i += 2 {
			x = x.Append(segment.OffsetEntry{Relative: pairs[i], Position: pairs[i+1]})
		}
		return x
	}
	require.True(t, offsets().Sane(0))
	require.True(t, offsets(1, 10, 2, 20).Sane(21))
	require.False(t, offsets(1, 10, 2, 20).Sane(20))
	require.False(t, offsets(1, 10, 1, 20).Sane(100))
	require.False(t, offsets(1, 10, 2, 10).Sane(100))
	require.False(t, offsets(-1, 10).Sane(100))
	require.False(t, offsets(1, -10).Sane(100))
	times := func(ts ...int64) (x segment.TimeIndex) {
		for i := 0; i < len(ts); i += 2 {
			x = x.Append(segment.TimeEntry{Timestamp: ts[i], Relative: int32(ts[i+1])})
		}
		return x
	}
	require.True(t, times().Sane())
	require.True(t, times(5, 1, 5, 1).Sane())
	require.False(t, times(5, 1, 4, 2).Sane())
	require.False(t, times(5, 2, 6, 1).Sane())
}

// TestBoundary: the last entry within both bounds.
func TestBoundary(t *testing.T) {
	t.Parallel()
	var x segment.OffsetIndex
	for i := int32(1); i < 5; i++ {
		x = x.Append(segment.OffsetEntry{Relative: 10 * i, Position: 100 * i})
	}
	for _, c := range []struct {
		limit, to int64
		want      int32
	}{{99, 1000, 0}, {100, 1000, 100}, {399, 1000, 300}, {1000, 1000, 400}, {1000, 30, 200}, {1000, 31, 300}, {1000, 10, 0}} {
		e, ok := x.Boundary(c.limit, c.to)
		require.Equal(t, c.want, e.Position)
		require.Equal(t, c.want > 0, ok)
	}
}

// TestSpans: a batch may be in a segment if an index can hold its last offset and there
// is an offset behind it.
func TestSpans(t *testing.T) {
	t.Parallel()
	spans := func(base, first int64) bool {
		b := record.Build(1, record.KeyValue{}, record.KeyValue{})
		b.SetBaseOffset(first)
		return segment.Body{Base: base}.Spans(b)
	}
	require.True(t, spans(5, 5))
	require.False(t, spans(5, 4))
	require.True(t, spans(5, 5+segment.MaxSpan-1))
	require.False(t, spans(5, 5+segment.MaxSpan))
	require.True(t, spans(math.MaxInt64-100, math.MaxInt64-2))
	require.False(t, spans(math.MaxInt64-100, math.MaxInt64-1))
}
