package wire

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Handler answers requests.
type Handler interface {
	// Accepts reports whether the handler serves a version of an API. A request that it
	// does not accept closes its connection, except ApiVersions.
	Accepts(key, version int16) bool
	// Count returns how many elements all arrays of a body have together. The request is
	// accepted, and its body is not decoded yet. The count matters because kmsg allocates
	// as many elements as an array claims to have, and an element needs more memory than
	// its bytes. Count returns an error if there are more elements than the limit, or if
	// the body breaks the API's schema.
	Count(key, version int16, body []byte, limit int) (int, error)
	// Serve begins to work on a request. The connection's reader calls it, and reads no
	// further request until it returns.
	Serve(r *Request)
}

// Config bounds what clients can use. Zero values mean the defaults.
type Config struct {
	MaxRequestBytes int           // largest frame; default 100 MiB
	MaxOtherBytes   int           // largest frame of any other request, which can need many times its size once decoded; default 4 MiB, and four times that for SyncGroup
	MaxElements     int           // largest number of elements in all arrays of a request; default 500,000
	IdleTimeout     time.Duration // how long a client may send nothing while no request is in progress, or take none of its answers; default 10 minutes
	FrameTimeout    time.Duration // how long each step of reading a request, usually a MiB, may take, besides 16 seconds per MiB; default 30 seconds
	StallTimeout    time.Duration // while memory for answers is short: how long a client that holds some of it may take nothing, or less than 64 KiB/s; default 30 seconds
	// Limits returns how many connections there may be. The server calls it for each new
	// connection, so the result may change; nil means no limit.
	Limits         func() ConnectionLimits
	BudgetBytes    int   // unanswered bytes per connection; default 64 MiB
	BudgetRequests int   // unanswered requests per connection; default 1000
	RequestMemory  int64 // bytes of Produce requests in progress on all connections, and a quarter as much for other requests; default an eighth of the machine's memory, 64 to 512 MiB
	AnswerMemory   int64 // bytes of unsent answers on all connections; default as RequestMemory
	SendBuffer     int   // size of a connection's send buffer in the kernel; default 128 KiB from 32 connections on, else the system's choice; negative: always the system's choice
	ReceiveBuffer  int   // the same for the receive buffer
	Logger         *slog.Logger
	Registerer     prometheus.Registerer
}

// ConnectionLimits bounds how many connections there may be.
type ConnectionLimits struct {
	Total   int            // of all clients
	PerHost int            // of one client address
	Of      map[string]int // overrides PerHost for these addresses
}

// of returns how many connections an address may have.
func (l *ConnectionLimits) of(host string) int {
	if n, ok := l.Of[host]; ok {
		return n
	}
	return l.PerHost
}

// unlimited returns limits that limit nothing.
func unlimited() ConnectionLimits {
	return ConnectionLimits{Total: math.MaxInt, PerHost: math.MaxInt}
}

func (c *Config) setDefaults() {
	if c.Limits == nil {
		c.Limits = unlimited
	}
	c.MaxRequestBytes = orDefault(c.MaxRequestBytes, 100<<20)
	c.MaxOtherBytes = orDefault(c.MaxOtherBytes, 4<<20)
	c.MaxElements = orDefault(c.MaxElements, 500_000)
	c.IdleTimeout = orDefault(c.IdleTimeout, 10*time.Minute)
	c.FrameTimeout = orDefault(c.FrameTimeout, 30*time.Second)
	c.StallTimeout = orDefault(c.StallTimeout, 30*time.Second)
	if c.RequestMemory <= 0 {
		c.RequestMemory = defaultBudget()
	}
	if c.AnswerMemory <= 0 {
		c.AnswerMemory = defaultBudget()
	}
	c.BudgetBytes = orDefault(c.BudgetBytes, 64<<20)
	c.BudgetRequests = orDefault(c.BudgetRequests, 1000)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
}

func orDefault[T int | time.Duration](v, otherwise T) T {
	if v <= 0 {
		return otherwise
	}
	return v
}

