package wire

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"
)

// leastProgress is how many bytes a client must take in a StallTimeout not to
// count as stalled.
const leastProgress = 4 << 10

// send writes answers in order: runs of bytes in one go, parts of files in steps.
func (c *Conn) send(answers []*slot) error {
	var run net.Buffers
	for _, s := range answers {
		for i := range s.parts {
			if p := &s.parts[i]; p.File == nil {
				run = append(run, p.Bytes)
			} else if err := c.persist(&run, p); err != nil {
				return err
			}
		}
	}
	return c.persist(&run, nil)
}

// persist writes a run of bytes and the part of a file behind it, however long it
// takes, as long as the client goes on taking bytes. One that does not is closed
// after the idle time; if memory for answers is short, much earlier.
func (c *Conn) persist(run *net.Buffers, file *Part) error {
	var stalled time.Duration
	for len(*run) > 0 || file != nil && file.Size > 0 {
		window := min(c.server.cfg.StallTimeout, c.server.cfg.IdleTimeout-stalled)
		if err := c.nc.SetWriteDeadline(time.Now().Add(window)); err != nil {
			return err
		}
		var n int64
		var err error
		if file != nil {
			n, err = c.writeFile(run, file)
		} else {
			n, err = run.WriteTo(c.nc)
		}
		c.server.metrics.sent.Add(float64(n))
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			if err != nil {
				return err
			}
			continue
		}
		if n >= leastProgress {
			stalled = 0
			continue
		}
		if stalled += window; stalled >= c.server.cfg.IdleTimeout || c.server.answers.pressed() {
			c.server.metrics.stalled.Inc()
			c.server.episodes.stalled.note(c.client())
			return err
		}
	}
	return nil
}

// fileStep is how much of a file is read at a time. It stays in the processor's
// cache until it is sent. Handing the file to the kernel (sendfile) was tried: it
// goes page by page and costs as much, see docs/decisions/0004.
const fileStep = 256 << 10

// writeFile writes a run of bytes and a part of a file, and moves both forward.
// The buffer between file and socket is held only while the socket takes it: a
// client that does not read costs no memory.
func (c *Conn) writeFile(run *net.Buffers, p *Part) (total int64, err error) {
	if c.raw == nil {
		return c.writeSteps(run, p, c.nc.Write)
	}
	var failed error
	err = c.raw.Write(func(fd uintptr) bool {
		n, err := c.writeSteps(run, p, func(b []byte) (int, error) { return writeNow(fd, b) })
		total += n
		if errors.Is(err, errWouldBlock) {
			return false
		}
		failed = err
		return true
	})
	if err == nil {
		err = failed
	}
	return total, err
}

// writeSteps reads and writes step by step until all is written or write fails.
func (c *Conn) writeSteps(run *net.Buffers, p *Part, write func([]byte) (int, error)) (total int64, err error) {
	buf := getBuffer(fileStep)
	defer putBuffer(buf)
	for len(*run) > 0 || p.Size > 0 {
		step := (*buf)[:0]
		for _, b := range *run {
			step = append(step, b[:min(len(b), fileStep-len(step))]...)
		}
		head := len(step)
		step = step[:head+min(fileStep-head, p.Size)]
		if n, err := p.File.ReadAt(step[head:], p.At); n < len(step)-head {
			return total, fmt.Errorf("read what a client was promised: %w", err)
		}
		n, err := write(step)
		total += int64(max(n, 0))
		p.advance(consume(run, max(n, 0)))
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

// advance moves a part of a file forward.
func (p *Part) advance(n int) {
	p.At += int64(n)
	p.Size -= n
}

// consume takes up to n bytes off the front, and what is empty behind them, and
// returns how many bytes there were not.
func consume(run *net.Buffers, n int) (left int) {
	for len(*run) > 0 && (n > 0 || len((*run)[0]) == 0) {
		if first := (*run)[0]; n < len(first) {
			(*run)[0] = first[n:]
			return 0
		}
		n -= len((*run)[0])
		*run = (*run)[1:]
	}
	return n
}

// rawConn is the system's socket behind a connection, nil if there is more than
// that between it and the client, or the system's sockets are not files.
func rawConn(nc net.Conn) syscall.RawConn {
	tcp, ok := nc.(*net.TCPConn)
	if !ok || !socketsAreFiles {
		return nil
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nil
	}
	return raw
}
