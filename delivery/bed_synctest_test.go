package delivery

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/botehq/bote/delivery/codec"
)

// bed is a broker on an in-memory network inside a synctest bubble. Hours
// pass in no time, and the network can be cut.
type bed struct {
	t       *testing.T
	net     *network
	cluster *kfake.Cluster
	client  *Client
	opts    []ClientOption
}

// network is kfake's virtual network with a switch to cut it.
type network struct {
	kfake.VirtualNetwork

	mu    sync.Mutex
	down  bool
	conns []net.Conn
}

var errCut = &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}

func (n *network) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	n.mu.Lock()
	down := n.down
	n.mu.Unlock()
	if down {
		return nil, errCut
	}
	c, err := n.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.conns = append(n.conns, c)
	return resettable{c}, nil
}

// resettable reports a cut as a connection reset, as a real network does.
type resettable struct{ net.Conn }

func (c resettable) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	return n, reset(err)
}

func (c resettable) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	return n, reset(err)
}

func reset(err error) error {
	if errors.Is(err, io.ErrClosedPipe) {
		return &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
	}
	return err
}

func (n *network) cut() {
	n.mu.Lock()
	n.down = true
	conns := n.conns
	n.conns = nil
	n.mu.Unlock()
	for _, c := range conns {
		_ = c.Close()
	}
}

func (n *network) mend() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.down = false
}

// bubble runs f on a bed of its own.
func bubble(t *testing.T, f func(t *testing.T, b *bed), opts ...ClientOption) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bed{t: t, net: &network{}, opts: opts}
		cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.ListenFn(b.net.Listen), kfake.Ports(9092))
		require.NoError(t, err)
		t.Cleanup(cluster.Close)
		b.cluster = cluster
		b.client = b.dial(opts...)
		f(t, b)
	})
}

func (b *bed) dial(opts ...ClientOption) *Client {
	b.t.Helper()
	c, err := Dial([]string{"localhost:9092"}, append([]ClientOption{WithKgo(kgo.Dialer(b.net.dial)), WithLogger(slog.New(slog.DiscardHandler))}, opts...)...)
	require.NoError(b.t, err)
	b.t.Cleanup(c.Close)
	return c
}

func (b *bed) create(topic string, partitions int32) {
	b.t.Helper()
	require.NoError(b.t, b.cluster.CreateTopic(topic, partitions, nil))
}

var text = codec.Text()

// send writes values to a topic, the i-th to partition i modulo parts.
func (b *bed) send(topic string, parts int, values ...string) {
	b.t.Helper()
	batch := make([]Outgoing[string], len(values))
	for i, v := range values {
		batch[i] = Outgoing[string]{Key: "k", Value: v, Options: []SendOption{Partition(int32(i % parts))}}
	}
	_, err := NewTopic(topic, text).SendBatch(b.t.Context(), b.client, batch)
	require.NoError(b.t, err)
}

// running is a listener that runs.
type running struct {
	*Listener
	done chan error
}

// listen starts a listener of text.
func (b *bed) listen(topic, group string, h func(context.Context, *Message[string]) error, opts ...Option) *running {
	b.t.Helper()
	return b.listenOn(b.client, topic, group, h, opts...)
}

func (b *bed) listenOn(c *Client, topic, group string, h func(context.Context, *Message[string]) error, opts ...Option) *running {
	b.t.Helper()
	l, err := Listen(c, NewTopic(topic, text), group, h, opts...)
	require.NoError(b.t, err)
	return b.run(l)
}

func (b *bed) run(l *Listener) *running {
	r := &running{Listener: l, done: make(chan error, 1)}
	go func() { r.done <- l.Run(context.Background()) }()
	b.t.Cleanup(func() { _ = l.StopNow(context.Background()) })
	return r
}

// stop stops the listener and returns what Run returned.
func (r *running) stop() error {
	_ = r.Stop(context.Background())
	return <-r.done
}

// wait sleeps in bubble time until ok, at most limit.
func (b *bed) wait(limit time.Duration, what string, ok func() bool) {
	b.t.Helper()
	for end := time.Now().Add(limit); !ok(); {
		require.True(b.t, time.Now().Before(end), "not within %s: %s", limit, what)
		time.Sleep(10 * time.Millisecond)
	}
}

// size is the number of records of a topic.
func (b *bed) size(topic string) int {
	n := 0
	for _, p := range b.cluster.PartitionInfos(topic) {
		n += int(p.HighWatermark - p.LogStartOffset)
	}
	return n
}

// committed is the sum of a group's commits of a topic.
func (b *bed) committed(group, topic string) int64 {
	b.t.Helper()
	os, err := kadm.NewClient(b.client.sends).FetchOffsets(b.t.Context(), group)
	require.NoError(b.t, err)
	var n int64
	for _, o := range os[topic] {
		n += o.At
	}
	return n
}

// records are all records of a topic.
func (b *bed) records(topic string) []*kgo.Record {
	b.t.Helper()
	want := b.size(topic)
	if want == 0 {
		return nil
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers("localhost:9092"), kgo.Dialer(b.net.dial), kgo.ConsumeTopics(topic))
	require.NoError(b.t, err)
	defer cl.Close()
	var out []*kgo.Record
	for len(out) < want {
		f := cl.PollFetches(b.t.Context())
		require.NoError(b.t, f.Err())
		out = append(out, f.Records()...)
	}
	return out
}

// tally counts deliveries by value, and when each came.
type tally struct {
	mu   sync.Mutex
	seen map[string][]time.Time
}

func newTally() *tally { return &tally{seen: map[string][]time.Time{}} }

func (c *tally) add(v string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen[v] = append(c.seen[v], time.Now())
	return len(c.seen[v])
}

func (c *tally) count(v string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.seen[v])
}

func (c *tally) distinct() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.seen)
}

// logged collects log lines.
type logged struct {
	slog.Handler

	mu    sync.Mutex
	lines []string
}

func newLogged() *logged { return &logged{Handler: slog.DiscardHandler} }

func (l *logged) Enabled(context.Context, slog.Level) bool { return true }

func (l *logged) WithAttrs([]slog.Attr) slog.Handler { return l }

func (l *logged) Handle(_ context.Context, r slog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, r.Level.String()+" "+r.Message)
	return nil
}

func (l *logged) count(line string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.lines {
		if s == line {
			n++
		}
	}
	return n
}