// Listener is a bound address.
type Listener struct {
	// Name is the listener's name in the configuration, for example PLAINTEXT.
	Name string
	// Handler answers the listener's requests; nil means the server's handler. Set it
	// before Serve.
	Handler Handler
	ln      net.Listener
}

// keepAlive detects clients that vanished silently, within two minutes.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: time.Minute, Interval: 15 * time.Second, Count: 4}

// Listen binds an address. Port 0 binds a free port.
func Listen(ctx context.Context, name, address string) (*Listener, error) {
	lc := net.ListenConfig{KeepAliveConfig: keepAlive}
	ln, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listener %s: %w", name, err)
	}
	return &Listener{Name: name, ln: ln}, nil
}

// NewListener makes a Listener of a net.Listener.
func NewListener(name string, ln net.Listener) *Listener { return &Listener{Name: name, ln: ln} }

// Addr returns the bound address.
func (l *Listener) Addr() net.Addr { return l.ln.Addr() }

// Close unbinds the address.
func (l *Listener) Close() error { return l.ln.Close() }

// Server accepts connections. It owns an accept loop per listener, and a reader and at
// times a writer per connection.
type Server struct {
	cfg     Config
	handler Handler
	log     *slog.Logger
	wg      sync.WaitGroup
	stop    chan struct{}

	began     time.Time
	lastAsked atomic.Int64 // when quiet was last called, in nanoseconds since began

	metrics                  *metrics
	episodes                 *episodes
	records, others, answers budget

	// resuming counts the goroutines that Resume starts. Close waits for those that began
	// before drained was set; one that begins later finds its connection closed.
	resuming     sync.WaitGroup
	resumeMu     sync.Mutex // guards drained
	resumeClosed bool

	mu            sync.Mutex // guards what follows
	listeners     []*Listener
	conns         map[*Conn]struct{}
	perHost       map[string]int
	hoardsWatched bool // closeHoards is running
	closed        bool
}

// NewServer returns a server that accepts nothing yet.
func NewServer(h Handler, cfg Config) *Server {
	cfg.setDefaults()
	s := &Server{
		cfg: cfg, handler: h, log: cfg.Logger, metrics: newMetrics(), episodes: newEpisodes(cfg.Logger), stop: make(chan struct{}), began: time.Now(),
		conns: map[*Conn]struct{}{}, perHost: map[string]int{},
	}
	s.records.init("records", cfg.RequestMemory, s.metrics, s.episodes.records)
	s.others.init("other", cfg.RequestMemory/othersShare, s.metrics, s.episodes.others)
	s.answers.init("answers", cfg.AnswerMemory, s.metrics, s.episodes.answers)
	s.register(cfg.Registerer)
	return s
}

// othersShare is the size of the memory for other requests, as a fraction of the memory
// for records: one in so many. It comes on top of that.
const othersShare = 4

// Serve accepts connections on a listener until Close. It returns at once.
func (s *Server) Serve(l *Listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		_ = l.Close() // it was never used
		return
	}
	if l.Handler == nil {
		l.Handler = s.handler
	}
	if s.listeners = append(s.listeners, l); !s.hoardsWatched {
		s.hoardsWatched = true
		s.wg.Go(s.closeHoards)
	}
	s.wg.Go(func() { s.accept(l) })
}

// longestPause is the longest pause between two attempts to accept.
const longestPause = time.Second

func (s *Server) accept(l *Listener) {
	pause := time.Duration(0)
	for {
		nc, err := l.ln.Accept()
		if err == nil {
			pause = 0
			s.welcome(l, nc)
			continue
		}
		if errors.Is(err, net.ErrClosed) {
			return
		}
		s.metrics.unaccepted.Inc()
		s.episodes.unaccepted.note(slog.String("listener", l.Name), slog.Any("err", err))
		pause = min(max(2*pause, 5*time.Millisecond), longestPause)
		if !s.pause(pause) { // for example, no file descriptors are left
			return
		}
	}
}

