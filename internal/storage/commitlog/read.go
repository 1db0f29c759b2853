package commitlog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sort"
	"sync"

	"github.com/botehq/bote/internal/record"
	"github.com/botehq/bote/internal/storage"
	"github.com/botehq/bote/internal/storage/vfs"
)

// Read returns whole batches of one segment, from the one that holds r.From.
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
				return storage.Chunk{}, storage.ErrWouldWait // to find it takes more than one read
			}
			at = 0
		}
		if at < 0 {
			at, err = s.seek(r.From)
		}
		if err != nil {
			if errors.Is(err, errGone) {
				continue // retention took the segment; the start has moved
			}
			return storage.Chunk{}, fmt.Errorf("read %s at %d: %w", l.dir, r.From, err)
		}
		if at < s.size.Load() {
			visible := l.visibleIn(s, next, r.To)
			c, ok := l.fileChunk(s, at, r)
			if !ok {
				c, err = l.readAt(s, at, r)
			}
			if errors.Is(err, errGone) {
				continue
			}
			if len(c.Data) >= record.HeaderSize && record.Batch(c.Data).LastOffset() < r.From {
				// A damaged offset led here: a reader that gets nothing new asks for ever.
				c.Release()
				if r.NoWait {
					return storage.Chunk{}, storage.ErrWouldWait
				}
				l.forgetHint(hint{offset: r.From, base: s.base, at: at})
				continue
			}
			c.Readable = max(c.Readable, c.Len(), int(min(int64(r.MaxBytes), visible-at)))
			c.Sealed = next != nil && next.base <= r.To
			return c, err
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

// visibleIn returns up to where the bytes of a segment are known to be below an offset;
// 0 if the offset may lie within it.
func (l *Log) visibleIn(s, next *logSegment, to int64) int64 {
	size := s.size.Load() // before the end: what is appended after it does not count
	if next != nil && next.base <= to || next == nil && l.End() <= to {
		return size
	}
	return 0
}

// locate finds the segment that may hold an offset, the one after it, and the
// position of the batch that begins with it, -1 if that is not known. No segment
// means that there is nothing to read yet.
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
func (s *logSegment) seek(offset int64) (int64, error) {
	from, err := s.positionBefore(offset)
	if err != nil {
		return 0, err
	}
	found := s.size.Load()
	err = s.headers(from, func(h record.Batch, at int64) (bool, error) {
		if h.LastOffset() < offset {
			return true, nil
		}
		found = at
		return false, nil
	})
	return found, err
}

// buffers are reused between reads; a larger one is made when it is needed.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// readAt reads batches that begin at a position of a segment.
func (l *Log) readAt(s *logSegment, at int64, r storage.Range) (storage.Chunk, error) {
	f, err := s.openFor(r)
	if err != nil {
		return storage.Chunk{}, fmt.Errorf("open segment %d: %w", s.base, err)
	}
	defer s.log.release()
	want := min(int64(r.MaxBytes), s.size.Load()-at)
	if want < record.HeaderSize {
		want = min(record.HeaderSize, s.size.Load()-at)
	}
	buf := buffers.Get().(*[]byte)
	p := grown(buf, int(want))
	if err := readFull(f, p, at); err != nil {
		buffers.Put(buf)
		return storage.Chunk{}, fmt.Errorf("read segment %d at %d: %w", s.base, at, err)
	}
	n, next, err := wholeBatches(p, r.To)
	if err != nil {
		return storage.Chunk{}, fmt.Errorf("segment %d at %d: %w", s.base, at, err)
	}
	if n == 0 && r.AtLeastOne && len(p) >= record.HeaderSize && record.Batch(p).BaseOffset() < r.To {
		first, err := s.sizeAt(record.Batch(p), at)
		if err != nil {
			return storage.Chunk{}, err
		}
		p = grown(buf, first)
		if err := readFull(f, p, at); err != nil {
			return storage.Chunk{}, fmt.Errorf("read segment %d at %d: %w", s.base, at, err)
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

// openFor opens the segment's file as a read wants it. release of its handle must follow.
func (s *logSegment) openFor(r storage.Range) (io.ReaderAt, error) {
	if !r.NoWait {
		return s.log.acquire()
	}
	f, ok := s.log.acquireOpen()
	if !ok {
		return nil, storage.ErrWouldWait
	}
	return cached{f}, nil
}

// cached is a file of which only what the system has in memory can be read.
type cached struct{ vfs.File }

// ReadAt implements io.ReaderAt.
func (c cached) ReadAt(p []byte, at int64) (int, error) {
	n, err := vfs.ReadCached(c.File, p, at)
	if errors.Is(err, vfs.ErrWouldWait) {
		err = storage.ErrWouldWait
	}
	return n, err
}

// sizeAt is the size of the batch whose header is at a position, if the segment has
// as much: nothing is allocated because a damaged field says so.
func (s *logSegment) sizeAt(h record.Batch, at int64) (int, error) {
	size, err := record.Size(h)
	if err == nil && at+int64(size) > s.size.Load() {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return 0, fmt.Errorf("segment %d at %d: %w", s.base, at, err)
	}
	return size, nil
}

// worthAFile is how many bytes make it worth the calls to send them from the file.
const worthAFile = 64 << 10

// fileChunk finds whole batches with the index alone, so that nobody has to read
// what the kernel can send. The last few batches, which the index does not tell
// apart, are left for the next read.
func (l *Log) fileChunk(s *logSegment, at int64, r storage.Range) (storage.Chunk, bool) {
	if !r.FileWanted || min(int64(r.MaxBytes), s.size.Load()-at) < worthAFile {
		return storage.Chunk{}, false
	}
	if r.NoWait && !s.indexLoaded() {
		return storage.Chunk{}, false
	}
	end, last := s.boundary(at+int64(r.MaxBytes), r.To)
	if end-at < worthAFile {
		return storage.Chunk{}, false
	}
	from, err := s.openFor(r)
	if err != nil {
		return storage.Chunk{}, false
	}
	file := osFileOf(from)
	if file == nil {
		s.log.release()
		return storage.Chunk{}, false
	}
	// The batch behind the end tells where the next read goes on, and that the
	// index does not lie.
	var head [record.HeaderSize]byte
	if readFull(from, head[:], end) != nil {
		s.log.release()
		return storage.Chunk{}, false
	}
	next := record.Batch(head[:])
	if _, err := record.Size(next); err != nil || next.LastOffset() != last || next.BaseOffset() <= r.From {
		s.log.release()
		return storage.Chunk{}, false
	}
	l.remember(hint{offset: next.BaseOffset(), base: s.base, at: end})
	// The look behind the end hides from the system that the file is read in order,
	// so it is told, and of the next read too.
	vfs.WillNeed(file, at, min(2*(end-at), s.size.Load()-at))
	return storage.NewFileChunk(file, at, int(end-at), s.log.release), true
}

// indexLoaded reports whether the offset index is in memory and nobody is just reading
// the other one, which may take long.
func (s *logSegment) indexLoaded() bool {
	if !s.mu.TryLock() {
		return false
	}
	defer s.mu.Unlock()
	return s.offsets.loaded
}

// osFileOf returns the system's file behind what openFor returned, or nil.
func osFileOf(from io.ReaderAt) *os.File {
	if c, ok := from.(cached); ok {
		return vfs.OSFile(c.File)
	}
	if f, ok := from.(vfs.File); ok {
		return vfs.OSFile(f)
	}
	return nil
}

// boundary returns the largest indexed position, at most limit, before which no
// batch reaches the offset to, and the last offset of the batch at it. It is 0 if
// there is none.
func (s *logSegment) boundary(limit, to int64) (position, last int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.offsets.load() != nil {
		return 0, 0
	}
	relative, position := s.offsets.boundary(limit, to-s.base)
	return position, s.base + relative
}

func grown(buf *[]byte, n int) []byte {
	if cap(*buf) < n {
		*buf = make([]byte, n)
	}
	return (*buf)[:n]
}

func readFull(f io.ReaderAt, p []byte, at int64) error {
	n, err := f.ReadAt(p, at)
	if n == len(p) {
		return nil
	}
	if err == nil || err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// wholeBatches returns how many bytes of p are whole batches below an offset,
// and the offset behind them.
func wholeBatches(p []byte, to int64) (n int, next int64, err error) {
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

func (l *Log) remember(h hint) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hints[l.nextHint] = h
	l.nextHint = (l.nextHint + 1) % len(l.hints)
}

// forgetHint takes back one that is wrong.
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
		return nil // without opening a file: most logs of a clean start
	}
	l.mu.RLock()
	segments := l.segments
	l.mu.RUnlock()
	for i, s := range segments {
		if i+1 < len(segments) && segments[i+1].base <= from {
			continue
		}
		at, err := s.positionBefore(from)
		if err != nil {
			return err
		}
		err = s.headers(at, func(h record.Batch, _ int64) (bool, error) {
			if err := ctx.Err(); err != nil {
				return false, err
			}
			if h.LastOffset() < from {
				return true, nil
			}
			return true, visit(h)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Sync makes everything appended so far durable.
func (l *Log) Sync(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return l.flush()
}
