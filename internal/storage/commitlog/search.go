package commitlog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/botehq/bote/internal/record"
	"github.com/botehq/bote/internal/storage"
)

// FindTime looks for the first record, by offset, that is at least as late as ts.
// Like Kafka it believes what the header of a batch says to be its largest timestamp.
func (l *Log) FindTime(ctx context.Context, ts, to int64) (storage.Stamp, bool, error) {
	l.mu.RLock()
	segments, start := l.segments, l.start
	l.mu.RUnlock()
	for _, s := range segments {
		if s.base >= to {
			break
		}
		found, ok, err := s.findTime(ctx, ts, start, to)
		if errors.Is(err, errGone) {
			continue // retention took it, and what is in it does not count any more
		}
		if err != nil || ok {
			return found, ok, err
		}
	}
	return storage.Stamp{}, false, nil
}

func (s *logSegment) findTime(ctx context.Context, ts, start, to int64) (found storage.Stamp, ok bool, err error) {
	if err := s.loadTimes(); err != nil {
		return found, false, err
	}
	if largest := s.largestTime(); largest < ts {
		return found, false, nil
	}
	from, err := s.offsetBefore(ts)
	if err != nil {
		return found, false, err
	}
	err = s.batches(ctx, max(from, start), to, func(h record.Batch, at int64) (bool, error) {
		if h.MaxTimestamp() < ts {
			return true, nil
		}
		err := s.stamps(h, at, start, to, func(r storage.Stamp) bool {
			if r.Timestamp >= ts {
				found, ok = r, true
			}
			return !ok
		})
		return !ok, err
	})
	return found, ok, err
}

// FindMaxTime looks for the first record that has the largest timestamp of those
// that are there and visible. The segments that may have it are looked at one after
// the other, the most promising first.
func (l *Log) FindMaxTime(ctx context.Context, to int64) (storage.Stamp, bool, error) {
	l.mu.RLock()
	segments, start := l.segments, l.start
	l.mu.RUnlock()
	type candidate struct {
		s  *logSegment
		ts int64 // no record of the segment is later
	}
	var candidates []candidate
	for i, s := range segments {
		if s.base >= to || i+1 < len(segments) && segments[i+1].base <= start {
			continue
		}
		err := s.loadTimes()
		if ts := s.largestTime(); err == nil && ts >= 0 {
			candidates = append(candidates, candidate{s, ts})
		}
		if err != nil && !errors.Is(err, errGone) {
			return storage.Stamp{}, false, err
		}
	}
	slices.SortStableFunc(candidates, func(a, b candidate) int { return cmp.Compare(b.ts, a.ts) })
	best := storage.Stamp{Timestamp: -1}
	for _, c := range candidates {
		if c.ts < best.Timestamp {
			break
		}
		found, err := c.s.largestIn(ctx, start, to)
		if err != nil && !errors.Is(err, errGone) {
			return storage.Stamp{}, false, err
		}
		if err == nil {
			best = later(best, found)
		}
	}
	return best, best.Timestamp >= 0, nil
}

// later returns the stamp with the larger timestamp, of equal ones the first.
func later(a, b storage.Stamp) storage.Stamp {
	if b.Timestamp > a.Timestamp || b.Timestamp == a.Timestamp && b.Offset < a.Offset {
		return b
	}
	return a
}

// largestIn returns the first record at or above start and below to that has the
// largest timestamp of those, or -1. A batch may have less than its header says: a
// client was wrong about what it packed, or the record lies below start. The next
// largest are then tried, some times.
func (s *logSegment) largestIn(ctx context.Context, start, to int64) (storage.Stamp, error) {
	best := storage.Stamp{Timestamp: -1}
	from, err := s.largestBefore(start, to)
	if err != nil {
		return best, err
	}
	limit := int64(math.MaxInt64)
	for range maxProofs {
		ts := int64(-1)
		err := s.batches(ctx, from, to, func(h record.Batch, _ int64) (bool, error) {
			if h.MaxTimestamp() <= limit {
				ts = max(ts, h.MaxTimestamp())
			}
			return true, nil
		})
		if err != nil || ts < 0 || ts < best.Timestamp {
			return best, err
		}
		err = s.batches(ctx, from, to, func(h record.Batch, at int64) (bool, error) {
			if h.MaxTimestamp() != ts {
				return true, nil
			}
			err := s.stamps(h, at, start, to, func(r storage.Stamp) bool {
				best = later(best, r)
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

// largestBefore returns the offset of a batch at or above start that nothing before it
// is later than: the last below to that the time index has, or start itself.
func (s *logSegment) largestBefore(start, to int64) (int64, error) {
	s.mu.Lock()
	if err := s.times.load(); err != nil {
		s.mu.Unlock()
		return 0, err
	}
	entries := s.times.lastBelow(to - s.base)
	s.mu.Unlock()
	e, ok, err := s.provenTime(entries)
	if !ok || s.base+e.relative < start {
		return start, err
	}
	return s.base + e.relative, err
}

// batches calls visit with the headers of batches that end at or above from and begin
// below to, and with their positions, until it returns false.
func (s *logSegment) batches(ctx context.Context, from, to int64, visit func(h record.Batch, at int64) (bool, error)) error {
	at, err := s.positionBefore(from)
	if err != nil {
		return err
	}
	return s.headers(at, func(h record.Batch, at int64) (bool, error) {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		if h.LastOffset() < from {
			return true, nil
		}
		if h.BaseOffset() >= to {
			return false, nil
		}
		return visit(h, at)
	})
}

// batchAt reads the whole batch whose header is at a position.
func (s *logSegment) batchAt(h record.Batch, at int64) (record.Batch, error) {
	size, err := s.sizeAt(h, at)
	if err != nil {
		return nil, err
	}
	f, err := s.log.acquire()
	if err != nil {
		return nil, fmt.Errorf("open segment %d: %w", s.base, err)
	}
	defer s.log.release()
	b := make(record.Batch, size)
	if err := readFull(f, b, at); err != nil {
		return nil, fmt.Errorf("read segment %d at %d: %w", s.base, at, err)
	}
	return b, nil
}

// maxUnpacked bounds what one batch may unpack to during a search.
const maxUnpacked = 256 << 20

// stamps calls visit with the records at or above start and below to of the batch at a
// position, until it returns false. Where the broker's clock counts they all have the
// same time, and the first stands for them.
func (s *logSegment) stamps(h record.Batch, at, start, to int64, visit func(storage.Stamp) bool) error {
	if h.LogAppendTime() {
		visit(storage.Stamp{Offset: max(h.BaseOffset(), start), Timestamp: h.MaxTimestamp(), Epoch: h.LeaderEpoch()})
		return nil
	}
	b, err := s.batchAt(h, at)
	if err != nil {
		return err
	}
	for r, err := range record.Scan(b, maxUnpacked) {
		if err != nil {
			return fmt.Errorf("batch at %d: %w", b.BaseOffset(), err)
		}
		offset := b.BaseOffset() + int64(r.OffsetDelta)
		if offset < start || offset >= to {
			continue
		}
		if !visit(storage.Stamp{Offset: offset, Timestamp: b.BaseTimestamp() + r.TimestampDelta, Epoch: b.LeaderEpoch()}) {
			return nil
		}
	}
	return nil
}
