package record

import (
	"encoding/binary"
	"errors"
	"io"
	"iter"
	"sync"
)

// Summary is what [Scan] returns of a record.
type Summary struct {
	TimestampDelta int64
	OffsetDelta    int32
	NullKey        bool
}

// Scan walks the records of a batch, packed or not, and keeps none of them, so its memory
// does not depend on their unpacked size. It yields an error once and last: [ErrRecords]
// if they are not exactly as many as the header says, [ErrTooLarge] if they unpack to
// more than limit bytes, and another error if they are not the codec's data.
func Scan(b Batch, limit int) iter.Seq2[Summary, error] {
	return func(yield func(Summary, error) bool) {
		in, err := open(b.Codec(), b.Payload())
		if err != nil {
			yield(Summary{}, err)
			return
		}
		s := newScanner(in, limit)
		defer s.release()
		for range b.Count() {
			r, ok := s.record()
			if !ok {
				yield(Summary{}, s.err)
				return
			}
			if !yield(r, nil) {
				return
			}
		}
		if err := s.end(); err != nil {
			yield(Summary{}, err)
		}
	}
}

// scanner reads records from a stream. Its first error stays, except that the end of the
// stream within a record becomes ErrRecords.
//
// A record that lies within one piece of the stream is read in place. If a record is
// divided between pieces, its fields are read byte by byte.
type scanner struct {
	in    stream
	piece []byte // the bytes that are not read yet
	limit int    // how many more bytes the stream may give
	left  int64  // bytes of the current record that are not read yet
	err   error
}

var scanners = sync.Pool{New: func() any { return new(scanner) }}

// newScanner returns a scanner of a stream. The caller releases the scanner, which
// releases the stream.
func newScanner(in stream, limit int) *scanner {
	s := scanners.Get().(*scanner)
	*s = scanner{in: in, limit: limit}
	return s
}

func (s *scanner) release() {
	s.in.release()
	*s = scanner{}
	scanners.Put(s)
}

// record reads a record. If there is none, it returns false and the reason is in err.
func (s *scanner) record() (Summary, bool) {
	var r Record
	if rest, ok := r.read(s.piece); ok {
		s.piece = rest
		return Summary{r.TimestampDelta, r.OffsetDelta, r.Key == nil}, true
	}
	d := s.divided()
	return d, s.err == nil
}

// divided reads a record that is divided between pieces, as Record.read reads one in a
// single piece.
func (s *scanner) divided() (r Summary) {
	s.left = binary.MaxVarintLen32 // at most, of the size
	if s.left = s.varint(); s.left < 0 {
		s.fail(ErrRecords)
	}
	s.skip(1) // attributes, unused
	r.TimestampDelta = s.varlong()
	r.OffsetDelta = int32(s.varint())
	r.NullKey = s.bytes(true)
	s.bytes(true)
	headers := s.varint()
	if headers < 0 || headers > s.left {
		s.fail(ErrRecords)
	}
	for i := int64(0); i < headers && s.err == nil; i++ {
		s.bytes(false)
		s.bytes(true)
	}
	if s.left != 0 {
		s.fail(ErrRecords)
	}
	return r
}

// end returns nil if the stream ends here, and else an error.
func (s *scanner) end() error {
	switch {
	case s.more():
		return ErrRecords
	case errors.Is(s.err, io.EOF):
		return nil
	default:
		return s.err
	}
}

// more makes sure that piece is not empty. It returns false at the end of the stream or
// after an error.
func (s *scanner) more() bool {
	if len(s.piece) > 0 {
		return true
	}
	if s.err != nil {
		return false
	}
	s.piece, s.err = s.in.next()
	if s.limit -= len(s.piece); s.limit < 0 {
		s.piece, s.err = nil, ErrTooLarge
	}
	return s.err == nil
}

// fail records an error. It replaces io.EOF, because the end of the stream within a
// record means that records are missing.
func (s *scanner) fail(err error) {
	if s.err == nil || errors.Is(s.err, io.EOF) {
		s.err = err
	}
}

// byte reads one byte of the record.
func (s *scanner) byte() byte {
	if s.left <= 0 || !s.more() {
		s.fail(ErrRecords)
		return 0
	}
	s.left--
	b := s.piece[0]
	s.piece = s.piece[1:]
	return b
}

// varint reads a 32-bit number, with the rules of the function number.
func (s *scanner) varint() int64 {
	before := s.left
	v := s.varlong()
	if before-s.left > binary.MaxVarintLen32 || v != int64(int32(v)) {
		s.fail(ErrRecords)
		return 0
	}
	return v
}

func (s *scanner) varlong() int64 {
	var u uint64
	for shift := 0; s.err == nil; shift += 7 {
		b := s.byte()
		if shift == 63 && b > 1 {
			s.fail(ErrRecords)
		}
		u |= uint64(b&0x7f) << shift
		if b < 0x80 {
			break
		}
	}
	return int64(u>>1) ^ -int64(u&1)
}

func (s *scanner) skip(n int64) {
	if n > s.left {
		s.fail(ErrRecords)
		return
	}
	s.left -= n
	for n > 0 {
		if !s.more() {
			s.fail(ErrRecords)
			return
		}
		part := min(n, int64(len(s.piece)))
		s.piece = s.piece[part:]
		n -= part
	}
}

// bytes skips a key or value and reports whether it is null.
func (s *scanner) bytes(nullable bool) (null bool) {
	n := s.varint()
	switch {
	case s.err != nil:
	case n == -1 && nullable:
		return true
	case n < 0:
		s.fail(ErrRecords)
	default:
		s.skip(n)
	}
	return false
}
