package commitlog

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"sync"

	"github.com/botehq/bote/internal/record"
	"github.com/botehq/bote/internal/storage"
	"github.com/botehq/bote/internal/storage/segment"
	"github.com/botehq/bote/internal/storage/vfs"
)

// Read returns whole batches of one segment, beginning with the batch that holds r.From.
func (l *Log) Read(ctx context.Context, r storage.Range) (storage.Chunk, error) {
	if err := ctx.Err(); err != nil {
		return storage.Chunk{}, err
	}
	for {
		s, next, at, err := l.locate(r.From)
		if err != nil || s == nil {
			return storage.Chunk{}, err
		}
		if r.NoWait && at < 0 {
			if r.From != s.base {
				return storage.Chunk{}, storage.ErrWouldWait // finding the batch takes more than one read
			}
			at = 0
		}
		if at < 0 {
			at, err = s.seek(ctx, r.From)
		}
		if err != nil {
			if errors.Is(err, errRetired) {
				continue // retention has removed the segment; the start has moved
			}
			return storage.Chunk{}, fmt.Errorf("read %s at %d: %w", l.dir, r.From, err)
		}
		if at < s.size.Load() {
			visible := l.visibleIn(s, next, r.To)
			c, ok := l.fileChunk(ctx, s, at, r)
			if !ok {
				c, err = l.readAt(ctx, s, at, r)
			}
			if errors.Is(err, errRetired) {
				continue
			}
			if err != nil {
				return storage.Chunk{}, err
			}
			if len(c.Data) >= record.HeaderSize && record.Batch(c.Data).LastOffset() < r.From {
				// A damaged offset led here. A reader that gets nothing new would ask for ever.
				c.Release()
				if r.NoWait {
					return storage.Chunk{}, storage.ErrWouldWait
				}
				l.forgetHint(hint{offset: r.From, base: s.base, at: at})
				continue
			}
			c.Readable = max(c.Readable, c.Len(), int(min(int64(r.MaxBytes), visible-at)))
			c.Sealed = next != nil && next.base <= r.To
			return c, nil
		}
		if next == nil {
			return storage.Chunk{}, nil
		}
		r.From = next.base // the segment ends in a gap
		if r.From >= r.To {
			return storage.Chunk{}, nil
		}
	}
}

// visibleIn returns the segment's size if all its batches are known to be below offset
// to, else 0.
func (l *Log) visibleIn(s, next *logSegment, to int64) int64 {
	size := s.size.Load() // read before End: batches appended in between do not count
	if next != nil && next.base <= to || next == nil && l.End() <= to {
		return size
	}
	return 0
}

// locate finds the segment that may hold an offset, the one after it, and the position of
// the batch that begins with the offset, -1 if that is not known. s is nil if there is
// nothing to read yet.
func (l *Log) locate(offset int64) (s, next *logSegment, at int64, err error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.closed {
		return nil, nil, 0, storage.ErrClosed
	}
	end := l.End()
	switch {
	case offset < l.start || offset > end:
		return nil, nil, 0, storage.ErrOutOfRange
	case offset == end:
		return nil, nil, 0, nil
	}
	i := sort.Search(len(l.segments), func(i int) bool { return l.segments[i].base > offset }) - 1
	s = l.segments[i]
	if i+1 < len(l.segments) {
		next = l.segments[i+1]
	}
	for _, h := range l.hints {
		if h.offset == offset && h.base == s.base && h.at > 0 {
			return s, next, h.at, nil
		}
	}
	return s, next, -1, nil
}

// seek returns the position of the first batch that ends at or above an offset.
func (s *logSegment) seek(ctx context.Context, offset int64) (int64, error) {
	offsets, err := s.offsetIndex()
	if err != nil {
		return 0, err
	}
	body, err := s.open()
	if err != nil {
		return 0, err
	}
	defer s.file.release()
	return body.Find(ctx, offsets, offset)
}

