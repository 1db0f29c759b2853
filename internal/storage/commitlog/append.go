package commitlog

import (
	"errors"
	"fmt"

	"github.com/botehq/bote/internal/record"
	"github.com/botehq/bote/internal/storage"
)

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

// roll seals the active segment and creates the next one at base. The flusher syncs
// the old segment's batches and indexes, and the new one's directory entry.
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
	l.disk.unsyncedNamesOrIndexes = true
	l.mu.Unlock()
	l.store.metrics.rolls.Inc()
	if l.store.cfg.Flush != FlushCommit {
		l.store.flusher.add(l) // sync the old segment in the background
	}
	return next, nil
}

// undoRoll removes the files of a segment that could not be created. The old segment
// grows on past base, and the next start would take the new segment's name for the
// end of the old one. If the removal fails too, the log fails.
func (l *Log) undoRoll(base int64, cause error) {
	if err := newSegment(l.store.fs, l.dir, base).remove(); err != nil {
		l.fail(errors.Join(cause, err))
	}
	l.mu.Lock()
	l.disk.unsyncedNamesOrIndexes = true
	l.mu.Unlock()
}

// announceOrQueue announces the batch as durable, or queues the log for the flusher,
// which syncs first.
func (l *Log) announceOrQueue(end int64, set storage.Settings) {
	if l.store.cfg.Flush == FlushCommit || set.AlwaysSync {
		l.store.flusher.add(l)
		return
	}
	l.announce(end)
}

// announce tells the partition that everything below end is durable, unless
// announcedTo is already there. In [FlushInterval] and [FlushOS] an append and a
// flush may announce at the same time. announcedTo must not go back: after a failed
// sync everything above it is cut off.
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
