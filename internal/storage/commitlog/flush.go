package commitlog

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"syscall"
	"time"
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
		l.inTurn(func() {
			l.discardUnsynced()
			l.rewriteAnnounced()
		})
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

// inTurn runs f while nothing is appended. An append that was under way when the
// log failed may still announce its batch, which must then not be cut off.
func (l *Log) inTurn(f func()) {
	if l.hooks.Turn == nil {
		f()
		return
	}
	_ = l.hooks.Turn(func() error { // which returns what f does
		f()
		return nil
	})
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
			size, err = s.seek(announced)
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

// rewriteAnnounced writes once more, in place, what was announced and not synced: where
// batches do not wait for syncs there may be much. After a failed fsync the kernel counts
// it as written, so a process that finds it would sync nothing and move its recovery
// point past it; written anew it is something to be synced again, or to fail again.
func (l *Log) rewriteAnnounced() {
	l.mu.RLock()
	segments, synced := slices.Clone(l.segments[l.unsynced:]), l.synced
	l.mu.RUnlock()
	for _, s := range segments {
		from := int64(0)
		var err error
		if s.base < synced {
			from, err = s.seek(synced)
		}
		if err == nil {
			err = s.rewrite(from)
		}
		if err != nil {
			l.log.Warn("batches that were not synced could not be written again; a power cut may leave a hole", slog.Int64("segment", s.base), slog.Any("err", err))
			return
		}
	}
}
