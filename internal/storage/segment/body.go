package segment

import (
	"context"
	"fmt"
	"io"
	"math"

	"github.com/botehq/bote/internal/record"
)

// Source is where the bytes of a body are. Many goroutines may read it at once.
type Source interface {
	// ReadAt reads bytes from a position on, as io.ReaderAt does: if it returns fewer than
	// len(p), the error says why. It returns early when ctx ends.
	ReadAt(ctx context.Context, p []byte, at int64) (int, error)
}

// From makes a source of a reader that does not wait for long. It looks at the context
// before each read.
func From(r io.ReaderAt) Source { return readerAt{r} }

type readerAt struct{ r io.ReaderAt }

// ReadAt implements [Source].
func (s readerAt) ReadAt(ctx context.Context, p []byte, at int64) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	return s.r.ReadAt(p, at)
}

// Body is the batches of a segment: the first Size bytes of a source. Their offsets
// begin at Base. Bytes behind Size are not read, so the source may grow meanwhile. A
// source with fewer bytes than Size gives io.ErrUnexpectedEOF.
//
//	0 <= Base; 0 <= position of a batch < Size
type Body struct {
	Source Source
	Base   int64
	Size   int64
}

// ReadFull fills p with the bytes from a position on.
func (b Body) ReadFull(ctx context.Context, p []byte, at int64) error {
	n, err := b.Source.ReadAt(ctx, p, at)
	if n == len(p) {
		return nil
	}
	return fmt.Errorf("read segment %d at %d: %w", b.Base, at, ended(err))
}

// ended returns the error of a read that gave too few bytes.
func ended(err error) error {
	if err == nil || err == io.EOF { //nolint:errorlint // ReadAt's contract
		return io.ErrUnexpectedEOF
	}
	return err
}

// BatchSize returns the size of the batch whose header is at a position, or an error if
// the body has fewer bytes: a damaged length must not make anybody allocate memory.
func (b Body) BatchSize(h record.Batch, at int64) (int, error) {
	size, err := record.Size(h)
	if err == nil && int64(size) > b.Size-at {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return 0, fmt.Errorf("segment %d at %d: %w", b.Base, at, err)
	}
	return size, nil
}

// Spans reports whether a batch does not end before it begins, whether there are
// offsets behind it, and whether an index of the segment can hold its last offset:
//
//	Base <= base offset <= last offset <= Base + MaxSpan
func (b Body) Spans(h record.Batch) bool {
	return h.LastOffsetDelta() >= 0 && h.BaseOffset() >= b.Base &&
		h.BaseOffset()-b.Base <= min(MaxSpan, math.MaxInt64-1-b.Base)-int64(h.LastOffsetDelta())
}

// WholeBatches returns how many bytes of p are whole batches that begin below an
// offset, and the offset behind them.
func WholeBatches(p []byte, to int64) (n int, next int64, err error) {
	for len(p)-n >= record.HeaderSize {
		size, err := record.Size(p[n:])
		if err != nil {
			return 0, 0, err
		}
		b := record.Batch(p[n:])
		if size > len(p)-n || b.BaseOffset() >= to {
			break
		}
		next = b.NextOffset()
		n += size
	}
	return n, next, nil
}
