package commitlog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/botehq/bote/internal/record"
	"github.com/botehq/bote/internal/storage"
	"github.com/botehq/bote/internal/storage/vfs"
)

// opened is what a partition directory holds.
type opened struct {
	segments  []*segment
	snapshots []int64 // ascending
	hasIndex  map[string]bool
}

// list reads the directory and removes what a crash left unfinished.
func (l *Log) list() (opened, error) {
	o := opened{hasIndex: map[string]bool{}}
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
	n, err := strconv.ParseUint(digits, 10, 63) // takes no sign
	if err != nil {
		return -1, ""
	}
	return int64(n), "." + rest
}

// load brings the log to life. After a clean stop the files are trusted and only
// the tail behind the last index entry is looked at. Otherwise everything from
// the recovery point on is checked, and cut at the first batch that is not whole;
// what is left counts as synced up to the recovery point only.
func (l *Log) load(ctx context.Context, clean bool, recoveryPoint, start int64) (storage.Recovered, error) {
	o, err := l.list()
	if err != nil {
		return storage.Recovered{}, err
	}
	epochs, epochsOK := l.readEpochs()
	l.epochs = slices.Clone(epochs)
	if !clean {
		// The file may be older than the batches; what they say counts from here on.
		l.epochs = epochsBelow(l.epochs, recoveryPoint)
	}
	if !clean {
		if o.segments, err = l.dropLeftovers(o.segments, start); err != nil {
			return storage.Recovered{}, err
		}
	}
	l.unsynced = -1
	l.promised = recoveryPoint
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
	l.base = l.segments[0].base
	l.synced, l.indexed, l.opened, l.progress = l.End(), l.End(), l.End(), l.End()
	if !clean {
		l.synced = min(l.End(), max(recoveryPoint, l.segments[0].base))
		l.indexed = l.synced
		l.opened, l.progress = -1, -1 // what a crash left has to be saved by the next clean stop
		l.newFiles = true             // a killed process may not have synced the names
	}
	if l.unsynced < 0 || l.unsynced >= len(l.segments) {
		l.unsynced = len(l.segments) - 1
	}
	l.announced.Store(l.End())
	l.epochs = epochsBelow(l.epochs, l.End())
	if clean && epochsOK {
		if err := l.proveStart(); err != nil {
			return storage.Recovered{}, err
		}
	}
	if epochsOK {
		if err := l.proveEpochs(ctx, clean); err != nil {
			return storage.Recovered{}, err
		}
	}
	l.epochs = epochsFrom(l.epochs, l.start)
	if !slices.Equal(l.epochs, epochs) {
		if err := l.writeEpochs(l.epochs); err != nil {
			return storage.Recovered{}, err
		}
	}
	rec, dropped, err := l.findSnapshot(o.snapshots, clean)
	if rec.SnapshotEnd < l.End() {
		l.sinceSnapshot.Store(snapshotAfter)
	}
	if err == nil && (removed || dropped) {
		// A power cut must not bring back what was removed, after the log has
		// grown past it.
		if err = l.store.fs.SyncDir(l.dir); err != nil {
			err = fmt.Errorf("sync directory %s: %w", l.dir, err)
		}
	}
	return rec, err
}

// dropLeftovers removes segments that lie below the log start: retention was about
// to, and which of them a crash brought back is left to chance.
func (l *Log) dropLeftovers(segments []*segment, start int64) ([]*segment, error) {
	n := 0
	for n+1 < len(segments) && segments[n+1].base <= start {
		n++
	}
	return segments[n:], l.removeSegments(segments[:n])
}

// openSegments opens, and if need be recovers, segments from the oldest on. It
// reports whether segments were removed.
func (l *Log) openSegments(ctx context.Context, o opened, clean bool, recoveryPoint int64, epochsOK bool) (removed bool, err error) {
	for i, s := range o.segments {
		last := i == len(o.segments)-1
		indexed := o.hasIndex[fileName(s.base, indexSuffix)] && o.hasIndex[fileName(s.base, timeSuffix)]
		ends := int64(0)
		if !last {
			ends = o.segments[i+1].base
		}
		// A recovery point at the very end of a segment may be older than the last
		// entries of its indexes, which it got when the next one began.
		if !last && indexed && epochsOK && (clean || ends < recoveryPoint) {
			l.segments = append(l.segments, s)
			l.end.Store(ends)
			continue
		}
		if l.unsynced < 0 {
			l.unsynced = i
		}
		var torn bool
		switch {
		case !indexed || !epochsOK:
			torn, err = l.recoverSegment(ctx, s, s.base, !clean)
		case clean:
			torn, err = l.recoverSegment(ctx, s, s.base+maxSpan, false)
		default:
			torn, err = l.recoverSegment(ctx, s, recoveryPoint, true)
		}
		if err != nil {
			return false, err
		}
		l.segments = append(l.segments, s)
		// A power cut may take a segment, or its bytes, and leave the next one.
		if hole := !clean && !last && ends > recoveryPoint && l.End() != ends; torn || hole {
			return !last, l.removeSegments(o.segments[i+1:])
		}
		if !last {
			if err := s.seal(); err != nil {
				return false, fmt.Errorf("save indexes of segment %d of %s: %w", s.base, l.dir, err)
			}
			l.newFiles = true
		}
	}
	return false, nil
}

