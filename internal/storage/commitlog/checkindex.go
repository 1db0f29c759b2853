package commitlog

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"

	"github.com/botehq/bote/internal/record"
	"github.com/botehq/bote/internal/storage/vfs"
)

// indexCheck is an offset or time index whose entries are compared with the
// batches as these go by.
type indexCheck struct {
	x       *index
	suffix  string
	at      int // the next entry
	time    bool
	skipped [][2]int64 // bytes of the segment that could not be read
}

// openIndexes reads the indexes of the segment.
func (s *segmentCheck) openIndexes() {
	s.offsets = s.openIndex(indexSuffix, offsetEntrySize)
	s.times = s.openIndex(timeSuffix, timeEntrySize)
	s.times.time = true
	s.aborted = s.openAborted()
}

// openIndex reads an index; one that cannot be used has no entries. A broker that
// did not stop cleanly may leave zeros behind the entries.
func (s *segmentCheck) openIndex(suffix string, entry int) *indexCheck {
	c := &indexCheck{x: newIndex(s.p.c.fs, nil, filepath.Join(s.p.c.cfg.Dir, s.p.dir, fileName(s.base, suffix)), entry), suffix: suffix}
	err := c.x.load()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		s.found(s.p.c.report.Clean, suffix, -1, -1, -1, "is missing; the next start rebuilds it from the batches")
	case err != nil:
		s.found(true, suffix, -1, -1, -1, "cannot be read: %v", err)
	case len(c.x.raw)%entry != 0:
		s.found(s.p.c.report.Clean, suffix, -1, -1, -1, "has %d bytes, which is no multiple of %d", len(c.x.raw), entry)
		c.x.raw = c.x.raw[:len(c.x.raw)/entry*entry]
	}
	n := c.x.len()
	for n > 0 && zero(c.x.raw[(n-1)*entry:n*entry]) {
		n--
	}
	c.x.raw = c.x.raw[:n*entry]
	return c
}

// skip notes bytes of the segment that could not be read: what points into them
// cannot be judged.
func (c *indexCheck) skip(from, to int64) { c.skipped = append(c.skipped, [2]int64{from, to}) }

func (c *indexCheck) unknown(position int64) bool {
	return slices.ContainsFunc(c.skipped, func(r [2]int64) bool { return position >= r[0] && position < r[1] })
}

// batch compares the entries up to a batch.
func (c *indexCheck) batch(s *segmentCheck, h record.Batch, at int64) {
	if c.time {
		c.timeOf(s, h)
		return
	}
	for ; c.at < c.x.len(); c.at++ {
		relative, position := c.x.offsetAt(c.at)
		if int64(position) > at {
			if c.ascends(c.at) {
				return
			}
			c.found(s, "points to byte %d, but the entry behind it points before that", position)
			continue
		}
		switch {
		case int64(position) == at && s.base+int64(relative) == h.LastOffset(), int64(position) < at && c.unknown(int64(position)):
		case int64(position) == at:
			c.found(s, "says offset %d for byte %d, but the batch there ends with %d", s.base+int64(relative), position, h.LastOffset())
		default:
			c.found(s, "points to byte %d, where no batch begins", position)
		}
	}
}

// ascends reports whether the entry behind one is larger: an entry that a batch
// cannot settle yet must not hide those behind it.
func (c *indexCheck) ascends(i int) bool {
	if i+1 >= c.x.len() {
		return true
	}
	if c.time {
		_, a := c.x.timeAt(i)
		_, b := c.x.timeAt(i + 1)
		return b >= a
	}
	_, a := c.x.offsetAt(i)
	_, b := c.x.offsetAt(i + 1)
	return b > a
}

// timeOf compares time entries: each is the largest timestamp so far and the batch
// that has it.
func (c *indexCheck) timeOf(s *segmentCheck, h record.Batch) {
	for ; c.at < c.x.len(); c.at++ {
		ts, relative := c.x.timeAt(c.at)
		offset := s.base + int64(relative)
		if offset > h.LastOffset() {
			if c.ascends(c.at) {
				return
			}
			c.found(s, "says offset %d, but the entry behind it says less", offset)
			continue
		}
		switch {
		case len(c.skipped) > 0 || len(s.offsets.skipped) > 0:
		case offset < h.BaseOffset():
			c.found(s, "says timestamp %d at offset %d, but no batch there has it", ts, offset)
		case ts != h.MaxTimestamp():
			c.found(s, "says timestamp %d at offset %d, but the batch there has %d", ts, offset, h.MaxTimestamp())
		case ts < s.maxTime:
			c.found(s, "says timestamp %d, but there is %d before it", ts, s.maxTime)
		}
	}
}

