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
	if done = in.readNow(fd, in.buf[in.to:]); !done {
		in.releaseEmpty()
	}
	return done
}

// tryFirst reads one byte if it has arrived.
func (in *input) tryFirst(fd uintptr) (done bool) { return in.readNow(fd, in.first[:]) }

func (in *input) readNow(fd uintptr, p []byte) (done bool) {
	for {
		n, err := syscall.Read(int(fd), p)
		switch err {
		case nil:
			in.n = n
			return true
		case syscall.EINTR:
			continue
		case syscall.EAGAIN:
			return false
		}
		in.err = &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", err)}
		return true
	}
}
