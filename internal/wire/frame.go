package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"time"
)

// frame is the bytes of a request, with a slot that counts them in the budget.
type frame struct {
	buf  *[]byte
	p    []byte
	slot *slot
}

// drop releases a frame that did not become a request.
func (f *frame) drop() {
	if f.slot == nil {
		return
	}
	putBuffer(f.buf)
	f.slot.request.release()
	f.slot.answer.release()
}

const (
	readBuffer = 4 << 10
	// firstRead is the step in which large frames are read. It bounds what a size
	// field alone can make the broker allocate.
	firstRead = 1 << 20
	// smallFrame is the largest frame that is read without waiting for memory, if its
	// connection has nothing else in flight.
	smallFrame = 4 << 10
	// smallestFrame is a frame with a header of version 0 and no body.
	smallestFrame = 8
	// minRate is the minimum rate of a frame in bytes per second. Every step is also
	// allowed the FrameTimeout.
	minRate = 64 << 10
	// otherWeight is how many times its size a decoded request needs if it consists of
	// tiny elements. Measured: 25 times for a fetch of topics without partitions, and
	// 55 times, including the answer, for metadata of topics without names.
	otherWeight = 32
	// elementMemory is the most that an element of an array needs once it is decoded.
	// Measured: 125 bytes for a member that leaves its group and gives a reason; most
	// elements need less than 80.
	elementMemory = 128
)

var errLate = errors.New("the rest of a frame did not arrive in time")

// readFrame reads the next frame and waits for it up to the idle timeout. A connection
// with requests in progress is not idle.
func (c *Conn) readFrame() (frame, error) {
	in := &c.in
	if err := c.awaitByte(); err != nil {
		return frame{}, err
	}
	n, key, err := c.readHead(in)
	if err != nil {
		return frame{}, late(err)
	}
	f := frame{slot: &slot{bytes: n}}
	f.slot.answer.of = &c.server.answers
	f.slot.request.of = c.server.budgetOf(key)
	if err := c.readBody(in, &f, n, key); err != nil {
		f.drop()
		return frame{}, late(err)
	}
	return f, nil
}

// late returns errLate for a missed deadline, and any other error as it is.
func late(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return errLate
	}
	return err
}

// setFrameDeadline sets the deadline for the next n bytes, if they are not here yet.
func (c *Conn) setFrameDeadline(in *input, n int) error {
	if in.Buffered() >= n {
		return nil
	}
	return c.nc.SetReadDeadline(time.Now().Add(c.server.cfg.FrameTimeout + time.Duration(n)*time.Second/minRate))
}

// readHead reads the size of a frame and peeks at its API key.
func (c *Conn) readHead(in *input) (n int, key uint16, err error) {
	if err := c.setFrameDeadline(in, 4+2); err != nil {
		return 0, 0, err
	}
	var size [4]byte
	if err := in.ReadFull(size[:]); err != nil {
		return 0, 0, err
	}
	n = int(int32(binary.BigEndian.Uint32(size[:])))
	if n < smallestFrame || n > c.server.cfg.MaxRequestBytes {
		return 0, 0, fmt.Errorf("%w: %s", errMalformed, notASize(size, c.server.cfg.MaxRequestBytes))
	}
	p, err := in.Peek(2)
	if err != nil {
		return 0, 0, err
	}
	key = binary.BigEndian.Uint16(p)
	if n > c.server.mayBe(key) {
		return 0, 0, fmt.Errorf("%w: %d bytes are too many for anything but records", errMalformed, n)
	}
	return n, key, nil
}

// notASize explains four bytes that cannot be the size of a request.
func notASize(b [4]byte, largest int) string {
	switch text := string(b[:]); {
	case text == "GET " || text == "POST" || text == "HEAD" || text == "PUT " || text == "OPTI" || text == "PRI ":
		return "this is HTTP, and the port is Kafka's"
	case b[0] == 0x16 && b[1] == 3:
		return "this is TLS, and the listener is plaintext: the client's security.protocol does not fit"
	}
	return fmt.Sprintf("size %d is not between %d and %d", int32(binary.BigEndian.Uint32(b[:])), smallestFrame, largest)
}

