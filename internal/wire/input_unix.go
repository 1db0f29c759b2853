//go:build unix

package wire

import (
	"net"
	"os"
	"syscall"
)

// tryRead reads what has arrived. If nothing has, it gives the buffer back and has the
// runtime wait.
func (in *input) tryRead(fd uintptr) (done bool) {
	in.makeRoom()
	for {
		n, err := syscall.Read(int(fd), in.buf[in.to:])
		switch err {
		case nil:
			in.n = n
			return true
		case syscall.EINTR:
			continue
		case syscall.EAGAIN:
			in.releaseEmpty()
			return false
		}
		in.err = &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", err)}
		return true
	}
}
