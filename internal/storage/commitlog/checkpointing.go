package commitlog

import (
	"errors"
	"fmt"
	"maps"
)

// Checkpoint shortens the next start after a crash. It saves the indexes and, for logs
// that have grown much since the last one, a snapshot of the partition's state. It
// syncs everything appended so far and moves the recovery points there.
func (s *Store) Checkpoint() error {
	s.appended.Store(0)
	s.updateRoom()
	var dirty []*Log
	var errs []error
	for _, l := range s.openLogs() {
		saved, err := l.saveProgress()
		if err != nil {
			errs = append(errs, fmt.Errorf("checkpoint of %s: %w", l.dir, err))
		}
		if saved {
			dirty = append(dirty, l)
		}
	}
	errs = append(errs, s.flushInBackground(dirty), s.WriteCheckpoints())
	for _, l := range dirty {
		l.dropSnapshots()
	}
	return errors.Join(errs...)
}

// flushInBackground syncs logs. Where appends do not wait for syncs there may be much
// to write. It then syncs one log at a time, and in no round, so that nobody else
// waits for it.
func (s *Store) flushInBackground(logs []*Log) error {
	if s.cfg.Flush == FlushCommit {
		return s.flusher.flushNow(logs)
	}
	var errs []error
	for _, l := range logs {
		errs = append(errs, l.flush())
	}
	return errors.Join(errs...)
}

// saveProgress writes the entries that the index files do not have, and a snapshot if
// much was appended since the last one. It reports whether the log has anything to be
// synced.
func (l *Log) saveProgress() (dirty bool, err error) {
	release, alive := l.takeDir()
	defer release()
	l.mu.RLock()
	end := l.End()
	active, dirty := l.active(), end != l.disk.indexesSavedTo
	l.mu.RUnlock()
	if !alive { // the directory may belong to a new log of the name
		return false, nil
	}
	if !dirty {
		return false, l.giveBackIdle(active)
	}
	if err := active.saveProgress(); err != nil {
		return false, err
	}
	if l.sinceSnapshot.Load() >= snapshotAfter && l.hooks.Turn != nil {
		err = l.hooks.Turn(func() error {
			_ = l.saveSnapshot() // it has been logged
			return nil
		})
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.disk.unsyncedNamesOrIndexes = true
	l.disk.indexesSavedTo = end
	return true, err
}

// giveBackIdle frees the space that a log has reserved if the log has not grown since
// the last checkpoint.
func (l *Log) giveBackIdle(active *logSegment) error {
	if active.size.Load() < reserveFrom || l.hooks.Turn == nil {
		return nil
	}
	return l.hooks.Turn(active.giveBack)
}

// saveProgress writes the index entries that the files do not have yet.
func (s *logSegment) saveProgress() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.saveIndexes()
}

// WriteCheckpoints writes the recovery points, log starts and high watermarks. A
// recovery point passes neither syncedTo nor indexesSyncedTo: the next start believes
// what lies below it. Logs that the store has not opened yet keep the values found at
// the start.
func (s *Store) WriteCheckpoints() error {
	defer s.takeCheckpoints()()
	s.mu.Lock()
	recovery, high, deleted := maps.Clone(s.recovery), checkpoint{}, s.deletedLogs
	s.mu.Unlock()
	for _, l := range s.openLogs() {
		name := dirName(l.part.Topic, l.part.Index)
		l.mu.RLock()
		recovery[name] = l.disk.recoveryPoint()
		l.mu.RUnlock()
		high[name] = l.announcedTo.Load()
	}
	if err := s.writeFile(s.cfg.Dir, recoveryPointFile, recovery.encode()); err != nil {
		return fmt.Errorf("write %s: %w", recoveryPointFile, err)
	}
	if err := s.writeFile(s.cfg.Dir, highWatermarkFile, high.encode()); err != nil {
		return fmt.Errorf("write %s: %w", highWatermarkFile, err)
	}
	if err := s.writeStarts(nil); err != nil {
		return err
	}
	s.mu.Lock()
	s.deletedInCheckpoints = deleted
	s.mu.Unlock()
	return nil
}

// takeCheckpoints takes the token Store.checkpointsToken and returns the function that gives it
// back.
func (s *Store) takeCheckpoints() (release func()) {
	s.checkpointsToken.Take()
	return s.checkpointsToken.Give
}

// writeStarts writes the log starts that lie above diskState.base. For a log in about
// it writes the start that the log is about to get. The caller holds Store.checkpointsToken.
func (s *Store) writeStarts(about map[*Log]int64) error {
	s.mu.Lock()
	starts := maps.Clone(s.starts)
	s.mu.Unlock()
	for _, l := range s.openLogs() {
		l.mu.RLock()
		at, base := l.start, l.disk.firstBaseOnDisk
		l.mu.RUnlock()
		if start, ok := about[l]; ok {
			at = max(at, start)
		}
		name := dirName(l.part.Topic, l.part.Index)
		delete(starts, name)
		if at > base {
			starts[name] = at
		}
	}
	if err := s.writeFile(s.cfg.Dir, logStartFile, starts.encode()); err != nil {
		return fmt.Errorf("write %s: %w", logStartFile, err)
	}
	return nil
}
