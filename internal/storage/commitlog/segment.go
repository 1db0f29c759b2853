package commitlog

import (
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/botehq/bote/internal/record"
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
	offsets     *index
	times       *index
	unindexed   int64 // bytes appended since the last index entry
	maxTime     int64 // largest timestamp, -1 if none
	maxTimeEnd  int64 // last offset of the batch that has it
	firstTime   int64 // max timestamp of the first batch, -1 if none
	created     time.Time
	jitter      int64
	indexedTime int64 // timestamp of the last time index entry
	timesKnown  bool  // maxTime and maxTimeEnd are valid
	indexDirty  bool  // the index files have bytes that are not synced
}

func newSegment(fs vfs.FS, dir string, base int64) *logSegment {
	log := newHandle(fs, filepath.Join(dir, fileName(base, logSuffix)))
	return &logSegment{
		fs: fs, dir: dir, base: base, log: log,
		offsets: newIndex(fs, log, filepath.Join(dir, fileName(base, indexSuffix)), offsetEntrySize),
		times:   newIndex(fs, log, filepath.Join(dir, fileName(base, timeSuffix)), timeEntrySize),
		maxTime: -1, firstTime: -1, indexedTime: -1, jitter: -1, created: time.Now(),
	}
}

// createSegment makes the files of an empty segment.
func createSegment(fs vfs.FS, dir string, base int64) (*logSegment, error) {
	s := newSegment(fs, dir, base)
	s.offsets.reset()
	s.times.reset()
	s.timesKnown = true
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
	for _, x := range []*index{s.offsets, s.times} {
		wrote, err := x.save()
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
	last := b.LastOffset()
	if ts := b.MaxTimestamp(); ts > s.maxTime {
		s.maxTime, s.maxTimeEnd = ts, last
	}
	if at == 0 {
		s.firstTime = b.MaxTimestamp()
	}
	size, _ := record.Size(b) // b may be a header only
	if s.unindexed > interval {
		s.offsets.addOffset(int32(last-s.base), int32(at))
		s.noteTime()
		s.unindexed = 0
	}
	s.unindexed += int64(size)
	s.size.Store(at + int64(size))
}

// noteTime adds a time index entry if the largest timestamp grew. The caller
// holds mu.
func (s *logSegment) noteTime() {
	if s.maxTime > s.indexedTime {
		s.times.addTime(s.maxTime, int32(s.maxTimeEnd-s.base))
		s.indexedTime = s.maxTime
	}
}

// full reports whether an index has no room for another entry.
func (s *logSegment) full(limit int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return int64(len(s.offsets.raw)) > limit-offsetEntrySize || int64(len(s.times.raw)) > limit-timeEntrySize
}

// seal completes and saves the indexes of a segment that will not grow.
func (s *logSegment) seal() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.noteTime()
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
	if !s.takeIndexDirty() {
		return nil
	}
	for _, x := range []*index{s.offsets, s.times} {
		if err := syncFile(s.fs, x.name); err != nil {
			return fmt.Errorf("sync index of segment %d: %w", s.base, err)
		}
	}
	return nil
}

// takeIndexDirty reports whether the index files have to be synced; whoever asks
// has to see to it.
func (s *logSegment) takeIndexDirty() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	dirty := s.indexDirty
	s.indexDirty = false
	return dirty
}

// giveIndexDirty says that who took it did not see to it.
func (s *logSegment) giveIndexDirty() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.indexDirty = true
}

// positionBefore returns a position at or before the batch that holds an offset.
func (s *logSegment) positionBefore(offset int64) (int64, error) {
	s.mu.Lock()
	if err := s.offsets.load(); err != nil {
		s.mu.Unlock()
		return 0, err
	}
	entries := s.offsets.entriesBefore(offset - s.base)
	s.mu.Unlock()
	return s.provenPosition(entries)
}

