package wire

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Conn is one client's connection.
type Conn struct {
	server   *Server
	listener *Listener
	nc       net.Conn
	log      *slog.Logger
	ctx      context.Context //nolint:containedctx // the life of the connection itself, ended by its reader
	cancel   context.CancelFunc

	mu      sync.Mutex // guards what follows
	queue   []*slot    // requests in order, oldest first
	held    int        // bytes of unanswered requests and unsent answers
	broken  bool       // nothing more is read or written
	sending int        // slots at the head of queue that the writer has
	written chan struct{}
	ready   chan struct{}
}

// slot keeps a request's place in the order of answers.
type slot struct {
	bytes   int // of the request, then also of the answer
	done    bool
	hangup  bool
	parts   [][]byte
	release func()
}

// errMalformed is what a frame is that cannot be a request.
var errMalformed = errors.New("malformed frame")

// RemoteHost is the address of the client without its port.
func (c *Conn) RemoteHost() string {
	host, _, err := net.SplitHostPort(c.nc.RemoteAddr().String())
	if err != nil {
		return c.nc.RemoteAddr().String()
	}
	return host
}

// Listener is where the connection was accepted.
func (c *Conn) Listener() *Listener { return c.listener }

// Context ends with the connection.
func (c *Conn) Context() context.Context { return c.ctx }

// read is the reader goroutine.
func (c *Conn) read() {
	defer c.server.wg.Done()
	err := c.serve()
	c.fail()
	c.cancel()
	switch {
	case errors.Is(err, errMalformed):
		c.server.metrics.malformed.Inc()
		c.log.Warn("closing a connection", slog.Any("err", err))
	case err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed):
		c.log.Debug("connection ended", slog.Any("err", err))
	}
}

// serve takes requests until the connection ends.
func (c *Conn) serve() (err error) {
	defer func() {
		if p := recover(); p != nil {
			c.log.Error("panic in a request", slog.Any("err", p), slog.String("stack", string(debug.Stack())))
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	in := bufio.NewReaderSize(c.nc, readBuffer)
	for {
		if !c.waitForRoom() {
			return net.ErrClosed
		}
		frame, n, err := c.readFrame(in)
		if err != nil {
			return err
		}
		if err := c.begin(frame, (*frame)[:n]); err != nil {
			putBuffer(frame)
			return err
		}
	}
}

const readBuffer = 4 << 10

// readFrame waits for a frame as long as the idle limit allows; a connection that
// has requests in progress is not idle.
func (c *Conn) readFrame(in *bufio.Reader) (*[]byte, int, error) {
	for {
		if err := c.nc.SetReadDeadline(time.Now().Add(c.server.cfg.IdleTimeout)); err != nil {
			return nil, 0, err
		}
		_, err := in.Peek(1)
		if err == nil {
			break
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) || !c.busy() {
			return nil, 0, err
		}
	}
	var size [4]byte
	if _, err := io.ReadFull(in, size[:]); err != nil {
		return nil, 0, err
	}
	n := int(int32(binary.BigEndian.Uint32(size[:])))
	if n <= 0 || n > c.server.cfg.MaxRequestBytes {
		return nil, 0, fmt.Errorf("%w: size %d is not between 1 and %d", errMalformed, n, c.server.cfg.MaxRequestBytes)
	}
	if n > c.server.cfg.MaxOtherBytes {
		key, err := in.Peek(2)
		if err != nil {
			return nil, 0, err
		}
		if binary.BigEndian.Uint16(key) != produceKey {
			return nil, 0, fmt.Errorf("%w: %d bytes are too many for anything but records", errMalformed, n)
		}
	}
	frame, err := readGrowing(in, n)
	return frame, n, err
}

const produceKey = 0

// firstRead bounds what a size field alone can make the broker allocate.
const firstRead = 1 << 20

// readGrowing reads n bytes into a buffer that grows as they arrive.
func readGrowing(in io.Reader, n int) (*[]byte, error) {
	frame := getBuffer(min(n, firstRead))
	got := 0
	for {
		want := min(n, cap(*frame))
		if _, err := io.ReadFull(in, (*frame)[got:want]); err != nil {
			putBuffer(frame)
			return nil, err
		}
		if got = want; got == n {
			return frame, nil
		}
		larger := getBuffer(min(n, 2*cap(*frame)))
		*larger = (*larger)[:cap(*larger)]
		copy(*larger, (*frame)[:got])
		putBuffer(frame)
		frame = larger
	}
}

// begin decodes a frame and hands it to the handler.
func (c *Conn) begin(frame *[]byte, p []byte) error {
	h, body, ok := parseHeader(p, c.server.flexible)
	if !ok {
		return fmt.Errorf("%w: header", errMalformed)
	}
	r := &Request{Key: h.key, Version: h.version, CorrelationID: h.correlationID, ClientID: h.clientID, Conn: c}
	if c.server.handler.Accepts(h.key, h.version) {
		msg := kmsg.RequestForKey(h.key)
		msg.SetVersion(h.version)
		if err := decode(msg, body); err != nil {
			return fmt.Errorf("%w: %s version %d: %w", errMalformed, kmsg.NameForKey(h.key), h.version, err)
		}
		if c.server.handler.Malformed(h.key, h.version, body) {
			return fmt.Errorf("%w: %s version %d: null where none may be", errMalformed, kmsg.NameForKey(h.key), h.version)
		}
		r.Body = msg
	} else if h.key != apiVersionsKey {
		return fmt.Errorf("%w: API key %d version %d is not served", errMalformed, h.key, h.version)
	}
	r.frame = frame
	r.slot = &slot{bytes: len(p)}
	c.mu.Lock()
	c.queue = append(c.queue, r.slot)
	c.held += r.slot.bytes
	c.mu.Unlock()
	c.server.metrics.requests(h.key).Inc()
	c.server.handler.Serve(r)
	return nil
}

// decode reads a body. Produce and Fetch, the hot ones, do not even copy strings.
func decode(msg kmsg.Request, body []byte) error {
	if u, ok := msg.(interface{ UnsafeReadFrom(p []byte) error }); ok && msg.Key() <= 1 {
		return u.UnsafeReadFrom(body)
	}
	return msg.ReadFrom(body)
}

// waitForRoom waits until the connection has less unanswered work than its
// budget. It returns false if the connection ended.
func (c *Conn) waitForRoom() bool {
	for {
		c.mu.Lock()
		broken := c.broken
		room := len(c.queue) == 0 || c.held < c.server.cfg.BudgetBytes && len(c.queue) < c.server.cfg.BudgetRequests
		c.mu.Unlock()
		switch {
		case broken:
			return false
		case room:
			return true
		}
		select {
		case <-c.written:
		case <-c.ctx.Done():
			return false
		}
	}
}

func (c *Conn) busy() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.queue) > 0 && !c.broken
}