// pause waits for d; it returns false if the server closes meanwhile.
func (s *Server) pause(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-s.stop:
		return false
	}
}

// welcome starts a connection, or closes it if there are too many.
func (s *Server) welcome(l *Listener, nc net.Conn) {
	ctx, cancel := context.WithCancel(context.Background())
	c := &Conn{
		server: s, listener: l, nc: nc, ctx: ctx, cancel: cancel,
		written: make(chan struct{}, 1),
	}
	s.sizeBuffers(nc)
	c.raw = rawConn(nc)
	c.in.init(nc, c.raw)
	host, limits := c.RemoteHost(), s.cfg.Limits()
	s.mu.Lock()
	tooMany := len(s.conns) >= limits.Total || s.perHost[host] >= limits.of(host)
	if tooMany || s.closed {
		s.mu.Unlock()
		cancel()
		_ = nc.Close() // refused
		if tooMany {
			s.metrics.refused.Inc()
			s.episodes.refused.note(slog.String("client", host))
		}
		return
	}
	s.conns[c] = struct{}{}
	s.perHost[host]++
	s.wg.Add(1)
	s.mu.Unlock()
	s.metrics.connections.Inc()
	go c.read()
}

// From crowdFrom connections on, a kernel buffer whose size is not configured has
// crowdBuffer bytes for each new connection (Linux doubles the number). Below that, the
// system chooses.
const (
	crowdFrom   = 32
	crowdBuffer = 128 << 10
)

// sizeBuffers bounds what the kernel holds for a connection. By default, a buffer grows
// to megabytes for a client that does not read. A thousand of these exhaust the kernel's
// memory for all sockets, and then the kernel slows down every connection.
func (s *Server) sizeBuffers(nc net.Conn) {
	tcp, ok := nc.(interface {
		SetReadBuffer(n int) error
		SetWriteBuffer(n int) error
	})
	if !ok {
		return
	}
	crowded := s.Connections() >= crowdFrom
	if n := bufferSize(s.cfg.SendBuffer, crowded); n > 0 {
		_ = tcp.SetWriteBuffer(n) // a hint
	}
	if n := bufferSize(s.cfg.ReceiveBuffer, crowded); n > 0 {
		_ = tcp.SetReadBuffer(n) // a hint
	}
}

func bufferSize(configured int, crowded bool) int {
	if configured == 0 && crowded {
		return crowdBuffer
	}
	return configured
}

// drop removes a closed connection from the server's counts.
func (s *Server) drop(c *Conn) {
	host := c.RemoteHost()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	if s.perHost[host]--; s.perHost[host] <= 0 {
		delete(s.perHost, host)
	}
	s.metrics.connections.Dec()
}

// Connections returns the number of open connections.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// Close closes all listeners and connections and waits for their goroutines. It may be
// called twice.
func (s *Server) Close() {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.stop)
	}
	listeners := s.listeners
	s.listeners = nil
	s.mu.Unlock()
	for _, l := range listeners {
		_ = l.Close() // it may be closed already
	}
	for _, c := range s.open() {
		c.fail()
	}
	s.wg.Wait()
	s.resumeMu.Lock()
	s.resumeClosed = true
	s.resumeMu.Unlock()
	s.resuming.Wait()
	s.episodes.stop()
}

// resumed runs f on a new goroutine, for which Close waits unless drained is set.
func (s *Server) resumed(f func()) {
	s.resumeMu.Lock()
	defer s.resumeMu.Unlock()
	if s.resumeClosed {
		go f()
		return
	}
	s.resuming.Go(f)
}

// flexible reports whether a request header has tagged fields. The header of an
// ApiVersions request of an unknown version is read as if it had them.
func (l *Listener) flexible(key, version int16) bool {
	if !l.Handler.Accepts(key, version) {
		return key == apiVersionsKey
	}
	msg := kmsg.RequestForKey(key)
	msg.SetVersion(version)
	return msg.IsFlexible()
}
