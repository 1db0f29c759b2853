package wire

import (
	"errors"
	"fmt"
	"os"
	"time"
)

// Answers are sent in the order of the requests, by one goroutine at a time. The goroutine
// that completes a small answer often sends it (mayWrite): what the socket accepts at once
// needs no other goroutine, and waking one costs more than sending. Everything else is sent
// by a writer goroutine, which a connection has only while there is something to send.

// atOnce is how many bytes are sent without a writer, at most.
const atOnce = 16 << 10

// output writes to a socket without waiting. Its fields belong to the goroutine that sends.
type output struct {
	p   []byte
	n   int
	err error
	try func(fd uintptr) (done bool) // made once, so that a write allocates nothing
}

// finish stores an answer in its slot. If the answer is the next in order and nobody is
// sending, finish sends it or starts a writer.
func (c *Conn) finish(s *slot, parts []Part, release func()) {
	memory, size := 0, 0 // parts of files need no memory
	for i := range parts {
		memory += len(parts[i].Bytes)
		size += parts[i].len()
	}
	s.answer.set(int64(memory))
	s.parts, s.release = parts, release
	c.mu.Lock()
	if s.unsized {
		c.unsizedAnswers--
		signal(c.written)
	}
	if c.broken {
		c.mu.Unlock()
		s.free()
		return
	}
	s.done = true
	s.bytes += size
	c.heldBytes += size
	if len(c.sending) > 0 || c.queue[0] != s {
		c.mu.Unlock()
		return
	}
	batch := c.nextBatch()
	if size > atOnce || c.raw == nil || s.hangup || !c.mayWrite(s) {
		c.startWriter()
		c.mu.Unlock()
		return
	}
	c.mu.Unlock()
	c.sendAtOnce(batch)
}

// mayWrite reports whether the goroutine that completes an answer should send it. It should
// if it is the reader or serves only this request. Others, such as a round of syncs, may
// complete many answers in a row: all but the first are left to writers, so that sockets do
// not hold up the round.
func (c *Conn) mayWrite(s *slot) bool {
	return s.resumed || c.serving.Load() == s || c.server.quiet()
}

// quietTime is the time between two calls of quiet after which the second one returns true.
const quietTime = 50 * time.Microsecond

// quiet reports whether quiet was last called longer than a quietTime ago.
func (s *Server) quiet() bool {
	now := int64(time.Since(s.began))
	return now-s.lastAsked.Swap(now) > int64(quietTime)
}

// nextBatch takes the finished answers at the head of the queue to be sent. The caller holds
// mu.
func (c *Conn) nextBatch() []*slot {
	n := 0
	for n < len(c.queue) && c.queue[n].done {
		n++
		if c.queue[n-1].hangup {
			break
		}
	}
	c.sending = c.queue[:n:n]
	return c.sending
}

// startWriter starts a writer, which sends the answers in sending. The caller holds mu, and
// the connection is not broken. So its reader still counts in wg, and wg may grow.
func (c *Conn) startWriter() {
	c.server.wg.Add(1)
	go c.write()
}

// write is the writer goroutine.
func (c *Conn) write() {
	defer c.server.wg.Done()
	c.mu.Lock()
	batch := c.sending
	c.mu.Unlock()
	for len(batch) > 0 {
		batch = c.sent(batch, c.send(batch))
	}
}

// sendAtOnce sends what the socket accepts without waiting, and leaves the rest to a writer.
func (c *Conn) sendAtOnce(batch []*slot) {
	done, err := c.trySend(batch)
	if done || err != nil {
		if batch = c.sent(batch, err); len(batch) == 0 {
			return
		}
	}
	c.mu.Lock()
	broken := c.broken
	if !broken {
		c.startWriter()
	}
	c.mu.Unlock()
	if broken {
		c.sent(batch, errBroken)
	}
}

var errBroken = errors.New("connection is broken")

// trySend writes answers as far as the socket accepts them, and reports whether that was
// everything.
func (c *Conn) trySend(batch []*slot) (done bool, err error) {
	buf := getBuffer(atOnce)
	defer putBuffer(buf)
	p := (*buf)[:0]
	for _, s := range batch {
		for i := range s.parts {
			part := &s.parts[i]
			if len(p)+part.len() > atOnce {
				return false, nil
			}
			if part.File == nil {
				p = append(p, part.Bytes...)
				continue
			}
			at := len(p)
			p = p[:at+part.Size]
			if n, err := part.File.ReadAt(p[at:], part.At); n < part.Size {
				return false, errPromised(err)
			}
		}
	}
	if len(p) == 0 { // requests without answers
		return true, nil
	}
	n, err := c.writeAtOnce(p)
	c.server.metrics.sent.Add(float64(n))
	if err != nil || n == len(p) {
		return n == len(p), err
	}
	for _, s := range batch {
		for i := range s.parts {
			n -= s.parts[i].cut(n)
		}
	}
	return false, nil
}

// cut removes up to n bytes from the front of a part and returns how many it removed.
func (p *Part) cut(n int) int {
	n = min(n, p.len())
	if p.File == nil {
		p.Bytes = p.Bytes[n:]
	} else {
		p.advance(n)
	}
	return n
}

func errPromised(err error) error { return fmt.Errorf("read what a client was promised: %w", err) }

// writeAtOnce writes what the socket accepts without waiting.
func (c *Conn) writeAtOnce(p []byte) (n int, err error) {
	o := &c.out
	if o.try == nil {
		o.try = o.tryWrite
	}
	o.p, o.n, o.err = p, 0, nil
	err = c.raw.Write(o.try)
	o.p = nil
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded): // an earlier writer set the deadline; the next one sets its own
		return 0, nil
	case err != nil:
		return 0, err
	case errors.Is(o.err, errWouldBlock):
		return 0, nil
	}
	return o.n, o.err
}

func (o *output) tryWrite(fd uintptr) bool {
	o.n, o.err = writeNow(fd, o.p)
	o.n = max(o.n, 0)
	return true
}

// sent takes answers that were sent, or could not be, out of the queue and frees them. It
// returns those that can be sent next. After an error, or after the last answer, it closes
// the connection.
func (c *Conn) sent(batch []*slot, err error) (next []*slot) {
	n, bytes := len(batch), 0
	hangup := batch[n-1].hangup
	for _, s := range batch {
		bytes += s.bytes
		s.free()
	}
	c.mu.Lock()
	c.sending = nil
	if !c.broken {
		clear(c.queue[:n])
		c.queue = c.queue[n:]
		if len(c.queue) == 0 {
			c.queue, c.idleSince = nil, time.Now()
		}
		c.heldBytes -= bytes
	}
	if err != nil || hangup { // before mu is free: nothing may follow this answer
		queue, first := c.breakOff()
		c.mu.Unlock()
		if first {
			c.close(queue)
		}
		return nil
	}
	if !c.broken {
		next = c.nextBatch()
	}
	c.mu.Unlock()
	signal(c.written)
	return next
}

func signal(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}
