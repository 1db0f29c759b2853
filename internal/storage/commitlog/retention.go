package commitlog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sort"
	"syscall"
	"time"

	"github.com/botehq/bote/internal/storage"
	"github.com/botehq/bote/internal/storage/vfs"
)

// Retain applies retention to every log.
func (s *Store) Retain() {
	now := s.cfg.Now()
	starts := map[*Log]int64{}
	logs := s.openLogs()
	for _, l := range logs {
		start, err := l.expired(now, l.hooks.Settings())
		if err != nil {
			l.log.Warn("retention did not finish", slog.Any("err", err))
			continue
		}
		if start > 0 {
			starts[l] = start
		}
	}
	err := s.announceStarts(starts)
	if err != nil && !noSpace(err) {
		s.log.Warn("retention did not finish", slog.Any("err", err))
		return
	}
	if err != nil {
		s.log.Warn("no space to note where logs will start; removing old segments one by one", slog.Any("err", err))
	}
	for _, l := range logs {
		if err := l.retain(now, starts[l], err == nil); err != nil {
			l.log.Warn("retention did not finish", slog.Any("err", err))
		}
	}
}

// announceStarts writes the coming log starts to the disk before retention removes
// files. A crash may bring back any of the removed files; they must not become part of
// the log again.
func (s *Store) announceStarts(starts map[*Log]int64) error {
	if len(starts) == 0 {
		return nil
	}
	defer s.takeCheckpoints()()
	return s.writeStarts(starts)
}

// noSpace reports whether a file could not be written because the disk or the user's
// quota is full.
func noSpace(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }

// retain removes what expired. announced says whether the disk has the log's new start.
func (l *Log) retain(now time.Time, start int64, announced bool) error {
	release, alive := l.takeDir()
	defer release()
	if !alive {
		return nil
	}
	set := l.hooks.Settings()
	if start > 0 {
		drop := l.dropSegments
		if !announced {
			drop = l.dropOneByOne
		}
		if err := drop(start, set); err != nil {
			return err
		}
	}
	return l.retireActive(now, set)
}

// expired returns where the log should start, 0 if nothing is to be removed. Segments
// are removed from the front, each if it ends at or below the log start, if it exceeds
// retention.bytes, or if it is too old; none may end above Deletable.
func (l *Log) expired(now time.Time, set storage.Settings) (int64, error) {
	limit := l.hooks.Deletable()
	l.mu.RLock()
	segments, start, alive := l.segments, l.start, l.aliveLocked() == nil
	l.mu.RUnlock()
	if !alive {
		return 0, nil
	}
	surplus := l.Size() - set.RetentionBytes
	n := 0
	for n < len(segments)-1 {
		s, end := segments[n], segments[n+1].base
		if end > limit {
			break
		}
		tooMany := set.DeleteByPolicy && set.RetentionBytes >= 0 && surplus >= s.size.Load()
		tooOld, err := s.expired(now, set)
		if err != nil {
			return 0, err
		}
		if end > start && !tooMany && !tooOld {
			break
		}
		surplus -= s.size.Load()
		n++
	}
	if n == 0 {
		return 0, nil
	}
	return segments[n].base, nil
}

// expired reports whether all records of a segment are older than retention.ms. If none
// has a timestamp, they are as old as the last append, as in Kafka, which takes the
// file's modification time.
func (s *logSegment) expired(now time.Time, set storage.Settings) (bool, error) {
	if !set.DeleteByPolicy || set.RetentionMs < 0 {
		return false, nil
	}
	ts, err := s.latest(context.Background()) // retention is not cancelled half way
	if err != nil {
		return false, err
	}
	if ts < 0 {
		ts = s.written.Load()
	}
	return now.UnixMilli()-ts > set.RetentionMs, nil
}

// retireActive drops the active segment too, if all of it expired: the log goes on in a
// new, empty one. It rolls in the partition's append turn.
func (l *Log) retireActive(now time.Time, set storage.Settings) error {
	l.mu.RLock()
	active := l.active()
	only := len(l.segments) == 1
	l.mu.RUnlock()
	if !only || active.size.Load() == 0 || l.hooks.Turn == nil {
		return nil
	}
	if old, err := l.allOld(active, now, set); err != nil || !old {
		return err
	}
	return l.hooks.Turn(func() error {
		// A batch that was appended meanwhile may be new.
		if old, err := l.allOld(active, now, set); err != nil || !old || l.active() != active {
			return err
		}
		end := l.End()
		unannounced := l.store.announceStarts(map[*Log]int64{l: end})
		if unannounced != nil && !noSpace(unannounced) {
			return unannounced
		}
		if _, err := l.roll(end); err != nil {
			return err
		}
		if unannounced == nil {
			return l.dropSegments(end, set)
		}
		// Sync the new segment's name first: without any segment, the next start would not
		// know where the log ended.
		if err := l.store.fs.SyncDir(l.dir); err != nil {
			return fmt.Errorf("sync directory %s: %w", l.dir, err)
		}
		return l.dropOneByOne(end, set)
	})
}

