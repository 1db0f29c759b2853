package commitlog

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/botehq/bote/internal/record"
	"github.com/botehq/bote/internal/storage"
)

// Log is one partition directory.
//
//	segments[0].base <= start <= end; segments ascend and are never empty.
//
// Only the goroutine that has the partition's append turn appends and rolls.
type Log struct {
	store *Store
	part  storage.Partition
	dir   string
	hooks storage.Hooks
	log   *slog.Logger

	// flushing is held by whoever syncs: what one flush found new must be on disk
	// before another announces what lies behind it.
	flushing chan struct{}

	queued atomic.Bool // waits for the flusher
	// sinceSnapshot is the bytes appended since the last snapshot.
	sinceSnapshot atomic.Int64

	// epochsStale says that the file of the leader epochs could not be written.
	epochsStale atomic.Bool

	end atomic.Int64
	// announced is the end that Hooks.Durable was last called with.
	announced atomic.Int64

	mu        sync.RWMutex // guards what follows
	segments  []*segment
	start     int64
	base      int64    // the first segment's, as the disk knows it; at most segments[0].base
	synced    int64    // everything below is on disk; the recovery point
	unsynced  int      // index in segments of the first that has unsynced bytes
	progress  int64    // the end when a checkpoint last saved the indexes
	indexed   int64    // everything below is in index files that are on disk
	sealed    int64    // the end that a clean stop recorded, else 0; only used while the log is loaded
	opened    int64    // the end when the log was opened
	newFiles  bool     // the directory has entries, or index files have bytes, that are not synced
	written   []string // snapshots that are not synced
	snapshots []int64  // ends of those that are there, oldest first
	epochs    []storage.Epoch
	err       error // why the log takes no more batches
	closed    bool
	hints     [4]hint
	nextHint  int
}

// hint remembers where a sequential reader will go on.
type hint struct {
	offset int64
	base   int64
	at     int64
}

func dirName(topic string, partition int32) string { return fmt.Sprintf("%s-%d", topic, partition) }

// Start is the log start offset.
func (l *Log) Start() int64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.start
}

// End is the log end offset.
func (l *Log) End() int64 { return l.end.Load() }

// Size is the bytes in all segments.
func (l *Log) Size() int64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	var n int64
	for _, s := range l.segments {
		n += s.size.Load()
	}
	return n
}

// Dir is the partition directory.
func (l *Log) Dir() string { return l.dir }

// Partition names the log.
func (l *Log) Partition() storage.Partition { return l.part }

func (l *Log) active() *segment { return l.segments[len(l.segments)-1] }

// Append writes a batch to the active segment, rolling it first if need be.
func (l *Log) Append(b record.Batch) error {
	active, epochKnown, err := l.beforeAppend(b)
	if err != nil {
		return err
	}
	set := l.hooks.Settings()
	if int64(len(b)) > set.SegmentBytes {
		return storage.ErrTooLarge
	}
	if !epochKnown {
		if err := l.addEpoch(storage.Epoch{Epoch: b.LeaderEpoch(), Start: b.BaseOffset()}); err != nil {
			return err
		}
	}
	if active.mustRoll(b, set) {
		if active, err = l.roll(b.BaseOffset()); err != nil {
			return err
		}
	}
	at := active.size.Load()
	if damaged, err := active.write(b, &l.store.room, set.SegmentBytes); err != nil {
		if damaged {
			l.fail(err)
		}
		return err
	}
	active.note(b, at, set.IndexInterval)
	l.sinceSnapshot.Add(int64(len(b)))
	l.store.cleaner.appended(int64(len(b)))
	end := b.NextOffset()
	l.end.Store(end)
	l.announceOrQueue(end, set)
	return nil
}

// beforeAppend checks that the log is alive and that the batch belongs at its end.
func (l *Log) beforeAppend(b record.Batch) (active *segment, epochKnown bool, err error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if err := l.aliveLocked(); err != nil {
		return nil, false, err
	}
	if b.BaseOffset() < l.End() {
		return nil, false, fmt.Errorf("append at %d below the end %d of %s", b.BaseOffset(), l.End(), l.dir)
	}
	n := len(l.epochs)
	return l.active(), n > 0 && l.epochs[n-1].Epoch >= b.LeaderEpoch(), nil
}

func (l *Log) aliveLocked() error {
	switch {
	case l.closed:
		return storage.ErrClosed
	case l.err != nil:
		return fmt.Errorf("%w: %w", storage.ErrFailed, l.err)
	}
	return nil
}

