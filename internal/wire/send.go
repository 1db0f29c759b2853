package wire

import (
	"errors"
	"net"
	"os"
	"syscall"
	"time"
)

// leastProgress is how many bytes a client must take in a StallTimeout not to count
// as stalled. A client that holds no more memory than this blocks nobody.
const leastProgress = 4 << 10

// pace measures how fast a client takes what is being sent: the bytes that it took in
// the current window. It belongs to the writer.
type pace struct {
	window     time.Duration // a StallTimeout, or the rest of the IdleTimeout if that is shorter
	taken      int64
	pressed    bool          // memory for answers was short when the window began
	stalledFor time.Duration // length of all windows since the client last took leastProgress
}

// send writes answers in order: runs of bytes in one call, parts of files in steps.
func (c *Conn) send(answers []*slot) error {
	var p pace
	if err := c.openWindow(&p); err != nil {
		return err
	}
	var run net.Buffers
	for _, s := range answers {
		for i := range s.parts {
			if part := &s.parts[i]; part.len() == 0 {
				continue // a write of nothing would never end
			} else if part.File == nil {
				run = append(run, part.Bytes)
			} else if err := c.sendRun(&run, part, &p); err != nil {
				return err
			}
		}
	}
	return c.sendRun(&run, nil, &p)
}

// sendRun writes a run of bytes and then a part of a file. It goes on for as long as
// the client is not too slow.
func (c *Conn) sendRun(run *net.Buffers, file *Part, p *pace) error {
	for len(*run) > 0 || file != nil && file.Size > 0 {
		var n int64
		var err error
		if file != nil {
			n, err = c.writeFile(run, file)
		} else {
			n, err = run.WriteTo(c.nc)
		}
		c.server.metrics.sent.Add(float64(n))
		p.taken += n
		switch {
		case err == nil:
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return err
		case c.tooSlow(p):
			c.server.metrics.stalled.Inc()
			c.server.episodes.stalled.note(c.client())
			return err
		default:
			if err := c.openWindow(p); err != nil {
				return err
			}
		}
	}
	return nil
}

// openWindow begins the next window. A write returns at its end at the latest.
func (c *Conn) openWindow(p *pace) error {
	p.window = min(c.server.cfg.StallTimeout, c.server.cfg.IdleTimeout-p.stalledFor)
	p.taken, p.pressed = 0, c.server.answers.halfUsed()
	return c.nc.SetWriteDeadline(time.Now().Add(p.window))
}

// tooSlow judges a client at the end of a window. The client is too slow in three
// cases:
//
//   - It took less than leastProgress per window for the whole IdleTimeout.
//   - Memory for answers is short, the client holds more than leastProgress of it,
//     and it took less than leastProgress in this window.
//   - Memory for answers is short and was short when the window began, the client
//     holds more than leastProgress of it, and it took less than it holds and less
//     than the slowest rate.
//
// Bytes of files count as progress, because the memory that a client holds may be
// queued behind them. But parts of files hold no memory: a client that holds nothing
// else may be slow while memory is short.
func (c *Conn) tooSlow(p *pace) bool {
	stalled := p.taken < leastProgress
	if stalled {
		p.stalledFor += p.window
	} else {
		p.stalledFor = 0
	}
	if p.stalledFor >= c.server.cfg.IdleTimeout {
		return true
	}
	if !c.server.answers.halfUsed() {
		return false
	}
	holds := c.holds()
	wanted := min(holds, int64(p.window.Seconds()*minRate))
	return holds > leastProgress && (stalled || p.pressed && p.taken < wanted)
}

// holds returns how much memory the finished answers hold that the client has not
// taken.
func (c *Conn) holds() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.heldMemory()
}

// heldMemory does the same; the caller holds mu.
func (c *Conn) heldMemory() (n int64) {
	for _, s := range c.queue {
		if s.done {
			n += s.answer.n.Load()
		}
	}
	return n
}

// fileStep is how much of a file is read at a time where the kernel cannot send it. That
// much fits into the processor's cache until it is sent.
const fileStep = 256 << 10

// writeFile writes a run of bytes and a part of a file, and advances both. On a plain
// socket of Linux the kernel sends the file; see docs/decisions/0004. Elsewhere, writeFile
// holds a buffer between file and socket, but only while the socket accepts bytes. So a
// client that does not read costs no memory.
func (c *Conn) writeFile(run *net.Buffers, p *Part) (total int64, err error) {
	if c.raw == nil {
		return writeSteps(run, p, c.nc.Write)
	}
	var failed error
	err = c.raw.Write(func(fd uintptr) bool {
		n, err := sendFile(fd, run, p)
		total += n
		if errors.Is(err, errors.ErrUnsupported) {
			n, err = writeSteps(run, p, func(b []byte) (int, error) { return writeNow(fd, b) })
			total += n
		}
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

// writeSteps reads and writes in steps until everything is written or write fails.
func writeSteps(run *net.Buffers, p *Part, write func([]byte) (int, error)) (total int64, err error) {
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
			return total, errPromised(err)
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

// advance moves the start of a part of a file forward by n bytes.
func (p *Part) advance(n int) {
	p.At += int64(n)
	p.Size -= n
}

// consume removes up to n bytes from the front of a run, and then any empty slices.
// It returns how many of the n bytes the run did not have.
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

// rawConn returns the socket behind a connection. It is nil if the connection is not
// a plain TCP socket, or if sockets are not files on this system.
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
