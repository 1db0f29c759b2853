package record

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"sync"

	"github.com/pierrec/lz4/v4"
)

// This file walks LZ4 frames; the library decodes their blocks. The walk follows
// Kafka's Lz4BlockInputStream. That accepts less than the format allows: only blocks
// that do not refer to earlier blocks, and no dictionary. It also accepts more: it
// ignores the checksum of the content, and anything after the end mark. The library's
// own frame reader differs from it in all of this.

const (
	lz4Magic        = 0x184d2204
	lz4Version      = 1 << 6 // of the two highest bits of the flags
	lz4VersionMask  = 3 << 6
	lz4Independent  = 1 << 5
	lz4BlockSum     = 1 << 4
	lz4ContentSize  = 1 << 3
	lz4ContentSum   = 1 << 2
	lz4Reserved     = 1<<1 | 1<<0 // the lower one announces a dictionary
	lz4Uncompressed = 1 << 31     // of a block's size
)

// A block must end in literals, so that decoders may copy more bytes than needed; see
// lz4_Block_format.md, "End of block conditions". Decoders in C and Java check it.
const (
	lz4MatchTail   = 8  // the offset of the last match is at least so many bytes before the end of the packed block
	lz4LiteralTail = 12 // a match may not begin in the last so many bytes of a full block
)

var errLZ4 = errors.New("lz4: malformed frame")

// lz4Stream reads the blocks of one frame.
type lz4Stream struct {
	p           []byte // the bytes that are not read yet
	flags       byte
	block       []byte // as large as a block of this frame may unpack to
	blockMemory []byte // the memory of block
	ended       bool
}

var lz4Streams = sync.Pool{New: func() any { return new(lz4Stream) }}

func openLZ4(p []byte) (stream, error) {
	s := lz4Streams.Get().(*lz4Stream)
	s.p, s.ended = p, false
	if err := s.header(); err != nil {
		s.release()
		return nil, err
	}
	return s, nil
}

// header reads the frame's header.
func (s *lz4Stream) header() error {
	const fixed, smallest, largest = 6, 4, 7
	if len(s.p) < fixed || binary.LittleEndian.Uint32(s.p) != lz4Magic {
		return errLZ4
	}
	s.flags = s.p[4]
	descriptor := s.p[5]
	if s.flags&lz4VersionMask != lz4Version || s.flags&lz4Reserved != 0 {
		return fmt.Errorf("lz4: flags %#x are not supported", s.flags)
	}
	if s.flags&lz4Independent == 0 {
		return errors.New("lz4: linked blocks are not supported")
	}
	code := descriptor >> 4
	if descriptor&0x0f != 0 || code < smallest || code > largest {
		return fmt.Errorf("lz4: block descriptor %#x is not supported", descriptor)
	}
	size := fixed
	if s.flags&lz4ContentSize != 0 {
		size += 8
	}
	if len(s.p) <= size || s.p[size] != byte(xxh32(s.p[4:size])>>8) {
		return errLZ4
	}
	s.p = s.p[size+1:]
	largestBlock := 1 << (8 + 2*int(code))
	if cap(s.blockMemory) < largestBlock {
		s.blockMemory = make([]byte, largestBlock)
	}
	s.block = s.blockMemory[:largestBlock]
	return nil
}

func (s *lz4Stream) next() ([]byte, error) {
	for !s.ended {
		p, err := s.read()
		if err != nil || len(p) > 0 {
			return p, err
		}
	}
	return nil, io.EOF
}

