package commitlog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/botehq/bote/internal/storage"
	"github.com/botehq/bote/internal/token"
)

// Log is one partition directory.
//
//	segments[0].base <= start <= end; segments ascend and are never empty.
//
// Only the goroutine that holds the partition's append turn appends and rolls.
type Log struct {
	store *Store
	part  storage.Partition
	dir   string
	hooks storage.Hooks
	log   *slog.Logger

	// flushing is held during a flush: the batches that one flush has begun to sync must be
	// on the disk before another flush announces a higher end.
	flushing token.Token

	// dirToken is held by a goroutine that changes files of the directory by name. It takes
	// the token first and then checks that the log is alive: a new log of the same name may
	// own the directory of a deleted one. Appends do not take it, since Delete ends the
	// log in its append turn.
	dirToken token.Token

	queued atomic.Bool // waits for a round of the flusher
	// failuresSeen is volume.failures as it was before a flush last synced the log's own
	// files, or before the log was created. It is neverSeen if another process may have
	// left the log's files unsynced.
	failuresSeen atomic.Int64
	// sinceSnapshot counts the bytes appended since the last snapshot.
	sinceSnapshot atomic.Int64

	// changingEpochs is held by a goroutine that changes the leader epochs, until the
	// file has them too: an older write of the file must not replace a newer one.
	changingEpochs token.Token
	// epochsStale says that the last write of the leader epoch file failed.
	epochsStale atomic.Bool

	end atomic.Int64
	// announcedTo is the end that Hooks.Durable was last called with.
	announcedTo atomic.Int64

	mu                 sync.RWMutex // guards what follows
	segments           []*logSegment
	start              int64
	disk               diskState
	atOpen             foundAtOpen
	snapshots          []int64 // the offsets of the snapshot files, ascending
	epochs             []storage.Epoch
	err                error // why the log takes no more batches; nil while it does
	mendedSinceFailure bool  // mend has succeeded since the log failed
	closed             bool
	hints              [4]hint
	nextHint           int
}

// takeDir takes the token Log.dirToken and returns the function that gives it back.
// alive is false if the log has ended: the directory may then belong to another log.
func (l *Log) takeDir() (release func(), alive bool) {
	l.dirToken.Take()
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.dirToken.Give, l.aliveLocked() == nil
}

// waitForDir is takeDir for a caller that may stop waiting. It does not look whether
// the log is alive.
func (l *Log) waitForDir(ctx context.Context) (release func(), err error) {
	if err := l.dirToken.TakeContext(ctx); err != nil {
		return nil, err //nolint:wrapcheck // it is the context's
	}
	return l.dirToken.Give, nil
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

func (l *Log) aliveLocked() error {
	switch {
	case l.closed:
		return storage.ErrClosed
	case l.err != nil:
		return fmt.Errorf("%w: %w", storage.ErrFailed, l.err)
	}
	return nil
}

// fail makes the log take no more batches. The kernel may have dropped from its cache
// what it could not write, so a second sync that succeeds would prove nothing.
// Opening the log again does prove what is there: see [Opening.ReopenLog].
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

// Close ends the log. If anything was appended, or the last process did not stop
// cleanly, it first saves the indexes and a snapshot. Then it syncs what is not synced
// yet. A log that was never completely opened is only given up: the next start has to
// recover it.
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

// prepareClose writes what a start after a clean stop expects. The snapshot of an
// earlier process stays until the new one is written.
func (l *Log) prepareClose() error {
	l.mu.RLock()
	err, active, clean := l.aliveLocked(), l.active(), l.end.Load() == l.atOpen.cleanEnd
	l.mu.RUnlock()
	if err == nil && l.epochsStale.Load() {
		err = l.trimEpochs() // the next start compares the file with the log start
	}
	if err != nil || clean {
		return err
	}
	l.inTurn(func() { // an append may be under way
		if err = errors.Join(active.seal(), active.giveBack()); err != nil {
			return
		}
		l.mu.Lock()
		l.disk.unsyncedNamesOrIndexes, l.disk.indexesSavedTo = true, l.End()
		l.mu.Unlock()
		err = l.saveSnapshot()
	})
	return err
}

// retire marks the log closed and releases its files.
func (l *Log) retire() {
	l.mu.Lock()
	if l.err != nil && !l.closed {
		l.store.metrics.failedLogs.Dec()
	}
	l.closed = true
	segments := l.segments
	l.mu.Unlock()
	for _, s := range segments {
		s.file.retire()
	}
	l.store.removeFromMap(l)
}

// closeIdle closes the files and drops the indexes that nobody has used since a time.
func (l *Log) closeIdle(since time.Time) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	for i, s := range l.segments {
		s.closeIdle(since, i == len(l.segments)-1)
	}
}