// offsetBefore returns an offset before which no record is as late as ts.
func (s *logSegment) offsetBefore(ts int64) (int64, error) {
	s.mu.Lock()
	if err := s.times.load(); err != nil {
		s.mu.Unlock()
		return 0, err
	}
	entries := s.times.timesBefore(ts)
	s.mu.Unlock()
	e, _, err := s.provenTime(entries)
	return s.base + e.relative, err
}

// loadTimes learns the largest timestamp of a closed segment from the last entry
// of its time index, or from the batches if they do not confirm it.
func (s *logSegment) loadTimes() error {
	last, known, err := s.lastTime()
	if err != nil || known {
		return err
	}
	if len(last) > 0 {
		e, ok, err := s.provenTime(last)
		if err == nil && !ok {
			e, err = s.findLargestTime()
		}
		if err != nil {
			return err
		}
		last[0] = e
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(last) > 0 {
		s.maxTime, s.maxTimeEnd, s.indexedTime = last[0].ts, s.base+last[0].relative, last[0].ts
	}
	s.timesKnown = true
	return nil
}

// lastTime returns the last entry of the time index, if there is one and the largest
// timestamp is not known already.
func (s *logSegment) lastTime() (last []hold, known bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.timesKnown {
		return nil, true, nil
	}
	if err := s.times.load(); err != nil {
		return nil, false, err
	}
	if n := s.times.len(); n > 0 {
		ts, relative := s.times.timeAt(n - 1)
		last = append(last, hold{relative: int64(relative), ts: ts})
	}
	return last, false, nil
}

func (s *logSegment) largestTime() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.maxTime
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
	size := s.size.Load()
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
		if err := readFull(f, p, from); err != nil {
			return fmt.Errorf("read segment %d at %d: %w", s.base, from, err)
		}
		if _, err := f.WriteAt(p, from); err != nil {
			return fmt.Errorf("rewrite segment %d at %d: %w", s.base, from, err)
		}
		from += int64(len(p))
	}
	return nil
}

// headers calls visit with each batch header from a position to the end, and
// with the header's position; visit returns false to stop.
func (s *logSegment) headers(from int64, visit func(h record.Batch, at int64) (bool, error)) error {
	f, err := s.log.acquire()
	if err != nil {
		return fmt.Errorf("open segment %d: %w", s.base, err)
	}
	defer s.log.release()
	w := openWindow(f, s.size.Load())
	defer w.close()
	for at := from; at < w.end; {
		h, err := w.at(at, record.HeaderSize)
		if err != nil {
			return fmt.Errorf("read segment %d at %d: %w", s.base, at, err)
		}
		size, err := record.Size(h)
		if err != nil {
			return fmt.Errorf("segment %d at %d: %w", s.base, at, err)
		}
		more, err := visit(h, at)
		if err != nil || !more {
			return err
		}
		at += int64(size)
	}
	return nil
}

// window reads a file forward in small steps with few calls.
type window struct {
	f     vfs.File
	end   int64
	start int64
	buf   []byte
	owned *[]byte
}

const windowSize = 16 << 10

func openWindow(f vfs.File, end int64) window {
	owned := buffers.Get().(*[]byte)
	return window{f: f, end: end, buf: (*owned)[:0], owned: owned}
}

func (w *window) close() {
	*w.owned = w.buf[:0]
	buffers.Put(w.owned)
}

// at returns n bytes at a position, valid until the next call.
func (w *window) at(position int64, n int) ([]byte, error) {
	if position < w.start || position+int64(n) > w.start+int64(len(w.buf)) {
		want := int(min(max(windowSize, int64(n)), w.end-position))
		if want < n {
			return nil, io.ErrUnexpectedEOF
		}
		if cap(w.buf) < want {
			w.buf = make([]byte, want)
		}
		w.buf = w.buf[:want]
		got, err := w.f.ReadAt(w.buf, position)
		if got < n {
			w.buf = w.buf[:0]
			if err == nil || err == io.EOF { //nolint:errorlint // ReadAt's contract
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
		w.buf, w.start = w.buf[:got], position
	}
	i := position - w.start
	return w.buf[i : i+int64(n)], nil
}
