package commitlog

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/botehq/bote/internal/record"
	"github.com/botehq/bote/internal/storage/segment"
	"github.com/botehq/bote/internal/storage/vfs"
)

// File name suffixes. They reach disk.
const (
	logSuffix      = ".log"
	indexSuffix    = ".index"
	timeSuffix     = ".timeindex"
	txnSuffix      = ".txnindex"
	snapshotSuffix = ".snapshot"
	deletedSuffix  = ".deleted"
)

func fileName(base int64, suffix string) string { return fmt.Sprintf("%020d%s", base, suffix) }

// logSegment is one file of batches with its indexes. Only the active segment, the
// last, grows.
type logSegment struct {
	fs   vfs.FS
	dir  string
	base int64
	log  *handle
	size atomic.Int64 // bytes of whole batches in the file

	// written is when the last batch without a timestamp was appended, or what the file
	// says if that was in another life; in milliseconds. Retention goes by it.
	written atomic.Int64

	reserved int64 // end of the space that is reserved; owned by who appends

	mu          sync.Mutex // guards what follows
	offsets     *index[segment.OffsetIndex]
	times       *index[segment.TimeIndex]
	indexer     segment.Indexer
	created     time.Time
	jitter      int64
	latestKnown bool // the indexer knows the largest timestamp
	indexDirty  bool // the index files have bytes that are not synced
}

func newSegment(fs vfs.FS, dir string, base int64) *logSegment {
	log := newHandle(fs, filepath.Join(dir, fileName(base, logSuffix)))
	return &logSegment{
		fs: fs, dir: dir, base: base, log: log,
		offsets: newIndex[segment.OffsetIndex](fs, log, filepath.Join(dir, fileName(base, indexSuffix))),
		times:   newIndex[segment.TimeIndex](fs, log, filepath.Join(dir, fileName(base, timeSuffix))),
		indexer: segment.NewIndexer(base), jitter: -1, created: time.Now(),
	}
}

// createSegment makes the files of an empty segment.
func createSegment(fs vfs.FS, dir string, base int64) (*logSegment, error) {
	s := newSegment(fs, dir, base)
	s.offsets.reset()
	s.times.reset()
	s.latestKnown = true
	if err := s.createFiles(); err != nil {
		s.log.retire() // nobody else has it: what is left of the files is another's to remove
		return nil, fmt.Errorf("create segment %d: %w", base, err)
	}
	return s, nil
}

func (s *logSegment) createFiles() error {
	f, err := s.log.create()
	if err != nil {
		return err
	}
	defer s.log.release()
	if err := f.Truncate(0); err != nil {
		return err
	}
	return s.saveIndexes()
}

// saveIndexes writes the entries that the files do not have; sync makes them
// durable, with the batches. The caller holds mu, or nobody else has the segment.
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

// Space is reserved ahead of a segment that grows, as much as it has already but
// not more than reserveMost: extending a file in large steps costs less than
// batch by batch.
const (
	reserveFrom = 4 << 20
	reserveMost = 64 << 20
)

// reserve reserves space if a write is about to pass what is reserved. It reports
// false if that failed and should not be tried for a while.
func (s *logSegment) reserve(f vfs.File, at, end, limit int64) bool {
	if at < reserveFrom || end <= s.reserved {
		return true
	}
	from := max(at, s.reserved)
	to := min(limit, from+min(at, reserveMost))
	if to <= end {
		return true // the segment is nearly full
	}
	s.reserved = to
	return f.Preallocate(from, to) == nil
}

// giveBack frees what is reserved behind the end. Nobody may append meanwhile.
func (s *logSegment) giveBack() error {
	if s.reserved <= s.size.Load() {
		return nil
	}
	s.reserved = 0
	f, err := s.log.acquire()
	if err != nil {
		return fmt.Errorf("open segment %d: %w", s.base, err)
	}
	defer s.log.release()
	if err := f.Truncate(s.size.Load()); err != nil {
		return fmt.Errorf("give back space of segment %d: %w", s.base, err)
	}
	return nil
}

