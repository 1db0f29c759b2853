package commitlog

import (
	"fmt"
	"sync/atomic"

	"github.com/botehq/bote/internal/storage/vfs"
)

// room says whether there is space on the volume to reserve some ahead of writes.
// What one log reserves no other can use, so it is only done while there is much.
type room struct{ much atomic.Bool }

// muchRoom is the free bytes from which on space is reserved.
const muchRoom = 8 << 30

func (r *room) plenty() bool { return r.much.Load() }

// short says that reserving failed: not again until update finds room.
func (r *room) short() { r.much.Store(false) }

// update looks how much is free; what cannot be found out is little.
func (r *room) update(free int64, err error) { r.much.Store(err == nil && free >= muchRoom) }

// Space is reserved ahead of a segment that grows, as much as it has already but
// not more than reserveMost: extending a file in large steps costs less than
// batch by batch.
const (
	reserveFrom = 4 << 20
	reserveMost = 64 << 20
)

// reserve reserves space if a write is about to pass what is reserved. It reports
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

// giveBack frees what is reserved behind the end. Nobody may append meanwhile.
func (s *logSegment) giveBack() error {
	if s.reserved <= s.size.Load() {
		return nil
	}
	s.reserved = 0
	f, err := s.log.acquire()
	if err != nil {
		return fmt.Errorf("open segment %d: %w", s.base, err)
	}
	defer s.log.release()
	if err := f.Truncate(s.size.Load()); err != nil {
		return fmt.Errorf("give back space of segment %d: %w", s.base, err)
	}
	return nil
}
