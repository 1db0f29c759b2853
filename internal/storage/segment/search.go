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

// Later returns the stamp with the larger timestamp; of equal ones, the one with the
// smaller offset.
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

// FindTime looks for the first record of a range, by offset, whose timestamp is ts or
// later. Like Kafka it believes a batch header's largest timestamp.
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

// noneBefore returns an offset below which no record has a timestamp of ts or later.
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

// FindLatest returns the first record of a range that has the largest timestamp in it,
// or a stamp with the timestamp -1. The records of a batch may be earlier than its
// header says: a client filled in the header wrongly, or the record is outside of the
// range. FindLatest then tries the next largest timestamp, at most maxProofs times.
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

// latestFrom returns an offset from which FindLatest may begin: nothing of the range
// below it has a later timestamp than the batch there. It is that of the last confirmed
// time entry below the range's end, or the range's beginning.
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

// maxUnpacked bounds how many bytes one batch may unpack to during a search.
const maxUnpacked = 256 << 20

// stamps calls visit with the records of a range in the batch at a position, until visit
// returns false. With LogAppendTime all records of the batch have the same timestamp,
// and the first of the range stands for them.
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
