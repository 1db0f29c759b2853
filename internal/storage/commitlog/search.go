package commitlog

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/botehq/bote/internal/storage"
	"github.com/botehq/bote/internal/storage/segment"
)

// FindTime looks for the first record, by offset, whose timestamp is ts or later.
// Like Kafka it believes a batch header's largest timestamp.
func (l *Log) FindTime(ctx context.Context, ts, to int64) (storage.Stamp, bool, error) {
	l.mu.RLock()
	segments, start := l.segments, l.start
	l.mu.RUnlock()
	for _, s := range segments {
		if s.base >= to {
			break
		}
		found, ok, err := s.findTime(ctx, ts, segment.Range{From: start, To: to})
		if errors.Is(err, errRetired) {
			continue // retention has removed it, and its records do not count any more
		}
		if err != nil || ok {
			return storage.Stamp(found), ok, err
		}
	}
	return storage.Stamp{}, false, nil
}

func (s *logSegment) findTime(ctx context.Context, ts int64, in segment.Range) (found segment.Stamp, ok bool, err error) {
	if latest, err := s.latest(ctx); err != nil || latest < ts {
		return found, false, err
	}
	err = s.search(func(b segment.Body, offsets segment.OffsetIndex, times segment.TimeIndex) error {
		found, ok, err = b.FindTime(ctx, offsets, times, ts, in)
		return err
	})
	return found, ok, err
}

func (s *logSegment) findLatestRecord(ctx context.Context, in segment.Range) (found segment.Stamp, err error) {
	err = s.search(func(b segment.Body, offsets segment.OffsetIndex, times segment.TimeIndex) error {
		found, err = b.FindLatest(ctx, offsets, times, in)
		return err
	})
	return found, err
}

// search opens the segment's file and calls in with its batches and indexes.
func (s *logSegment) search(in func(segment.Body, segment.OffsetIndex, segment.TimeIndex) error) error {
	times, err := s.timeIndex()
	if err != nil {
		return err
	}
	offsets, err := s.offsetIndex()
	if err != nil {
		return err
	}
	body, err := s.open()
	if err != nil {
		return err
	}
	defer s.file.release()
	return in(body, offsets, times)
}

// FindMaxTime looks for the first record with the largest timestamp among those
// from the log start up to offset to. It looks at the segments that may have it one
// after the other, the most promising first.
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
		ts, err := s.latest(ctx)
		if err == nil && ts >= 0 {
			candidates = append(candidates, candidate{s, ts})
		}
		if err != nil && !errors.Is(err, errRetired) {
			return storage.Stamp{}, false, err
		}
	}
	slices.SortStableFunc(candidates, func(a, b candidate) int { return cmp.Compare(b.ts, a.ts) })
	best := segment.Stamp{Timestamp: -1}
	for _, c := range candidates {
		if c.ts < best.Timestamp {
			break
		}
		found, err := c.s.findLatestRecord(ctx, segment.Range{From: start, To: to})
		if err != nil && !errors.Is(err, errRetired) {
			return storage.Stamp{}, false, err
		}
		if err == nil {
			best = segment.Later(best, found)
		}
	}
	return storage.Stamp(best), best.Timestamp >= 0, nil
}
