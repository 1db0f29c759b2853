package commitlog

import (
	"context"
	"fmt"
	"math"

	"github.com/botehq/bote/internal/record"
	"github.com/botehq/bote/internal/storage"
)

// FindTime looks for the first record, by offset, that is at least as late as ts.
func (l *Log) FindTime(ctx context.Context, ts, to int64) (storage.Stamp, bool, error) {
	l.mu.RLock()
	segments, start := l.segments, l.start
	l.mu.RUnlock()
	for _, s := range segments {
		if s.base >= to {
			break
		}
		if err := ctx.Err(); err != nil {
			return storage.Stamp{}, false, err
		}
		if err := s.loadTimes(); err != nil {
			return storage.Stamp{}, false, err
		}
		if largest, _ := s.largestTime(); largest < ts {
			continue
		}
		from, err := s.offsetBefore(ts)
		if err != nil {
			return storage.Stamp{}, false, err
		}
		found, ok, err := s.findRecord(max(from, start), start, to, func(t int64) bool { return t >= ts })
		if err != nil || ok {
			return found, ok, err
		}
	}
	return storage.Stamp{}, false, nil
}

// FindMaxTime looks for the first record that has the largest timestamp.
func (l *Log) FindMaxTime(ctx context.Context, to int64) (storage.Stamp, bool, error) {
	l.mu.RLock()
	segments, start := l.segments, l.start
	l.mu.RUnlock()
	best, bestEnd, in := int64(math.MinInt64), int64(0), (*segment)(nil)
	for _, s := range segments {
		if err := ctx.Err(); err != nil {
			return storage.Stamp{}, false, err
		}
		if err := s.loadTimes(); err != nil {
			return storage.Stamp{}, false, err
		}
		if ts, end := s.largestTime(); s.size.Load() > 0 && ts > best {
			best, bestEnd, in = ts, end, s
		}
	}
	if in == nil || best < 0 {
		return storage.Stamp{}, false, nil
	}
	return in.findRecord(max(bestEnd, start), start, to, func(t int64) bool { return t == best })
}

// findRecord returns the first record at or above start and below to whose
// timestamp matches, in batches that end at or above from.
func (s *segment) findRecord(from, start, to int64, match func(ts int64) bool) (found storage.Stamp, ok bool, err error) {
	at, err := s.positionBefore(from)
	if err != nil {
		return found, false, err
	}
	err = s.headers(at, func(h record.Batch, at int64) (bool, error) {
		if h.LastOffset() < from {
			return true, nil
		}
		if h.BaseOffset() >= to {
			return false, nil
		}
		b, err := s.batchAt(h, at)
		if err != nil {
			return false, err
		}
		found, ok, err = matchIn(b, start, to, match)
		return !ok, err
	})
	return found, ok, err
}

// batchAt reads the whole batch whose header is at a position.
func (s *segment) batchAt(h record.Batch, at int64) (record.Batch, error) {
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

func matchIn(b record.Batch, start, to int64, match func(ts int64) bool) (storage.Stamp, bool, error) {
	if b.LogAppendTime() {
		if ts := b.MaxTimestamp(); match(ts) && b.BaseOffset() < to {
			return storage.Stamp{Offset: max(b.BaseOffset(), start), Timestamp: ts, Epoch: b.LeaderEpoch()}, true, nil
		}
		return storage.Stamp{}, false, nil
	}
	for r, err := range record.Scan(b, maxUnpacked) {
		if err != nil {
			return storage.Stamp{}, false, fmt.Errorf("batch at %d: %w", b.BaseOffset(), err)
		}
		offset := b.BaseOffset() + int64(r.OffsetDelta)
		if ts := b.BaseTimestamp() + r.TimestampDelta; match(ts) && offset >= start && offset < to {
			return storage.Stamp{Offset: offset, Timestamp: ts, Epoch: b.LeaderEpoch()}, true, nil
		}
	}
	return storage.Stamp{}, false, nil
}
