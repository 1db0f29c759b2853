//go:build unix

package wire

import (
	"errors"

	"golang.org/x/sys/unix"
)

const socketsAreFiles = true

// errWouldBlock says that a socket accepts no bytes at the moment.
var errWouldBlock error = unix.EAGAIN

// writeNow writes as many bytes as a socket accepts without waiting.
func writeNow(fd uintptr, b []byte) (int, error) {
	for {
		n, err := unix.Write(int(fd), b)
		if !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}
