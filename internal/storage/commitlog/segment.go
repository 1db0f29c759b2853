package commitlog

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/botehq/bote/internal/record"
	"github.com/botehq/bote/internal/storage"
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

// logSegment is one file of batches with its indexes. Only the last, the active segment,
// grows.
type logSegment struct {
	fs   vfs.FS
	dir  string
	base int64
	file *handle
	size atomic.Int64 // bytes of whole batches in the file

	// written is when the last batch without a timestamp was appended, in milliseconds; for
	// a segment of an earlier process, the file's modification time. Retention uses it where
	// no batch has a timestamp.
	written atomic.Int64

	reserved int64 // end of the reserved space; owned by the appender

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
	file := newHandle(fs, filepath.Join(dir, fileName(base, logSuffix)))
	return &logSegment{
		fs: fs, dir: dir, base: base, file: file,
		offsets: newIndex[segment.OffsetIndex](fs, file, filepath.Join(dir, fileName(base, indexSuffix))),
		times:   newIndex[segment.TimeIndex](fs, file, filepath.Join(dir, fileName(base, timeSuffix))),
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
		s.file.retire() // nobody else would close it; its files stay
		return nil, fmt.Errorf("create segment %d: %w", base, err)
	}
	return s, nil
}

func (s *logSegment) createFiles() error {
	f, err := s.file.create()
	if err != nil {
		return err
	}
	defer s.file.release()
	if err := f.Truncate(0); err != nil {
		return err
	}
	return s.saveIndexes()
}

// write puts a batch at the end of the file. If that fails, it cuts the file back;
// damaged reports that this failed too.
func (s *logSegment) write(b record.Batch, room *room, limit int64) (damaged bool, err error) {
	f, err := s.file.acquire()
	if err != nil {
		return false, fmt.Errorf("open segment %d: %w", s.base, err)
	}
	defer s.file.release()
	at := s.size.Load()
	if room.ok() && !s.reserve(f, at, at+int64(len(b)), limit) {
		room.reserveFailed()
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

// sync makes the batches in the file durable, and the index entries that were saved.
func (s *logSegment) sync() error {
	f, err := s.file.acquire()
	if err != nil {
		return fmt.Errorf("open segment %d: %w", s.base, err)
	}
	defer s.file.release()
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

// open opens the segment's file and returns its batches. The caller must call
// s.file.release when it has read them.
func (s *logSegment) open() (segment.Body, error) {
	if _, err := s.file.acquire(); err != nil {
		return segment.Body{}, fmt.Errorf("open segment %d: %w", s.base, err)
	}
	return s.body(s.file), nil
}

// body is the batches of the segment, read from a source.
func (s *logSegment) body(from segment.Source) segment.Body {
	return segment.Body{Source: from, Base: s.base, Size: s.size.Load()}
}

// closeIdle closes the file and drops the indexes if nobody has used them since a time.
func (s *logSegment) closeIdle(since time.Time, active bool) {
	s.file.closeIdle(since)
	if !active {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.offsets.drop(since)
		s.times.drop(since)
	}
}

// rewriteSize is how many bytes rewrite writes at a time.
const rewriteSize = 1 << 20

// rewrite writes the bytes from a position on again, in place. The kernel then counts
// them as not written yet, and the next sync writes them.
func (s *logSegment) rewrite(from int64) error {
	body := s.body(s.file)
	size := body.Size
	if from >= size {
		return nil
	}
	f, err := s.file.acquire()
	if err != nil {
		return fmt.Errorf("open segment %d: %w", s.base, err)
	}
	defer s.file.release()
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

// mustRoll reports whether a batch has to go to a new segment.
func (s *logSegment) mustRoll(b record.Batch, set storage.Settings) bool {
	size := s.size.Load()
	if size == 0 {
		return b.LastOffset()-s.base > segment.MaxSpan
	}
	return size > set.SegmentBytes-int64(len(b)) || b.LastOffset()-s.base > segment.MaxSpan || s.full(set.IndexBytes) || s.tooOld(b, set)
}

// tooOld reports whether the segment's age has passed segment.ms, less a random jitter.
// The age is the time between the timestamps of the first batch and of b. If one of them
// has none, it is the time since the segment was created. Only an append rolls, so an
// idle segment is not rolled. The jitter stays below segment.ms, as in Kafka's LogConfig.
func (s *logSegment) tooOld(b record.Batch, set storage.Settings) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.jitter < 0 {
		s.jitter = 0
		if most := min(set.SegmentJitterMs, set.SegmentMs); most > 0 {
			s.jitter = rand.Int64N(most)
		}
	}
	age, first := time.Since(s.created).Milliseconds(), s.indexer.FirstTime()
	if first >= 0 && b.MaxTimestamp() >= 0 {
		age = b.MaxTimestamp() - first
	}
	return age > set.SegmentMs-s.jitter
}

func (s *logSegment) cut(size int64) error {
	f, err := s.file.acquire()
	if err != nil {
		return fmt.Errorf("open segment %d: %w", s.base, err)
	}
	defer s.file.release()
	if err := f.Truncate(size); err != nil {
		return fmt.Errorf("cut segment %d: %w", s.base, err)
	}
	s.size.Store(size) // not earlier: as long as the bytes are in the file, they count as written
	if err := f.Sync(); err != nil {
		return fmt.Errorf("sync segment %d: %w", s.base, err)
	}
	return nil
}
