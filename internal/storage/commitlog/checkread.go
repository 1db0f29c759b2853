package commitlog

import (
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/botehq/bote/internal/storage/vfs"
)

// reader reads a segment forward through one buffer.
type reader struct {
	f        vfs.File
	size     int64
	start    int64
	buf      []byte // content from start on
	owned    *[]byte
	progress *CheckProgress
	passed   int64 // what progress was told
}

const (
	readerSize = 1 << 20
	// wholeBatch is the size up to which a batch is held to see whether it is good;
	// the checksum of a larger one is taken first.
	wholeBatch = 8 << 20
)

// at returns n bytes at a position, valid until the next call.
func (r *reader) at(position int64, n int) ([]byte, error) {
	if position+int64(n) > r.size {
		return nil, errEnds
	}
	if position < r.start || position+int64(n) > r.start+int64(len(r.buf)) {
		if err := r.fill(position, n); err != nil {
			return nil, err
		}
	}
	i := position - r.start
	return r.buf[i : i+int64(n)], nil
}

// errEnds says that the segment ends before the bytes that were asked for.
var errEnds = errors.New("the segment ends")

// fill has the buffer begin at a position and hold n bytes at least, keeping what
// of it there is.
func (r *reader) fill(position int64, n int) error {
	want := int(min(max(readerSize, int64(n)), r.size-position))
	kept := 0
	if position >= r.start && position < r.start+int64(len(r.buf)) {
		kept = copy(r.buf, r.buf[position-r.start:])
	}
	if cap(r.buf) < want {
		r.buf = append(make([]byte, 0, want), r.buf[:kept]...)
	}
	r.buf, r.start = r.buf[:max(want, kept)], position
	if kept < want {
		if err := readFull(r.f, r.buf[kept:want], position+int64(kept)); err != nil {
			r.buf = r.buf[:0]
			return fmt.Errorf("read at %d: %w", position+int64(kept), err)
		}
	}
	if now := position + int64(len(r.buf)); now > r.passed {
		r.progress.done.Add(now - r.passed)
		r.passed = now
	}
	return nil
}

// checksum is the CRC-32C of the bytes between two positions.
func (r *reader) checksum(from, to int64) (uint32, error) {
	table, sum := crc32.MakeTable(crc32.Castagnoli), uint32(0)
	for from < to {
		p, err := r.at(from, int(min(readerSize, to-from)))
		if err != nil {
			return 0, err
		}
		sum = crc32.Update(sum, table, p)
		from += int64(len(p))
	}
	return sum, nil
}

func (r *reader) close() {
	if cap(r.buf) <= wholeBatch {
		*r.owned = r.buf[:0]
	} else {
		*r.owned = nil
	}
	r.progress.done.Add(max(0, r.size-r.passed))
}
