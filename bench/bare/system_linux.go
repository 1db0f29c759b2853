package bare

import (
	"errors"
	"io"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// syncAll writes everything that is dirty on a directory's file system to the disk.
func syncAll(dir *os.File) error { return unix.Syncfs(int(dir.Fd())) }

// preallocate reserves space behind the end of a file.
func preallocate(f *os.File, from, n int64) error {
	return unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_KEEP_SIZE, from, n)
}

// sendfile sends a part of a file by sendfile(2).
func sendfile(tcp *net.TCPConn, p part) error {
	raw, err := tcp.SyscallConn()
	if err != nil {
		return err //nolint:wrapcheck // it only ends the connection
	}
	var failed error
	from := int(p.file.Fd())
	err = raw.Write(func(fd uintptr) bool {
		for p.size > 0 {
			n, err := unix.Sendfile(int(fd), from, &p.at, p.size)
			switch {
			case errors.Is(err, unix.EAGAIN):
				return false // wait until there is room
			case errors.Is(err, unix.EINTR):
			case err != nil:
				failed = err
				return true
			case n == 0:
				failed = io.ErrUnexpectedEOF
				return true
			}
			p.size -= max(n, 0)
		}
		return true
	})
	return errors.Join(err, failed)
}