const (
	produceKey   = 0
	fetchKey     = 1
	syncGroupKey = 14
)

// mayBe returns how large a frame of an API may be. SyncGroup carries the assignments
// of all members.
func (s *Server) mayBe(key uint16) int {
	switch key {
	case produceKey:
		return s.cfg.MaxRequestBytes
	case syncGroupKey:
		return 4 * s.cfg.MaxOtherBytes
	default:
		return s.cfg.MaxOtherBytes
	}
}

// readBody reads n bytes into a buffer that grows as they arrive. Before each step it
// waits until there is memory for it.
func (c *Conn) readBody(in *input, f *frame, n int, key uint16) error {
	small := n <= smallFrame && !c.busy()
	if small {
		f.slot.request.take(int64(n) * weightOf(key))
	}
	if answers := &c.server.answers; key == fetchKey && !answers.acquire(c.ctx.Done(), &f.slot.answer, answers.step()) {
		return net.ErrClosed
	}
	for got := 0; got < n; {
		step, ok := n, true
		if !small {
			step, ok = c.nextStep(f, got, n, key)
		}
		if !ok {
			return net.ErrClosed
		}
		f.grow(got, step, n)
		if err := c.readStep(in, (*f.buf)[got:got+step]); err != nil {
			return err
		}
		got += step
	}
	f.p = (*f.buf)[:n]
	c.largestFrame = max(c.largestFrame, n)
	c.server.metrics.received.Add(float64(n))
	return nil
}

// readStep fills p. Each firstRead bytes must arrive in time: the memory of all of p is taken.
func (c *Conn) readStep(in *input, p []byte) error {
	for len(p) > 0 {
		some := p[:min(len(p), firstRead)]
		if err := c.setFrameDeadline(in, len(some)); err != nil {
			return err
		}
		if err := in.ReadFull(some); err != nil {
			return err
		}
		p = p[len(some):]
	}
	return nil
}

// nextStep returns how much of a frame to read next, and waits until there is memory
// for it. If the connection has sent a Produce frame at least half this size, the size
// is believed, so that the buffer need not grow and be copied: a frame up to maxBuffer
// is read in one step; of a larger one, all the rest is read after the first step, if
// that needs no wait for memory.
func (c *Conn) nextStep(f *frame, got, n int, key uint16) (step int, ok bool) {
	step = min(n-got, firstRead)
	if key == produceKey && n <= 2*c.largestFrame {
		if got > 0 && f.slot.request.takeWithin(int64(n-got)) {
			return n - got, true
		}
		if got == 0 && n <= maxBuffer {
			step = n
		}
	}
	return step, f.slot.request.of.acquire(c.ctx.Done(), &f.slot.request, int64(step)*weightOf(key))
}

// weightOf returns how many bytes of its budget a byte of a frame counts.
func weightOf(key uint16) int64 {
	if key == produceKey {
		return 1
	}
	return otherWeight
}

// roomFor waits until there is memory for a frame's decoded elements, as far as they
// need more than the frame holds already. Like a small frame, a few elements do not
// wait.
func (c *Conn) roomFor(f *frame, elements int) bool {
	more := int64(elements)*elementMemory - f.slot.request.n.Load()
	return more <= smallFrame || f.slot.request.of.acquire(c.ctx.Done(), &f.slot.request, more)
}

func (s *Server) budgetOf(key uint16) *budget {
	if key == produceKey {
		return &s.records
	}
	return &s.others
}

// grow makes room for the next step; got bytes of n are read already.
func (f *frame) grow(got, step, n int) {
	if f.buf == nil {
		f.buf = getBuffer(step)
		return
	}
	if got+step <= cap(*f.buf) {
		return
	}
	var larger *[]byte
	if got+step > maxBuffer {
		larger = regions.get(n, got+step)
	}
	if larger == nil {
		larger = getBuffer(max(got+step, min(n, 2*cap(*f.buf))))
	}
	*larger = (*larger)[:cap(*larger)]
	copy(*larger, (*f.buf)[:got])
	putBuffer(f.buf)
	f.buf = larger
}
