package segment

import "github.com/botehq/bote/internal/record"

// Indexer makes the index entries of a segment while batches are put at the end of its
// body, and knows its largest timestamp. It is used by one goroutine at a time. What it
// was told of, from the zero position on:
//
//	indexedTime <= latest.Timestamp: the time index ends with the first of them
//	unindexed: bytes of batches from the last that has an offset entry on
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

// Add enters the batch at a position, of which only the header is looked at. If more
// bytes than the interval came since the last entry, it appends one to the indexes.
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

// Seal appends the largest timestamp to the time index, if that does not end with it.
// Whoever ends the segment calls it.
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