// closeIndexes judges what is left when the segment has been read.
func (s *segmentCheck) closeIndexes() {
	for ; s.offsets.at < s.offsets.x.len(); s.offsets.at++ {
		if _, position := s.offsets.x.offsetAt(s.offsets.at); !s.offsets.unknown(int64(position)) {
			s.offsets.found(s, "points to byte %d, behind the last batch", position)
		}
	}
	for ; s.times.at < s.times.x.len(); s.times.at++ {
		ts, relative := s.times.x.timeAt(s.times.at)
		if len(s.offsets.skipped) == 0 {
			s.times.found(s, "says timestamp %d at offset %d, behind the last batch", ts, s.base+int64(relative))
		}
	}
	last := int64(-1)
	if n := s.times.x.len(); n > 0 {
		last, _ = s.times.x.timeAt(n - 1)
	}
	// A segment that does not grow any more has its largest timestamp at the end.
	if sealed := s.next >= 0 || s.p.c.report.Clean; sealed && len(s.offsets.skipped) == 0 && s.maxTime > last && s.batches > 0 {
		s.found(s.p.c.report.Clean, timeSuffix, -1, int64(s.times.x.len())-1, -1, "ends with timestamp %d, but the segment has %d", last, s.maxTime)
	}
	s.aborted.close(s)
}

// found adds a finding on the entry at hand. What the last start found unsettled,
// the next one rebuilds.
func (c *indexCheck) found(s *segmentCheck, format string, args ...any) {
	damage := s.p.c.report.Clean || s.next >= 0 && s.next <= s.p.sealed
	s.found(damage, c.suffix, int64(c.at*c.x.entry), int64(c.at), -1, "entry %d "+format, append([]any{c.at}, args...)...)
}

// abortedSize is the size of an entry of a transaction index: version 2, producer
// ID, first offset, last offset, last stable offset.
const abortedSize = 34

// abortedCheck is a transaction index: the aborted transactions whose markers lie
// in the segment.
type abortedCheck struct {
	raw  []byte
	open map[int64]int // entries whose marker has not come by, by its offset
}

func (s *segmentCheck) openAborted() *abortedCheck {
	raw, err := vfs.ReadFile(s.p.c.fs, filepath.Join(s.p.c.cfg.Dir, s.p.dir, fileName(s.base, txnSuffix)))
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		s.found(true, txnSuffix, -1, -1, -1, "cannot be read: %v", err)
	case len(raw)%abortedSize != 0:
		s.found(s.p.c.report.Clean, txnSuffix, -1, -1, -1, "has %d bytes, which is no multiple of %d", len(raw), abortedSize)
	}
	a := &abortedCheck{raw: raw, open: map[int64]int{}}
	for i := range len(raw) / abortedSize {
		_, _, _, last, _ := a.entry(i)
		a.open[last] = i
	}
	return a
}

func (a *abortedCheck) entry(i int) (version int16, producer, first, last, stable int64) {
	e := a.raw[i*abortedSize:]
	field := func(i int) int64 { return int64(binary.BigEndian.Uint64(e[2+8*i:])) }
	return int16(binary.BigEndian.Uint16(e)), field(0), field(1), field(2), field(3)
}

// batch compares the entry of the transaction that a marker ends. A marker of a
// transaction that wrote nothing here has none.
func (a *abortedCheck) batch(s *segmentCheck, r *reader, h record.Batch, at int64, size int) error {
	i, ok := a.open[h.LastOffset()]
	if !ok || !h.Control() {
		return nil
	}
	b, err := r.at(at, size)
	if err != nil {
		return err
	}
	delete(a.open, h.LastOffset())
	version, producer, first, last, stable := a.entry(i)
	switch {
	case version != 0:
		a.found(s, i, "has version %d, which is not known", version)
	case !abort(record.Batch(b)):
		a.found(s, i, "says that a transaction was aborted at offset %d, but the marker there says that it was committed", last)
	case producer != h.ProducerID():
		a.found(s, i, "says that producer %d aborted at offset %d, but the marker is that of producer %d", producer, last, h.ProducerID())
	case first < 0 || first > last || stable < 0 || stable > last+1:
		a.found(s, i, "says that the transaction from %d to %d left the last stable offset at %d", first, last, stable)
	}
	return nil
}

// abort reports whether a control batch is the marker of an aborted transaction:
// the key of its record is version and type, two bytes each.
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
		_, producer, _, last, _ := a.entry(i)
		a.found(s, i, "says that producer %d aborted at offset %d, but the segment has no such marker", producer, last)
	}
}

func (a *abortedCheck) found(s *segmentCheck, i int, format string, args ...any) {
	s.found(true, txnSuffix, int64(i*abortedSize), int64(i), -1, "entry %d "+format, append([]any{i}, args...)...)
}
