package load

import (
	"errors"
	"io"
	"net"

	"golang.org/x/sys/unix"
)

// discarder returns a function that throws away bytes of a connection. The kernel
// drops them instead of copying them, which recv(2) calls MSG_TRUNC.
func discarder(conn net.Conn) func(n int) error {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return readAndDiscard(conn)
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return readAndDiscard(conn)
	}
	untouched := make([]byte, 1<<20) // the call needs its length only
	return func(n int) error {
		var failed error
		err := raw.Read(func(fd uintptr) bool {
			for n > 0 {
				got, _, err := unix.Recvfrom(int(fd), untouched[:min(n, len(untouched))], unix.MSG_TRUNC|unix.MSG_DONTWAIT)
				switch {
				case errors.Is(err, unix.EAGAIN):
					return false // wait until there is more
				case errors.Is(err, unix.EINTR):
				case err != nil:
					failed = err
					return true
				case got == 0:
					failed = io.ErrUnexpectedEOF
					return true
				}
				n -= max(got, 0)
			}
			return true
		})
		return errors.Join(err, failed)
	}
}
