package wire

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Handler answers requests.
type Handler interface {
	// Accepts reports whether an API is served in a version. A request that is
	// not accepted closes its connection, except ApiVersions.
	Accepts(key, version int16) bool
	// Count returns how many elements the arrays of a body have together, the body
	// of a request that is accepted and not decoded yet: kmsg makes room for what an
	// array claims to have, and takes more memory for an element than its bytes. It
	// returns an error if there are more than the limit, or if the body breaks the
	// API's schema.
	Count(key, version int16, body []byte, limit int) (int, error)
	// Serve begins to work on a request. It is called by the connection's reader
	// and holds back the requests behind until it returns.
	Serve(r *Request)
}

// Config bounds what clients can take. Zero values mean the defaults.
type Config struct {
	MaxRequestBytes int           // largest frame; default 100 MiB
	MaxOtherBytes   int           // largest frame that is no Produce request: decoded, it is many times its size; default 4 MiB, and four times that for SyncGroup
	MaxElements     int           // elements of all arrays of a request; default 500,000
	IdleTimeout     time.Duration // how long a connection may say nothing, or take nothing; default 10 minutes
	FrameTimeout    time.Duration // how long a request may take to arrive, besides 16 seconds for each MiB of it; default 30 seconds
	StallTimeout    time.Duration // how long a client that holds memory for answers may take nothing, or less than 64 KiB/s, while it is short; default 30 seconds
	// Limits returns how many connections there may be. It is asked at each new one,
	// so the answer may change; nil is no limit.
	Limits         func() ConnectionLimits
	BudgetBytes    int   // unanswered bytes of a connection; default 64 MiB
	BudgetRequests int   // unanswered requests of a connection; default 1000
	RequestMemory  int64 // bytes of Produce requests in progress on all connections; others may take a quarter of it; default an eighth of the memory, 64 to 512 MiB
	AnswerMemory   int64 // bytes of answers that have not left on all connections; default as RequestMemory
	SendBuffer     int   // bytes of the kernel's send buffer of a connection; default what the system finds best, in a crowd 128 KiB; negative for the system's always
	ReceiveBuffer  int   // the same for receiving
	Logger         *slog.Logger
	Registerer     prometheus.Registerer
}

// ConnectionLimits bounds how many connections there may be.
type ConnectionLimits struct {
	Total   int            // of all clients
	PerHost int            // of one client address
	Of      map[string]int // exceptions from PerHost by address
}

// of is how many connections an address may have.
func (l *ConnectionLimits) of(host string) int {
	if n, ok := l.Of[host]; ok {
		return n
	}
	return l.PerHost
}

// unlimited is the limits where none are set.
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
	// Handler answers its requests; nil is the server's. It is set before Serve.
	Handler Handler
	ln      net.Listener
}

// keepAlive finds out about clients that vanished without a word within two
// minutes.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: time.Minute, Interval: 15 * time.Second, Count: 4}

// Listen binds an address. Port 0 takes a free one.
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

// Addr is the bound address.
func (l *Listener) Addr() net.Addr { return l.ln.Addr() }

// Close unbinds the address.
func (l *Listener) Close() error { return l.ln.Close() }

// Server accepts connections. It owns an accept loop per listener and two
// goroutines per connection.
type Server struct {
	cfg     Config
	handler Handler
	log     *slog.Logger
	wg      sync.WaitGroup
	stop    chan struct{}

	metrics                  *metrics
	episodes                 *episodes
	records, others, answers budget

	// Requests that go on without a goroutine of their connection. Close waits for those
	// that began before drained; whoever wakes a request later finds its connection gone.
	resuming sync.WaitGroup
	waking   sync.Mutex // guards drained
	drained  bool

	mu        sync.Mutex // guards what follows
	listeners []*Listener
	conns     map[*Conn]struct{}
	perHost   map[string]int
	looking   bool // closeHoards runs
	closed    bool
}

// NewServer returns a server that accepts nothing yet.
func NewServer(h Handler, cfg Config) *Server {
	cfg.setDefaults()
	s := &Server{
		cfg: cfg, handler: h, log: cfg.Logger, metrics: newMetrics(), episodes: newEpisodes(cfg.Logger), stop: make(chan struct{}),
		conns: map[*Conn]struct{}{}, perHost: map[string]int{},
	}
	s.records.init("records", cfg.RequestMemory, s.metrics, s.episodes.records)
	s.others.init("other", cfg.RequestMemory/othersShare, s.metrics, s.episodes.others)
	s.answers.init("answers", cfg.AnswerMemory, s.metrics, s.episodes.answers)
	s.register(cfg.Registerer)
	return s
}

// othersShare is the part of the memory for records that other requests may take
// beside it.
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
	if s.listeners = append(s.listeners, l); !s.looking {
		s.looking = true
		s.wg.Go(s.closeHoards)
	}
	s.wg.Go(func() { s.accept(l) })
}

// longestPause is what there is at most between two attempts to accept.
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
		if !s.pause(pause) { // for example: no file descriptors left
			return
		}
	}
}

// pause waits for d; it returns false if the server is closed meanwhile.
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
		written: make(chan struct{}, 1), ready: make(chan struct{}, 1),
	}
	s.sizeBuffers(nc)
	c.raw = rawConn(nc)
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
	s.wg.Add(2)
	s.mu.Unlock()
	s.metrics.connections.Inc()
	go c.read()
	go c.write()
}

// In a crowd of so many connections each has so much of the kernel's memory, which
// counts it twice. A few may have what they like.
const (
	crowdFrom   = 32
	crowdBuffer = 128 << 10
)

// sizeBuffers bounds what the kernel holds for a connection. Left alone it grows to
// megabytes for a client that does not read, and a thousand of these use up what
// the kernel has for all connections: then it slows down every one of them.
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

// drop takes a connection that ended out of the books.
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

// Connections is the number of open connections.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// Close ends all listeners and connections and waits for their goroutines. It
// may be called twice.
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
	s.waking.Lock()
	s.drained = true
	s.waking.Unlock()
	s.resuming.Wait()
	s.episodes.stop()
}

// resumed runs f on a goroutine of its own.
func (s *Server) resumed(f func()) {
	s.waking.Lock()
	defer s.waking.Unlock()
	if s.drained {
		go f()
		return
	}
	s.resuming.Go(f)
}

// flexible reports whether a request header has tagged fields. An ApiVersions
// request of an unknown version is read as if it had.
func (l *Listener) flexible(key, version int16) bool {
	if !l.Handler.Accepts(key, version) {
		return key == apiVersionsKey
	}
	msg := kmsg.RequestForKey(key)
	msg.SetVersion(version)
	return msg.IsFlexible()
}
