package commitlog

import (
	"context"
	"encoding/binary"
	"errors"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"

	"github.com/botehq/bote/internal/record"
	"github.com/botehq/bote/internal/storage/segment"
	"github.com/botehq/bote/internal/storage/vfs"
)

// indexCheck is an index whose entries are compared with the batches as those are
// read.
type indexCheck struct {
	suffix string
	entry  int // bytes of one
	at     int // the next entry
}

// offsetCheck is an offset index that is being checked.
type offsetCheck struct {
	indexCheck
	x       segment.OffsetIndex
	skipped [][2]int64 // bytes of the segment that could not be read
}

// timeCheck is a time index that is being checked.
type timeCheck struct {
	indexCheck
	x segment.TimeIndex
}

// openIndexes reads the indexes of the segment.
func (s *segmentCheck) openIndexes() {
	s.offsets = &offsetCheck{indexCheck: indexCheck{suffix: indexSuffix, entry: segment.OffsetEntrySize}}
	s.offsets.x = segment.OffsetIndex(s.readIndex(s.offsets.indexCheck)).Used()
	s.times = &timeCheck{indexCheck: indexCheck{suffix: timeSuffix, entry: segment.TimeEntrySize}}
	s.times.x = segment.TimeIndex(s.readIndex(s.times.indexCheck)).Used()
	s.aborted = s.openAborted()
}

// readIndex reads an index; one that cannot be used has no entries. A broker that was
// not stopped cleanly may leave zeros behind the entries.
func (s *segmentCheck) readIndex(c indexCheck) []byte {
	x := newIndex[[]byte](s.p.c.fs, nil, filepath.Join(s.p.c.cfg.Dir, s.p.dir, fileName(s.base, c.suffix)))
	err := x.load()
	switch {
	case errors.Is(err, fs.ErrNotExist) && s.size == 0: // it is created with the first batch
	case errors.Is(err, fs.ErrNotExist):
		s.found(s.p.c.report.Clean, c.suffix, -1, -1, -1, "is missing; the next start rebuilds it from the batches")
	case err != nil:
		s.found(true, c.suffix, -1, -1, -1, "cannot be read: %v", err)
	case len(x.raw)%c.entry != 0:
		s.found(s.p.c.report.Clean, c.suffix, -1, -1, -1, "has %d bytes, which is no multiple of %d", len(x.raw), c.entry)
	}
	return x.raw
}

// skip notes bytes of the segment that could not be read: entries that point into
// them cannot be judged.
func (c *offsetCheck) skip(from, to int64) { c.skipped = append(c.skipped, [2]int64{from, to}) }

func (c *offsetCheck) unknown(position int64) bool {
	return slices.ContainsFunc(c.skipped, func(r [2]int64) bool { return position >= r[0] && position < r[1] })
}

// batch compares the entries up to a batch with it. An entry that points behind the
// batch waits for a later one, unless the next entry does not point further: then the
// entry is wrong.
func (c *offsetCheck) batch(s *segmentCheck, h record.Batch, at int64) {
	for ; c.at < c.x.Len(); c.at++ {
		e := c.x.At(c.at)
		offset, position := s.base+int64(e.Relative), int64(e.Position)
		if position > at {
			if c.at+1 >= c.x.Len() || c.x.At(c.at+1).Position > e.Position {
				return
			}
			c.found(s, "points to byte %d, but the entry behind it points before that", position)
			continue
		}
		switch {
		case position == at && offset == h.LastOffset(), position < at && c.unknown(position):
		case position == at:
			c.found(s, "says offset %d for byte %d, but the batch there ends with %d", offset, position, h.LastOffset())
		default:
			c.found(s, "points to byte %d, where no batch begins", position)
		}
	}
}

// batch compares the entries up to a batch with it: each must have the largest
// timestamp so far, and an offset of the batch that has it.
func (c *timeCheck) batch(s *segmentCheck, h record.Batch) {
	for ; c.at < c.x.Len(); c.at++ {
		e := c.x.At(c.at)
		offset := s.base + int64(e.Relative)
		if offset > h.LastOffset() {
			if c.at+1 >= c.x.Len() || c.x.At(c.at+1).Relative >= e.Relative {
				return
			}
			c.found(s, "says offset %d, but the entry behind it says less", offset)
			continue
		}
		switch {
		case len(s.offsets.skipped) > 0:
		case offset < h.BaseOffset():
			c.found(s, "says timestamp %d at offset %d, but no batch there has it", e.Timestamp, offset)
		case e.Timestamp != h.MaxTimestamp():
			c.found(s, "says timestamp %d at offset %d, but the batch there has %d", e.Timestamp, offset, h.MaxTimestamp())
		case e.Timestamp < s.maxTime:
			c.found(s, "says timestamp %d, but there is %d before it", e.Timestamp, s.maxTime)
		}
	}
}

