package segment

import (
	"context"

	"github.com/botehq/bote/internal/record"
)

// Trusted is the part of a segment that its indexes have, proved by the batches. What
// lies behind it is still to be looked at.
//
//	0 <= Position <= Size of the body; Base <= Offset
//	entries of Offsets have offsets below Offset and positions below Position
//	entries of Times have offsets below Offset
type Trusted struct {
	Offsets  OffsetIndex
	Times    TimeIndex
	Position int64 // behind the batch of the last entry of Offsets
	Offset   int64 // behind that batch, too
	Indexer  Indexer
}

// Trust returns what is to be believed of the indexes of a segment, of which entries for
// offsets at or above point are not. The last entry that is left must be confirmed by a
// batch with a right checksum. Indexes that make no sense are not believed at all: then
// both are empty, and the position is 0.
func (b Body) Trust(ctx context.Context, offsets OffsetIndex, times TimeIndex, point int64) Trusted {
	none := Trusted{Offset: b.Base, Indexer: NewIndexer(b.Base)}
	if len(offsets)%OffsetEntrySize != 0 || len(times)%TimeEntrySize != 0 {
		return none
	}
	offsets, times = offsets.Used(), times.Used()
	if !offsets.Sane(b.Size) || !times.Sane() {
		return none
	}
	n := offsets.CountBelow(point - b.Base)
	if n == 0 {
		return none
	}
	all := offsets
	offsets = offsets.First(n)
	e := offsets.At(n - 1)
	size, ok := b.holds(ctx, e)
	if !ok {
		return none
	}
	if times, ok = b.trustTimes(ctx, all, offsets, times); !ok {
		return none
	}
	t := Trusted{
		Offsets: offsets, Times: times,
		Position: int64(e.Position) + size, Offset: b.Base + int64(e.Relative) + 1, Indexer: none.Indexer,
	}
	if k := times.Len(); k > 0 {
		last := times.At(k - 1)
		t.Indexer.Learn(Latest{Timestamp: last.Timestamp, Offset: b.Base + int64(last.Relative)})
	}
	t.Indexer.unindexed = size
	t.Indexer.firstTime = b.firstTime(ctx)
	return t
}

// holds returns the size of the batch that an entry means if it is whole and right.
func (b Body) holds(ctx context.Context, e OffsetEntry) (size int64, ok bool) {
	err := b.ScanChecksums(ctx, int64(e.Position), 0, func(batch record.Batch, _ int64) (bool, error) {
		size, ok = int64(len(batch)), b.Spans(batch) && batch.LastOffset() == b.Base+int64(e.Relative)
		return false, nil
	})
	return size, ok && err == nil
}

// trustTimes drops entries of the time index behind the last batch that is left of the
// offset index, and has the last one left confirmed. If all of the offset index is left,
// a closed segment has one entry at most to drop, which must be right as well.
func (b Body) trustTimes(ctx context.Context, all, left OffsetIndex, times TimeIndex) (TimeIndex, bool) {
	confirmed := func(i int) bool {
		ok, err := b.confirmTime(ctx, left, times.At(i))
		return ok && err == nil
	}
	end := int64(left.At(left.Len()-1).Relative) + 1
	whole := left.Len() == all.Len()
	n, k := times.Len(), times.CountBelow(end)
	if whole && (n-k > 1 || n-k == 1 && !confirmed(n-1)) || k > 0 && !confirmed(k-1) {
		return nil, false
	}
	return times.First(k), true
}

// firstTime is the timestamp that time-based rolling starts from; what cannot be read
// has none.
func (b Body) firstTime(ctx context.Context) int64 {
	ts := int64(-1)
	_ = b.Headers(ctx, 0, func(h record.Batch, _ int64) (bool, error) {
		ts = h.MaxTimestamp()
		return false, nil
	})
	return ts
}