// allOld reports whether nothing in a log that has one segment is to be kept.
func (l *Log) allOld(active *logSegment, now time.Time, set storage.Settings) (bool, error) {
	end := l.End()
	if end > l.hooks.Deletable() {
		return false, nil
	}
	if end == l.Start() {
		return true, nil
	}
	return active.expired(now, set)
}

// dropOneByOne is dropSegments for a disk without space to write the new start:
// removing segments may make some. Each segment is gone from the disk before StartMoved
// tells of it and before the next segment goes. So a crash leaves the end of the log
// without a hole, and the log starts at its first segment.
func (l *Log) dropOneByOne(start int64, set storage.Settings) (err error) {
	l.mu.RLock()
	segments := l.segments
	l.mu.RUnlock()
	for i, s := range segments[1:] {
		if s.base > start {
			break
		}
		if err := l.hide(segments[i], set); err != nil {
			return err
		}
		err = l.dropSegments(s.base, set) // an error may only mean that the epochs have no space
		l.mu.RLock()
		base := l.disk.firstBaseOnDisk
		l.mu.RUnlock()
		if base < s.base {
			return err // the next start will find the segment
		}
	}
	return err
}

// hide renames a segment's file and syncs the directory, so that the next start does
// not find the segment. Readers still see it: their handle follows the rename.
func (l *Log) hide(s *logSegment, set storage.Settings) error {
	full := filepath.Join(l.dir, fileName(s.base, logSuffix))
	if err := s.file.rename(full + deletedSuffix); err != nil {
		return fmt.Errorf("hide segment %d of %s: %w", s.base, l.dir, err)
	}
	if err := l.store.fs.SyncDir(l.dir); err != nil {
		return errors.Join(fmt.Errorf("sync directory %s: %w", l.dir, err), s.file.rename(full))
	}
	l.store.cleaner.removeLater(full+deletedSuffix, time.Duration(set.FileDeleteMs)*time.Millisecond)
	return nil
}

// dropSegments drops the segments below start, where a segment begins. Their files are
// removed later, when readers are done with them. The log start checkpoint keeps the
// start until the files are known to be gone: only then does disk.base move to it.
func (l *Log) dropSegments(start int64, set storage.Settings) error {
	l.mu.Lock()
	n := sort.Search(len(l.segments), func(i int) bool { return l.segments[i].base >= start })
	gone := l.segments[:n]
	l.segments = l.segments[n:]
	l.disk.firstUnsynced = max(0, l.disk.firstUnsynced-len(gone))
	moved := start > l.start
	l.start = max(l.start, start)
	l.mu.Unlock()
	if moved {
		l.hooks.StartMoved(start)
	}
	l.log.Info("deleted old segments", slog.Int("segments", len(gone)), slog.Int64("offset", start))
	kept := false // a segment's file is still there: disk.base stays, since the next start will find the file
	for _, s := range gone {
		s.file.retire() // first, so that a reader that misses an index gets errRetired
		for _, suffix := range []string{logSuffix, indexSuffix, timeSuffix, txnSuffix, snapshotSuffix} {
			if !l.removeLater(s, fileName(s.base, suffix), set) && suffix == logSuffix {
				kept = true
			}
		}
	}
	err := l.trimEpochs()
	if serr := l.store.fs.SyncDir(l.dir); serr != nil {
		return errors.Join(err, fmt.Errorf("sync directory %s: %w", l.dir, serr))
	}
	if !kept {
		l.mu.Lock()
		l.disk.firstBaseOnDisk = start
		l.mu.Unlock()
	}
	return err
}

// removeLater renames a file and has it removed after its delay. If the rename fails,
// ok is false, and the next start finds the file again.
func (l *Log) removeLater(s *logSegment, name string, set storage.Settings) (ok bool) {
	full := filepath.Join(l.dir, name)
	there, err := vfs.Exists(l.store.fs, full)
	if err == nil && !there {
		return true
	}
	if filepath.Ext(name) == logSuffix {
		err = s.file.rename(full + deletedSuffix)
	} else {
		err = l.store.fs.Rename(full, full+deletedSuffix)
	}
	if err != nil {
		l.log.Warn("old segment file not renamed", slog.String("file", name), slog.Any("err", err))
		return false
	}
	l.store.cleaner.removeLater(full+deletedSuffix, time.Duration(set.FileDeleteMs)*time.Millisecond)
	return true
}
