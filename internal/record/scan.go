package record

import (
	"encoding/binary"
	"errors"
	"io"
	"iter"
	"sync"
)

// Summary is what [Scan] tells of a record.
type Summary struct {
	TimestampDelta int64
	OffsetDelta    int32
	NullKey        bool
}

// Scan walks the records of a batch, packed or not, and keeps nothing of them: what
// it needs of memory does not depend on what they unpack to. It yields an error,
// once and last: [ErrRecords] when they are not exactly as many as announced,
// [ErrTooLarge] when they unpack to more than limit bytes, another when they are not
// the codec's data.
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

// scanner reads records from a stream. The first error sticks.
//
// A record that lies within a piece of the stream is read where it lies. Of one that
// does not, each field is read byte by byte.
type scanner struct {
	in    stream
	piece []byte // not read yet
	limit int    // bytes that the stream may still give
	left  int64  // bytes of the record that are not read yet
	err   error
}

var scanners = sync.Pool{New: func() any { return new(scanner) }}

// newScanner returns a scanner of a stream. The caller releases it, and the stream with it.
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

// record reads a record; it returns false when there is none, for the reason in err.
func (s *scanner) record() (Summary, bool) {
	var r Record
	if rest, ok := r.read(s.piece); ok {
		s.piece = rest
		return Summary{r.TimestampDelta, r.OffsetDelta, r.Key == nil}, true
	}
	d := s.divided()
	return d, s.err == nil
}

// divided reads a record of several pieces; see [Record] for the same on bytes.
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

// end reports what there is behind the last record, if it is not the end.
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

// more gets the next piece if this one is read. It returns false at the end of the
// stream or after an error.
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

// fail notes an error; the end of the stream within a record means that there are
// too few of them.
func (s *scanner) fail(err error) {
	if s.err == nil || errors.Is(s.err, io.EOF) {
		s.err = err
	}
}

// byte reads a byte of the record.
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

// varint reads a number of 32 bits; see the function of that name.
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
