package commitlog

import (
	"context"
	"errors"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/botehq/bote/internal/storage"
	"github.com/botehq/bote/internal/storage/vfs"
)

// handle opens a file when it is first needed and lets it be closed when it has
// been idle. It may be used by many at once.
type handle struct {
	fs   vfs.FS
	mu   sync.Mutex
	name string
	file vfs.File // stays as it is while anybody has it
	refs int
	used time.Time
	gone bool
	// reading says that the file could be opened for reading only; it is closed by
	// its last user, since that may change.
	reading bool
}

var errGone = errors.New("file was deleted")

func newHandle(fs vfs.FS, name string) *handle { return &handle{fs: fs, name: name} }

// acquire returns the open file; release must follow. A file that is not there is not
// made: what is missing must not look like what is empty.
func (h *handle) acquire() (vfs.File, error) { return h.open(os.O_RDWR) }

// create is acquire for a file that may have to be made.
func (h *handle) create() (vfs.File, error) { return h.open(os.O_RDWR | os.O_CREATE) }

func (h *handle) open(flag int) (vfs.File, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.gone {
		return nil, errGone
	}
	if h.file == nil {
		f, err := h.fs.OpenFile(h.name, flag)
		h.reading = errors.Is(err, syscall.EROFS)
		if h.reading {
			f, err = h.fs.OpenFile(h.name, os.O_RDONLY)
		}
		if err != nil {
			return nil, err
		}
		h.file = f
	}
	h.refs++
	return h.file, nil
}

// acquireOpen is acquire for a file that is open; ok is false if it is not.
func (h *handle) acquireOpen() (ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.gone || h.file == nil {
		return false
	}
	h.refs++
	return true
}

// osFile returns the system's file behind the one that the caller has acquired, or nil.
func (h *handle) osFile() *os.File { return vfs.OSFile(h.file) }

// ReadAt implements [segment.Source]. Whoever reads has acquired the file.
func (h *handle) ReadAt(ctx context.Context, p []byte, at int64) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	return h.file.ReadAt(p, at)
}

// cachedHandle is a handle of whose file only what the system has in memory can be read.
type cachedHandle handle

// ReadAt implements [segment.Source].
func (h *cachedHandle) ReadAt(_ context.Context, p []byte, at int64) (int, error) {
	n, err := vfs.ReadCached(h.file, p, at)
	if errors.Is(err, vfs.ErrWouldWait) {
		err = storage.ErrWouldWait
	}
	return n, err
}

func (h *handle) release() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.refs--
	h.used = time.Now()
	if (h.gone || h.reading) && h.refs == 0 {
		h.closeLocked()
	}
}

// closeIdle closes the file if nobody has used it since a time.
func (h *handle) closeIdle(since time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.refs == 0 && h.used.Before(since) {
		h.closeLocked()
	}
}

// retire closes the file for good once its last user releases it.
func (h *handle) retire() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.gone = true
	if h.refs == 0 {
		h.closeLocked()
	}
}

// isGone reports whether the file was given up.
func (h *handle) isGone() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.gone
}

// path is the file's name for now.
func (h *handle) path() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.name
}

func (h *handle) rename(to string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.fs.Rename(h.name, to); err != nil {
		return err
	}
	h.name = to
	return nil
}

// closeLocked drops the file. Closing a file that was synced, or only read, has
// no error that could matter.
func (h *handle) closeLocked() {
	if h.file != nil {
		_ = h.file.Close()
		h.file = nil
	}
}
