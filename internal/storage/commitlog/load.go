package commitlog

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/botehq/bote/internal/storage"
	"github.com/botehq/bote/internal/storage/segment"
	"github.com/botehq/bote/internal/storage/vfs"
)

// dirContents is what a partition directory holds.
type dirContents struct {
	segments  []*logSegment
	snapshots []int64 // ascending
	hasIndex  map[string]bool
}

// list reads the directory, and removes files that a deletion or a crash left behind.
func (l *Log) list() (dirContents, error) {
	o := dirContents{hasIndex: map[string]bool{}}
	names, err := l.store.fs.Names(l.dir)
	if err != nil {
		return o, fmt.Errorf("list %s: %w", l.dir, err)
	}
	for _, name := range names {
		base, suffix := parseName(name)
		switch {
		case strings.HasSuffix(name, deletedSuffix), strings.HasSuffix(name, ".cleaned"), strings.HasSuffix(name, ".tmp"):
			if err := l.store.fs.Remove(filepath.Join(l.dir, name)); err != nil {
				return o, fmt.Errorf("remove leftover %s: %w", name, err)
			}
		case base < 0:
		case suffix == logSuffix:
			info, err := l.store.fs.Stat(filepath.Join(l.dir, name))
			if err != nil {
				return o, fmt.Errorf("look at segment %d: %w", base, err)
			}
			s := newSegment(l.store.fs, l.dir, base)
			s.size.Store(info.Size)
			s.created = info.ModTime
			s.written.Store(info.ModTime.UnixMilli())
			o.segments = append(o.segments, s)
		case suffix == snapshotSuffix:
			o.snapshots = append(o.snapshots, base)
		case suffix == indexSuffix, suffix == timeSuffix:
			o.hasIndex[name] = true
		}
	}
	return o, nil
}

// parseName splits 00000000000000000042.log; the base is -1 for other names.
func parseName(name string) (base int64, suffix string) {
	digits, rest, _ := strings.Cut(name, ".")
	if len(digits) != 20 {
		return -1, ""
	}
	n, err := strconv.ParseUint(digits, 10, 63) // ParseUint accepts no sign
	if err != nil {
		return -1, ""
	}
	return int64(n), "." + rest
}

// load opens the log from its files. After a clean stop it trusts them and looks only at
// the tail behind the last index entry. Otherwise it checks everything from the recovery
// point on, and cuts the log at the first batch that is not whole; what is left counts as
// synced only up to the recovery point.
func (l *Log) load(ctx context.Context, clean bool, recoveryPoint, start int64) (rec storage.Recovered, err error) {
	o, err := l.list()
	if err != nil {
		return storage.Recovered{}, err
	}
	defer func() {
		if err != nil { // nobody else will close them
			for _, s := range append(o.segments, l.segments...) {
				s.file.retire()
			}
		}
	}()
	epochs, epochsOK := l.readEpochs()
	l.epochs = slices.Clone(epochs)
	if !clean {
		// The file may be older than the batches. From the recovery point on, the batches say
		// which epochs there are.
		l.epochs = epochsBelow(l.epochs, recoveryPoint)
		if o.segments, err = l.dropLeftovers(o.segments, start); err != nil {
			return storage.Recovered{}, err
		}
	}
	l.disk.firstUnsynced = -1
	l.atOpen.recoveryPoint = recoveryPoint
	removed, err := l.openSegments(ctx, o, clean, recoveryPoint, epochsOK)
	if err != nil {
		return storage.Recovered{}, err
	}
	if err := l.proveEnd(clean, start); err != nil {
		return storage.Recovered{}, err
	}
	if n := len(l.segments); n == 0 || l.End() < start {
		if err := l.startOver(start); err != nil {
			return storage.Recovered{}, err
		}
	}
	l.start = max(start, l.segments[0].base)
	orphans, err := l.reportOrphanIndexes(o)
	if err != nil {
		return storage.Recovered{}, err
	}
	l.noteOnDisk(clean, recoveryPoint)
	l.announcedTo.Store(l.End())
	if err := l.checkStartAndEpochs(ctx, clean, epochsOK); err != nil {
		return storage.Recovered{}, err
	}
	if !slices.Equal(l.epochs, epochs) {
		if err := l.writeEpochs(l.epochs); err != nil {
			return storage.Recovered{}, err
		}
	}
	var dropped bool
	rec, dropped, err = l.findSnapshot(o.snapshots, clean)
	if rec.SnapshotEnd < l.End() {
		l.sinceSnapshot.Store(snapshotAfter)
	}
	if err == nil && (removed || dropped || orphans) {
		// A power cut must not bring back what was removed, after the log has
		// grown past it.
		if err = l.store.fs.SyncDir(l.dir); err != nil {
			err = fmt.Errorf("sync directory %s: %w", l.dir, err)
		}
	}
	return rec, err
}

