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

// Two framings of Snappy are in use: one raw block, and xerial's, which has a 16-byte
// header and then blocks, each after its size in 4 bytes. This package reads both and
// writes xerial's.
//
// golang/snappy decodes the blocks. s2 is as fast, but also accepts repeated offsets,
// which only s2 writes and no Snappy decoder reads.

var xerialMagic = []byte{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0}

const (
	xerialHead  = 16
	snappyBlock = 32 << 10
	// snappyRatio is above the most that a snappy block can grow when it is unpacked:
	// its best element makes 64 bytes of 3.
	snappyRatio = 22
)

// snappyStream unpacks one block at a time, with the rules of xerial's
// SnappyInputStream. Fewer than four bytes after a block are the end. The magic bytes
// in place of a size are the header of another run of blocks; only the version in such
// a later header is checked, not that in the first.
type snappyStream struct {
	p      []byte // the packed bytes that are not read yet
	framed bool
	ended  bool
	room   []byte // for an unpacked block
}

var snappyStreams = sync.Pool{New: func() any { return new(snappyStream) }}

// snappyKept is the largest memory for a block that is kept in the pool.
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

// packed returns the next block; at the end it returns io.EOF.
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

// Close packs and writes the remaining bytes.
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