// buffers are reused between reads; a larger one is made when it is needed.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// readAt reads batches that begin at a position of a segment.
func (l *Log) readAt(ctx context.Context, s *logSegment, at int64, r storage.Range) (storage.Chunk, error) {
	body, err := s.openFor(r)
	if err != nil {
		return storage.Chunk{}, err
	}
	defer s.file.release()
	want := min(int64(r.MaxBytes), body.Size-at)
	if want < record.HeaderSize {
		want = min(record.HeaderSize, body.Size-at)
	}
	buf := buffers.Get().(*[]byte)
	p := grown(buf, int(want))
	if err := body.ReadFull(ctx, p, at); err != nil {
		buffers.Put(buf)
		return storage.Chunk{}, err
	}
	n, next, err := segment.WholeBatches(p, r.To)
	if err != nil {
		return storage.Chunk{}, fmt.Errorf("segment %d at %d: %w", s.base, at, err)
	}
	if n == 0 && r.AtLeastOne && len(p) >= record.HeaderSize && record.Batch(p).BaseOffset() < r.To {
		first, err := body.BatchSize(record.Batch(p), at)
		if err != nil {
			return storage.Chunk{}, err
		}
		p = grown(buf, first)
		if err := body.ReadFull(ctx, p, at); err != nil {
			return storage.Chunk{}, err
		}
		n, next = first, record.Batch(p).NextOffset()
	}
	if n == 0 {
		buffers.Put(buf)
		return storage.Chunk{}, nil
	}
	l.remember(hint{offset: next, base: s.base, at: at + int64(n)})
	c := storage.NewChunk(p[:n], func() { buffers.Put(buf) })
	if len(p)-n >= record.HeaderSize && record.Batch(p[n:]).BaseOffset() < r.To {
		c.Readable = r.MaxBytes // another one is there, and does not fit
	}
	return c, nil
}

// openFor opens the segment's file for a read. The caller must call s.file.release.
func (s *logSegment) openFor(r storage.Range) (segment.Body, error) {
	if !r.NoWait {
		return s.open()
	}
	if !s.file.acquireOpen() {
		return segment.Body{}, storage.ErrWouldWait
	}
	return s.body((*cachedHandle)(s.file)), nil
}

// worthAFile is how many bytes make sending from the file worth its system calls.
const worthAFile = 64 << 10

// fileChunk finds whole batches with the index alone, so that the broker does not read
// what the kernel can send. It leaves the last few batches, behind the last index entry,
// for the next read.
func (l *Log) fileChunk(ctx context.Context, s *logSegment, at int64, r storage.Range) (storage.Chunk, bool) {
	if !r.FileWanted || min(int64(r.MaxBytes), s.size.Load()-at) < worthAFile {
		return storage.Chunk{}, false
	}
	if r.NoWait && !s.indexLoaded() {
		return storage.Chunk{}, false
	}
	offsets, err := s.offsetIndex()
	if err != nil {
		return storage.Chunk{}, false
	}
	entry, ok := offsets.Boundary(at+int64(r.MaxBytes), r.To-s.base)
	end := int64(entry.Position)
	if !ok || end-at < worthAFile {
		return storage.Chunk{}, false
	}
	body, err := s.openFor(r)
	if err != nil {
		return storage.Chunk{}, false
	}
	file := s.file.osFile()
	if file == nil {
		s.file.release()
		return storage.Chunk{}, false
	}
	// The header of the batch behind the end tells where the next read goes on, and confirms
	// the index entry.
	next, ok, err := body.Confirm(ctx, entry)
	if err != nil || !ok || next.BaseOffset() <= r.From {
		s.file.release()
		return storage.Chunk{}, false
	}
	l.remember(hint{offset: next.BaseOffset(), base: s.base, at: end})
	// The system reads ahead by itself, in larger steps if it knows that the file is read in
	// order. After that read of a header it would have to guess.
	vfs.AdviseSequential(file)
	return storage.NewFileChunk(file, at, int(end-at), s.file.release), true
}

func grown(buf *[]byte, n int) []byte {
	if cap(*buf) < n {
		*buf = make([]byte, n)
	}
	return (*buf)[:n]
}

func (l *Log) remember(h hint) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hints[l.nextHint] = h
	l.nextHint = (l.nextHint + 1) % len(l.hints)
}

// forgetHint removes a hint that is wrong.
func (l *Log) forgetHint(h hint) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.hints {
		if l.hints[i] == h {
			l.hints[i] = hint{}
		}
	}
}

// Headers visits the headers of all batches that end above from.
func (l *Log) Headers(ctx context.Context, from int64, visit func(record.Batch) error) error {
	if from >= l.End() {
		return nil // without opening a file: this is so for most logs after a clean start
	}
	l.mu.RLock()
	segments := l.segments
	l.mu.RUnlock()
	for i, s := range segments {
		if i+1 < len(segments) && segments[i+1].base <= from {
			continue
		}
		if err := s.headers(ctx, from, visit); err != nil {
			return err
		}
	}
	return nil
}

// headers visits the headers of batches that end at or above an offset.
func (s *logSegment) headers(ctx context.Context, from int64, visit func(record.Batch) error) error {
	offsets, err := s.offsetIndex()
	if err != nil {
		return err
	}
	body, err := s.open()
	if err != nil {
		return err
	}
	defer s.file.release()
	at, err := body.Before(ctx, offsets, from)
	if err != nil {
		return err
	}
	return body.Headers(ctx, at, func(h record.Batch, _ int64) (bool, error) {
		if h.LastOffset() < from {
			return true, nil
		}
		return true, visit(h)
	})
}

// hint remembers where a sequential reader will go on.
type hint struct {
	offset int64
	base   int64
	at     int64
}
