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

// A failed log is opened again in these steps, each only after the one before has
// succeeded:
//
//  1. mend: batches above announcedTo are cut off; those that were announced without a
//     sync are written again; all of it is synced.
//  2. load, as after a crash: checksums prove everything above the recovery point, and the
//     indexes above it are rebuilt.
//  3. Settle: what load changed is synced, and the new log takes the place of the old.
//
// A step that fails leaves the old log in place. The next attempt begins with the first
// step that has not succeeded yet.

// reopened is a log that failed and the one that takes its place.
type reopened struct{ old, now *Log }

// ReopenLog opens a failed log again. The old log goes on answering reads until Settle has
// put the new one in its place. The caller makes sure that the partition is not deleted
// meanwhile.
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
	l.dirToken = old.dirToken // it is the same directory
	rec, err := l.load(ctx, false, point, start)
	if err != nil {
		return nil, rec, err
	}
	l.closeIdle(time.Now().Add(time.Hour)) // the first append or read opens what it needs
	o.mu.Lock()
	defer o.mu.Unlock()
	o.reopened = append(o.reopened, reopened{old, l})
	return l, rec, nil
}

// settleReopened makes durable what ReopenLog changed, and puts the new logs in the place
// of those that failed.
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
		delete(s.toRecover, name) // an earlier attempt may have been given up
	}
	s.mu.Unlock()
	for _, r := range o.reopened {
		r.old.retire()
	}
	o.reopened = nil
	return nil
}

// Abandon gives up the logs that ReopenLog opened and Settle has not put in place. Logs
// that OpenLog opened remain the store's; the caller deletes them.
func (o *Opening) Abandon() {
	for _, r := range o.reopened {
		r.now.retire()
	}
	o.reopened = nil
}

// Mend does the first step of opening the log again, unless that is done: it shows whether
// the disk works again. It does nothing to a log that has not failed.
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

// mendOnce mends the log unless that is done.
func (l *Log) mendOnce(ctx context.Context) error {
	if err := l.flushing.TakeContext(ctx); err != nil { // a flush under way may still announce something
		return err //nolint:wrapcheck // it is the context's
	}
	defer l.flushing.Give()
	l.mu.RLock()
	mended := l.mendedSinceFailure
	l.mu.RUnlock()
	if mended {
		return nil
	}
	var err error
	l.inTurn(func() { err = l.mend() })
	return err
}

// mend makes the files of a failed log, on the disk, agree with what was announced.
//
// After a failed sync the kernel counts pages as written that it could not write. A
// process that finds them in its cache and syncs would write nothing, and its sync would
// succeed. So mend cuts off what lies above announcedTo, writes the rest above syncedTo
// again, and syncs it. If that sync fails too, mend writes the rest once more: if the
// process is restarted before the machine is, the new process must find these pages
// dirty, so that its own sync writes them.
//
// The caller holds Log.flushing and the append turn: an append that was under way when the
// log failed may still have announced its batch.
func (l *Log) mend() error {
	// What could not be cut off is written again too: do the second even if the first fails.
	if err := errors.Join(l.cutUnannounced(), l.rewriteUnsynced()); err != nil {
		return err
	}
	l.mu.RLock()
	segments := slices.Clone(l.segments[l.disk.firstUnsynced:])
	l.mu.RUnlock()
	for _, s := range segments {
		if err := syncFile(l.store.fs, s.file.path()); err != nil {
			return errors.Join(fmt.Errorf("sync segment %d: %w", s.base, err), l.rewriteUnsynced())
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mendedSinceFailure = true
	return nil
}

// cutUnannounced cuts off what was appended above announcedTo, and syncs the cut.
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

// rewriteUnsynced writes again, in place, everything in the segments from the page of
// syncedTo on. That is what was announced but not synced, which may be much where batches
// do not wait for syncs, and what could not be cut off: the next process must find that
// dirty too. It begins with the whole page, because the failed sync may have been about
// to write that page.
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

// pageSize is the smallest page in which kernels cache and write files. Writing one byte
// again makes the kernel write its whole page.
const pageSize = 4096

// dropUnsyncedSnapshots removes snapshots at or above syncedTo, which may not be on the
// disk. Those below it are: the flush that moved syncedTo past them synced them as well.
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