// noteOnDisk sets diskState. After a clean stop all of the log is on the disk. After a
// crash, what lies above the recovery point may be in the page cache only, and a killed
// process may not have synced the names.
func (l *Log) noteOnDisk(clean bool, recoveryPoint int64) {
	d, end := &l.disk, l.End()
	d.firstBaseOnDisk = l.segments[0].base
	if clean {
		d.syncedTo, d.indexesSavedTo, d.indexesSyncedTo, l.atOpen.cleanEnd = end, end, end, end
	} else {
		d.syncedTo = min(end, max(recoveryPoint, d.firstBaseOnDisk))
		d.indexesSavedTo, d.indexesSyncedTo, l.atOpen.cleanEnd = -1, d.syncedTo, -1
		d.unsyncedNamesOrIndexes = true
	}
	if d.firstUnsynced < 0 || d.firstUnsynced >= len(l.segments) {
		d.firstUnsynced = len(l.segments) - 1
	}
}

// checkStartAndEpochs checks the log start and the leader epochs against the batches. Epochs that
// could not be read have already been rebuilt from the batches.
func (l *Log) checkStartAndEpochs(ctx context.Context, clean, epochsOK bool) error {
	l.epochs = epochsBelow(l.epochs, l.End())
	if clean && epochsOK {
		if err := l.proveStart(); err != nil {
			return err
		}
	}
	if epochsOK {
		if err := l.proveEpochs(ctx, clean); err != nil {
			return err
		}
	}
	l.epochs = epochsFrom(l.epochs, l.start)
	return nil
}

// dropLeftovers removes segments that end at or below the log start. Retention removed
// them or was about to; which of them are there after a crash is left to chance.
func (l *Log) dropLeftovers(segments []*logSegment, start int64) ([]*logSegment, error) {
	n := 0
	for n+1 < len(segments) && segments[n+1].base <= start {
		n++
	}
	return segments[n:], l.removeSegments(segments[:n])
}

// openSegments opens the segments from the oldest on, and recovers those that need it. It
// reports whether it removed segments.
func (l *Log) openSegments(ctx context.Context, o dirContents, clean bool, recoveryPoint int64, epochsOK bool) (removed bool, err error) {
	check := checkChecksums
	if clean {
		check = checkLengths
	}
	for i, s := range o.segments {
		last := i == len(o.segments)-1
		indexed := o.hasIndex[fileName(s.base, indexSuffix)] && o.hasIndex[fileName(s.base, timeSuffix)]
		ends := int64(0)
		if !last {
			ends = o.segments[i+1].base
		}
		// If the recovery point is exactly the segment's end, it may be older than the last
		// entries of the indexes: the segment got those when the next one began.
		if !last && indexed && epochsOK && (clean || ends < recoveryPoint) {
			l.segments = append(l.segments, s)
			l.end.Store(ends)
			continue
		}
		if l.disk.firstUnsynced < 0 {
			l.disk.firstUnsynced = i
		}
		var torn bool
		switch {
		case !indexed || !epochsOK:
			torn, err = l.recoverSegment(ctx, s, s.base, check)
		case clean:
			torn, err = l.recoverSegment(ctx, s, s.base+segment.MaxSpan, check)
		default:
			torn, err = l.recoverSegment(ctx, s, recoveryPoint, check)
		}
		if err != nil {
			return false, err
		}
		l.segments = append(l.segments, s)
		// A power cut may take a segment, or its bytes, and leave the next segment.
		if hole := !clean && !last && ends > recoveryPoint && l.End() != ends; torn || hole {
			return !last, l.removeSegments(o.segments[i+1:])
		}
		if !last {
			if err := s.seal(); err != nil {
				return false, fmt.Errorf("save indexes of segment %d of %s: %w", s.base, l.dir, err)
			}
			l.disk.unsyncedNamesOrIndexes = true
		}
	}
	return false, nil
}

// removeSegments removes the files of segments that do not belong to the log: they lie
// behind an incomplete segment or below the start.
func (l *Log) removeSegments(gone []*logSegment) error {
	for _, s := range gone {
		l.log.Warn("removed a segment that is not of the log any more", slog.Int64("segment", s.base))
		if err := s.remove(); err != nil {
			return err
		}
	}
	return nil
}

// remove removes the files of a segment.
func (s *logSegment) remove() error {
	s.file.retire()
	for _, suffix := range []string{logSuffix, indexSuffix, timeSuffix, txnSuffix} {
		if err := removeIfThere(s.fs, filepath.Join(s.dir, fileName(s.base, suffix))); err != nil {
			return err
		}
	}
	return nil
}

func removeIfThere(fs vfs.FS, name string) error {
	there, err := vfs.Exists(fs, name)
	if err == nil && there {
		err = fs.Remove(name)
	}
	if err != nil {
		return fmt.Errorf("remove %s: %w", name, err)
	}
	return nil
}

// startOver begins an empty log at start, because there is no segment yet or because
// everything lies below start.
func (l *Log) startOver(start int64) error {
	if err := l.removeSegments(l.segments); err != nil {
		return err
	}
	s, err := createSegment(l.store.fs, l.dir, start)
	if err != nil {
		return err
	}
	l.segments = []*logSegment{s}
	l.end.Store(start)
	l.disk.unsyncedNamesOrIndexes = true
	return nil
}
