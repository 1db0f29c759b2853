package record

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"sync"

	"github.com/golang/snappy"
	"github.com/klauspost/compress/s2"
)

// Snappy has two framings in use: one raw block, and xerial's: a 16-byte header,
// then blocks with a 4-byte size before each. Both are read, xerial's is written.
//
// Blocks are decoded by golang/snappy: s2 is as fast, but takes repeated offsets too,
// which only it can write and no decoder of Snappy reads.

var xerialMagic = []byte{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0}

const (
	xerialHead  = 16
	snappyBlock = 32 << 10
	// snappyRatio is more than a snappy block can grow when it is unpacked: its best
	// element makes 64 bytes of 3.
	snappyRatio = 22
)

// snappyStream unpacks a block at a time, as xerial's SnappyInputStream does: fewer
// than four bytes behind a block are the end, and the magic bytes in place of a size
// begin another run of blocks, of whose header it looks at the version. At the start it
// does not.
type snappyStream struct {
	p      []byte // packed, and not read yet
	framed bool
	ended  bool
	room   []byte // for a block that is unpacked
}

var snappyStreams = sync.Pool{New: func() any { return new(snappyStream) }}

// snappyKept is the largest block whose memory is kept for others.
const snappyKept = 1 << 20

func openSnappy(p []byte) stream {
	s := snappyStreams.Get().(*snappyStream)
	s.framed, s.ended = len(p) >= xerialHead && bytes.HasPrefix(p, xerialMagic), false
	if s.framed {
		p = p[xerialHead:]
	}
	s.p = p
	return s
}

func (s *snappyStream) release() {
	s.p = nil
	if cap(s.room) > snappyKept {
		s.room = nil
	}
	snappyStreams.Put(s)
}

func (s *snappyStream) next() ([]byte, error) {
	for !s.ended {
		packed, err := s.packed()
		if err != nil {
			return nil, err
		}
		p, err := s.unpack(packed)
		if err != nil || len(p) > 0 {
			return p, err
		}
	}
	return nil, io.EOF
}

// packed cuts off the next block; at the end it returns io.EOF.
func (s *snappyStream) packed() ([]byte, error) {
	if !s.framed {
		s.ended = true
		return s.p, nil
	}
	for len(s.p) >= xerialHead && bytes.HasPrefix(s.p, xerialMagic) {
		if version := int32(binary.BigEndian.Uint32(s.p[len(xerialMagic):])); version < 1 {
			return nil, fmt.Errorf("snappy: %w: codec version %d", snappy.ErrUnsupported, version)
		}
		s.p = s.p[xerialHead:]
	}
	if len(s.p) < 4 {
		return nil, io.EOF
	}
	n := binary.BigEndian.Uint32(s.p)
	if n == 0 || uint64(n) > uint64(len(s.p)-4) {
		return nil, fmt.Errorf("snappy: %w", io.ErrUnexpectedEOF)
	}
	packed := s.p[4 : 4+n]
	s.p = s.p[4+n:]
	return packed, nil
}

func (s *snappyStream) unpack(packed []byte) ([]byte, error) {
	n, err := snappy.DecodedLen(packed)
	if err != nil {
		return nil, fmt.Errorf("snappy: %w", err)
	}
	if n > snappyRatio*len(packed) {
		return nil, fmt.Errorf("snappy: %w", snappy.ErrCorrupt)
	}
	if n > unpackLimit {
		return nil, fmt.Errorf("snappy: %w", ErrTooLarge)
	}
	if cap(s.room) < n {
		s.room = make([]byte, n)
	}
	p, err := snappy.Decode(s.room[:n], packed)
	if err != nil {
		return nil, fmt.Errorf("snappy: %w", err)
	}
	return p, nil
}

// snappyWriter packs blocks of 32 KiB in xerial's framing.
type snappyWriter struct {
	out    io.Writer
	begun  bool
	buf    []byte
	packed []byte
}

// Write implements io.Writer.
func (w *snappyWriter) Write(p []byte) (int, error) {
	n := len(p)
	for len(w.buf)+len(p) >= snappyBlock {
		take := snappyBlock - len(w.buf)
		w.buf = append(w.buf, p[:take]...)
		p = p[take:]
		if err := w.flush(); err != nil {
			return 0, err
		}
	}
	w.buf = append(w.buf, p...)
	return n, nil
}

// Close packs what is left.
func (w *snappyWriter) Close() error {
	if len(w.buf) > 0 || !w.begun {
		return w.flush()
	}
	return nil
}

func (w *snappyWriter) flush() error {
	var out []byte
	if !w.begun {
		w.begun = true
		out = append(out, xerialMagic...)
		out = binary.BigEndian.AppendUint32(out, 1)
		out = binary.BigEndian.AppendUint32(out, 1)
	}
	if len(w.buf) > 0 {
		w.packed = s2.EncodeSnappy(w.packed[:cap(w.packed)], w.buf)
		out = binary.BigEndian.AppendUint32(out, uint32(len(w.packed)))
		out = append(out, w.packed...)
		w.buf = w.buf[:0]
	}
	_, err := w.out.Write(out)
	return err
}