// write puts a batch at the end of the file. If it fails, the file is cut back;
// damaged tells that not even that worked.
func (s *logSegment) write(b record.Batch, room *room, limit int64) (damaged bool, err error) {
	f, err := s.log.acquire()
	if err != nil {
		return false, fmt.Errorf("open segment %d: %w", s.base, err)
	}
	defer s.log.release()
	at := s.size.Load()
	if room.plenty() && !s.reserve(f, at, at+int64(len(b)), limit) {
		room.short()
	}
	if _, err := f.WriteAt(b, at); err != nil {
		s.reserved = 0
		if terr := f.Truncate(at); terr != nil {
			return true, fmt.Errorf("append to segment %d: %w (and cutting it back: %w)", s.base, err, terr)
		}
		return false, fmt.Errorf("append to segment %d: %w", s.base, err)
	}
	return false, nil
}

// note enters a batch, written at a position, into the indexes.
func (s *logSegment) note(b record.Batch, at, interval int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at == 0 {
		s.offsets.begin()
		s.times.begin()
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

// sync makes the file's bytes durable, and what was saved of its indexes.
func (s *logSegment) sync() error {
	f, err := s.log.acquire()
	if err != nil {
		return fmt.Errorf("open segment %d: %w", s.base, err)
	}
	defer s.log.release()
	if err := f.Sync(); err != nil {
		return fmt.Errorf("sync segment %d: %w", s.base, err)
	}
	for _, name := range s.takeIndexDirty() {
		if err := syncFile(s.fs, name); err != nil {
			return fmt.Errorf("sync index of segment %d: %w", s.base, err)
		}
	}
	return nil
}

// takeIndexDirty returns the index files that have to be synced. The caller syncs them, or
// calls giveIndexDirty.
func (s *logSegment) takeIndexDirty() (names []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.indexDirty && !s.offsets.absent {
		names = append(names, s.offsets.name)
	}
	if s.indexDirty && !s.times.absent {
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

// open returns the batches of the segment, of which the file is open until s.log.release,
// which must follow.
func (s *logSegment) open() (segment.Body, error) {
	if _, err := s.log.acquire(); err != nil {
		return segment.Body{}, fmt.Errorf("open segment %d: %w", s.base, err)
	}
	return s.body(s.log), nil
}

// body is the batches of the segment as a source has them.
func (s *logSegment) body(from segment.Source) segment.Body {
	return segment.Body{Source: from, Base: s.base, Size: s.size.Load()}
}

// offsetIndex returns the offset index, which is read if need be.
func (s *logSegment) offsetIndex() (segment.OffsetIndex, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.offsets.load()
	return s.offsets.raw, err
}

// timeIndex returns the time index, which is read if need be.
func (s *logSegment) timeIndex() (segment.TimeIndex, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.times.load()
	return s.times.raw, err
}

// latest returns the largest timestamp of the segment, -1 if it has none. That of a
// closed segment is looked up once.
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
	defer s.log.release()
	return body.Latest(ctx, offsets, times)
}

// closeIdle closes files and drops indexes that nobody used since a time.
func (s *logSegment) closeIdle(since time.Time, active bool) {
	s.log.closeIdle(since)
	if !active {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.offsets.drop(since)
		s.times.drop(since)
	}
}

// rewriteSize is how much is rewritten at a time.
const rewriteSize = 1 << 20

// rewrite writes what the file has from a position on to where it is.
func (s *logSegment) rewrite(from int64) error {
	body := s.body(s.log)
	size := body.Size
	if from >= size {
		return nil
	}
	f, err := s.log.acquire()
	if err != nil {
		return fmt.Errorf("open segment %d: %w", s.base, err)
	}
	defer s.log.release()
	buf := make([]byte, min(rewriteSize, size-from))
	for from < size {
		p := buf[:min(int64(len(buf)), size-from)]
		if err := body.ReadFull(context.Background(), p, from); err != nil {
			return err
		}
		if _, err := f.WriteAt(p, from); err != nil {
			return fmt.Errorf("rewrite segment %d at %d: %w", s.base, from, err)
		}
		from += int64(len(p))
	}
	return nil
}
