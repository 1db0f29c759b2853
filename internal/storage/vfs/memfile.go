package vfs

import (
	"io"
	"slices"
	"time"
)

// fileOp is a write, or a change of size if data is nil.
type fileOp struct {
	at   int64 // position of a write, or the new size
	data []byte
}

// extend makes a slice at least that long, with zeros behind what is there.
func extend(p []byte, size int) []byte {
	if size <= len(p) {
		return p
	}
	return slices.Grow(p, size-len(p))[:size] // behind len everything is zero: see shrink
}

// shrink cuts a slice and leaves zeros behind its end.
func shrink(p []byte, size int) []byte {
	if size >= len(p) {
		return p
	}
	clear(p[size:])
	return p[:size]
}

// apply applies an operation to bytes.
func (op fileOp) apply(p []byte) []byte {
	if op.data == nil {
		return extend(shrink(p, int(op.at)), int(op.at))
	}
	p = extend(p, int(op.at)+len(op.data))
	copy(p[op.at:], op.data)
	return p
}

// resize changes the size of a file.
func (n *memNode) resize(size int64, strict bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.do(fileOp{at: size}, strict)
}

// do applies an operation to the content. The caller holds n.mu for writing.
func (n *memNode) do(op fileOp, strict bool) {
	n.content = op.apply(n.content)
	n.modTime = time.Now()
	if !strict {
		return
	}
	if op.data != nil {
		op.data = slices.Clone(op.data)
	}
	n.writes = append(n.writes, op)
}

// sync makes durable what was done since the last sync. What a failed sync has
// forgotten stays lost: after a crash its place reads as zeros. If a sync of the
// volume forgot it, this sync fails.
func (n *memNode) sync() error {
	n.writeBack()
	n.mu.Lock()
	defer n.mu.Unlock()
	err := n.nextSyncError
	n.nextSyncError = nil
	return err
}

// writeBack makes durable what was done since the last sync. It reports no error for
// bytes that were forgotten before.
func (n *memNode) writeBack() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, op := range n.writes {
		n.synced = op.apply(n.synced)
	}
	n.writes = nil
	n.synced = extend(n.synced, len(n.content))
}

// forget does what Linux does when an fsync fails: the bytes can still be read, but
// count as written, and no later sync writes them.
func (n *memNode) forget() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.writes = nil
}

// memFile is an open file. Its changes to a strict file system wait while a crash
// looks at it, so that a crash is one moment for all files.
type memFile struct {
	fs *Mem
	n  *memNode
}

func (f memFile) ReadAt(p []byte, at int64) (int, error) {
	f.n.mu.RLock()
	defer f.n.mu.RUnlock()
	if at >= int64(len(f.n.content)) {
		return 0, io.EOF
	}
	n := copy(p, f.n.content[at:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f memFile) WriteAt(p []byte, at int64) (int, error) {
	f.fs.mu.RLock()
	defer f.fs.mu.RUnlock()
	f.n.mu.Lock()
	defer f.n.mu.Unlock()
	if len(p) > 0 {
		f.n.do(fileOp{at: at, data: p}, f.fs.strict)
	}
	return len(p), nil
}

func (f memFile) Truncate(size int64) error {
	f.fs.mu.RLock()
	defer f.fs.mu.RUnlock()
	f.n.resize(size, f.fs.strict)
	return nil
}

func (f memFile) Sync() error {
	f.fs.mu.RLock()
	defer f.fs.mu.RUnlock()
	if f.fs.strict {
		return f.n.sync()
	}
	return nil
}

// forgetUnsynced implements forgetter. The failed sync itself returns the error.
func (f memFile) forgetUnsynced(error) {
	f.fs.mu.RLock()
	defer f.fs.mu.RUnlock()
	f.n.forget()
}

func (f memFile) Size() (int64, error) {
	f.n.mu.RLock()
	defer f.n.mu.RUnlock()
	return int64(len(f.n.content)), nil
}

// Preallocate has nothing to do.
func (memFile) Preallocate(int64, int64) error { return nil }

func (memFile) Close() error { return nil }
