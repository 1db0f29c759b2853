package wire

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"
)

// frame is a request's bytes and what they hold of the budget.
type frame struct {
	buf  *[]byte
	p    []byte
	slot *slot
}

// drop lets go of a frame that became no request.
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
	// firstRead bounds what a size field alone can make the broker allocate, and is
	// the step in which large frames are read.
	firstRead = 1 << 20
	// smallFrame is the largest frame that is taken without waiting for memory, if
	// its connection has nothing else in flight.
	smallFrame = 4 << 10
	// smallestFrame has a header of version 0 and no body.
	smallestFrame = 8
	// slowest is the rate in bytes per second that a frame must keep to, besides the
	// FrameTimeout that every step has.
	slowest = 64 << 10
	// otherWeight is how much more memory a decoded request takes than its bytes, if
	// it is made of tiny elements: measured, 25 times for a fetch of topics without
	// partitions, and 55 times, answer included, for metadata of topics without names.
	otherWeight = 32
	// elementMemory is what an element of an array takes at most once it is decoded:
	// measured, 125 bytes for a member that leaves its group for a reason; most take
	// less than 80.
	elementMemory = 128
)

var errLate = errors.New("the rest of a frame did not arrive in time")

// readFrame waits for a frame as long as the idle limit allows; a connection that
// has requests in progress is not idle.
func (c *Conn) readFrame(in *bufio.Reader) (frame, error) {
	if err := c.awaitByte(in); err != nil {
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

// late tells a frame that does not arrive from a connection that breaks.
func late(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return errLate
	}
	return err
}

// awaitByte waits for the first byte of a frame.
func (c *Conn) awaitByte(in *bufio.Reader) error {
	if in.Buffered() > 0 {
		return nil
	}
	for {
		if err := c.nc.SetReadDeadline(time.Now().Add(c.server.cfg.IdleTimeout)); err != nil {
			return err
		}
		_, err := in.Peek(1)
		if err == nil {
			return nil
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) || !c.busy() {
			return err
		}
	}
}

// allow gives the client time for the next n bytes, if they are not here yet.
func (c *Conn) allow(in *bufio.Reader, n int) error {
	if in.Buffered() >= n {
		return nil
	}
	return c.nc.SetReadDeadline(time.Now().Add(c.server.cfg.FrameTimeout + time.Duration(n)*time.Second/slowest))
}

// readHead reads the size of a frame and looks at its API key.
func (c *Conn) readHead(in *bufio.Reader) (n int, key uint16, err error) {
	if err := c.allow(in, 4+2); err != nil {
		return 0, 0, err
	}
	var size [4]byte
	if _, err := io.ReadFull(in, size[:]); err != nil {
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

// notASize says what four bytes are that cannot be the size of a request.
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

// mayBe is how large a frame of an API may be. SyncGroup has the assignments of all
// members.
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

// readBody reads n bytes into a buffer that grows as they arrive, and waits
// before each step until there is memory for it.
func (c *Conn) readBody(in *bufio.Reader, f *frame, n int, key uint16) error {
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
		if err := c.allow(in, step); err != nil {
			return err
		}
		if _, err := io.ReadFull(in, (*f.buf)[got:got+step]); err != nil {
			return err
		}
		got += step
	}
	f.p = (*f.buf)[:n]
	c.largest = max(c.largest, n)
	c.server.metrics.received.Add(float64(n))
	return nil
}

// nextStep says how much of a frame to read next, and waits until there is memory
// for it. Who has sent as much before is believed: all of a frame that is not too
// large is taken in one step, and of a larger one, when something of it is here, the
// rest, if there is memory for that. So it need not grow and be copied.
func (c *Conn) nextStep(f *frame, got, n int, key uint16) (step int, ok bool) {
	step = min(n-got, firstRead)
	if key == produceKey && n <= 2*c.largest {
		if got > 0 && f.slot.request.takeWithin(int64(n-got)) {
			return n - got, true
		}
		if got == 0 && n <= maxBuffer {
			step = n
		}
	}
	return step, f.slot.request.of.acquire(c.ctx.Done(), &f.slot.request, int64(step)*weightOf(key))
}

// weightOf is what a byte of a frame counts as in its budget.
func weightOf(key uint16) int64 {
	if key == produceKey {
		return 1
	}
	return otherWeight
}

// roomFor waits until there is memory for a frame's elements, as far as they take
// more than what the frame holds already. A few do not wait, as a small frame does
// not.
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

// grow makes room for the next step of n bytes, of which got are there.
func (f *frame) grow(got, step, n int) {
	if f.buf == nil {
		f.buf = getBuffer(step)
		return
	}
	if got+step <= cap(*f.buf) {
		return
	}
	larger := getBuffer(max(got+step, min(n, 2*cap(*f.buf))))
	*larger = (*larger)[:cap(*larger)]
	copy(*larger, (*f.buf)[:got])
	putBuffer(f.buf)
	f.buf = larger
}
