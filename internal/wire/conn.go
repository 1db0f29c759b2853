package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Conn is one client's connection.
type Conn struct {
	server   *Server
	listener *Listener
	nc       net.Conn
	raw      syscall.RawConn // of nc; nil unless nc is a plain socket
	ctx      context.Context //nolint:containedctx // the life of the connection itself, ended by its reader or by fail
	cancel   context.CancelFunc
	out      output

	// The reader owns these.
	in           input
	largestFrame int           // size of the largest frame so far
	lastTurn     chan struct{} // closed when the last turn given out is over
	served       int           // requests so far, but at most fewRequests

	serving atomic.Pointer[slot] // the request whose Serve the reader is in and whose answer it may send; nil if there is none

	mu             sync.Mutex // guards what follows
	queue          []*slot    // requests in order, oldest first
	heldBytes      int        // bytes of unanswered requests and unsent answers
	unsizedAnswers int        // unanswered requests whose answers may have any size
	// hoardsSince is since when finished answers are blocked by an unfinished one while
	// memory is short; zero if they are not.
	hoardsSince time.Time
	broken      bool      // set for good: nothing more is read or written
	sending     []*slot   // the head of queue while it is being sent, else empty; one goroutine sends at a time
	idleSince   time.Time // when the last answer was sent; zero if none was
	written     chan struct{}
}

// slot is a request's place in the order of answers.
type slot struct {
	bytes   int // of the request, later also of the answer
	request lease
	answer  lease
	began   time.Time
	unsized bool
	resumed bool // answered by a goroutine that serves only this request
	done    bool
	hangup  bool
	parts   []Part
	release func()
}

// free releases an answer that has been sent or never will be.
func (s *slot) free() {
	s.answer.release()
	if s.release != nil {
		s.release()
	}
}

// errMalformed says that a frame cannot be a request.
var errMalformed = errors.New("malformed frame")

// TakeTurn puts a request behind all requests of its connection that took a turn before.
// The request must wait for before, unless that is nil, and call over when it is done. Only
// Serve may call TakeTurn.
func (c *Conn) TakeTurn() (before <-chan struct{}, over func()) {
	turn := make(chan struct{})
	before, c.lastTurn = c.lastTurn, turn
	return before, func() { close(turn) }
}

// RemoteHost returns the client's address without the port.
func (c *Conn) RemoteHost() string {
	host, _, err := net.SplitHostPort(c.nc.RemoteAddr().String())
	if err != nil {
		return c.nc.RemoteAddr().String()
	}
	return host
}

// Listener returns the listener that accepted the connection.
func (c *Conn) Listener() *Listener { return c.listener }

// Context ends with the connection.
func (c *Conn) Context() context.Context { return c.ctx }

// read is the reader goroutine.
func (c *Conn) read() {
	err := c.serve()
	if errors.Is(err, errIdle) {
		go c.doze()
		return
	}
	defer c.server.wg.Done()
	defer c.server.drop(c)
	c.fail()
	c.cancel()
	switch {
	case errors.Is(err, errMalformed):
		c.server.episodes.malformed.note(c.client(), slog.Any("err", err))
		c.server.metrics.malformed.Inc()
	case errors.Is(err, errLate):
		c.server.episodes.late.note(c.client(), slog.Any("err", err))
		c.server.metrics.late.Inc()
	case err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed):
		c.server.log.Debug("connection ended", c.client(), slog.Any("err", err))
	}
}

func (c *Conn) client() slog.Attr { return slog.String("client", c.nc.RemoteAddr().String()) }

// serve takes requests until the connection ends.
func (c *Conn) serve() (err error) {
	var f frame // a frame that is being read and is not a request yet
	defer func() {
		if p := recover(); p != nil {
			c.panicked(p)
			err = fmt.Errorf("panic: %v", p)
		}
		f.drop()
	}()
	for {
		if !c.waitForRoom() {
			return net.ErrClosed
		}
		if f, err = c.readFrame(); err != nil {
			return err
		}
		r, err := c.request(&f)
		if err != nil {
			return err
		}
		f = frame{}
		c.served = min(c.served+1, fewRequests)
		c.begin(r)
	}
}

