package record

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"sync"

	"github.com/klauspost/compress/flate"
)

// This file reads the headers and trailers of gzip members; the library decodes the
// data between them. It accepts what Java's GZIPInputStream accepts. The library's own
// gzip reader accepts less: no name above 511 bytes, and no unused flags.
//
// The constants are the sizes and flags of RFC 1952.
const (
	gzipFixed   = 10 // bytes of a header without fields
	gzipTrailer = 8
	gzipDeflate = 8 // the only method

	gzipHasSum     = 1 << 1
	gzipHasExtra   = 1 << 2
	gzipHasName    = 1 << 3
	gzipHasComment = 1 << 4
)

// gzipLeast is the size of a header and a trailer. A rest of at most so many bytes is
// no member.
const gzipLeast = gzipFixed + gzipTrailer

var (
	errGzipHeader  = errors.New("malformed header")
	errGzipTrailer = errors.New("checksum or size is wrong")
)

// gzipStream reads the members one after another. As in Java, it ignores bytes after a
// member that are not the header of another one.
type gzipStream struct {
	p     []byte       // the bytes of in
	in    bytes.Reader // the library reads no byte too many from it
	z     io.Reader
	sum   uint32 // checksum of what the member has unpacked to
	size  uint32 // number of these bytes
	ended bool
	piece []byte
}

var gzipStreams = sync.Pool{New: func() any {
	s := &gzipStream{piece: make([]byte, pieceSize)}
	s.z = flate.NewReader(&s.in)
	return s
}}

func openGzip(p []byte) (stream, error) {
	s := gzipStreams.Get().(*gzipStream)
	s.ended = false
	if err := s.member(p); err != nil {
		s.release()
		return nil, fmt.Errorf("gzip: %w", err)
	}
	return s, nil
}

// member starts the member at the start of p.
func (s *gzipStream) member(p []byte) error {
	n, err := gzipHeader(p)
	if err != nil {
		return err
	}
	s.p, s.sum, s.size = p[n:], 0, 0
	s.in.Reset(s.p)
	return s.z.(flate.Resetter).Reset(&s.in, nil) //nolint:wrapcheck // the caller does
}

// gzipHeader returns the size of the header at the start of p.
func gzipHeader(p []byte) (int, error) {
	if len(p) < gzipFixed {
		return 0, io.ErrUnexpectedEOF
	}
	if p[0] != 0x1f || p[1] != 0x8b || p[2] != gzipDeflate {
		return 0, errGzipHeader
	}
	flags, n := p[3], gzipFixed
	if flags&gzipHasExtra != 0 {
		if len(p) < n+2 {
			return 0, io.ErrUnexpectedEOF
		}
		n += 2 + int(binary.LittleEndian.Uint16(p[n:]))
	}
	for _, text := range [...]byte{gzipHasName, gzipHasComment} {
		if flags&text == 0 {
			continue
		}
		end := bytes.IndexByte(p[min(n, len(p)):], 0)
		if end < 0 {
			return 0, io.ErrUnexpectedEOF
		}
		n += end + 1
	}
	if flags&gzipHasSum != 0 {
		if len(p) < n+2 {
			return 0, io.ErrUnexpectedEOF
		}
		if binary.LittleEndian.Uint16(p[n:]) != uint16(crc32.ChecksumIEEE(p[:n])) {
			return 0, errGzipHeader
		}
		n += 2
	}
	if len(p) < n {
		return 0, io.ErrUnexpectedEOF
	}
	return n, nil
}

func (s *gzipStream) next() ([]byte, error) {
	for !s.ended {
		p, err := readPiece(s.z, s.piece)
		if err == nil {
			s.sum = crc32.Update(s.sum, crc32.IEEETable, p)
			s.size += uint32(len(p))
			return p, nil
		}
		if !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("gzip: %w", err)
		}
		rest := s.p[len(s.p)-s.in.Len():]
		if err := s.trailer(rest); err != nil {
			return nil, fmt.Errorf("gzip: %w", err)
		}
		rest = rest[gzipTrailer:]
		s.ended = len(rest) <= gzipLeast || s.member(rest) != nil
	}
	return nil, io.EOF
}

// trailer compares what the member has unpacked to with the trailer at the start of p.
func (s *gzipStream) trailer(p []byte) error {
	if len(p) < gzipTrailer {
		return io.ErrUnexpectedEOF
	}
	if binary.LittleEndian.Uint32(p) != s.sum || binary.LittleEndian.Uint32(p[4:]) != s.size {
		return errGzipTrailer
	}
	return nil
}

func (s *gzipStream) release() {
	s.p = nil
	s.in.Reset(nil)
	gzipStreams.Put(s)
}
