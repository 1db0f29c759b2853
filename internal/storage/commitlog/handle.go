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

// handle opens a file when it is first needed, and closeIdle closes it when it has been
// idle. Many goroutines may use it at once.
type handle struct {
	fs      vfs.FS
	mu      sync.Mutex
	name    string
	file    vfs.File // does not change while refs > 0
	refs    int
	used    time.Time
	retired bool
	// reading says that the file could be opened for reading only. Its last user then
	// closes it, so that the next one tries to open it for writing again.
	reading bool
}

var errRetired = errors.New("file was deleted")

func newHandle(fs vfs.FS, name string) *handle { return &handle{fs: fs, name: name} }

// acquire returns the open file; release must follow. It does not create a missing file:
// missing must not look like empty.
func (h *handle) acquire() (vfs.File, error) { return h.open(os.O_RDWR) }

// create is acquire, and creates a missing file.
func (h *handle) create() (vfs.File, error) { return h.open(os.O_RDWR | os.O_CREATE) }

func (h *handle) open(flag int) (vfs.File, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.retired {
		return nil, errRetired
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

// acquireOpen acquires the file only if it is open already.
func (h *handle) acquireOpen() (ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.retired || h.file == nil {
		return false
	}
	h.refs++
	return true
}

// osFile returns the operating system's file behind the acquired one, or nil.
func (h *handle) osFile() *os.File { return vfs.OSFile(h.file) }

// ReadAt implements [segment.Source]. The caller has acquired the file.
func (h *handle) ReadAt(ctx context.Context, p []byte, at int64) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	return h.file.ReadAt(p, at)
}

// cachedHandle is a handle that reads only what the operating system has in memory of
// the file.
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
	if (h.retired || h.reading) && h.refs == 0 {
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
	h.retired = true
	if h.refs == 0 {
		h.closeLocked()
	}
}

// isRetired reports whether the handle was retired.
func (h *handle) isRetired() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.retired
}

// path is the file's current name.
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

// closeLocked closes the file. The file was synced or only read, so an error of Close
// does not matter.
func (h *handle) closeLocked() {
	if h.file != nil {
		_ = h.file.Close()
		h.file = nil
	}
}
