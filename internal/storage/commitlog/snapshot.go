package commitlog

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"

	"github.com/botehq/bote/internal/storage"
	"github.com/botehq/bote/internal/storage/vfs"
)

// A snapshot is a partition's state at an offset, in a file named after that offset.
// It is written when a segment begins, when a checkpoint finds that much was appended
// since the last one, and when the log closes. Nobody trusts it to be whole: the
// partition checks it.

// snapshotAfter is how many bytes must have been appended since the last snapshot for
// a new one to be worth its file: a start after a crash reads the headers of those
// batches.
const snapshotAfter = 4 << 20

// saveSnapshot writes the partition's state to a file named after the offset that the
// state describes. The caller appends or has the append turn. Without the snapshot
// the next start reads more headers, so most callers ignore the error, which is
// logged; a clean stop does not ignore it.
func (l *Log) saveSnapshot() error {
	if l.hooks.Snapshot == nil || l.hooks.Rebuilt != nil && !l.hooks.Rebuilt() {
		return nil
	}
	state, end := l.hooks.Snapshot()
	if state == nil {
		return nil
	}
	file := unsyncedFile{fileName(end, snapshotSuffix), l.store.volume.failures.Load()}
	if err := vfs.WriteUnsynced(l.store.fs, l.dir, file.name, state); err != nil {
		l.log.Warn("snapshot not written", slog.Int64("offset", end), slog.Any("err", err))
		return fmt.Errorf("write snapshot at %d: %w", end, err)
	}
	l.sinceSnapshot.Store(0)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.disk.unsyncedNamesOrIndexes = true
	l.disk.unsyncedFiles = append(l.disk.unsyncedFiles, file)
	l.snapshots = append(l.snapshots, end)
	return nil
}

// halfOpen reports whether the partition's state was not rebuilt, because opening is
// under way or failed, and no snapshot on the disk has the state at the end. The next
// start then has to rebuild it.
func (l *Log) halfOpen() bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.hooks.Rebuilt != nil && !l.hooks.Rebuilt() && l.end.Load() != l.atOpen.cleanEnd
}

// findSnapshot returns the newest usable snapshot at or below the end, and removes
// unusable ones; dropped reports whether there were any. If a log has no snapshots
// after a clean stop, the partition had no state.
func (l *Log) findSnapshot(ends []int64, clean bool) (rec storage.Recovered, dropped bool, err error) {
	damaged := false
	for i, end := range slices.Backward(ends) {
		name := filepath.Join(l.dir, fileName(end, snapshotSuffix))
		// A snapshot below the first segment is incomplete: the batches behind it are gone.
		if end >= l.segments[0].base && end <= l.End() {
			state, err := vfs.ReadFile(l.store.fs, name)
			if err == nil && (l.hooks.ValidSnapshot == nil || l.hooks.ValidSnapshot(state)) {
				l.snapshots = slices.Clone(ends[:i+1])
				return storage.Recovered{Snapshot: state, SnapshotEnd: end}, dropped, nil
			}
			l.log.Warn("snapshot unusable; removing it", slog.Int64("offset", end))
			damaged = true
		}
		if err := removeIfThere(l.store.fs, name); err != nil {
			return rec, dropped, err // once the log has grown past it, it would be believed
		}
		dropped = true
	}
	if clean && !damaged {
		return storage.Recovered{SnapshotEnd: l.End()}, dropped, nil
	}
	return storage.Recovered{SnapshotEnd: l.start}, dropped, nil
}

// dropSnapshots removes all snapshots but the newest and those at the beginnings of
// segments. It is called when the newest is durable.
func (l *Log) dropSnapshots() {
	release, alive := l.takeDir()
	defer release()
	if !alive {
		return
	}
	l.mu.Lock()
	var gone []int64
	for _, end := range l.snapshots[:max(0, len(l.snapshots)-1)] {
		if !slices.ContainsFunc(l.segments, func(s *logSegment) bool { return s.base == end }) && end != l.snapshots[len(l.snapshots)-1] {
			gone = append(gone, end)
		}
	}
	l.snapshots = slices.DeleteFunc(l.snapshots, func(end int64) bool { return slices.Contains(gone, end) })
	l.mu.Unlock()
	for _, end := range gone {
		if err := removeIfThere(l.store.fs, filepath.Join(l.dir, fileName(end, snapshotSuffix))); err != nil {
			l.log.Warn("snapshot not removed", slog.Int64("offset", end), slog.Any("err", fmt.Errorf("drop old snapshots: %w", err)))
		}
	}
}
