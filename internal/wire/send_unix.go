//go:build unix

package wire

import (
	"errors"

	"golang.org/x/sys/unix"
)

const socketsAreFiles = true

// errWouldBlock says that a socket takes nothing at the moment.
var errWouldBlock error = unix.EAGAIN

// writeNow writes what a socket takes without waiting.
func writeNow(fd uintptr, b []byte) (int, error) {
	for {
		n, err := unix.Write(int(fd), b)
		if !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}
