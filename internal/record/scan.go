package record

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"iter"
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
		if b.Codec() == None {
			for r, err := range Records(b.Payload(), b.Count()) {
				if !yield(Summary{r.TimestampDelta, r.OffsetDelta, r.Key == nil}, err) {
					return
				}
			}
			return
		}
		in, err := unpacker(b.Codec(), b.Payload())
		if err != nil {
			yield(Summary{}, err)
			return
		}
		defer func() { _ = in.Close() }() // it has no error of its own
		s := scanner{in: bufio.NewReaderSize(&limited{in, limit}, scanBuffer)}
		for range b.Count() {
			r := s.record()
			if s.err != nil {
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

const scanBuffer = 16 << 10

// limited is a reader that fails behind a number of bytes.
type limited struct {
	in   io.Reader
	left int
}

func (l *limited) Read(p []byte) (int, error) {
	n, err := l.in.Read(p)
	if l.left -= n; l.left < 0 {
		return 0, ErrTooLarge
	}
	return n, err
}

// scanner reads records from a stream. The first error sticks.
type scanner struct {
	in   *bufio.Reader
	left int64 // bytes of the record that are not read yet
	err  error
}

// record reads one record; see next for the same on bytes.
func (s *scanner) record() (r Summary) {
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
	_, err := s.in.ReadByte()
	switch {
	case err == nil:
		return ErrRecords
	case errors.Is(err, io.EOF):
		return nil
	default:
		return err
	}
}

// fail notes an error; the end of the stream within a record means that there are
// too few of them.
func (s *scanner) fail(err error) {
	if s.err != nil {
		return
	}
	if s.err = err; err == io.EOF { //nolint:errorlint // readers return it as it is
		s.err = ErrRecords
	}
}

// ReadByte implements io.ByteReader within the record.
func (s *scanner) ReadByte() (byte, error) {
	if s.left <= 0 {
		return 0, ErrRecords
	}
	s.left--
	return s.in.ReadByte()
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
	if s.err != nil {
		return 0
	}
	var u uint64
	for shift := 0; ; shift += 7 {
		b, err := s.ReadByte()
		if err != nil {
			s.fail(err)
			return 0
		}
		if shift == 63 && b > 1 {
			s.fail(ErrRecords)
			return 0
		}
		u |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return int64(u>>1) ^ -int64(u&1)
		}
	}
}

func (s *scanner) skip(n int64) {
	if s.err != nil {
		return
	}
	if n > s.left {
		s.fail(ErrRecords)
		return
	}
	s.left -= n
	if _, err := io.CopyN(io.Discard, s.in, n); err != nil {
		s.fail(err)
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
