package record

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/klauspost/compress/s2"
)

// Snappy has two framings in use: one raw block, and xerial's: a 16-byte header,
// then blocks with a 4-byte size before each. Both are read, xerial's is written.

var xerialMagic = []byte{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0}

const (
	xerialHead  = 16
	snappyBlock = 32 << 10
	// snappyRatio is more than a snappy block can grow when it is unpacked: its best
	// element makes 64 bytes of 3.
	snappyRatio = 22
)

// snappyBlockFits walks the elements of a raw snappy block and reports whether
// they make up exactly the announced size, without writing any output.
func snappyBlockFits(p []byte, size int) bool {
	_, n := binary.Uvarint(p)
	p = p[n:]
	out := 0
	for len(p) > 0 {
		length, header, body := snappyElement(p)
		if header == 0 || header+body > len(p) {
			return false
		}
		out += length
		p = p[header+body:]
	}
	return out == size
}

// snappyElement returns what the element at the start of p expands to, and the
// sizes of its tag and of the literal behind it; a zero tag size is an error.
func snappyElement(p []byte) (length, header, body int) {
	tag := p[0]
	switch tag & 3 {
	case 0:
		length = int(tag >> 2)
		extra := max(length-59, 0)
		if len(p) < 1+extra {
			return 0, 0, 0
		}
		if extra > 0 {
			length = 0
			for i := range extra {
				length |= int(p[1+i]) << (8 * i)
			}
		}
		return length + 1, 1 + extra, length + 1
	case 1:
		return 4 + int(tag>>2&7), 2, 0
	case 2:
		return 1 + int(tag>>2), 3, 0
	default:
		return 1 + int(tag>>2), 5, 0
	}
}

// snappyReader unpacks a block at a time.
type snappyReader struct {
	p      []byte // packed, and not read yet
	framed bool
	block  []byte // unpacked, in a buffer that is used again
	rest   []byte // of block, not read yet
}

func newSnappyReader(p []byte) (*snappyReader, error) {
	if !bytes.HasPrefix(p, xerialMagic) {
		return &snappyReader{p: p}, nil
	}
	if len(p) < xerialHead {
		return nil, fmt.Errorf("snappy: %w", io.ErrUnexpectedEOF)
	}
	return &snappyReader{p: p[xerialHead:], framed: true}, nil
}

// Close makes it an io.ReadCloser.
func (r *snappyReader) Close() error { return nil }

// Read implements io.Reader.
func (r *snappyReader) Read(out []byte) (int, error) {
	for len(r.rest) == 0 {
		if len(r.p) == 0 && (r.framed || r.block != nil) {
			return 0, io.EOF
		}
		if err := r.next(); err != nil {
			return 0, err
		}
	}
	n := copy(out, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// next unpacks a block.
func (r *snappyReader) next() error {
	packed := r.p
	if r.framed {
		if len(r.p) < 4 {
			return fmt.Errorf("snappy: %w", io.ErrUnexpectedEOF)
		}
		n := binary.BigEndian.Uint32(r.p)
		if uint64(n) > uint64(len(r.p)-4) {
			return fmt.Errorf("snappy: %w", io.ErrUnexpectedEOF)
		}
		packed = r.p[4 : 4+n]
		r.p = r.p[4+n:]
	} else {
		r.p = nil
	}
	n, err := s2.DecodedLen(packed)
	if err != nil {
		return fmt.Errorf("snappy: %w", err)
	}
	if n > snappyRatio*len(packed) {
		return fmt.Errorf("snappy: %w", s2.ErrCorrupt)
	}
	if r.block, err = s2.Decode(r.block[:cap(r.block)], packed); err != nil {
		return fmt.Errorf("snappy: %w", err)
	}
	if r.block == nil {
		r.block = []byte{}
	}
	r.rest = r.block
	return nil
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
