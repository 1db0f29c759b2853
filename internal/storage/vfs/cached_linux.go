package vfs

import (
	"errors"
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// cachedReads says whether the system supports reads that do not wait. That depends on
// the kernel and the file system, and is found out once.
type cachedReads struct{ unknown atomic.Bool }

var systemReads cachedReads

// readCached reads only what the system has in memory.
func readCached(f *os.File, p []byte, at int64) (n int, err error) {
	if systemReads.unknown.Load() {
		return 0, ErrWouldWait
	}
	n, err = unix.Preadv2(int(f.Fd()), [][]byte{p}, at, unix.RWF_NOWAIT)
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) {
		systemReads.unknown.Store(true)
	}
	if err != nil || n < len(p) {
		return 0, ErrWouldWait // a read that waits returns the error, if it was one
	}
	return n, nil
}