// read reads a block and returns its bytes; at the end mark it returns none.
func (s *lz4Stream) read() ([]byte, error) {
	word, err := s.word()
	if err != nil {
		return nil, err
	}
	size := int(word &^ lz4Uncompressed)
	if size == 0 {
		s.ended = true
		if s.flags&lz4ContentSum != 0 {
			_, err = s.word()
		}
		return nil, err
	}
	if size > len(s.block) || size > len(s.p) {
		return nil, errLZ4
	}
	packed := s.p[:size]
	s.p = s.p[size:]
	if s.flags&lz4BlockSum != 0 {
		sum, err := s.word()
		if err != nil || sum != xxh32(packed) {
			return nil, errLZ4
		}
	}
	if word&lz4Uncompressed != 0 {
		return packed, nil
	}
	n, err := lz4.UncompressBlock(packed, s.block)
	if err != nil {
		return nil, fmt.Errorf("lz4: %w", err)
	}
	if !lz4EndsInLiterals(packed, n, len(s.block)) {
		return nil, errLZ4
	}
	return s.block[:n], nil
}

func (s *lz4Stream) word() (uint32, error) {
	if len(s.p) < 4 {
		return 0, errLZ4
	}
	w := binary.LittleEndian.Uint32(s.p)
	s.p = s.p[4:]
	return w, nil
}

func (s *lz4Stream) release() {
	s.p = nil
	lz4Streams.Put(s)
}

// lz4EndsInLiterals walks the sequences of a block that the decoder accepted, and
// reports whether the block ends as the format demands. The block unpacked to n bytes;
// largest is how many bytes a block may unpack to.
func lz4EndsInLiterals(p []byte, n, largest int) bool {
	lastMatch, lastToken := -1, byte(0)
	for i := 0; i < len(p); {
		token := p[i]
		i++
		literals := int(token >> 4)
		if literals == 15 {
			literals, i = lz4Length(p, i)
		}
		i += literals
		if i >= len(p) {
			return i == len(p) && (lastMatch < 0 || lastMatch <= len(p)-lz4MatchTail && n-literals-lz4MatchLength(p, lastMatch, lastToken) <= largest-lz4LiteralTail)
		}
		lastMatch, lastToken = i, token
		i += 2
		if token&15 == 15 {
			for i < len(p) && p[i] == 255 {
				i++
			}
			i++
		}
	}
	return false
}

// lz4MatchLength returns the length of the match whose offset is at a position.
func lz4MatchLength(p []byte, at int, token byte) int {
	const shortest = 4
	length := int(token & 15)
	if length == 15 {
		length, _ = lz4Length(p, at+2)
	}
	return length + shortest
}

// lz4Length reads the bytes that continue a length of 15. It returns the length and the
// position after them.
func lz4Length(p []byte, i int) (int, int) {
	length := 15
	for i < len(p) {
		b := p[i]
		i++
		length += int(b)
		if b != 255 {
			break
		}
	}
	return length, i
}

// xxh32 is the checksum of LZ4 frames: XXH32 with seed 0.
func xxh32(p []byte) uint32 {
	const prime1, prime2, prime3, prime4, prime5 = 2654435761, 2246822519, 3266489917, 668265263, 374761393
	size := uint32(len(p))
	h := uint32(prime5)
	if len(p) >= 16 {
		var one uint32 = prime1 // arithmetic on variables wraps
		v := [4]uint32{one + prime2, prime2, 0, -one}
		for len(p) >= 16 {
			for i := range v {
				v[i] = bits.RotateLeft32(v[i]+binary.LittleEndian.Uint32(p[4*i:])*prime2, 13) * prime1
			}
			p = p[16:]
		}
		h = bits.RotateLeft32(v[0], 1) + bits.RotateLeft32(v[1], 7) + bits.RotateLeft32(v[2], 12) + bits.RotateLeft32(v[3], 18)
	}
	h += size
	for len(p) >= 4 {
		h = bits.RotateLeft32(h+binary.LittleEndian.Uint32(p)*prime3, 17) * prime4
		p = p[4:]
	}
	for _, b := range p {
		h = bits.RotateLeft32(h+uint32(b)*prime5, 11) * prime1
	}
	h = (h ^ h>>15) * prime2
	h = (h ^ h>>13) * prime3
	return h ^ h>>16
}
