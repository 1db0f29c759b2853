package segment

import "github.com/botehq/bote/internal/record"

// Indexer makes the index entries of a segment while batches are appended to its body,
// and knows the largest timestamp of the segment. One goroutine at a time uses it. For
// the batches that it was told of, from position zero on:
//
//	indexedTime <= latest.Timestamp: indexedTime is the last timestamp in the time index
//	unindexed: bytes of batches, from the last one with an offset entry on
type Indexer struct {
	base        int64
	unindexed   int64
	indexedTime int64
	latest      Latest
	firstTime   int64
}

// NewIndexer returns the indexer of an empty segment.
func NewIndexer(base int64) Indexer {
	return Indexer{base: base, indexedTime: -1, latest: Latest{Timestamp: -1}, firstTime: -1}
}

// Add adds the batch at a position, of which it reads only the header. If more bytes
// than the interval were added since the last entry, it appends an entry to the
// indexes.
func (x *Indexer) Add(h record.Batch, at, interval int64, offsets *OffsetIndex, times *TimeIndex) {
	last := h.LastOffset()
	if ts := h.MaxTimestamp(); ts > x.latest.Timestamp {
		x.latest = Latest{Timestamp: ts, Offset: last}
	}
	if at == 0 {
		x.firstTime = h.MaxTimestamp()
	}
	if x.unindexed > interval {
		*offsets = offsets.Append(OffsetEntry{Relative: int32(last - x.base), Position: int32(at)})
		x.Seal(times)
		x.unindexed = 0
	}
	size, _ := record.Size(h)
	x.unindexed += int64(size)
}

// Seal appends the largest timestamp to the time index, unless the index ends with it.
// It is called when the segment ends.
func (x *Indexer) Seal(times *TimeIndex) {
	if x.latest.Timestamp > x.indexedTime {
		*times = times.Append(TimeEntry{Timestamp: x.latest.Timestamp, Relative: int32(x.latest.Offset - x.base)})
		x.indexedTime = x.latest.Timestamp
	}
}

// Latest is the largest timestamp of the batches so far.
func (x *Indexer) Latest() Latest { return x.latest }

// Learn tells the indexer the largest timestamp of the segment, which its time index
// has too.
func (x *Indexer) Learn(latest Latest) { x.latest, x.indexedTime = latest, latest.Timestamp }

// FirstTime is the largest timestamp of the first batch, -1 if it has none.
func (x *Indexer) FirstTime() int64 { return x.firstTime }
