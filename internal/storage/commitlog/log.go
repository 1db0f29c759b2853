package commitlog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/botehq/bote/internal/record"
	"github.com/botehq/bote/internal/storage"
	"github.com/botehq/bote/internal/storage/segment"
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

	// inside is held by whoever changes files of the directory by their names, from
	// seeing that the log is alive on: a log that was deleted may have a namesake.
	// Appends do not take it, since Delete ends a log in their turn.
	inside chan struct{}

	queued atomic.Bool // waits for the flusher
	// failuresSeen is how often syncing the volume had failed before a flush last synced the
	// log's own files, or before the log was made; neverSeen if it was found in files that
	// another process may have left unsynced.
	failuresSeen atomic.Int64
	// sinceSnapshot is the bytes appended since the last snapshot.
	sinceSnapshot atomic.Int64

	// changingEpochs is held by whoever changes the leader epochs, until the file has
	// them: it must not go back to older ones.
	changingEpochs chan struct{}
	// epochsStale says that the file of the leader epochs could not be written.
	epochsStale atomic.Bool

	end atomic.Int64
	// announcedTo is the end that Hooks.Durable was last called with.
	announcedTo atomic.Int64

	mu        sync.RWMutex // guards what follows
	segments  []*logSegment
	start     int64
	disk      diskState
	atOpen    foundAtOpen
	snapshots []int64 // the offsets of the snapshot files, ascending
	epochs    []storage.Epoch
	err       error // why the log takes no more batches
	mended    bool  // mend has succeeded since the log failed
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

// takeDir waits until nobody else changes files of the directory. What it returns
// lets the next one. If the log has ended, the directory may be another's by now.
func (l *Log) takeDir() (release func(), alive bool) {
	l.inside <- struct{}{}
	l.mu.RLock()
	defer l.mu.RUnlock()
	return func() { <-l.inside }, l.aliveLocked() == nil
}

// waitForDir is takeDir for whoever may stop waiting.
func (l *Log) waitForDir(ctx context.Context) (release func(), err error) {
	select {
	case l.inside <- struct{}{}:
		return func() { <-l.inside }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
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

func (l *Log) active() *logSegment { return l.segments[len(l.segments)-1] }

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
	if b.MaxTimestamp() < 0 {
		active.written.Store(l.store.cfg.Now().UnixMilli())
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
func (l *Log) beforeAppend(b record.Batch) (active *logSegment, epochKnown bool, err error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if err := l.aliveLocked(); err != nil {
		return nil, false, err
	}
	if b.BaseOffset() < l.End() {
		return nil, false, fmt.Errorf("append at %d below the end %d of %s", b.BaseOffset(), l.End(), l.dir)
	}
	if b.NextOffset() <= b.BaseOffset() {
		return nil, false, fmt.Errorf("append at %d to %s: there are no offsets behind it", b.BaseOffset(), l.dir)
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
func (s *logSegment) mustRoll(b record.Batch, set storage.Settings) bool {
	size := s.size.Load()
	if size == 0 {
		return b.LastOffset()-s.base > segment.MaxSpan
	}
	return size > set.SegmentBytes-int64(len(b)) || b.LastOffset()-s.base > segment.MaxSpan || s.full(set.IndexBytes) || s.tooOld(b, set)
}

// tooOld compares message times, not clocks: an idle segment is not rolled. The jitter
// stays below segment.ms, as in LogConfig of Kafka.
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

// roll seals the active segment and opens one at base. The old segment's bytes
// and indexes are synced by the flusher, with the directory entry of the new one.
func (l *Log) roll(base int64) (*logSegment, error) {
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
	l.disk.unsyncedNames = true
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
	if err := l.removeSegments([]*logSegment{s}); err != nil {
		l.fail(errors.Join(cause, err))
	}
	l.mu.Lock()
	l.disk.unsyncedNames = true
	l.mu.Unlock()
}

// announceOrQueue tells the partition that the batch is durable, or has the
// flusher make it so.
func (l *Log) announceOrQueue(end int64, set storage.Settings) {
	if l.store.cfg.Flush == FlushCommit || set.AlwaysSync {
		l.store.flusher.add(l)
		return
	}
	l.announce(end)
}

// announce tells the partition that everything below end is durable, unless it has
// been told of more. Where batches do not wait for syncs, an append and a flush may
// announce at the same time, and announced must not go back: after a failed sync what
// lies above it is cut off.
func (l *Log) announce(end int64) {
	for {
		told := l.announcedTo.Load()
		if told >= end {
			return
		}
		if l.announcedTo.CompareAndSwap(told, end) {
			l.hooks.Durable(end)
			return
		}
	}
}

// fail ends the log's writing life. What the kernel could not write may be gone
// from its cache, so trying again would prove nothing. Opening it anew does: see
// [Opening.ReopenLog].
func (l *Log) fail(err error) {
	l.mu.Lock()
	first := l.err == nil && !l.closed
	if first {
		l.err = err
	}
	l.mu.Unlock()
	if first {
		l.store.metrics.failedLogs.Inc()
		l.hooks.Failed(fmt.Errorf("%w: %w", storage.ErrFailed, err))
	}
}

// Close saves the indexes and a snapshot, syncs, and ends the log. One that was never
// open is only given up: the next start has to recover it.
func (l *Log) Close() error {
	if l.halfOpen() {
		l.store.giveUp(l)
		return nil
	}
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
	err, active, clean := l.aliveLocked(), l.active(), l.end.Load() == l.atOpen.end
	l.mu.RUnlock()
	if err == nil && l.epochsStale.Load() {
		err = l.trimEpochs() // the next start compares them with the log start
	}
	if err != nil || clean {
		return err
	}
	l.inTurn(func() { // an append may be under way
		if err = errors.Join(active.seal(), active.giveBack()); err != nil {
			return
		}
		l.mu.Lock()
		l.disk.unsyncedNames, l.disk.indexesSavedTo = true, l.End()
		l.mu.Unlock()
		err = l.saveSnapshot()
	})
	return err
}

// retire marks the log closed and lets go of its files.
func (l *Log) retire() {
	l.mu.Lock()
	if l.err != nil && !l.closed {
		l.store.metrics.failedLogs.Dec()
	}
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