// recoverSegment rebuilds indexes from the last trusted entry on and cuts the
// file behind the last whole batch. Entries for offsets at or above point are
// not trusted. torn reports that something was cut off.
func (l *Log) recoverSegment(ctx context.Context, s *segment, point int64, checkCRC bool) (torn bool, err error) {
	at, end := s.trustIndexes(point)
	fileSize := s.size.Load()
	interval := int64(defaultIndexInterval)
	if l.hooks.Settings != nil {
		interval = l.hooks.Settings().IndexInterval
	}
	good := at
	err = s.scan(at, fileSize, checkCRC, l.promised, func(b record.Batch, at int64) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if b.BaseOffset() < end || !s.spans(b) {
			return errStop
		}
		size, _ := record.Size(b)
		s.note(b, at, interval)
		end = b.NextOffset()
		good = at + int64(size)
		if n := len(l.epochs); n == 0 || l.epochs[n-1].Epoch < b.LeaderEpoch() {
			l.epochs = withEpoch(l.epochs, storage.Epoch{Epoch: b.LeaderEpoch(), Start: b.BaseOffset()})
		}
		return nil
	})
	if err != nil && !errors.Is(err, errStop) {
		return false, fmt.Errorf("recover segment %d of %s: %w", s.base, l.dir, err)
	}
	l.end.Store(end)
	s.size.Store(good)
	s.timesKnown = true
	if good == fileSize {
		if checkCRC && good >= reserveFrom {
			s.reserved = math.MaxInt64 // as far as is known
			err = s.giveBack()
		}
		return false, err
	}
	// A clean stop leaves nothing behind the end that it records; a crash may.
	if end < l.promised || !checkCRC && l.promised > 0 && end != l.promised {
		return false, errDamagedBatch(filepath.Join(l.dir, fileName(s.base, logSuffix)), good, end, l.promised, checkCRC)
	}
	l.log.Warn("cut off an incomplete tail", slog.Int64("segment", s.base), slog.Int64("bytes", fileSize-good), slog.Int64("offset", end))
	return true, l.cut(s, good)
}

// spans reports whether a batch ends at or behind its begin, there are offsets
// behind it, and the segment can index it.
func (s *segment) spans(b record.Batch) bool {
	return b.LastOffsetDelta() >= 0 && b.BaseOffset() >= s.base &&
		b.BaseOffset()-s.base <= min(maxSpan, math.MaxInt64-1-s.base)-int64(b.LastOffsetDelta())
}

func (l *Log) cut(s *segment, size int64) error {
	f, err := s.log.acquire()
	if err != nil {
		return fmt.Errorf("open segment %d: %w", s.base, err)
	}
	defer s.log.release()
	if err := f.Truncate(size); err != nil {
		return fmt.Errorf("cut segment %d: %w", s.base, err)
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("sync segment %d: %w", s.base, err)
	}
	return nil
}

const defaultIndexInterval = 4096

// trustIndexes loads the indexes, drops entries at or above point, and proves
// that the batch of the last entry left is there and is the one meant. It returns
// the position and the offset behind that batch. Indexes that make no sense are
// emptied; the whole segment is then looked at.
func (s *segment) trustIndexes(point int64) (at, end int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	size := s.size.Load()
	if s.offsets.load() != nil || s.times.load() != nil || !s.offsets.sane(size) || !s.times.sane(size) {
		s.resetLocked()
		return 0, s.base
	}
	all := s.offsets.len()
	s.offsets.truncate(countBelow(s.offsets, s.base, point))
	n := s.offsets.len()
	if n == 0 {
		s.resetLocked()
		return 0, s.base
	}
	relative, position := s.offsets.offsetAt(n - 1)
	last := s.base + int64(relative)
	batchSize, ok := s.holds(int64(position), last)
	if !ok || !s.trustTimes(last, n == all) {
		s.resetLocked()
		return 0, s.base
	}
	if k := s.times.len(); k > 0 {
		ts, end := s.times.timeAt(k - 1)
		s.maxTime, s.maxTimeEnd, s.indexedTime = ts, s.base+int64(end), ts
	}
	s.unindexed = batchSize
	s.learnFirstTime()
	return int64(position) + batchSize, last + 1
}

