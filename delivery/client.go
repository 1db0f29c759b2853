package delivery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// recordTimeout is the longest time that Send waits for a broker.
const recordTimeout = 30 * time.Second

// Client is the connection to a cluster. Topics send through it, and listeners
// are made from it. It is safe for concurrent use.
//
// A Client owns three producers. The one for Send gives up after 30 s. The one
// for retry and dead-letter records never gives up. The third is for retry and
// dead-letter records that are too large for the second; it writes one record at
// a time.
type Client struct {
	brokers []string
	log     *slog.Logger
	clock   Clock
	metrics Metrics
	kgoOpts []kgo.Opt
	hooks   []SendHook
	name    string
	random  func() float64
	probe   func(point string) // nil except in crash tests

	sends         *kgo.Client
	forwards      *kgo.Client
	largeForwards *kgo.Client // forwards records that are too large for forwards
	contact       *contact
	gate          *logGate

	forgotten *producedTopics
	sending   sendGroups

	mu      sync.Mutex
	running map[laneKey][]*lane // lanes that have not ended, by group and partition
	closed  chan struct{}
	once    sync.Once
}

// ClientOption changes a Client.
type ClientOption func(*Client)

// WithLogger sets the logger. The default is slog.Default.
func WithLogger(l *slog.Logger) ClientOption { return func(c *Client) { c.log = l } }

// WithKgo adds options to every franz-go client that is opened, such as
// kgo.SASL or kgo.DialTLS. Dial refuses, with a ConfigError, options that the
// library sets itself: brokers, partitioner, acks, idempotence, transactions.
func WithKgo(opts ...kgo.Opt) ClientOption {
	return func(c *Client) { c.kgoOpts = append(c.kgoOpts, opts...) }
}

// WithMetrics sets where metrics go. The default is nowhere.
func WithMetrics(m Metrics) ClientOption { return func(c *Client) { c.metrics = m } }

// WithClock sets the clock. The default is package time.
func WithClock(k Clock) ClientOption { return func(c *Client) { c.clock = k } }

// WithClientID sets the client ID. The default is the group, or "bote" for
// producers, followed by host name and process ID.
func WithClientID(id string) ClientOption { return func(c *Client) { c.name = id } }

// SendHook may change a record before it is sent, or refuse it.
type SendHook func(*kgo.Record) error

// WithSendHook adds a hook for every record sent by Send, SendAsync and
// SendBatch, called in the order given.
func WithSendHook(h SendHook) ClientOption {
	return func(c *Client) { c.hooks = append(c.hooks, h) }
}

// Dial makes a Client. It opens no connection yet, so a cluster that cannot be
// reached is not an error here.
func Dial(brokers []string, opts ...ClientOption) (*Client, error) {
	if len(brokers) == 0 {
		return nil, errors.New("dial: no brokers given")
	}
	c := &Client{
		brokers: slices.Clone(brokers),
		log:     slog.Default(),
		clock:   systemClock{},
		metrics: noMetrics{},
		random:  newRandom(),
		running: make(map[laneKey][]*lane),
		closed:  make(chan struct{}),

		forgotten: newForgotten(),
	}
	var problems []string
	for _, b := range brokers {
		if why := addressProblem(b); why != "" {
			problems = append(problems, fmt.Sprintf("broker %q: %s", b, why))
		}
	}
	for i, o := range opts {
		if o == nil {
			problems = append(problems, fmt.Sprintf("option %d is nil", i+1))
			continue
		}
		o(c)
	}
	problems = append(problems, refusedOpts("WithKgo", c.kgoOpts, slices.Concat(ownedByClient, ownedByListener)...)...)
	if len(problems) > 0 {
		return nil, fmt.Errorf("dial: %w", &ConfigError{Problems: problems})
	}
	c.contact = &contact{clock: c.clock}
	c.contact.answered()
	c.gate = newLogGate(c.clock)
	if err := c.openProducers(); err != nil {
		return nil, fmt.Errorf("dial: %w", err)
	}
	return c, nil
}

// addressProblem says what is wrong with the address of a broker, "" if
// nothing is. franz-go accepts host, host:port and IPv6 addresses, also without
// brackets and port. It takes any other text for a host name.
func addressProblem(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	hasPort := err == nil
	if !hasPort {
		host = addr
		if inner, ok := strings.CutPrefix(addr, "["); ok && strings.HasSuffix(inner, "]") {
			host = strings.TrimSuffix(inner, "]")
		}
		if _, err := netip.ParseAddr(host); strings.Contains(host, ":") && err != nil {
			return "it is not host:port"
		}
	}
	switch {
	case host == "" && !hasPort || strings.ContainsAny(host, " \t\r\n/,;@[]"):
		return "it is not host:port"
	case !hasPort:
		return ""
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return "the port must be a number from 1 to 65535"
	}
	return ""
}

