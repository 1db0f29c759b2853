package vfs

import (
	"os"

	"golang.org/x/sys/unix"
)

// syncData leaves out the modification time, which nothing depends on.
func syncData(f *os.File) error {
	for {
		err := unix.Fdatasync(int(f.Fd()))
		if err == nil {
			return nil
		}
		if err != unix.EINTR { // an errno
			return &os.PathError{Op: "fdatasync", Path: f.Name(), Err: err}
		}
	}
}
