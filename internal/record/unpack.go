package record

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"

	"github.com/klauspost/compress/zstd"
)

// stream is the unpacked bytes of a batch, a piece at a time. It holds one window or
// one block of them, never all.
//
// What a stream takes, and what it takes for the end, is what Apache Kafka takes: its
// consumers read what is stored with the same classes that its broker checks it with.
type stream interface {
	// next returns the bytes that follow, at least one, valid until the next call;
	// io.EOF at the end.
	next() ([]byte, error)
	// release gives back what the stream works with; nothing may be called after it.
	release()
}

// open returns the stream of bytes packed by a codec. The caller releases it, also
// after an error of next.
func open(c Codec, p []byte) (stream, error) {
	return openWith(c, p, awaitWindow(c, p))
}

// openInTurn is open for a batch of a producer: it waits for one of the places in
// unpacking, which leave gives back. A batch that wants the large window waits for
// that first. With a place in hand, such batches would keep all places from the
// others. So the order is: the large window, then a place.
func openInTurn(c Codec, p []byte) (stream, error) {
	large := awaitWindow(c, p)
	unpacking <- struct{}{}
	in, err := openWith(c, p, large)
	if err != nil {
		leave()
	}
	return in, err
}

// awaitWindow waits for the large window if p wants it, and reports whether it does.
func awaitWindow(c Codec, p []byte) bool {
	large := c == Zstd && wantsLargeWindow(p)
	if large {
		largeWindow <- struct{}{}
	}
	return large
}

// leave gives a place in unpacking back.
func leave() { <-unpacking }

// openWith returns a stream that has the large window or not. It gives the window back
// when it is released, or here after an error.
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

// unpacking bounds how many batches of producers are unpacked at once. The work only
// computes: more at once would be no faster, and would need more memory.
var unpacking = make(chan struct{}, runtime.GOMAXPROCS(0))

// plainStream is bytes that are not packed.
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

// pieceSize is what the codecs without blocks of their own are read by.
const pieceSize = 64 << 10

// readPiece reads bytes, at least one unless there is an error.
func readPiece(r io.Reader, piece []byte) ([]byte, error) {
	for {
		n, err := r.Read(piece)
		if n > 0 {
			return piece[:n], nil // an error comes again
		}
		if err != nil {
			return nil, err //nolint:wrapcheck // the caller names the codec
		}
	}
}

// maxWindow is the largest zstd window that is decoded, which is what Kafka's
// decoder takes. Only what is used of it is touched.
const maxWindow = 128 << 20

// usualWindow is the largest window that decoders have that any number of goroutines
// may use at once. It is what the highest level but three of the reference encoder
// asks for.
const usualWindow = 8 << 20

// largeWindow is held by whoever decodes with a larger window.
var largeWindow = make(chan struct{}, 1)

// zstdStream reads frames one after another.
type zstdStream struct {
	in    bytes.Reader
	piece []byte
	z     *zstd.Decoder
	kept  bool // it came from zstdKept, and goes back there
	large bool
}

// zstdKept are the decoders that are used again and again, as many as there may be
// batches of producers under way. They are made before anything runs: a decoder has a
// channel, which belongs to the test's bubble (testing/synctest) if it is made in one.
var zstdKept = keepZstd(cap(unpacking))

func keepZstd(n int) chan *zstdStream {
	kept := make(chan *zstdStream, n)
	for range n {
		s := newZstdStream(usualWindow)
		s.kept = true
		kept <- s
	}
	return kept
}

// usualZstd returns a decoder that is kept, or a new one if all are in use.
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

// wantsLargeWindow reports whether a frame of p has a window above the usual one that
// is decoded nevertheless. It reads the headers of frames and blocks only, and stops
// at what the decoder will refuse.
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
		p = behindFrame(p[h.HeaderSize:], h.HasCheckSum)
	}
	return false
}

// behindFrame returns what follows the blocks that p begins with, nothing if they are
// cut off.
func behindFrame(p []byte, checksum bool) []byte {
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
		_ = s.z.Reset(nil) // says that there is no input now
		s.in.Reset(nil)
		zstdKept <- s
	case s.large:
		s.z.Close()
		<-largeWindow
	default:
		s.z.Close()
	}
}

// streamReader makes a reader of a stream.
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
