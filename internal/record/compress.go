package record

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// ErrTooLarge is returned by [Decompress] when the records unpack to more than
// the limit.
var ErrTooLarge = errors.New("records unpack to more than the limit")

// codecNames are the values of compression.type; the index is the codec.
var codecNames = [...]string{"none", "gzip", "snappy", "lz4", "zstd"}

// String is the codec's name as in configs.
func (c Codec) String() string {
	if c < 0 || int(c) >= len(codecNames) {
		return fmt.Sprintf("codec %d", int8(c))
	}
	return codecNames[c]
}

// ParseCodec reads a codec's name; "uncompressed" is none.
func ParseCodec(s string) (Codec, error) {
	if s == "uncompressed" {
		return None, nil
	}
	for i, name := range codecNames {
		if s == name {
			return Codec(i), nil
		}
	}
	return None, fmt.Errorf("unknown codec %q", s)
}

var (
	xerialMagic = []byte{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0}
	signatures  = map[Codec][]byte{
		Gzip: {0x1f, 0x8b},
		LZ4:  {0x04, 0x22, 0x4d, 0x18},
		Zstd: {0x28, 0xb5, 0x2f, 0xfd},
	}
)

// looksLike reports whether p begins as the codec's output does. It does not
// unpack anything: a raw snappy block is recognised by the size it announces.
func looksLike(c Codec, p []byte) bool {
	switch c {
	case None:
		return true
	case Snappy:
		if bytes.HasPrefix(p, xerialMagic) {
			return true
		}
		n, err := s2.DecodedLen(p)
		return err == nil && n > 0 && n <= 256*len(p) && snappyBlockFits(p, n)
	default:
		return bytes.HasPrefix(p, signatures[c])
	}
}

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

// Decompress unpacks a batch's records; limit bounds the result in bytes.
func Decompress(c Codec, p []byte, limit int) ([]byte, error) {
	switch c {
	case None:
		return p, nil
	case Gzip:
		r, err := gzip.NewReader(bytes.NewReader(p))
		if err != nil {
			return nil, fmt.Errorf("gzip: %w", err)
		}
		return readAll(r, limit)
	case Snappy:
		return unsnappy(p, limit)
	case LZ4:
		return readAll(lz4.NewReader(bytes.NewReader(p)), limit)
	case Zstd:
		r, err := zstd.NewReader(bytes.NewReader(p), zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true))
		if err != nil {
			return nil, fmt.Errorf("zstd: %w", err)
		}
		defer r.Close()
		return readAll(r, limit)
	default:
		return nil, fmt.Errorf("unknown codec %d", c)
	}
}

func readAll(r io.Reader, limit int) ([]byte, error) {
	out, err := io.ReadAll(io.LimitReader(r, int64(limit)+1))
	if err != nil {
		return nil, fmt.Errorf("unpack: %w", err)
	}
	if len(out) > limit {
		return nil, ErrTooLarge
	}
	return out, nil
}

// unsnappy reads both framings in use: one raw block, and xerial's: a 16-byte
// header, then blocks with a 4-byte size before each.
func unsnappy(p []byte, limit int) ([]byte, error) {
	if !bytes.HasPrefix(p, xerialMagic) {
		return unsnappyBlock(nil, p, limit)
	}
	if len(p) < 16 {
		return nil, fmt.Errorf("snappy: %w", io.ErrUnexpectedEOF)
	}
	var out []byte
	for p = p[16:]; len(p) > 0; {
		if len(p) < 4 {
			return nil, fmt.Errorf("snappy: %w", io.ErrUnexpectedEOF)
		}
		n := binary.BigEndian.Uint32(p)
		if uint64(n) > uint64(len(p)-4) {
			return nil, fmt.Errorf("snappy: %w", io.ErrUnexpectedEOF)
		}
		var err error
		if out, err = unsnappyBlock(out, p[4:4+n], limit); err != nil {
			return nil, err
		}
		p = p[4+n:]
	}
	return out, nil
}

func unsnappyBlock(out, p []byte, limit int) ([]byte, error) {
	n, err := s2.DecodedLen(p)
	if err != nil {
		return nil, fmt.Errorf("snappy: %w", err)
	}
	if n > limit-len(out) {
		return nil, ErrTooLarge
	}
	block, err := s2.Decode(nil, p)
	if err != nil {
		return nil, fmt.Errorf("snappy: %w", err)
	}
	return append(out, block...), nil
}

// Compress packs records. The level is the codec's own number; for codecs
// without levels it is ignored.
func Compress(c Codec, level int, p []byte) ([]byte, error) {
	var out bytes.Buffer
	switch c {
	case None:
		return p, nil
	case Gzip:
		w, err := gzip.NewWriterLevel(&out, level)
		if err != nil {
			return nil, fmt.Errorf("gzip: %w", err)
		}
		return finish(&out, w, p)
	case Snappy:
		return snappyXerial(p), nil
	case LZ4:
		w := lz4.NewWriter(&out)
		if err := w.Apply(lz4.CompressionLevelOption(lz4Level(level)), lz4.BlockSizeOption(lz4.Block64Kb)); err != nil {
			return nil, fmt.Errorf("lz4: %w", err)
		}
		return finish(&out, w, p)
	case Zstd:
		w, err := zstd.NewWriter(&out, zstd.WithEncoderLevel(zstd.EncoderLevelFromZstd(level)), zstd.WithEncoderConcurrency(1))
		if err != nil {
			return nil, fmt.Errorf("zstd: %w", err)
		}
		return finish(&out, w, p)
	default:
		return nil, fmt.Errorf("unknown codec %d", c)
	}
}

func finish(out *bytes.Buffer, w io.WriteCloser, p []byte) ([]byte, error) {
	if _, err := w.Write(p); err != nil {
		return nil, fmt.Errorf("pack: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("pack: %w", err)
	}
	return out.Bytes(), nil
}

// lz4Level maps Kafka's 1..17 to the library's ten.
func lz4Level(level int) lz4.CompressionLevel {
	levels := []lz4.CompressionLevel{lz4.Fast, lz4.Level1, lz4.Level2, lz4.Level3, lz4.Level4, lz4.Level5, lz4.Level6, lz4.Level7, lz4.Level8, lz4.Level9}
	return levels[min(max(level, 0), len(levels)-1)]
}

func snappyXerial(p []byte) []byte {
	const block = 32 << 10
	out := append([]byte{}, xerialMagic...)
	out = binary.BigEndian.AppendUint32(out, 1)
	out = binary.BigEndian.AppendUint32(out, 1)
	for len(p) > 0 {
		n := min(block, len(p))
		packed := s2.EncodeSnappy(nil, p[:n])
		out = binary.BigEndian.AppendUint32(out, uint32(len(packed)))
		out = append(out, packed...)
		p = p[n:]
	}
	return out
}