// mustRoll reports whether a batch has to go to a new segment.
func (s *segment) mustRoll(b record.Batch, set storage.Settings) bool {
	size := s.size.Load()
	if size == 0 {
		return b.LastOffset()-s.base > maxSpan
	}
	return size > set.SegmentBytes-int64(len(b)) || b.LastOffset()-s.base > maxSpan || s.full(set.IndexBytes) || s.tooOld(b, set)
}

// maxSpan is the largest relative offset that an index can hold.
const maxSpan = 1<<31 - 1

// tooOld compares message times, not clocks: an idle segment is not rolled.
func (s *segment) tooOld(b record.Batch, set storage.Settings) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.jitter < 0 {
		s.jitter = 0
		if set.SegmentJitterMs > 0 {
			s.jitter = rand.Int64N(set.SegmentJitterMs)
		}
	}
	age := time.Since(s.created).Milliseconds()
	if s.firstTime >= 0 && b.MaxTimestamp() >= 0 {
		age = b.MaxTimestamp() - s.firstTime
	}
	return age > set.SegmentMs-s.jitter
}

// roll seals the active segment and opens one at base. The old segment's bytes
// and indexes are synced by the flusher, with the directory entry of the new one.
func (l *Log) roll(base int64) (*segment, error) {
	l.mu.RLock()
	old := l.active()
	l.mu.RUnlock()
	if err := errors.Join(old.seal(), old.giveBack()); err != nil {
		return nil, fmt.Errorf("roll %s: %w", l.dir, err)
	}
	next, err := createSegment(l.store.fs, l.dir, base)
	if err != nil {
		err = fmt.Errorf("roll %s: %w", l.dir, err)
		l.undoRoll(base, err)
		return nil, err
	}
	_ = l.saveSnapshot() // it has been logged
	l.mu.Lock()
	l.segments = append(l.segments, next)
	l.newFiles = true
	l.mu.Unlock()
	l.store.metrics.rolls.Inc()
	if l.store.cfg.Flush != FlushCommit {
		l.store.flusher.add(l) // the old segment reaches the disk in the background
	}
	return next, nil
}

// undoRoll removes what there is of a segment that could not be created: the next
// start would take its name for the end of the one before, which goes on. If that
// fails too, the log does not go on.
func (l *Log) undoRoll(base int64, cause error) {
	s := newSegment(l.store.fs, l.dir, base)
	if err := l.removeSegments([]*segment{s}); err != nil {
		l.fail(errors.Join(cause, err))
	}
	l.mu.Lock()
	l.newFiles = true
	l.mu.Unlock()
}

// announceOrQueue tells the partition that the batch is durable, or has the
// flusher make it so.
func (l *Log) announceOrQueue(end int64, set storage.Settings) {
	if l.store.cfg.Flush == FlushCommit || set.AlwaysSync {
		l.store.flusher.add(l)
		return
	}
	l.announced.Store(end)
	l.hooks.Durable(end)
}

// flush syncs everything appended so far and announces it.
func (l *Log) flush() error {
	p, err := l.beginFlush()
	if err != nil || p.log == nil {
		return err
	}
	return p.sync()
}

// flushPoint is what a flush of a log has to make durable: everything below end.
// Whoever has one holds the log's flushing token and must settle it.
type flushPoint struct {
	log      *Log
	end      int64
	dirty    []*segment
	newFiles bool
	written  []string
	indexed  int64
}

// beginFlush takes the token and notes what is to be synced. The zero flushPoint
// says that there is nothing.
func (l *Log) beginFlush() (flushPoint, error) {
	l.flushing <- struct{}{}
	l.mu.Lock()
	defer l.mu.Unlock()
	p := flushPoint{log: l, end: l.End(), dirty: l.segments[l.unsynced:], newFiles: l.newFiles, written: l.written, indexed: l.progress}
	err := l.aliveLocked()
	if err != nil || p.end == l.synced && !p.newFiles {
		<-l.flushing
		return flushPoint{}, err
	}
	l.newFiles, l.written = false, nil
	return p, nil
}

// sync syncs file by file and settles.
func (p flushPoint) sync() error {
	began := time.Now()
	err := p.syncFiles()
	if err == nil {
		p.log.store.metrics.syncSeconds.Observe(time.Since(began).Seconds())
	}
	p.settle(err)
	return err
}

func (p flushPoint) syncFiles() error {
	for _, s := range p.dirty {
		if err := s.sync(); err != nil && p.log.has(s) {
			return err
		}
	}
	for _, name := range p.written {
		if err := syncFile(p.log.store.fs, filepath.Join(p.log.dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("sync %s: %w", name, err)
		}
	}
	if p.newFiles {
		if err := p.log.store.fs.SyncDir(p.log.dir); err != nil {
			return fmt.Errorf("sync directory %s: %w", p.log.dir, err)
		}
	}
	return nil
}

// has reports whether a segment is still part of the log, and not on its way out.
func (l *Log) has(s *segment) bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return slices.Contains(l.segments, s)
}

