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
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Conn is one client's connection.
type Conn struct {
	server       *Server
	listener     *Listener
	nc           net.Conn
	raw          syscall.RawConn // of nc; nil unless nc is a plain socket
	ctx          context.Context //nolint:containedctx // the life of the connection itself, ended by its reader
	cancel       context.CancelFunc
	largestFrame int           // size of the largest frame so far; owned by the reader
	lastTurn     chan struct{} // closed when the last turn given out is over; owned by the reader

	mu             sync.Mutex // guards what follows
	queue          []*slot    // requests in order, oldest first
	heldBytes      int        // bytes of unanswered requests and unsent answers
	unsizedAnswers int        // unanswered requests whose answers may have any size
	// hoardsSince is since when finished answers are blocked by an unfinished one while
	// memory is short; zero if they are not.
	hoardsSince    time.Time
	broken         bool  // set for good: nothing more is read or written
	slotsBeingSent int   // number of slots at the head of queue that the writer is sending
	writing        bool  // somebody sends: the writer goroutine, or the reader after Serve
	serving        *slot // the request that the reader serves
	written        chan struct{}
}

// slot is a request's place in the order of answers.
type slot struct {
	bytes   int // of the request, later also of the answer
	request lease
	answer  lease
	began   time.Time
	unsized bool
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
	defer c.server.wg.Done()
	defer c.server.drop(c)
	err := c.serve()
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
	in := newInput(c.nc, c.raw)
	for {
		if !c.waitForRoom() {
			return net.ErrClosed
		}
		if f, err = c.readFrame(in); err != nil {
			return err
		}
		r, err := c.request(&f)
		if err != nil {
			return err
		}
		f = frame{}
		c.begin(r, c.raw != nil && in.Buffered() == 0)
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
func (c *Conn) begin(r *Request, mayWrite bool) {
	r.slot.began = time.Now()
	c.mu.Lock()
	c.queue = append(c.queue, r.slot)
	c.heldBytes += r.slot.bytes
	if mayWrite {
		c.serving = r.slot
	}
	c.mu.Unlock()
	c.server.metrics.of(r.Key).requests.Inc()
	c.server.metrics.inFlight.Inc()
	defer func() {
		if p := recover(); p != nil { // nobody else will answer it
			r.abandon()
			panic(p)
		}
	}()
	c.listener.Handler.Serve(r)
	c.mu.Lock()
	c.serving = nil
	c.mu.Unlock()
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

// finish stores an answer in its slot and wakes the writer if it is the next to send.
func (c *Conn) finish(s *slot, parts []Part, release func()) {
	n, size := 0, 0 // of memory, which parts of files do not need; of everything
	for i := range parts {
		n += len(parts[i].Bytes)
		size += parts[i].len()
	}
	s.answer.set(int64(n))
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
	start := c.queue[0] == s && !c.writing
	if start {
		c.writing = true
	}
	now := start && c.serving == s && n == size && n <= sentByReader && !s.hangup
	if start && !now {
		c.server.wg.Add(1) // the reader still counts, because the connection is not broken
	}
	c.mu.Unlock()
	switch {
	case now:
		c.sendItself()
	case start:
		go c.write(nil)
	}
}

// sentByReader is the largest answer that the reader sends itself.
const sentByReader = 16 << 10

// sendItself sends, on the reader, the answer to the request that was just served, as far
// as the socket takes it without waiting. The writer does the rest.
func (c *Conn) sendItself() {
	batch, ok := c.takeReady()
	if !ok || len(batch) == 0 {
		return
	}
	if done, err := c.sendNow(batch); done || err != nil {
		if !c.sent(batch, err) {
			c.fail()
			return
		}
		if batch, ok = c.takeReady(); !ok || len(batch) == 0 {
			return
		}
	}
	c.mu.Lock()
	broken := c.broken
	if !broken {
		c.server.wg.Add(1)
	}
	c.mu.Unlock()
	if broken {
		for _, s := range batch {
			s.free()
		}
		return
	}
	go c.write(batch)
}

// sendNow sends what the socket takes without waiting, and reports whether that was all.
func (c *Conn) sendNow(batch []*slot) (done bool, err error) {
	buf := getBuffer(sentByReader)
	defer putBuffer(buf)
	p := (*buf)[:0]
	for _, s := range batch {
		for i := range s.parts {
			if part := &s.parts[i]; part.File != nil || len(p)+len(part.Bytes) > sentByReader {
				return false, nil
			}
			p = append(p, s.parts[i].Bytes...)
		}
	}
	n := 0
	werr := c.raw.Write(func(fd uintptr) bool {
		n, err = writeNow(fd, p)
		return true
	})
	n = max(n, 0)
	c.server.metrics.sent.Add(float64(n))
	switch {
	case werr != nil:
		return false, werr
	case err != nil && !errors.Is(err, errWouldBlock):
		return false, err
	case n == len(p):
		return true, nil
	}
	for _, s := range batch {
		for i := range s.parts {
			took := min(n, len(s.parts[i].Bytes))
			s.parts[i].Bytes = s.parts[i].Bytes[took:]
			n -= took
		}
	}
	return false, nil
}

func signal(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// write is the writer goroutine. It runs while there are answers to send, so an idle
// connection has none.
//
// batch is what takeReady returned and is not sent yet, or nil.
func (c *Conn) write(batch []*slot) {
	defer c.server.wg.Done()
	for {
		if batch == nil {
			var ok bool
			if batch, ok = c.takeReady(); !ok {
				break
			}
			if len(batch) == 0 {
				return
			}
		}
		if !c.sent(batch, c.send(batch)) {
			break
		}
		batch = nil
	}
	c.fail()
}

// takeReady returns the finished answers that are next in order. ok is false if the
// connection is broken. If there are none, nobody sends any more.
func (c *Conn) takeReady() (batch []*slot, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.broken {
		return nil, false
	}
	n := 0
	for n < len(c.queue) && c.queue[n].done {
		n++
		if c.queue[n-1].hangup {
			break
		}
	}
	c.slotsBeingSent, c.writing = n, n > 0
	return c.queue[:n:n], true
}

// sent takes answers that were sent, or could not be, out of the queue. It returns false
// if the connection must be closed.
func (c *Conn) sent(batch []*slot, err error) bool {
	n, bytes := len(batch), 0
	hangup := batch[n-1].hangup
	for _, s := range batch {
		bytes += s.bytes
		s.free()
	}
	c.mu.Lock()
	c.slotsBeingSent = 0
	if !c.broken {
		clear(c.queue[:n])
		c.queue = c.queue[n:]
		if len(c.queue) == 0 {
			c.queue = nil
		}
		c.heldBytes -= bytes
	}
	broken := c.broken
	c.mu.Unlock()
	signal(c.written)
	return err == nil && !hangup && !broken
}

// fail closes the connection and frees the answers that will not be sent. It may be called
// more than once.
func (c *Conn) fail() {
	c.mu.Lock()
	if c.broken {
		c.mu.Unlock()
		return
	}
	c.broken = true
	queue := c.queue[c.slotsBeingSent:] // the writer frees those that it is sending
	c.queue, c.heldBytes = nil, 0
	c.mu.Unlock()
	_ = c.nc.Close() // there is nobody to report an error to
	c.cancel()
	for _, s := range queue {
		if s.done {
			s.free()
		}
	}
	signal(c.written)
}
