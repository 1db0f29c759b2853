package segment

import (
	"context"

	"github.com/botehq/bote/internal/record"
)

// Confirm returns the header of the batch that an entry of an offset index points to.
// ok is false if what is there does not confirm the entry.
func (b Body) Confirm(ctx context.Context, e OffsetEntry) (h record.Batch, ok bool, err error) {
	if e.Position < 0 || int64(e.Position)+record.HeaderSize > b.Size {
		return nil, false, nil
	}
	h = make(record.Batch, record.HeaderSize)
	if err := b.ReadFull(ctx, h, int64(e.Position)); err != nil {
		return nil, false, err
	}
	_, damaged := record.Size(h)
	return h, damaged == nil && h.LastOffset() == b.Base+int64(e.Relative), nil
}

// Before returns the position of a batch at or before the one that holds an offset: the
// nearest that the index has and that confirms its entry, or else 0.
func (b Body) Before(ctx context.Context, x OffsetIndex, offset int64) (position int64, err error) {
	x.before(offset-b.Base, func(e OffsetEntry) bool {
		var ok bool
		if _, ok, err = b.Confirm(ctx, e); ok {
			position = int64(e.Position)
		}
		return !ok && err == nil
	})
	return position, err
}

// Find returns the position of the first batch that ends at or above an offset, Size if
// there is none.
func (b Body) Find(ctx context.Context, x OffsetIndex, offset int64) (int64, error) {
	from, err := b.Before(ctx, x, offset)
	if err != nil {
		return 0, err
	}
	position := b.Size
	err = b.Headers(ctx, from, func(h record.Batch, at int64) (bool, error) {
		if h.LastOffset() < offset {
			return true, nil
		}
		position = at
		return false, nil
	})
	return position, err
}

// between visits the headers of batches that end at or above an offset and begin below
// another.
func (b Body) between(ctx context.Context, x OffsetIndex, from, to int64, visit Visit) error {
	at, err := b.Before(ctx, x, from)
	if err != nil {
		return err
	}
	return b.Headers(ctx, at, func(h record.Batch, at int64) (bool, error) {
		if h.LastOffset() < from {
			return true, nil
		}
		if h.BaseOffset() >= to {
			return false, nil
		}
		return visit(h, at)
	})
}

// confirmTime reports whether the batch that holds the offset of an entry has the
// entry's timestamp. It ignores errors of reading batches: a caller that reads on from
// here meets them itself.
func (b Body) confirmTime(ctx context.Context, x OffsetIndex, e TimeEntry) (ok bool, err error) {
	offset := b.Base + int64(e.Relative)
	from, err := b.Before(ctx, x, offset)
	if err != nil {
		return false, err
	}
	_ = b.Headers(ctx, from, func(h record.Batch, _ int64) (bool, error) {
		if h.LastOffset() < offset {
			return true, nil
		}
		ok = h.BaseOffset() <= offset && h.MaxTimestamp() == e.Timestamp
		return false, nil
	})
	return ok, ctx.Err()
}

// Latest is the largest timestamp of a segment, in milliseconds, and the last offset of
// the batch that has it, of the first such batch if there are several. Timestamp is -1
// if no batch has a timestamp.
type Latest struct {
	Timestamp int64
	Offset    int64
}

// Latest returns the largest timestamp of a segment that no longer grows: the last
// entry of its time index, or, if its batch does not confirm that, the largest of all
// batches. An index without entries means that no batch has a timestamp.
func (b Body) Latest(ctx context.Context, offsets OffsetIndex, times TimeIndex) (Latest, error) {
	if times.Len() == 0 {
		return Latest{Timestamp: -1}, nil
	}
	e := times.At(times.Len() - 1)
	ok, err := b.confirmTime(ctx, offsets, e)
	if err != nil {
		return Latest{Timestamp: -1}, err
	}
	if ok {
		return Latest{Timestamp: e.Timestamp, Offset: b.Base + int64(e.Relative)}, nil
	}
	latest := Latest{Timestamp: -1, Offset: b.Base}
	err = b.Headers(ctx, 0, func(h record.Batch, _ int64) (bool, error) {
		if h.MaxTimestamp() > latest.Timestamp {
			latest = Latest{Timestamp: h.MaxTimestamp(), Offset: h.LastOffset()}
		}
		return true, nil
	})
	return latest, err
}