// settle gives the token back and announces what was synced, or fails the log.
func (p flushPoint) settle(err error) {
	l := p.log
	defer func() { <-l.flushing }()
	if noFiles(err) {
		p.postpone()
		return
	}
	if err != nil {
		l.fail(err)
		l.discardUnsynced()
		return
	}
	l.mu.Lock()
	l.synced, l.indexed = max(l.synced, p.end), max(l.indexed, p.indexed)
	if i := slices.Index(l.segments, p.dirty[len(p.dirty)-1]); i >= 0 {
		l.unsynced = max(l.unsynced, i)
	}
	l.mu.Unlock()
	if l.announced.Load() < p.end {
		l.announced.Store(p.end)
		l.hooks.Durable(p.end)
	}
}

// noFiles reports whether a sync failed only because no more files can be opened.
// Nothing is lost by that, as it is by a sync that the disk failed.
func noFiles(err error) bool { return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) }

// postponeFor is when a sync is tried again that found no file to open.
const postponeFor = 100 * time.Millisecond

// postpone leaves everything to a later round. It is announced then.
func (p flushPoint) postpone() {
	l := p.log
	for _, s := range p.dirty {
		s.giveIndexDirty()
	}
	l.mu.Lock()
	l.newFiles = l.newFiles || p.newFiles
	l.written = append(p.written, l.written...)
	l.mu.Unlock()
	time.AfterFunc(postponeFor, func() { l.store.flusher.add(l) }) // by then the store may be closed, which syncs too
}

// discardUnsynced cuts off what an fsync failed to write and nobody was told of.
// The kernel may count it as written: a process that starts before the machine
// does would find it whole, and its own fsync would prove nothing.
func (l *Log) discardUnsynced() {
	l.mu.RLock()
	segments := slices.Clone(l.segments[l.unsynced:])
	l.mu.RUnlock()
	announced := l.announced.Load()
	for i, s := range segments {
		size := int64(0)
		var err error
		switch {
		case i+1 < len(segments) && segments[i+1].base <= announced:
			continue
		case s.base < announced:
			size, err = s.seek(announced, -1)
		}
		if err == nil {
			s.size.Store(size)
			err = l.cut(s, size)
		}
		if err != nil {
			l.log.Warn("unsynced batches not cut off", slog.Int64("segment", s.base), slog.Any("err", err))
		}
	}
}

// fail ends the log's writing life. What the kernel could not write may be gone
// from its cache, so trying again would prove nothing.
func (l *Log) fail(err error) {
	l.mu.Lock()
	first := l.err == nil && !l.closed
	if first {
		l.err = err
	}
	l.mu.Unlock()
	if first {
		l.store.metrics.failedLogs.Inc()
		l.log.Error("log failed; it takes no more batches until the broker is restarted", slog.Any("err", err))
		l.hooks.Failed(fmt.Errorf("%w: %w", storage.ErrFailed, err))
	}
}

// Close saves the indexes and a snapshot, syncs, and ends the log.
func (l *Log) Close() error {
	err := l.prepareClose()
	if errors.Is(err, storage.ErrClosed) {
		return nil
	}
	if err == nil {
		err = l.flush()
	}
	l.retire()
	return err
}

// prepareClose writes what a clean start wants to find. What the last snapshot of
// an earlier life said stays until this one's is there.
func (l *Log) prepareClose() error {
	l.mu.RLock()
	err, active, clean := l.aliveLocked(), l.active(), l.end.Load() == l.opened
	l.mu.RUnlock()
	if err == nil && l.epochsStale.Load() {
		err = l.writeEpochs(l.Epochs()) // the next start compares them with the log start
	}
	if err != nil || clean {
		return err
	}
	if err := errors.Join(active.seal(), active.giveBack()); err != nil {
		return err
	}
	l.mu.Lock()
	l.newFiles, l.progress = true, l.End()
	l.mu.Unlock()
	return l.saveSnapshot()
}

// retire marks the log closed and lets go of its files.
func (l *Log) retire() {
	l.mu.Lock()
	l.closed = true
	segments := l.segments
	l.mu.Unlock()
	for _, s := range segments {
		s.log.retire()
	}
	l.store.forget(l)
}

// closeIdle gives back what an idle log does not need.
func (l *Log) closeIdle(since time.Time) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	for i, s := range l.segments {
		s.closeIdle(since, i == len(l.segments)-1)
	}
}