// request decodes a frame.
func (c *Conn) request(f *frame) (*Request, error) {
	h, body, ok := parseHeader(f.p, c.listener.flexible)
	if !ok {
		return nil, fmt.Errorf("%w: header", errMalformed)
	}
	r := &Request{Key: h.key, Version: h.version, CorrelationID: h.correlationID, ClientID: h.clientID, Conn: c, frame: f.buf, slot: f.slot}
	if !c.listener.Handler.Accepts(h.key, h.version) {
		if h.key != apiVersionsKey {
			return nil, fmt.Errorf("%w: API key %d version %d is not served", errMalformed, h.key, h.version)
		}
		return r, nil
	}
	elements, err := c.listener.Handler.Count(h.key, h.version, body, c.server.cfg.MaxElements)
	if err != nil {
		return nil, fmt.Errorf("%w: %s version %d: %w", errMalformed, kmsg.NameForKey(h.key), h.version, err)
	}
	if !c.roomFor(f, elements) {
		return nil, net.ErrClosed
	}
	msg := kmsg.RequestForKey(h.key)
	msg.SetVersion(h.version)
	if err := decode(msg, body); err != nil {
		return nil, fmt.Errorf("%w: %s version %d: %w", errMalformed, kmsg.NameForKey(h.key), h.version, err)
	}
	r.Body = msg
	return r, nil
}

// begin puts a request into the order of answers and hands it to the handler.
func (c *Conn) begin(r *Request) {
	r.slot.began = time.Now()
	c.mu.Lock()
	c.queue = append(c.queue, r.slot)
	c.heldBytes += r.slot.bytes
	c.mu.Unlock()
	c.server.metrics.of(r.Key).requests.Inc()
	c.server.metrics.inFlight.Inc()
	defer func() {
		if p := recover(); p != nil { // nobody else will answer it
			r.abandon()
			panic(p)
		}
	}()
	if c.in.Buffered() == 0 { // else a writer may send several answers in one go
		c.serving.Store(r.slot)
		defer c.serving.Store(nil)
	}
	c.listener.Handler.Serve(r)
}

// panicked logs a panic of a request. The caller has recovered it and closes the
// connection.
func (c *Conn) panicked(p any) {
	c.server.log.Error("panic in a request", c.client(), slog.Any("err", p), slog.String("stack", string(debug.Stack())))
}

// decode reads a body. For Produce and Fetch, the hot requests, it does not even copy
// strings.
func decode(msg kmsg.Request, body []byte) error {
	if u, ok := msg.(interface{ UnsafeReadFrom(p []byte) error }); ok && msg.Key() <= 1 {
		return u.UnsafeReadFrom(body)
	}
	return msg.ReadFrom(body)
}

// waitForRoom waits until the connection's unanswered work is within its budget. It returns
// false if the connection ended.
func (c *Conn) waitForRoom() bool {
	for {
		c.mu.Lock()
		broken := c.broken
		room := len(c.queue) == 0 || c.heldBytes < c.server.cfg.BudgetBytes && len(c.queue) < c.server.cfg.BudgetRequests && c.unsizedAnswers < maxUnsized
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

// maxUnsized is how many requests of a connection may wait for answers of unknown size:
// their memory is counted only once they exist.
const maxUnsized = 4

// answerUnsized notes that nobody knows how large the answer of a request will be.
func (c *Conn) answerUnsized(s *slot) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s.unsized = true
	c.unsizedAnswers++
}

func (c *Conn) busy() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.queue) > 0 && !c.broken
}

// idleLeft returns how much of the IdleTimeout is left, counted from the last answer. All of
// it is left while a request is in progress.
func (c *Conn) idleLeft() time.Duration {
	idle := c.server.cfg.IdleTimeout
	if c.busy() {
		return idle
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return idle - time.Since(c.idleSince)
}

// fail closes the connection and frees the answers that will not be sent. It may be called
// more than once.
func (c *Conn) fail() {
	c.mu.Lock()
	queue, first := c.breakOff()
	c.mu.Unlock()
	if first {
		c.close(queue)
	}
}

// breakOff makes sure that no other answer is sent, and returns those that close must free.
// The caller holds mu. Whoever sends frees what it sends.
func (c *Conn) breakOff() (queue []*slot, first bool) {
	if c.broken {
		return nil, false
	}
	c.broken = true
	queue = c.queue[len(c.sending):]
	c.queue, c.heldBytes = nil, 0
	return queue, true
}

// close ends what breakOff began.
func (c *Conn) close(queue []*slot) {
	_ = c.nc.Close() // there is nobody to report an error to
	c.cancel()
	for _, s := range queue {
		if s.done {
			s.free()
		}
	}
	signal(c.written)
}
