package segment

import (
	"context"
	"fmt"
	"math"

	"github.com/botehq/bote/internal/record"
)

// Stamp is a record that a search by time found: its offset, its timestamp in
// milliseconds, and the leader epoch of its batch.
type Stamp struct {
	Offset    int64
	Timestamp int64
	Epoch     int32
}

// Later returns the stamp with the larger timestamp, of equal ones the first.
func Later(a, b Stamp) Stamp {
	if b.Timestamp > a.Timestamp || b.Timestamp == a.Timestamp && b.Offset < a.Offset {
		return b
	}
	return a
}

// Range is the offsets of records that a search by time looks at:
//
//	From <= offset < To
type Range struct{ From, To int64 }

func (r Range) has(offset int64) bool { return offset >= r.From && offset < r.To }

// FindTime looks for the first record, by offset, of a range that is at least as late
// as ts. Like Kafka it believes what the header of a batch says to be its largest
// timestamp.
func (b Body) FindTime(ctx context.Context, offsets OffsetIndex, times TimeIndex, ts int64, in Range) (found Stamp, ok bool, err error) {
	from, err := b.noneBefore(ctx, offsets, times, ts)
	if err != nil {
		return found, false, err
	}
	err = b.between(ctx, offsets, max(from, in.From), in.To, func(h record.Batch, at int64) (bool, error) {
		if h.MaxTimestamp() < ts {
			return true, nil
		}
		err := b.stamps(ctx, h, at, in, func(r Stamp) bool {
			if r.Timestamp >= ts {
				found, ok = r, true
			}
			return !ok
		})
		return !ok, err
	})
	return found, ok, err
}

// noneBefore returns an offset before which no record is as late as ts.
func (b Body) noneBefore(ctx context.Context, offsets OffsetIndex, times TimeIndex, ts int64) (offset int64, err error) {
	offset = b.Base
	times.before(ts, func(e TimeEntry) bool {
		var ok bool
		if ok, err = b.confirmTime(ctx, offsets, e); ok {
			offset = b.Base + int64(e.Relative)
		}
		return !ok && err == nil
	})
	return offset, err
}

// FindLatest returns the first record of a range that has the largest timestamp of
// those, or one with the timestamp -1. A batch may have less than its header says: a
// client was wrong about what it packed, or the record lies outside of the range. The
// next largest are then tried, some times.
func (b Body) FindLatest(ctx context.Context, offsets OffsetIndex, times TimeIndex, in Range) (Stamp, error) {
	best := Stamp{Timestamp: -1}
	from, err := b.latestFrom(ctx, offsets, times, in)
	if err != nil {
		return best, err
	}
	limit := int64(math.MaxInt64)
	for range maxProofs {
		ts := int64(-1)
		err := b.between(ctx, offsets, from, in.To, func(h record.Batch, _ int64) (bool, error) {
			if h.MaxTimestamp() <= limit {
				ts = max(ts, h.MaxTimestamp())
			}
			return true, nil
		})
		if err != nil || ts < 0 || ts < best.Timestamp {
			return best, err
		}
		err = b.between(ctx, offsets, from, in.To, func(h record.Batch, at int64) (bool, error) {
			if h.MaxTimestamp() != ts {
				return true, nil
			}
			err := b.stamps(ctx, h, at, in, func(r Stamp) bool {
				best = Later(best, r)
				return true
			})
			return best.Timestamp < ts, err
		})
		if err != nil || best.Timestamp >= ts {
			return best, err
		}
		limit = ts - 1
	}
	return best, nil
}

// latestFrom returns the offset of a batch at or above the begin of a range that nothing
// of the range before it is later than: the last below the end that the time index has,
// or the begin itself.
func (b Body) latestFrom(ctx context.Context, offsets OffsetIndex, times TimeIndex, in Range) (from int64, err error) {
	from = in.From
	times.below(in.To-b.Base, func(e TimeEntry) bool {
		var ok bool
		if ok, err = b.confirmTime(ctx, offsets, e); ok {
			from = max(from, b.Base+int64(e.Relative))
		}
		return !ok && err == nil
	})
	return from, err
}

// maxUnpacked bounds what one batch may unpack to during a search.
const maxUnpacked = 256 << 20

// stamps calls visit with the records of a range in the batch at a position, until it
// returns false. Where the broker's clock counts they all have the same time, and the
// first stands for them.
func (b Body) stamps(ctx context.Context, h record.Batch, at int64, in Range, visit func(Stamp) bool) error {
	if h.LogAppendTime() {
		visit(Stamp{Offset: max(h.BaseOffset(), in.From), Timestamp: h.MaxTimestamp(), Epoch: h.LeaderEpoch()})
		return nil
	}
	size, err := b.BatchSize(h, at)
	if err != nil {
		return err
	}
	batch := make(record.Batch, size)
	if err := b.ReadFull(ctx, batch, at); err != nil {
		return err
	}
	for r, err := range record.Scan(batch, maxUnpacked) {
		if err != nil {
			return fmt.Errorf("batch at %d: %w", batch.BaseOffset(), err)
		}
		offset := batch.BaseOffset() + int64(r.OffsetDelta)
		if !in.has(offset) {
			continue
		}
		if !visit(Stamp{Offset: offset, Timestamp: batch.BaseTimestamp() + r.TimestampDelta, Epoch: batch.LeaderEpoch()}) {
			return nil
		}
	}
	return nil
}
