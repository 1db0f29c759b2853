package commitlog

import (
	"context"
	"fmt"

	"github.com/botehq/bote/internal/record"
	"github.com/botehq/bote/internal/storage/segment"
)

// bad reports a damaged batch at a position, and returns where the next good batch
// is, or the end. The header h is nil if there is no room for one; why then says it all.
func (s *segmentCheck) bad(ctx context.Context, r *segment.Reader, h record.Batch, at int64, why string) (int64, error) {
	next, first, err := s.resync(ctx, r, h, at)
	if err != nil {
		return 0, err
	}
	from := s.end
	s.offsets.skip(at, next)
	if next < s.size {
		s.damaged(at, from, "the batch is damaged: %s; the next good one is at byte %d with offset %d", why, next, first)
		s.end = max(s.end, first)
		return next, nil
	}
	if s.next < 0 && !s.p.c.report.Clean && s.p.sealed <= from {
		text := why
		if h != nil {
			text = fmt.Sprintf("the last %d bytes are not a whole batch: %s", s.size-at, why)
		}
		s.found(false, logSuffix, at, -1, from, "%s; the next start cuts them off", text)
		return s.size, nil
	}
	s.broken = true
	text := why + "; nothing valid follows"
	if h != nil {
		text = fmt.Sprintf("the batch is damaged: %s; there is no valid one in the %d bytes from here to the end of the segment", why, s.size-at)
	}
	s.damaged(at, from, "%s", text)
	if s.next >= 0 {
		s.end = s.next
	}
	return s.size, nil
}

// maxTries bounds how many checksums a search for the next batch computes.
const maxTries = 4096

// resync finds the next good batch. It looks first where the damaged batch ends by
// its own length, then at every place that looks like the header of a batch whose
// offset fits.
func (s *segmentCheck) resync(ctx context.Context, r *segment.Reader, h record.Batch, at int64) (next, offset int64, err error) {
	if h != nil {
		if size, serr := record.Size(h); serr == nil && at+int64(size) < s.size {
			b, why, err := s.look(ctx, r, at+int64(size))
			if err != nil {
				return 0, 0, err
			}
			if why == "" && s.fits(b) {
				return at + int64(size), b.BaseOffset(), nil
			}
		}
	}
	tries := 0
	for at++; at+record.HeaderSize <= s.size; {
		if err := ctx.Err(); err != nil {
			return 0, 0, err
		}
		p, err := r.At(ctx, at, int(min(checkStep, s.size-at)))
		if err != nil {
			return 0, 0, err
		}
		i := s.candidate(p)
		at += int64(i)
		if i+record.HeaderSize > len(p) {
			continue // the next read begins with the rest
		}
		b, why, err := s.look(ctx, r, at)
		if err != nil {
			return 0, 0, err
		}
		if why == "" {
			return at, b.BaseOffset(), nil
		}
		if tries++; tries == maxTries {
			break
		}
		at++
	}
	return s.size, 0, nil
}

// fits reports whether a batch may follow what was read so far.
func (s *segmentCheck) fits(b record.Batch) bool {
	limit := s.limit()
	if limit < 0 {
		limit = s.base + segment.MaxSpan + 1
	}
	return b.BaseOffset() >= s.end && b.LastOffsetDelta() >= 0 && b.NextOffset() <= limit
}

// candidate returns the first place in p that looks like the header of a batch that
// fits, or where no header has room any more.
func (s *segmentCheck) candidate(p []byte) int {
	i := 0
	for ; i+record.HeaderSize <= len(p); i++ {
		b := record.Batch(p[i:])
		if b.Magic() != record.Magic {
			continue
		}
		if b.Length() >= record.HeaderSize-record.Overhead && s.fits(b) {
			break
		}
	}
	return i
}
