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
// count as stalled. Who holds no more than that has nothing that others wait for.
const leastProgress = 4 << 10

// pace is how fast a client takes what is being sent: what it has taken in the
// window that runs. It belongs to the writer.
type pace struct {
	window  time.Duration // a StallTimeout, or what is left of the IdleTimeout
	taken   int64
	pressed bool          // memory for answers was short when the window began
	stalled time.Duration // windows in a row in which nothing was taken
}

// send writes answers in order: runs of bytes in one go, parts of files in steps.
func (c *Conn) send(answers []*slot) error {
	var p pace
	if err := c.openWindow(&p); err != nil {
		return err
	}
	var run net.Buffers
	for _, s := range answers {
		for i := range s.parts {
			if part := &s.parts[i]; part.File == nil {
				run = append(run, part.Bytes)
			} else if err := c.persist(&run, part, &p); err != nil {
				return err
			}
		}
	}
	return c.persist(&run, nil, &p)
}

// persist writes a run of bytes and the part of a file behind it, however long it
// takes, as long as the client keeps pace.
func (c *Conn) persist(run *net.Buffers, file *Part, p *pace) error {
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

// openWindow begins the next window, at whose end a write returns.
func (c *Conn) openWindow(p *pace) error {
	p.window = min(c.server.cfg.StallTimeout, c.server.cfg.IdleTimeout-p.stalled)
	p.taken, p.pressed = 0, c.server.answers.pressed()
	return c.nc.SetWriteDeadline(time.Now().Add(p.window))
}

// tooSlow judges a client at the end of a window. One that takes nothing is closed
// after the idle time. While memory for answers is short, one that holds some of it
// is closed after a window in which it took nothing; and if memory was short in all
// of the window, so is one that took neither as much as it holds nor what a frame has
// to keep to. Whatever it takes counts, as its memory may lie behind parts of files;
// but these are no memory, and who holds nothing else may take its time.
func (c *Conn) tooSlow(p *pace) bool {
	stalled := p.taken < leastProgress
	if stalled {
		p.stalled += p.window
	} else {
		p.stalled = 0
	}
	if p.stalled >= c.server.cfg.IdleTimeout {
		return true
	}
	if !c.server.answers.pressed() {
		return false
	}
	holds := c.holds()
	wanted := min(holds, int64(p.window.Seconds()*slowest))
	return holds > leastProgress && (stalled || p.pressed && p.taken < wanted)
}

// holds is the memory of answers that wait for the client to take them.
func (c *Conn) holds() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.heldMemory()
}

// heldMemory is the same; the caller holds mu.
func (c *Conn) heldMemory() (n int64) {
	for _, s := range c.queue {
		if s.done {
			n += s.answer.n.Load()
		}
	}
	return n
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
