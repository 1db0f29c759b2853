package segment

import (
	"context"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/botehq/bote/internal/record"
)

// Reader reads a body forward through one buffer, step bytes at a time, so that small
// items cost few reads. It can go back too, and then reads again what the buffer no
// longer has. One goroutine uses it.
//
//	0 <= start; start + len(buf) <= Size of the body
type Reader struct {
	body  Body
	step  int
	start int64  // position of the buffer's first byte
	buf   []byte // content of the body from start on
}

// NewReader returns a reader that reads step bytes at a time. It uses buf, and replaces
// it with a larger one when a batch needs that.
func NewReader(b Body, step int, buf []byte) *Reader {
	return &Reader{body: b, step: step, buf: buf[:0]}
}

// Buffer returns the reader's current buffer, for another reader. The old reader must
// not be used any more.
func (r *Reader) Buffer() []byte { return r.buf[:0] }

// At returns n bytes at a position, valid until the next call. If the body ends before
// them, the error is io.ErrUnexpectedEOF.
func (r *Reader) At(ctx context.Context, position int64, n int) ([]byte, error) {
	if position < r.start || position+int64(n) > r.start+int64(len(r.buf)) {
		if err := r.fill(ctx, position, n); err != nil {
			return nil, fmt.Errorf("read segment %d at %d: %w", r.body.Base, position, err)
		}
	}
	i := position - r.start
	return r.buf[i : i+int64(n)], nil
}

// fill makes the buffer begin at a position and hold at least n bytes. It keeps what
// the buffer already has of them.
func (r *Reader) fill(ctx context.Context, position int64, n int) error {
	want := int(min(max(int64(r.step), int64(n)), r.body.Size-position))
	if position < 0 || want < n {
		return io.ErrUnexpectedEOF
	}
	kept := 0
	if position >= r.start && position < r.start+int64(len(r.buf)) {
		kept = copy(r.buf, r.buf[position-r.start:])
	}
	if cap(r.buf) < want {
		r.buf = append(make([]byte, 0, want), r.buf[:kept]...)
	}
	r.buf, r.start = r.buf[:want], position
	got, err := r.body.Source.ReadAt(ctx, r.buf[kept:], position+int64(kept))
	got += kept
	if got < n {
		r.buf = r.buf[:0]
		return ended(err)
	}
	r.buf = r.buf[:got]
	return nil
}

// Flaw is why there is no header of a whole batch at a position.
type Flaw int

// The flaws, in the order in which they are looked for.
const (
	NoFlaw       Flaw = iota
	NoRoom            // the body ends before a header does
	Zeros             // there are zeros in the place of a header
	UnknownMagic      // the format version is not that of a batch
	WrongLength       // the length is too small for a header, or too large for any batch
	CutOff            // the body ends before the batch does
)

// Header returns the header of the batch at a position, valid until the next call. With
// any flaw but NoRoom, h is the bytes that are there. With NoFlaw:
//
//	at + record.Size(h) <= Size of the body
//
// The checksum is not looked at.
func (r *Reader) Header(ctx context.Context, at int64) (h record.Batch, flaw Flaw, err error) {
	if r.body.Size-at < record.HeaderSize {
		return nil, NoRoom, nil
	}
	p, err := r.At(ctx, at, record.HeaderSize)
	if err != nil {
		return nil, NoFlaw, err
	}
	size, err := record.Size(p)
	switch {
	case err == nil && int64(size) <= r.body.Size-at:
		return p, NoFlaw, nil
	case err == nil:
		return p, CutOff, nil
	case zero(p):
		return p, Zeros, nil
	case record.Batch(p).Magic() != record.Magic:
		return p, UnknownMagic, nil
	}
	return p, WrongLength, nil
}

// crcFrom is where, within a batch, the bytes begin that the checksum covers.
const crcFrom = 21

// wholeBatch is the size up to which Checksum reads a batch as a whole. It reads a
// larger one in steps: the length may be wrong.
const wholeBatch = 8 << 20

// Checksum computes the CRC-32C of a batch's bytes, to be compared with the one in its
// header. Position and size are those of a header without a flaw.
func (r *Reader) Checksum(ctx context.Context, at int64, size int) (uint32, error) {
	if size <= wholeBatch {
		b, err := r.At(ctx, at, size)
		if err != nil {
			return 0, err
		}
		return crc32.Checksum(b[crcFrom:], castagnoli), nil
	}
	sum := uint32(0)
	for from, end := at+crcFrom, at+int64(size); from < end; {
		p, err := r.At(ctx, from, int(min(int64(r.step), end-from)))
		if err != nil {
			return 0, err
		}
		sum = crc32.Update(sum, castagnoli, p)
		from += int64(len(p))
	}
	return sum, nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)
