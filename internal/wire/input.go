package wire

import (
	"io"
	"net"
	"sync"
	"syscall"
)

// input reads frames from a connection through a small buffer, which it has only while
// there is something in it: an idle connection has none.
//
//	0 <= from <= to <= readBuffer; buf is nil if from == to, except during a read
type input struct {
	nc       net.Conn
	raw      syscall.RawConn // of nc; nil unless nc is a plain socket
	buf      *[readBuffer]byte
	from, to int

	try func(fd uintptr) (done bool) // made once, so that a read allocates nothing
	n   int                          // how many bytes the last try read
	err error                        // the error of the last try

	first  [1]byte // what awaitOne read
	missed error   // why awaitOne read nothing
}

var readBuffers = sync.Pool{New: func() any { return new([readBuffer]byte) }}

func (in *input) init(nc net.Conn, raw syscall.RawConn) {
	in.nc, in.raw = nc, raw
	in.try = in.tryRead
}

// Buffered returns how many bytes have arrived and were not read.
func (in *input) Buffered() int { return in.to - in.from }

// Peek returns the next n bytes without reading them.
func (in *input) Peek(n int) ([]byte, error) {
	for in.Buffered() < n {
		if err := in.fill(); err != nil {
			return nil, err
		}
	}
	return in.buf[in.from : in.from+n], nil
}

// ReadFull reads len(p) bytes.
func (in *input) ReadFull(p []byte) error {
	got := in.take(p)
	for got < len(p) {
		if len(p)-got >= readBuffer { // not worth the copy
			n, err := in.nc.Read(p[got:])
			if got += n; err != nil && got < len(p) {
				return unexpected(err)
			}
			continue
		}
		if err := in.fill(); err != nil {
			return unexpected(err)
		}
		got += in.take(p[got:])
	}
	return nil
}

// unexpected turns the end of the connection within a frame into an error of its own.
func unexpected(err error) error {
	if err == io.EOF { //nolint:errorlint // as io.ReadFull does
		return io.ErrUnexpectedEOF
	}
	return err
}

func (in *input) take(p []byte) int {
	if in.buf == nil {
		return 0
	}
	n := copy(p, in.buf[in.from:in.to])
	in.from += n
	in.releaseEmpty()
	return n
}

// fill waits for bytes, up to the deadline of the connection.
func (in *input) fill() error {
	if err := in.missed; err != nil {
		in.missed = nil
		return err
	}
	if in.raw == nil {
		in.makeRoom()
		n, err := in.nc.Read(in.buf[in.to:])
		in.to += n
		in.releaseEmpty()
		if n > 0 {
			return nil
		}
		return err
	}
	err := in.read(in.try)
	in.to += in.n
	in.releaseEmpty()
	return err
}

// read waits until try has read a byte.
func (in *input) read(try func(fd uintptr) (done bool)) error {
	in.n, in.err = 0, nil
	err := in.raw.Read(try)
	switch {
	case in.n > 0:
		return nil
	case err != nil:
		return err
	case in.err != nil:
		return in.err
	}
	return io.EOF
}

// awaitOne waits for a byte while nothing is buffered. If that fails, the next fill returns
// the error.
func (in *input) awaitOne() {
	if in.missed = in.read(in.tryFirst); in.missed != nil {
		return
	}
	in.makeRoom()
	in.buf[0], in.to = in.first[0], 1
}

// makeRoom makes sure that the buffer exists, and moves its bytes to the front.
func (in *input) makeRoom() {
	if in.buf == nil {
		in.buf = readBuffers.Get().(*[readBuffer]byte)
	}
	if in.from > 0 {
		in.to = copy(in.buf[:], in.buf[in.from:in.to])
		in.from = 0
	}
}

func (in *input) releaseEmpty() {
	if in.from < in.to || in.buf == nil {
		return
	}
	readBuffers.Put(in.buf)
	in.buf, in.from, in.to = nil, 0, 0
}
