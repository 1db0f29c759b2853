package commitlog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"path/filepath"

	"github.com/botehq/bote/internal/record"
	"github.com/botehq/bote/internal/storage"
	"github.com/botehq/bote/internal/storage/vfs"
)

// recoverSegment rebuilds indexes from the last trusted entry on and cuts the
// file behind the last whole batch. Entries for offsets at or above point are
// not trusted. torn reports that something was cut off.
func (l *Log) recoverSegment(ctx context.Context, s *logSegment, point int64, checkCRC bool) (torn bool, err error) {
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
func (s *logSegment) spans(b record.Batch) bool {
	return b.LastOffsetDelta() >= 0 && b.BaseOffset() >= s.base &&
		b.BaseOffset()-s.base <= min(maxSpan, math.MaxInt64-1-s.base)-int64(b.LastOffsetDelta())
}

func (l *Log) cut(s *logSegment, size int64) error {
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
func (s *logSegment) trustIndexes(point int64) (at, end int64) {
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
func (s *logSegment) resetLocked() {
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
func (s *logSegment) holds(position, last int64) (size int64, ok bool) {
	err := s.scan(position, s.size.Load(), true, 0, func(b record.Batch, _ int64) error {
		size, ok = int64(len(b)), s.spans(b) && b.LastOffset() == last
		return errStop
	})
	return size, ok && errors.Is(err, errStop)
}

// learnFirstTime reads the timestamp that time-based rolling starts from; what
// cannot be read has none. The caller holds mu.
func (s *logSegment) learnFirstTime() {
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
func (s *logSegment) scan(from, end int64, checkCRC bool, known int64, visit func(b record.Batch, at int64) error) error {
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
			if !b.ValidCRC() && (b.NextOffset() > known || !s.confirmed(f, b, at+int64(size), end)) {
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
func (s *logSegment) confirmed(f vfs.File, b record.Batch, position, end int64) bool {
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
