package segment

import (
	"context"

	"github.com/botehq/bote/internal/record"
)

// Trusted is the part of a segment that its indexes cover and its batches confirm. The
// rest is still to be scanned.
//
//	0 <= Position <= Size of the body; Base <= Offset
//	entries of Offsets have offsets below Offset and positions below Position
//	entries of Times have offsets below Offset
type Trusted struct {
	Offsets  OffsetIndex
	Times    TimeIndex
	Position int64 // behind the batch of the last entry of Offsets
	Offset   int64 // behind that batch too
	Indexer  Indexer
}

// Trust returns what can be believed of the indexes of a segment. It does not believe
// entries for offsets at or above point. The last entry that is left must be confirmed
// by a batch with a right checksum. If the indexes make no sense, Trust believes
// nothing: both are empty, and the position is 0.
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
	size, ok := b.confirmedSize(ctx, e)
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

// confirmedSize returns the size of the batch that an entry points to. ok is false unless the
// batch is whole, its checksum is right, and it ends with the entry's offset.
func (b Body) confirmedSize(ctx context.Context, e OffsetEntry) (size int64, ok bool) {
	err := b.ScanChecksums(ctx, int64(e.Position), 0, func(batch record.Batch, _ int64) (bool, error) {
		size, ok = int64(len(batch)), b.Spans(batch) && batch.LastOffset() == b.Base+int64(e.Relative)
		return false, nil
	})
	return size, ok && err == nil
}

// trustTimes drops the entries of the time index behind the last batch that is left in
// the offset index. A batch must confirm the last entry that stays. If nothing was
// dropped from the offset index, at most one entry may be dropped here, the last one of
// a closed segment, and a batch must confirm that too.
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

// firstTime returns the timestamp from which time-based rolling counts, -1 if it cannot
// be read.
func (b Body) firstTime(ctx context.Context) int64 {
	ts := int64(-1)
	_ = b.Headers(ctx, 0, func(h record.Batch, _ int64) (bool, error) {
		ts = h.MaxTimestamp()
		return false, nil
	})
	return ts
}
