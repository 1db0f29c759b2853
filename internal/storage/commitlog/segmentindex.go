package commitlog

import (
	"context"
	"errors"
	"io/fs"

	"github.com/botehq/bote/internal/record"
	"github.com/botehq/bote/internal/storage/segment"
)

// saveIndexes writes the entries that the files do not have. It does not sync them; sync
// does, with the batches. The caller holds mu, or nobody else has the segment.
func (s *logSegment) saveIndexes() error {
	for _, save := range []func() (bool, error){s.offsets.save, s.times.save} {
		wrote, err := save()
		s.indexDirty = s.indexDirty || wrote
		if err != nil {
			return err
		}
	}
	return nil
}

// note adds a batch, written at a position, to the indexes and to the size.
func (s *logSegment) note(b record.Batch, at, interval int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at == 0 {
		s.offsets.needFile()
		s.times.needFile()
	}
	s.indexer.Add(b, at, interval, &s.offsets.raw, &s.times.raw)
	size, _ := record.Size(b) // b may be a header only
	s.size.Store(at + int64(size))
}

// full reports whether an index has no room for another entry.
func (s *logSegment) full(limit int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return int64(len(s.offsets.raw)) > limit-segment.OffsetEntrySize || int64(len(s.times.raw)) > limit-segment.TimeEntrySize
}

// seal completes and saves the indexes of a segment that will not grow.
func (s *logSegment) seal() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.indexer.Seal(&s.times.raw)
	return s.saveIndexes()
}

// takeIndexDirty returns the index files that have to be synced. The caller syncs them, or
// calls giveIndexDirty.
func (s *logSegment) takeIndexDirty() (names []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.indexDirty && !s.offsets.noFile {
		names = append(names, s.offsets.name)
	}
	if s.indexDirty && !s.times.noFile {
		names = append(names, s.times.name)
	}
	s.indexDirty = false
	return names
}

// giveIndexDirty undoes takeIndexDirty: the index files were not synced.
func (s *logSegment) giveIndexDirty() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.indexDirty = true
}

// offsetIndex returns the offset index, and reads it first if need be.
func (s *logSegment) offsetIndex() (segment.OffsetIndex, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.offsets.load()
	return s.offsets.raw, err
}

// timeIndex returns the time index, and reads it first if need be.
func (s *logSegment) timeIndex() (segment.TimeIndex, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.times.load()
	return s.times.raw, err
}

// latest returns the largest timestamp of the segment, -1 if it has none. For a closed
// segment it is looked up once and then kept.
func (s *logSegment) latest(ctx context.Context) (int64, error) {
	s.mu.Lock()
	known, ts := s.latestKnown, s.indexer.Latest().Timestamp
	s.mu.Unlock()
	if known {
		return ts, nil
	}
	times, err := s.timeIndex()
	if err != nil {
		return -1, err
	}
	found := segment.Latest{Timestamp: -1}
	if times.Len() > 0 {
		if found, err = s.findLatest(ctx, times); err != nil {
			return -1, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.indexer.Learn(found)
	s.latestKnown = true
	return found.Timestamp, nil
}

func (s *logSegment) findLatest(ctx context.Context, times segment.TimeIndex) (segment.Latest, error) {
	offsets, err := s.offsetIndex()
	if err != nil {
		return segment.Latest{}, err
	}
	body, err := s.open()
	if err != nil {
		return segment.Latest{}, err
	}
	defer s.file.release()
	return body.Latest(ctx, offsets, times)
}

// trustIndexes loads the indexes and keeps the entries for offsets below point that the
// batches confirm. It returns the position and the offset behind the last batch that has
// such an entry. Indexes that make no sense are emptied; it then returns the beginning of
// the segment, all of which the caller has to scan.
func (s *logSegment) trustIndexes(ctx context.Context, body segment.Body, point int64) (at, end int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	oerr, terr := s.offsets.load(), s.times.load()
	switch {
	case body.Size == 0 && errors.Is(oerr, fs.ErrNotExist) && errors.Is(terr, fs.ErrNotExist):
		s.offsets.setNoFile()
		s.times.setNoFile()
		return 0, s.base
	case oerr != nil || terr != nil:
		s.offsets.reset() // one index without the other is not believed
		s.times.reset()
	}
	t := body.Trust(ctx, s.offsets.raw, s.times.raw, point)
	s.indexer = t.Indexer
	if t.Offsets.Len() == 0 {
		s.offsets.reset()
		s.times.reset()
		return 0, s.base
	}
	s.offsets.keep(t.Offsets)
	s.times.keep(t.Times)
	return t.Position, t.Offset
}

// indexLoaded reports whether the offset index is in memory and s.mu is free. If another
// goroutine holds s.mu, it may be reading an index, which may take long.
func (s *logSegment) indexLoaded() bool {
	if !s.mu.TryLock() {
		return false
	}
	defer s.mu.Unlock()
	return s.offsets.loaded
}