// resetLocked empties the indexes; the caller holds mu.
func (s *segment) resetLocked() {
	s.offsets.reset()
	s.times.reset()
	s.maxTime, s.maxTimeEnd, s.firstTime, s.indexedTime, s.unindexed = -1, 0, -1, -1, 0
}

// countBelow is the number of entries whose offset is below a point.
func countBelow(x *index, base, point int64) int {
	for n := x.len(); n > 0; n-- {
		var relative int32
		if x.entry == offsetEntrySize {
			relative, _ = x.offsetAt(n - 1)
		} else {
			_, relative = x.timeAt(n - 1)
		}
		if base+int64(relative) < point {
			return n
		}
	}
	return 0
}

// holds returns the size of the batch at a position if it is whole and ends
// with an offset.
func (s *segment) holds(position, last int64) (size int64, ok bool) {
	err := s.scan(position, s.size.Load(), true, 0, func(b record.Batch, _ int64) error {
		size, ok = int64(len(b)), s.spans(b) && b.LastOffset() == last
		return errStop
	})
	return size, ok && errors.Is(err, errStop)
}

// learnFirstTime reads the timestamp that time-based rolling starts from; what
// cannot be read has none. The caller holds mu.
func (s *segment) learnFirstTime() {
	_ = s.headers(0, func(h record.Batch, _ int64) (bool, error) {
		s.firstTime = h.MaxTimestamp()
		return false, nil
	})
}

var errStop = errors.New("stop")

// maxBatch bounds the size that a damaged length field can make a scan allocate.
const maxBatch = 1 << 30

// scan calls visit with each whole batch, or just its header if the checksum is
// not wanted, until the first that is not whole. It returns what visit returns.
// Below the offset known, where all was on the disk before, a batch that its checksum
// denies is damaged and no torn tail: it is passed on if what follows confirms its
// place, so that those behind it are not lost with it.
func (s *segment) scan(from, end int64, checkCRC bool, known int64, visit func(b record.Batch, at int64) error) error {
	f, err := s.log.acquire()
	if err != nil {
		return err
	}
	defer s.log.release()
	w := openWindow(f, end)
	defer w.close()
	for at := from; at+record.HeaderSize <= end; {
		h, err := w.at(at, record.HeaderSize)
		if err != nil {
			return err
		}
		size, err := record.Size(h)
		if err != nil || size > maxBatch || at+int64(size) > end {
			return nil // the end of what is whole, not a failure
		}
		b := record.Batch(h)
		if checkCRC {
			if b, err = w.at(at, size); err != nil {
				return err
			}
			if !b.ValidCRC() && !(b.NextOffset() <= known && s.confirmed(f, b, at+int64(size), end)) {
				return nil
			}
		}
		if err := visit(b, at); err != nil {
			return err
		}
		at += int64(size)
	}
	return nil
}

// confirmed reports whether the batch at a position follows on another, or the end
// of the segment does.
func (s *segment) confirmed(f vfs.File, b record.Batch, position, end int64) bool {
	if position == end || !s.spans(b) {
		return s.spans(b)
	}
	var head [record.HeaderSize]byte
	if readFull(f, head[:], position) != nil {
		return false
	}
	_, err := record.Size(head[:])
	return err == nil && record.Batch(head[:]).BaseOffset() == b.NextOffset()
}

// removeSegments deletes segments behind an incomplete one, or below the start.
func (l *Log) removeSegments(gone []*segment) error {
	for _, s := range gone {
		l.log.Warn("removed a segment that is not of the log any more", slog.Int64("segment", s.base))
		s.log.retire()
		for _, suffix := range []string{logSuffix, indexSuffix, timeSuffix, txnSuffix} {
			if err := removeIfThere(l.store.fs, filepath.Join(l.dir, fileName(s.base, suffix))); err != nil {
				return err
			}
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

// startOver begins an empty log at start, because there is none yet or because
// all of it lies below start.
func (l *Log) startOver(start int64) error {
	if err := l.removeSegments(l.segments); err != nil {
		return err
	}
	s, err := createSegment(l.store.fs, l.dir, start)
	if err != nil {
		return err
	}
	l.segments = []*segment{s}
	l.end.Store(start)
	l.newFiles = true
	return nil
}