// closeIndexes judges the entries that are left when the whole segment has been read.
func (s *segmentCheck) closeIndexes() {
	for c := s.offsets; c.at < c.x.Len(); c.at++ {
		if position := int64(c.x.At(c.at).Position); !c.unknown(position) {
			c.found(s, "points to byte %d, behind the last batch", position)
		}
	}
	for c := s.times; c.at < c.x.Len(); c.at++ {
		if e := c.x.At(c.at); len(s.offsets.skipped) == 0 {
			c.found(s, "says timestamp %d at offset %d, behind the last batch", e.Timestamp, s.base+int64(e.Relative))
		}
	}
	n, last := s.times.x.Len(), int64(-1)
	if n > 0 {
		last = s.times.x.At(n - 1).Timestamp
	}
	// A segment that no longer grows has an entry with its largest timestamp at the end.
	if sealed := s.next >= 0 || s.p.c.report.Clean; sealed && len(s.offsets.skipped) == 0 && s.maxTime > last && s.batches > 0 {
		s.found(s.p.c.report.Clean, timeSuffix, -1, int64(n)-1, -1, "ends with timestamp %d, but the segment has %d", last, s.maxTime)
	}
	s.aborted.close(s)
}

// found adds a finding on the current entry. It is damage only after a clean stop or
// below the recovery point: the next start rebuilds the rest.
func (c *indexCheck) found(s *segmentCheck, format string, args ...any) {
	damage := s.p.c.report.Clean || s.next >= 0 && s.next <= s.p.sealed
	s.found(damage, c.suffix, int64(c.at*c.entry), int64(c.at), -1, "entry %d "+format, append([]any{c.at}, args...)...)
}

// abortedCheck is a transaction index that is being checked. It has the aborted
// transactions whose markers are in the segment.
type abortedCheck struct {
	x    segment.AbortedIndex
	open map[int64]int // entries whose marker was not read yet, by the marker's offset
}

func (s *segmentCheck) openAborted() *abortedCheck {
	raw, err := vfs.ReadFile(s.p.c.fs, filepath.Join(s.p.c.cfg.Dir, s.p.dir, fileName(s.base, txnSuffix)))
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		s.found(true, txnSuffix, -1, -1, -1, "cannot be read: %v", err)
	case len(raw)%segment.AbortedEntrySize != 0:
		s.found(s.p.c.report.Clean, txnSuffix, -1, -1, -1, "has %d bytes, which is no multiple of %d", len(raw), segment.AbortedEntrySize)
	}
	a := &abortedCheck{x: raw, open: map[int64]int{}}
	for i := range a.x.Len() {
		a.open[a.x.At(i).LastOffset] = i
	}
	return a
}

// batch compares a marker with the entry of the transaction that it ends. The marker
// of a transaction that wrote nothing here has no entry.
func (a *abortedCheck) batch(ctx context.Context, s *segmentCheck, r *segment.Reader, h record.Batch, at int64, size int) error {
	i, ok := a.open[h.LastOffset()]
	if !ok || !h.Control() {
		return nil
	}
	b, err := r.At(ctx, at, size)
	if err != nil {
		return err
	}
	delete(a.open, h.LastOffset())
	e := a.x.At(i)
	switch {
	case e.Version != 0:
		a.found(s, i, "has version %d, which is not known", e.Version)
	case !abort(record.Batch(b)):
		a.found(s, i, "says that a transaction was aborted at offset %d, but the marker there says that it was committed", e.LastOffset)
	case e.ProducerID != h.ProducerID():
		a.found(s, i, "says that producer %d aborted at offset %d, but the marker is that of producer %d", e.ProducerID, e.LastOffset, h.ProducerID())
	case e.FirstOffset < 0 || e.FirstOffset > e.LastOffset || e.LastStableOffset < 0 || e.LastStableOffset > e.LastOffset+1:
		a.found(s, i, "says that the transaction from %d to %d left the last stable offset at %d", e.FirstOffset, e.LastOffset, e.LastStableOffset)
	}
	return nil
}

// abort reports whether a control batch is the marker of an aborted transaction. The
// key of its record is version and type, two bytes each; type 0 is abort.
func abort(b record.Batch) bool {
	for rec, err := range record.Records(b.Payload(), b.Count()) {
		return err == nil && len(rec.Key) >= 4 && binary.BigEndian.Uint16(rec.Key[2:]) == 0
	}
	return false
}

func (a *abortedCheck) close(s *segmentCheck) {
	if len(s.offsets.skipped) > 0 {
		return
	}
	for _, i := range slices.Sorted(maps.Values(a.open)) {
		e := a.x.At(i)
		a.found(s, i, "says that producer %d aborted at offset %d, but the segment has no such marker", e.ProducerID, e.LastOffset)
	}
}

func (a *abortedCheck) found(s *segmentCheck, i int, format string, args ...any) {
	s.found(true, txnSuffix, int64(i*segment.AbortedEntrySize), int64(i), -1, "entry %d "+format, append([]any{i}, args...)...)
}
