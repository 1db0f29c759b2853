package wire

import (
	"errors"
	"io"
	"net"

	"golang.org/x/sys/unix"
)

// sendFile has the kernel send a run of bytes and a part of a file, and advances both. It
// returns errWouldBlock when the socket accepts no more, and [errors.ErrUnsupported] if the
// kernel cannot send this file.
func sendFile(fd uintptr, run *net.Buffers, p *Part) (total int64, err error) {
	for len(*run) > 0 {
		// More follows, so the kernel need not send these few bytes in a packet of their own.
		n, err := again(func() (int, error) {
			return unix.SendmsgN(int(fd), (*run)[0], nil, nil, unix.MSG_MORE|unix.MSG_NOSIGNAL)
		})
		total += int64(n)
		consume(run, n)
		if err != nil {
			return total, err
		}
	}
	for p.Size > 0 {
		at := p.At
		n, err := again(func() (int, error) { return unix.Sendfile(int(fd), int(p.File.Fd()), &at, p.Size) })
		total += int64(n)
		p.advance(n)
		switch {
		case errors.Is(err, unix.EINVAL):
			return total, errors.ErrUnsupported
		case err != nil:
			return total, err
		case n == 0:
			return total, errPromised(io.EOF)
		}
	}
	return total, nil
}

// again repeats a system call that a signal interrupts. Its result is not negative.
func again(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if !errors.Is(err, unix.EINTR) {
			return max(n, 0), err
		}
	}
}
