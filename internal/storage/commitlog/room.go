package commitlog

import (
	"fmt"
	"sync/atomic"

	"github.com/botehq/bote/internal/storage/vfs"
)

// room says whether the volume has enough free space to reserve some ahead of
// writes. A log cannot use what another has reserved, so logs reserve only while
// much is free.
type room struct{ enough atomic.Bool }

// muchRoom is how many bytes must be free for logs to reserve space.
const muchRoom = 8 << 30

func (r *room) ok() bool { return r.enough.Load() }

// reserveFailed notes that reserving failed. Logs do not try again until update finds room.
func (r *room) reserveFailed() { r.enough.Store(false) }

// update notes how many bytes are free. If that cannot be found out, it counts as
// little.
func (r *room) update(free int64, err error) { r.enough.Store(err == nil && free >= muchRoom) }

// A growing segment reserves space ahead: as much as it has already, but not more
// than reserveMost. Extending a file in large steps costs less than batch by batch.
const (
	reserveFrom = 4 << 20
	reserveMost = 64 << 20
)

// reserve reserves space if a write is about to pass what is reserved. It returns
// false if that failed and should not be tried for a while.
func (s *logSegment) reserve(f vfs.File, at, end, limit int64) bool {
	if at < reserveFrom || end <= s.reserved {
		return true
	}
	from := max(at, s.reserved)
	to := min(limit, from+min(at, reserveMost))
	if to <= end {
		return true // the segment is nearly full
	}
	s.reserved = to
	return f.Preallocate(from, to) == nil
}

// giveBack frees the space that is reserved behind the end. No append may run
// meanwhile.
func (s *logSegment) giveBack() error {
	if s.reserved <= s.size.Load() {
		return nil
	}
	s.reserved = 0
	return s.truncateToSize()
}

// truncateToSize frees the space that the file occupies behind the end.
func (s *logSegment) truncateToSize() error {
	f, err := s.file.acquire()
	if err != nil {
		return fmt.Errorf("open segment %d: %w", s.base, err)
	}
	defer s.file.release()
	if err := f.Truncate(s.size.Load()); err != nil {
		return fmt.Errorf("give back space of segment %d: %w", s.base, err)
	}
	return nil
}
