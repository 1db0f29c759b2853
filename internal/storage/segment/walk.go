package segment

import (
	"context"
	"fmt"
	"sync"

	"github.com/botehq/bote/internal/record"
)

// Visit is called with a batch, or its header, and its position. The bytes are valid
// until it returns. It returns false to end the walk.
type Visit func(b record.Batch, at int64) (more bool, err error)

// walkStep is how many bytes are read at a time for headers.
const walkStep = 16 << 10

// keptBuffer is the size up to which the pool keeps the buffer of a walk.
const keptBuffer = 1 << 20

var buffers = sync.Pool{New: func() any { return new([]byte) }}

// walker is a reader with a buffer from the pool.
type walker struct {
	Reader
	owned *[]byte
}

func (b Body) walker() walker {
	owned := buffers.Get().(*[]byte)
	return walker{Reader: Reader{body: b, step: walkStep, buf: (*owned)[:0]}, owned: owned}
}

func (w *walker) close() {
	if cap(w.buf) <= keptBuffer {
		*w.owned = w.buf[:0]
	}
	buffers.Put(w.owned)
}

// Headers visits the header of each batch from a position to the end. Bytes that are no
// batch are an error; a last batch that is cut off is not.
func (b Body) Headers(ctx context.Context, from int64, visit Visit) error {
	w := b.walker()
	defer w.close()
	for at := from; at < b.Size; {
		if err := ctx.Err(); err != nil {
			return err
		}
		h, err := w.At(ctx, at, record.HeaderSize)
		if err != nil {
			return err
		}
		size, err := record.Size(h)
		if err != nil {
			return fmt.Errorf("segment %d at %d: %w", b.Base, at, err)
		}
		more, err := visit(h, at)
		if err != nil || !more {
			return err
		}
		at += int64(size)
	}
	return nil
}

// maxBatch bounds the size that a damaged length field can make a scan allocate.
const maxBatch = 1 << 30

// ScanLengths visits the header of each batch from a position on, until the first batch
// that is not whole by its length. That batch is no error.
func (b Body) ScanLengths(ctx context.Context, from int64, visit Visit) error {
	w := b.walker()
	defer w.close()
	for at := from; ; {
		h, size, err := w.whole(ctx, at)
		if err != nil || h == nil {
			return err
		}
		more, err := visit(h, at)
		if err != nil || !more {
			return err
		}
		at += int64(size)
	}
}

// ScanChecksums visits each batch from a position on, until the first that is not whole
// or whose checksum is wrong. Below the offset known everything was on the disk before,
// so there a wrong checksum means damage and not a torn write. Such a batch is visited
// if the next one begins where it ends, so that the good batches behind it are not
// lost.
func (b Body) ScanChecksums(ctx context.Context, from, known int64, visit Visit) error {
	w := b.walker()
	defer w.close()
	for at := from; ; {
		h, size, err := w.whole(ctx, at)
		if err != nil || h == nil {
			return err
		}
		p, err := w.At(ctx, at, size)
		if err != nil {
			return err
		}
		batch, next := record.Batch(p), at+int64(size)
		if !batch.ValidCRC() && (batch.NextOffset() > known || !w.confirmed(ctx, batch, next)) {
			return nil
		}
		more, err := visit(batch, at)
		if err != nil || !more {
			return err
		}
		at = next
	}
}

// whole returns the header and the size of the batch at a position; h is nil if the
// batch is not whole by its length.
func (w *walker) whole(ctx context.Context, at int64) (h record.Batch, size int, err error) {
	if err := ctx.Err(); err != nil {
		return nil, 0, err
	}
	h, flaw, err := w.Header(ctx, at)
	if err != nil || flaw != NoFlaw {
		return nil, 0, err
	}
	if size, _ = record.Size(h); size > maxBatch {
		return nil, 0, nil
	}
	return h, size, nil
}

// confirmed reports whether batch b is followed, at position next, by a batch that
// begins with the next offset, or by the end of the body. It does not use the buffer,
// which holds b.
func (w *walker) confirmed(ctx context.Context, b record.Batch, next int64) bool {
	if next == w.body.Size || !w.body.Spans(b) {
		return w.body.Spans(b)
	}
	var head [record.HeaderSize]byte
	if w.body.ReadFull(ctx, head[:], next) != nil {
		return false
	}
	_, err := record.Size(head[:])
	return err == nil && record.Batch(head[:]).BaseOffset() == b.NextOffset()
}
