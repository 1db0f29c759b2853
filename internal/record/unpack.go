package record

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"

	"github.com/klauspost/compress/zstd"
)

// stream is the unpacked bytes of a batch, one piece at a time. It holds one window or
// one block of them, never all.
//
// A stream accepts what Apache Kafka accepts, and ends where Kafka's does: Kafka's
// consumers read stored records with the same classes with which its broker checks
// them.
type stream interface {
	// next returns the next bytes, at least one, valid until the next call; at the end
	// it returns io.EOF.
	next() ([]byte, error)
	// release gives back what the stream uses; no method may be called after it.
	release()
}

// open returns the stream of bytes that a codec packed. The caller must release it,
// even after an error of next.
func open(c Codec, p []byte) (stream, error) {
	return openWith(c, p, awaitWindow(c, p))
}

// openWithSlot is open for a producer's batch: it also waits for a place in unpacking,
// which leave gives back. The order is: first the large window, then a place. The
// other way round, batches that wait for the large window would occupy all places, and
// no other batch could be unpacked.
func openWithSlot(c Codec, p []byte) (stream, error) {
	large := awaitWindow(c, p)
	unpackSlots <- struct{}{}
	in, err := openWith(c, p, large)
	if err != nil {
		releaseSlot()
	}
	return in, err
}

// awaitWindow waits for the large window if p needs it, and reports whether it does.
func awaitWindow(c Codec, p []byte) bool {
	large := c == Zstd && wantsLargeWindow(p)
	if large {
		largeWindow <- struct{}{}
	}
	return large
}

// releaseSlot gives a place in unpacking back.
func releaseSlot() { <-unpackSlots }

// openWith returns a stream; large says that the caller holds the large window. The
// stream gives the window back when it is released; after an error, openWith does.
func openWith(c Codec, p []byte, large bool) (stream, error) {
	switch c {
	case None:
		return &plainStream{p}, nil
	case Gzip:
		return openGzip(p)
	case Snappy:
		return openSnappy(p), nil
	case LZ4:
		return openLZ4(p)
	case Zstd:
		return openZstd(p, large)
	default:
		return nil, fmt.Errorf("unknown codec %d", c)
	}
}

// unpackSlots bounds how many producers' batches are unpacked at the same time. The work
// is pure computation: more at once would not be faster, and would need more memory.
var unpackSlots = make(chan struct{}, runtime.GOMAXPROCS(0))

// plainStream is the stream of bytes that are not packed.
type plainStream struct{ p []byte }

func (s *plainStream) next() ([]byte, error) {
	if len(s.p) == 0 {
		return nil, io.EOF
	}
	p := s.p
	s.p = nil
	return p, nil
}

func (s *plainStream) release() {}

// pieceSize is the size of the pieces of codecs that have no blocks.
const pieceSize = 64 << 10

// readPiece reads at least one byte, unless there is an error.
func readPiece(r io.Reader, piece []byte) ([]byte, error) {
	for {
		n, err := r.Read(piece)
		if n > 0 {
			return piece[:n], nil // the error comes again
		}
		if err != nil {
			return nil, err //nolint:wrapcheck // the caller names the codec
		}
	}
}

// maxWindow is the largest zstd window that is decoded, as in Kafka's decoder. Only
// the used part of its memory is touched.
const maxWindow = 128 << 20

// usualWindow is the largest window of the decoders that any number of goroutines may
// use at once. All levels of the reference encoder but the highest three ask for at
// most this.
const usualWindow = 8 << 20

// largeWindow is a token: a goroutine holds it while it decodes with a larger window.
var largeWindow = make(chan struct{}, 1)

// zstdStream reads frames one after another.
type zstdStream struct {
	in    bytes.Reader
	piece []byte
	z     *zstd.Decoder
	kept  bool // it came from zstdKept, and goes back there
	large bool
}

// zstdKept are the decoders that are reused, one for each place in unpacking. They are
// made at the start of the program: a decoder has a channel, and a channel that is
// made in a test's bubble (testing/synctest) belongs to that bubble.
var zstdKept = keepZstd(cap(unpackSlots))

func keepZstd(n int) chan *zstdStream {
	kept := make(chan *zstdStream, n)
	for range n {
		s := newZstdStream(usualWindow)
		s.kept = true
		kept <- s
	}
	return kept
}

// usualZstd returns a decoder from zstdKept, or a new one if all are in use.
func usualZstd() *zstdStream {
	select {
	case s := <-zstdKept:
		return s
	default:
		return newZstdStream(usualWindow)
	}
}

func newZstdStream(window uint64) *zstdStream {
	z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(window))
	if err != nil {
		panic(fmt.Sprintf("zstd: %v", err)) // an option is wrong
	}
	return &zstdStream{z: z}
}

func openZstd(p []byte, large bool) (stream, error) {
	var s *zstdStream
	if large {
		s = newZstdStream(maxWindow)
		s.large = true
	} else {
		s = usualZstd()
	}
	if s.piece == nil {
		s.piece = make([]byte, pieceSize)
	}
	s.in.Reset(p)
	if err := s.z.Reset(&s.in); err != nil {
		s.release()
		return nil, fmt.Errorf("zstd: %w", err)
	}
	return s, nil
}

// wantsLargeWindow reports whether p has a frame whose window is larger than the usual
// one and not too large to be decoded. It reads only the headers of frames and blocks,
// and stops at a header that the decoder will refuse.
func wantsLargeWindow(p []byte) bool {
	for len(p) > 0 {
		var h zstd.Header
		if h.Decode(p) != nil {
			return false
		}
		if h.Skippable {
			p = p[min(len(p), h.HeaderSize+int(h.SkippableSize)):]
			continue
		}
		window := h.WindowSize
		if h.SingleSegment {
			window = h.FrameContentSize
		}
		if window > usualWindow {
			return window <= maxWindow
		}
		p = skipBlocks(p[h.HeaderSize:], h.HasCheckSum)
	}
	return false
}

// skipBlocks returns the bytes after the blocks at the start of p, or nothing if the
// blocks are cut off.
func skipBlocks(p []byte, checksum bool) []byte {
	const headerSize, typeRLE, checksumSize = 3, 1, 4
	for last := false; !last; {
		if len(p) < headerSize {
			return nil
		}
		header := int(p[0]) | int(p[1])<<8 | int(p[2])<<16
		last = header&1 != 0
		size := header >> 3
		if header>>1&3 == typeRLE {
			size = 1
		}
		p = p[min(len(p), headerSize+size):]
	}
	if checksum {
		p = p[min(len(p), checksumSize):]
	}
	return p
}

func (s *zstdStream) next() ([]byte, error) {
	p, err := readPiece(s.z, s.piece)
	if err != nil && !errors.Is(err, io.EOF) {
		err = fmt.Errorf("zstd: %w", err)
	}
	return p, err
}

func (s *zstdStream) release() {
	switch {
	case s.kept:
		_ = s.z.Reset(nil) // releases the input
		s.in.Reset(nil)
		zstdKept <- s
	case s.large:
		s.z.Close()
		<-largeWindow
	default:
		s.z.Close()
	}
}

// streamReader is an io.Reader of a stream.
type streamReader struct {
	in   stream
	rest []byte
}

// Read implements io.Reader.
func (r *streamReader) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		var err error
		if r.rest, err = r.in.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}