func (c *Client) openProducers() error {
	var err error
	if c.sends, err = c.newProducer(nil, kgo.RecordPartitioner(sendPartitioner())); err != nil {
		return err
	}
	if c.forwards, err = c.newProducer(nil, kgo.RecordPartitioner(forwardPartitioner())); err != nil {
		c.sends.Close()
		return err
	}
	// Each record is alone in its batch, so the only limit left is the topic's
	// own. A record may fit that limit only because its producer compressed it
	// better than franz-go does by default; zstd makes it fit again.
	c.largeForwards, err = c.newProducer(
		[]kgo.Opt{kgo.ProducerBatchCompression(kgo.ZstdCompression(), kgo.GzipCompression())},
		kgo.RecordPartitioner(forwardPartitioner()),
		kgo.MaxBufferedRecords(1), kgo.MaxBufferedBytes(0), kgo.ProducerBatchMaxBytes(largestBatch), kgo.BrokerMaxWriteBytes(largestBatch))
	if err != nil {
		c.sends.Close()
		c.forwards.Close()
	}
	return err
}

// largestBatch bounds a record that is copied alone. It is the largest request
// that a broker reads by default (socket.request.max.bytes).
const largestBatch = 100 << 20

// newProducer opens a producer. A lane waits until its record is forwarded, so
// the producer does not linger unless the user asks for it.
func (c *Client) newProducer(defaults []kgo.Opt, owned ...kgo.Opt) (*kgo.Client, error) {
	owned = append(owned, kgo.RequiredAcks(kgo.AllISRAcks()))
	return c.newKgo("bote", c.log, append(defaults, kgo.ProducerLinger(0)), nil, owned)
}

// newKgo opens a franz-go client. The options of the user override defaults,
// and owned options override both.
func (c *Client) newKgo(prefix string, log *slog.Logger, defaults, user, owned []kgo.Opt) (*kgo.Client, error) {
	base := []kgo.Opt{
		kgo.SeedBrokers(c.brokers...),
		kgo.ClientID(c.clientID(prefix)),
		kgo.WithLogger(kgoLogger{log, c.gate, log != c.log}),
		kgo.WithHooks(c.contact),
	}
	cl, err := kgo.NewClient(slices.Concat(base, defaults, c.kgoOpts, user, owned)...)
	if err != nil {
		return nil, fmt.Errorf("open client: %w", err)
	}
	return cl, nil
}

func (c *Client) clientID(prefix string) string {
	if c.name != "" {
		return c.name
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%s-%s-%d", prefix, host, os.Getpid())
}

// Flush waits until everything sent is acknowledged or ctx ends.
func (c *Client) Flush(ctx context.Context) error {
	if err := c.sends.Flush(ctx); err != nil {
		return fmt.Errorf("flush: %w", err)
	}
	return nil
}

// Kgo is the franz-go client behind Send, for requests that this package has no
// method for. The Client still owns it and closes it.
func (c *Client) Kgo() *kgo.Client { return c.sends }

// NewKgo opens a franz-go client with the options of this Client and more. The
// caller closes it.
func (c *Client) NewKgo(opts ...kgo.Opt) (*kgo.Client, error) {
	return c.newKgo("bote", c.log, nil, opts, nil)
}

// Logger is the logger the Client was given.
func (c *Client) Logger() *slog.Logger { return c.log }

// Clock is the clock the Client was given.
func (c *Client) Clock() Clock { return c.clock }

// Close ends all producers; records not yet acknowledged fail. Listeners
// must have been stopped. A second Close does nothing.
func (c *Client) Close() {
	c.once.Do(func() {
		close(c.closed)
		c.sends.Close()
		c.forwards.Close()
		c.largeForwards.Close()
	})
}

// Run waits until ctx ends, then flushes and closes the Client. It lets a
// Client be given to the function Run, which stops it last.
func (c *Client) Run(ctx context.Context) error {
	select {
	case <-ctx.Done():
	case <-c.closed:
		return nil
	}
	flush, cancel := withTimeout(context.WithoutCancel(ctx), c.clock, recordTimeout, ErrShutdown)
	defer cancel()
	err := c.Flush(flush)
	c.Close()
	return err
}

func (c *Client) at(point string) {
	if c.probe != nil {
		c.probe(point)
	}
}

// Runner is what Run starts, such as a Listener or a Client.
type Runner interface {
	Run(ctx context.Context) error
}

// Run runs all runners until ctx ends or one of them fails, then stops the
// others. Clients stop last, after everything that sends through them. If all
// runners are Clients, Run also returns once all are closed. The errors of all
// are joined.
func Run(ctx context.Context, runners ...Runner) error {
	var clients, others []Runner
	for _, r := range runners {
		if _, ok := r.(*Client); ok {
			clients = append(clients, r)
		} else {
			others = append(others, r)
		}
	}
	clientCtx, stopClients := context.WithCancel(context.WithoutCancel(ctx))
	defer stopClients()
	waitClients := start(clientCtx, stopClients, clients)

	if len(others) == 0 {
		defer context.AfterFunc(ctx, stopClients)()
		return waitClients()
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	err := start(ctx, stop, others)()
	stopClients()
	return errors.Join(err, waitClients())
}

// start runs all at once; the first error stops the others.
func start(ctx context.Context, stop context.CancelFunc, runners []Runner) (wait func() error) {
	errs := make([]error, len(runners))
	var wg sync.WaitGroup
	for i, r := range runners {
		wg.Go(func() {
			if errs[i] = r.Run(ctx); errs[i] != nil {
				stop()
			}
		})
	}
	return func() error {
		wg.Wait()
		return errors.Join(errs...)
	}
}
