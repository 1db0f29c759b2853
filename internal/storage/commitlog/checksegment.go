package commitlog

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/botehq/bote/internal/record"
	"github.com/botehq/bote/internal/storage/segment"
)

// segmentCheck is one segment that is being checked. It keeps its own findings, so
// several segments may be checked at once.
type segmentCheck struct {
	p    *partitionCheck
	base int64
	next int64 // base of the segment behind it, -1 for the last
	size int64

	end      int64 // offset behind the last good batch
	batches  int64
	records  int64
	maxTime  int64
	runs     []epochRun
	broken   bool // it is not known where the segment ends
	findings []Finding

	moreDamage, moreRemarks int64 // findings that are not kept

	offsets *offsetCheck
	times   *timeCheck
	aborted *abortedCheck
}

// epochRun is a run of successive batches that have the same leader epoch.
type epochRun struct {
	epoch       int32
	first, last int64 // offsets
	batches     int64
	file        string
	position    int64
}

// maxRuns bounds how many runs are kept of one segment.
const maxRuns = 10_000

// found adds a finding on a file of the segment.
func (s *segmentCheck) found(damage bool, suffix string, position, entry, offset int64, format string, args ...any) {
	f := Finding{Damage: damage, File: fileName(s.base, suffix), Position: position, Entry: entry, Offset: offset, Text: fmt.Sprintf(format, args...)}
	switch {
	case len(s.findings) < maxFindings:
		s.findings = append(s.findings, f)
	case damage:
		s.moreDamage++
	default:
		s.moreRemarks++
	}
}

// damaged adds a finding on the batch at a position.
func (s *segmentCheck) damaged(position, offset int64, format string, args ...any) {
	s.found(true, logSuffix, position, -1, offset, format, args...)
}

// check reads the segment from beginning to end, and its indexes.
func (s *segmentCheck) check(ctx context.Context, buf *[]byte) error {
	s.end, s.maxTime = s.base, -1
	f, err := s.p.c.fs.OpenFile(filepath.Join(s.p.c.cfg.Dir, s.p.dir, fileName(s.base, logSuffix)), os.O_RDONLY)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // only read
	s.openIndexes()
	from := &progressReader{r: f, progress: s.p.c.cfg.Progress}
	defer func() { from.close(s.size) }()
	r := segment.NewReader(segment.Body{Source: segment.From(from), Base: s.base, Size: s.size}, checkStep, *buf)
	defer func() { *buf = kept(r.Buffer()) }()
	for at := int64(0); at < s.size; {
		if err := ctx.Err(); err != nil {
			return err
		}
		b, why, err := s.look(ctx, r, at)
		if err != nil {
			return err
		}
		if why == "" {
			if at, err = s.good(ctx, r, b, at); err != nil {
				return err
			}
			continue
		}
		if at, err = s.bad(ctx, r, b, at, why); err != nil {
			return err
		}
	}
	s.closeIndexes()
	return nil
}

// look checks the batch at a position and returns a copy of its header. why says
// what is wrong, "" if nothing is. The header is nil if there is no room for one.
func (s *segmentCheck) look(ctx context.Context, r *segment.Reader, at int64) (header record.Batch, why string, err error) {
	h, flaw, err := r.Header(ctx, at)
	if err != nil {
		return nil, "", err
	}
	if h != nil {
		header = append(record.Batch(nil), h...)
	}
	switch flaw {
	case segment.NoFlaw:
	case segment.NoRoom:
		rest := "1 byte at the end is"
		if n := s.size - at; n > 1 {
			rest = fmt.Sprintf("%d bytes at the end are", n)
		}
		return nil, fmt.Sprintf("%s not a batch (a header alone needs %d bytes)", rest, record.HeaderSize), nil
	case segment.Zeros:
		return header, "there are zeros where a batch should begin", nil
	case segment.UnknownMagic:
		return header, fmt.Sprintf("format version %d is not known", header.Magic()), nil
	case segment.WrongLength:
		return header, fmt.Sprintf("its length field says %d, which holds no header", header.Length()), nil
	case segment.CutOff:
		return header, fmt.Sprintf("it should have %d bytes, but the segment ends %d bytes behind its beginning", int64(header.Length())+record.Overhead, s.size-at), nil
	}
	size, _ := record.Size(header)
	sum, err := r.Checksum(ctx, at, size)
	if err != nil {
		return nil, "", err
	}
	if sum != header.CRC() {
		return header, fmt.Sprintf("its checksum is %08x, but that of its bytes is %08x", header.CRC(), sum), nil
	}
	return header, "", nil
}

