package commitlog

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/botehq/bote/internal/storage"
)

// A log that failed is opened again in this order, each step only when the one
// before has succeeded:
//
//  1. mend: batches that nobody was told of are cut off, those that were announced
//     without a sync are written again, and all of it is synced.
//  2. load, as after a crash: everything above the recovery point is proved by its
//     checksums, the indexes above it are made anew.
//  3. Settle: what load changed is synced, and the new log takes the place of the old.
//
// A step that fails leaves the old log in place. The next attempt begins with the
// first step that has not succeeded yet.

// reopened is a log that failed and the one that takes its place.
type reopened struct{ old, now *Log }

// ReopenLog opens a log anew that failed. The old one goes on answering reads until
// Settle has put the new one in its place. The caller sees to it that the partition
// is not deleted meanwhile.
func (o *Opening) ReopenLog(ctx context.Context, old *Log, hooks storage.Hooks) (*Log, storage.Recovered, error) {
	release, _ := old.takeDir()
	defer release()
	old.mu.RLock()
	closed, failed := old.closed, old.err != nil
	old.mu.RUnlock()
	if closed || !failed {
		return nil, storage.Recovered{}, fmt.Errorf("open %s again: %w", old.dir, storage.ErrClosed)
	}
	if err := old.mendOnce(ctx); err != nil {
		return nil, storage.Recovered{}, fmt.Errorf("mend %s: %w", old.dir, err)
	}
	if err := old.dropUnsyncedSnapshots(); err != nil {
		return nil, storage.Recovered{}, err
	}
	old.mu.RLock()
	point, start := old.disk.recoveryPoint(), old.start
	old.mu.RUnlock()
	l := o.s.newLog(old.part, hooks)
	l.inside = old.inside // it is the same directory
	rec, err := l.load(ctx, false, point, start)
	if err != nil {
		return nil, rec, err
	}
	l.closeIdle(time.Now().Add(time.Hour)) // whoever appends or reads opens what it needs
	o.mu.Lock()
	defer o.mu.Unlock()
	o.reopened = append(o.reopened, reopened{old, l})
	return l, rec, nil
}

// settleReopened makes durable what was changed while logs were opened again, and
// puts them in the place of those that failed.
func (o *Opening) settleReopened() error {
	for _, r := range o.reopened {
		if err := r.now.flush(); err != nil {
			return fmt.Errorf("sync %s: %w", r.now.dir, err)
		}
	}
	s := o.s
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return storage.ErrClosed
	}
	for _, r := range o.reopened {
		name := dirName(r.now.part.Topic, r.now.part.Index)
		s.logs[name] = r.now
		delete(s.unseen, name) // an attempt before this one may have been given up
	}
	s.mu.Unlock()
	for _, r := range o.reopened {
		r.old.retire()
	}
	o.reopened = nil
	return nil
}

// Abandon gives up what ReopenLog opened and Settle has not put in place. What OpenLog
// opened remains the store's, for the caller to delete.
func (o *Opening) Abandon() {
	for _, r := range o.reopened {
		r.now.retire()
	}
	o.reopened = nil
}

// Mend does what opening the log again begins with, unless that has been done: it
// shows whether the disk answers again. It does nothing to a log that has not failed.
func (l *Log) Mend(ctx context.Context) error {
	release, _ := l.takeDir()
	defer release()
	l.mu.RLock()
	sound := l.err == nil || l.closed
	l.mu.RUnlock()
	if sound {
		return nil
	}
	return l.mendOnce(ctx)
}

// mendOnce mends the log unless that has been done.
func (l *Log) mendOnce(ctx context.Context) error {
	if err := l.flushing.TakeContext(ctx); err != nil { // a flush that is under way may still announce something
		return err //nolint:wrapcheck // it is the context's
	}
	defer l.flushing.Give()
	l.mu.RLock()
	mended := l.mended
	l.mu.RUnlock()
	if mended {
		return nil
	}
	var err error
	l.inTurn(func() { err = l.mend() })
	return err
}

// mend makes the files of a log that failed agree with what was announced, on the disk.
// After a failed sync the kernel counts as written what it could not write: whoever
// finds that in its cache would sync nothing, and believe it. So what nobody was told
// of is cut off, and the rest is written anew and synced. If that sync fails too, it is
// written once more: a process that is started before the machine is must find it
// unsynced. Whoever calls mend has the flushing token and the append turn: an append
// that was under way when the log failed may still have announced its batch.
func (l *Log) mend() error {
	// What could not be cut off has to be written again, so neither waits for the other.
	if err := errors.Join(l.cutUnannounced(), l.rewriteUnsynced()); err != nil {
		return err
	}
	l.mu.RLock()
	segments := slices.Clone(l.segments[l.disk.firstUnsynced:])
	l.mu.RUnlock()
	for _, s := range segments {
		if err := syncFile(l.store.fs, s.log.path()); err != nil {
			return errors.Join(fmt.Errorf("sync segment %d: %w", s.base, err), l.rewriteUnsynced())
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mended = true
	return nil
}

// cutUnannounced cuts off what was appended and not announced. cut syncs, too.
func (l *Log) cutUnannounced() error {
	l.mu.RLock()
	segments := slices.Clone(l.segments[l.disk.firstUnsynced:])
	l.mu.RUnlock()
	announced := l.announcedTo.Load()
	var errs []error
	for i, s := range segments {
		size := int64(0)
		var err error
		switch {
		case i+1 < len(segments) && segments[i+1].base <= announced:
			continue
		case s.base < announced:
			size, err = s.seek(context.Background(), announced)
		}
		if err == nil {
			err = s.cut(size)
		}
		if err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// rewriteUnsynced writes once more, in place, all that the segments still have from the
// last synced page on: what was announced and not synced, of which there may be much where
// batches do not wait for syncs, and what could not be cut off, which the next process must
// find unsynced too. The sync that failed may have been about to write that page.
func (l *Log) rewriteUnsynced() error {
	l.mu.RLock()
	segments, synced := slices.Clone(l.segments[l.disk.firstUnsynced:]), l.disk.syncedTo
	l.mu.RUnlock()
	for _, s := range segments {
		from := int64(0)
		if s.base < synced {
			at, err := s.seek(context.Background(), synced)
			if err != nil {
				return err
			}
			from = at &^ (pageSize - 1)
		}
		if err := s.rewrite(from); err != nil {
			return err
		}
	}
	return nil
}

// pageSize is at most what the kernel writes at once of a file's cached bytes.
const pageSize = 4096

// dropUnsyncedSnapshots removes snapshots that may not be on the disk. Those below the
// synced end are: the flush that synced what was appended after them had them to sync.
func (l *Log) dropUnsyncedSnapshots() error {
	l.mu.RLock()
	synced := l.disk.syncedTo
	l.mu.RUnlock()
	names, err := l.store.fs.Names(l.dir)
	if err != nil {
		return fmt.Errorf("list %s: %w", l.dir, err)
	}
	for _, name := range names {
		if end, suffix := parseName(name); suffix == snapshotSuffix && end >= synced {
			if err := removeIfThere(l.store.fs, filepath.Join(l.dir, name)); err != nil {
				return err
			}
		}
	}
	return nil
}