// finish enters an answer in its place and wakes the writer if it is next.
func (c *Conn) finish(s *slot, parts [][]byte, release func()) {
	c.mu.Lock()
	if c.broken {
		c.mu.Unlock()
		if release != nil {
			release()
		}
		return
	}
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	s.parts, s.release, s.done = parts, release, true
	s.bytes += n
	c.held += n
	next := c.queue[0] == s
	c.mu.Unlock()
	if next {
		signal(c.ready)
	}
}

func signal(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// write is the writer goroutine.
func (c *Conn) write() {
	defer c.server.wg.Done()
	defer c.server.drop(c)
	for {
		select {
		case <-c.ready:
			if !c.sendReady() {
				c.fail()
				return
			}
		case <-c.ctx.Done():
			c.fail()
			return
		}
	}
}

// sendReady sends the answers that are next in order, in one go. It returns
// false if the connection is to be closed.
func (c *Conn) sendReady() bool {
	for {
		c.mu.Lock()
		n := 0
		for n < len(c.queue) && c.queue[n].done && !c.broken {
			n++
			if c.queue[n-1].hangup {
				break
			}
		}
		batch := c.queue[:n:n]
		broken := c.broken
		if !broken {
			c.sending = n
		}
		c.mu.Unlock()
		if broken {
			return false
		}
		if n == 0 {
			return true
		}
		var out net.Buffers
		for _, s := range batch {
			out = append(out, s.parts...)
		}
		hangup := batch[n-1].hangup
		err := c.send(out)
		sent := 0
		for _, s := range batch {
			sent += s.bytes
			if s.release != nil {
				s.release()
			}
		}
		c.mu.Lock()
		c.sending = 0
		if !c.broken {
			clear(c.queue[:n])
			c.queue = c.queue[n:]
			if len(c.queue) == 0 {
				c.queue = nil
			}
			c.held -= sent
		}
		broken = c.broken
		c.mu.Unlock()
		signal(c.written)
		if err != nil || hangup || broken {
			return false
		}
	}
}

func (c *Conn) send(out net.Buffers) error {
	if len(out) == 0 {
		return nil
	}
	if err := c.nc.SetWriteDeadline(time.Now().Add(c.server.cfg.IdleTimeout)); err != nil {
		return err
	}
	n, err := out.WriteTo(c.nc)
	c.server.metrics.sent.Add(float64(n))
	return err
}

// fail closes the connection and lets go of answers that will not be sent. It
// may be called more than once.
func (c *Conn) fail() {
	c.mu.Lock()
	if c.broken {
		c.mu.Unlock()
		return
	}
	c.broken = true
	queue := c.queue[c.sending:] // the writer releases what it has
	c.queue, c.held = nil, 0
	c.mu.Unlock()
	_ = c.nc.Close() // nobody is left to tell
	c.cancel()
	for _, s := range queue {
		if s.done && s.release != nil {
			s.release()
		}
	}
	signal(c.written)
}
