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

// ErrTooLarge is returned by [Decompress] and [Scan] if the records unpack to more
// than the limit.
var ErrTooLarge = errors.New("records unpack to more than the limit")

// codecNames are the values of compression.type; the index is the codec.
var codecNames = [...]string{"none", "gzip", "snappy", "lz4", "zstd"}

// String returns the codec's name as in configs.
func (c Codec) String() string {
	if c < 0 || int(c) >= len(codecNames) {
		return fmt.Sprintf("codec %d", int8(c))
	}
	return codecNames[c]
}

// ParseCodec parses a codec's name; "uncompressed" means none.
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

var signatures = map[Codec][]byte{
	Gzip: {0x1f, 0x8b},
	LZ4:  {0x04, 0x22, 0x4d, 0x18},
	Zstd: {0x28, 0xb5, 0x2f, 0xfd},
}

// looksLike reports whether p begins like the codec's output. It unpacks nothing: it
// recognises a raw snappy block by the size in its header and the sizes of its
// elements.
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

// snappyBlockFits walks the elements of a raw snappy block, without any output, and
// reports whether they unpack to exactly size bytes.
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

// snappyElement returns the unpacked size of the element at the start of p, the size
// of its tag, and the size of the literal after the tag. If the tag is cut off, the
// tag size is zero.
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
	if c == None {
		return p, nil
	}
	in, err := open(c, p)
	if err != nil {
		return nil, err
	}
	defer in.release()
	return readAll(&streamReader{in: in}, limit)
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

// Compress packs records. The level is the codec's own number; codecs without levels
// ignore it.
func Compress(c Codec, level int, p []byte) ([]byte, error) {
	if c == None {
		return p, nil
	}
	var out bytes.Buffer
	w, err := packer(c, level, &out)
	if err != nil {
		return nil, err
	}
	return finish(&out, w, p)
}

// packer returns a writer that packs into out. The packed data is complete once the
// writer is closed.
func packer(c Codec, level int, out io.Writer) (io.WriteCloser, error) {
	switch c {
	case None:
		return nopWriteCloser{out}, nil
	case Gzip:
		w, err := gzip.NewWriterLevel(out, level)
		if err != nil {
			return nil, fmt.Errorf("gzip: %w", err)
		}
		return w, nil
	case Snappy:
		return &snappyWriter{out: out}, nil
	case LZ4:
		w := lz4.NewWriter(out)
		if err := w.Apply(lz4.CompressionLevelOption(lz4Level(level)), lz4.BlockSizeOption(lz4.Block64Kb)); err != nil {
			return nil, fmt.Errorf("lz4: %w", err)
		}
		return w, nil
	case Zstd:
		w, err := zstd.NewWriter(out, zstd.WithEncoderLevel(zstd.EncoderLevelFromZstd(level)), zstd.WithEncoderConcurrency(1))
		if err != nil {
			return nil, fmt.Errorf("zstd: %w", err)
		}
		return w, nil
	default:
		return nil, fmt.Errorf("unknown codec %d", c)
	}
}

type nopWriteCloser struct{ io.Writer }

func (nopWriteCloser) Close() error { return nil }

func finish(out *bytes.Buffer, w io.WriteCloser, p []byte) ([]byte, error) {
	if _, err := w.Write(p); err != nil {
		return nil, fmt.Errorf("pack: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("pack: %w", err)
	}
	return out.Bytes(), nil
}

// lz4Level maps Kafka's levels 1 to 17 to the library's ten levels.
func lz4Level(level int) lz4.CompressionLevel {
	levels := []lz4.CompressionLevel{lz4.Fast, lz4.Level1, lz4.Level2, lz4.Level3, lz4.Level4, lz4.Level5, lz4.Level6, lz4.Level7, lz4.Level8, lz4.Level9}
	return levels[min(max(level, 0), len(levels)-1)]
}