// good adds a batch whose checksum is right, and returns the position of the next.
// The checksum does not cover offset and epoch: the batch's neighbours have to
// confirm them.
func (s *segmentCheck) good(ctx context.Context, r *segment.Reader, h record.Batch, at int64) (int64, error) {
	size, _ := record.Size(h)
	next := at + int64(size)
	s.batches++
	s.records += int64(h.Count())
	if h.LastOffsetDelta() < 0 || h.Count() < 0 || h.Count() > h.LastOffsetDelta()+1 {
		s.damaged(at, h.BaseOffset(), "the batch has %d records, but its last offset delta is %d; its checksum is right, so it was written like that", h.Count(), h.LastOffsetDelta())
		return next, nil
	}
	if h.BaseOffset() != s.end {
		first, err := s.follower(ctx, r, next)
		if err != nil {
			return 0, err
		}
		if fits := s.placed(h, at, first); !fits {
			h.SetBaseOffset(s.end) // the header is a copy; from here on it has the offset that it should have
		}
	} else if limit := s.limit(); limit >= 0 && h.NextOffset() > limit {
		s.damaged(at, h.BaseOffset(), "the batch ends with offset %d, but the next segment begins with %d", h.LastOffset(), limit)
		return next, nil
	}
	if !s.p.c.cfg.Shallow {
		if err := s.inside(ctx, r, h, at, size); err != nil {
			return 0, err
		}
	}
	s.end = h.NextOffset()
	s.maxTime = max(s.maxTime, h.MaxTimestamp())
	s.note(h, at)
	s.offsets.batch(s, h, at)
	s.times.batch(s, h)
	return next, s.aborted.batch(ctx, s, r, h, at, size)
}

// limit is the offset that the segment must stay below, -1 if that is not known:
// where the next segment begins, or where the log ended at a clean stop.
func (s *segmentCheck) limit() int64 {
	if s.next >= 0 || !s.p.c.report.Clean {
		return s.next
	}
	return s.p.sealed
}

// follower is the base offset of what comes next: of the batch at a position if
// that is a good one, else -1; at the end of the segment, its limit.
func (s *segmentCheck) follower(ctx context.Context, r *segment.Reader, at int64) (int64, error) {
	if at >= s.size {
		return s.limit(), nil
	}
	h, why, err := s.look(ctx, r, at)
	if err != nil || why != "" {
		return -1, err
	}
	return h.BaseOffset(), nil
}

// placed judges a batch that does not begin where the one before it ended, and
// reports whether its offset may be right: compaction leaves gaps.
func (s *segmentCheck) placed(h record.Batch, at, follower int64) bool {
	mine := s.end + int64(h.LastOffsetDelta()) + 1
	limit := s.limit()
	switch {
	case h.BaseOffset() < s.base || h.LastOffset() > s.base+segment.MaxSpan:
		s.damaged(at, s.end, "the batch says base offset %d, which cannot be in this segment; no checksum covers the field", h.BaseOffset())
	case h.BaseOffset() < s.end && follower >= 0 && follower < s.end:
		// The batches before are wrong: this one and the next agree.
		s.damaged(at, h.BaseOffset(), "the batch says base offset %d, but the one before it ends with %d", h.BaseOffset(), s.end-1)
		s.end = h.BaseOffset()
		return true
	case h.BaseOffset() < s.end:
		s.damaged(at, s.end, "the batch says base offset %d, but the one before it ends with %d; no checksum covers the field", h.BaseOffset(), s.end-1)
	case follower >= mine && h.NextOffset() > follower:
		s.damaged(at, s.end, "the batch says base offset %d, but what follows begins with %d; no checksum covers the field", h.BaseOffset(), follower)
	case limit >= 0 && h.NextOffset() > limit:
		s.damaged(at, s.end, "the batch says base offset %d, but the segment ends before %d; no checksum covers the field", h.BaseOffset(), limit)
	default:
		return true
	}
	return false
}

// note adds the batch's leader epoch to runs.
func (s *segmentCheck) note(h record.Batch, at int64) {
	if n := len(s.runs); n > 0 && s.runs[n-1].epoch == h.LeaderEpoch() {
		s.runs[n-1].last = h.LastOffset()
		s.runs[n-1].batches++
		return
	}
	if len(s.runs) < maxRuns {
		s.runs = append(s.runs, epochRun{
			epoch: h.LeaderEpoch(), first: h.BaseOffset(), last: h.LastOffset(), batches: 1, file: fileName(s.base, logSuffix), position: at,
		})
	}
}

// maxUnpacked bounds what one batch may unpack to while it is checked.
const maxUnpacked = 256 << 20

// inside checks the records of a batch whose checksum is right.
func (s *segmentCheck) inside(ctx context.Context, r *segment.Reader, h record.Batch, at int64, size int) error {
	b, err := r.At(ctx, at, size)
	if err != nil {
		return err
	}
	last := int32(-1)
	for rec, err := range record.Scan(record.Batch(b), maxUnpacked) {
		switch {
		case err != nil:
			s.damaged(at, h.BaseOffset(), "the %d records of the batch (%s) cannot be read: %v; its checksum is right, so it was written like that", h.Count(), h.Codec(), err)
			return nil
		case rec.OffsetDelta <= last || rec.OffsetDelta > h.LastOffsetDelta():
			s.damaged(at, h.BaseOffset(), "a record has offset delta %d behind %d in a batch whose last is %d; its checksum is right, so it was written like that", rec.OffsetDelta, last, h.LastOffsetDelta())
			return nil
		}
		last = rec.OffsetDelta
	}
	return nil
}
