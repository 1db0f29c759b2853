package commitlog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/botehq/bote/internal/storage/vfs"
)

// flush syncs everything appended so far and announces it.
func (l *Log) flush() error {
	p, err := l.beginFlush()
	if err != nil || p.log == nil {
		return err
	}
	return p.sync()
}

// flushPoint is what a flush of a log has to make durable: everything below end.
// The goroutine that has it holds Log.flushing and must call settle.
type flushPoint struct {
	log                    *Log
	end                    int64
	segments               []*logSegment // from diskState.firstUnsynced on; the active one, even if it has no unsynced bytes
	unsyncedNamesOrIndexes bool
	unsyncedFiles          []unsyncedFile
	indexesSavedTo         int64
	failures               int64 // volume.failures when the flush began
}

// beginFlush takes Log.flushing and notes what is to be synced. If there is
// nothing, it gives the token back and returns the zero flushPoint.
func (l *Log) beginFlush() (flushPoint, error) {
	l.flushing.Take()
	l.mu.Lock()
	defer l.mu.Unlock()
	d := &l.disk
	p := flushPoint{
		log: l, end: l.End(), segments: l.segments[d.firstUnsynced:], indexesSavedTo: d.indexesSavedTo,
		unsyncedNamesOrIndexes: d.unsyncedNamesOrIndexes, unsyncedFiles: d.unsyncedFiles,
		failures: l.store.volume.failures.Load(),
	}
	err := l.aliveLocked()
	if err != nil || p.end == d.syncedTo && !p.unsyncedNamesOrIndexes {
		l.flushing.Give()
		return flushPoint{}, err
	}
	d.unsyncedNamesOrIndexes, d.unsyncedFiles = false, nil
	return p, nil
}

// sync syncs file by file, then settles.
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
	for _, s := range p.segments {
		if err := s.sync(); err != nil && p.log.has(s) {
			return err
		}
	}
	for _, f := range p.unsyncedFiles {
		if err := syncFile(p.log.store.fs, filepath.Join(p.log.dir, f.name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("sync %s: %w", f.name, err)
		}
	}
	if p.unsyncedNamesOrIndexes {
		if err := p.log.store.fs.SyncDir(p.log.dir); err != nil {
			return fmt.Errorf("sync directory %s: %w", p.log.dir, err)
		}
	}
	p.log.failuresSeen.Store(p.failures) // not the current count, so that a failure in between makes the next round sync files too
	return nil
}

// has reports whether a segment is still in the log, and not removed by retention.
func (l *Log) has(s *logSegment) bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return slices.Contains(l.segments, s)
}

// settle announces what was synced. If the sync failed, it fails the log instead
// and cuts off or rewrites what may be lost; if no file could be opened, it
// postpones. It gives Log.flushing back.
func (p flushPoint) settle(err error) {
	l := p.log
	defer l.flushing.Give()
	if noFiles(err) {
		p.postpone()
		return
	}
	if err != nil {
		l.fail(err)
		l.inTurn(func() {
			if err := errors.Join(l.cutUnannounced(), l.rewriteUnsynced()); err != nil {
				l.log.Debug("what was not synced could not be cut off or written again yet", slog.Any("err", err))
			}
		})
		return
	}
	l.mu.Lock()
	d := &l.disk
	d.syncedTo, d.indexesSyncedTo = max(d.syncedTo, p.end), max(d.indexesSyncedTo, p.indexesSavedTo)
	if i := slices.Index(l.segments, p.segments[len(p.segments)-1]); i >= 0 { // the last of them may grow
		d.firstUnsynced = max(d.firstUnsynced, i)
	}
	l.mu.Unlock()
	l.announce(p.end)
}

// noFiles reports whether a sync failed only because no more files can be opened.
// Then nothing is lost, unlike after an error of the disk.
func noFiles(err error) bool { return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) }

// postponeFor is the wait before a sync is tried again for which no file could be
// opened.
const postponeFor = 100 * time.Millisecond

// postpone leaves the sync, and so the announcement, to a later round.
func (p flushPoint) postpone() {
	l := p.log
	for _, s := range p.segments {
		s.giveIndexDirty()
	}
	l.mu.Lock()
	d := &l.disk
	d.unsyncedNamesOrIndexes = d.unsyncedNamesOrIndexes || p.unsyncedNamesOrIndexes
	d.unsyncedFiles = append(p.unsyncedFiles, d.unsyncedFiles...)
	l.mu.Unlock()
	time.AfterFunc(postponeFor, func() { l.store.flusher.add(l) }) // if the store is closed by then, Close has synced
}

// inTurn runs f in the partition's append turn. An append that was under way when
// the log failed may still announce its batch, which must then not be cut off: f
// waits for it.
func (l *Log) inTurn(f func()) {
	if l.hooks.Turn == nil {
		f()
		return
	}
	_ = l.hooks.Turn(func() error { // Turn returns the error of its function; f has none
		f()
		return nil
	})
}

// Sync makes everything appended so far durable.
func (l *Log) Sync(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return l.flush()
}

// syncFile makes the content of a file durable.
func syncFile(fs vfs.FS, name string) error {
	f, err := fs.OpenFile(name, os.O_RDWR)
	if err != nil {
		return err
	}
	err = f.Sync()
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}
