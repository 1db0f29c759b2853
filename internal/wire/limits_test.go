package wire_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/wire"
)

// every is a handler that accepts every API and version that kmsg knows.
type every struct{ *handler }

func (every) Accepts(key, version int16) bool {
	req := kmsg.RequestForKey(key)
	return req != nil && version >= 0 && version <= req.MaxVersion()
}

func newEvery(t *testing.T, cfg wire.Config) *bench {
	t.Helper()
	h := every{&handler{requests: make(chan *wire.Request, 10_000)}}
	return newServed(t, h.handler, h, cfg)
}

// newServed starts a server with the handler h, which passes its requests on to to.
func newServed(t *testing.T, to *handler, h wire.Handler, cfg wire.Config) *bench {
	t.Helper()
	b := &bench{handler: to, server: wire.NewServer(h, cfg)}
	l, err := wire.Listen(t.Context(), "PLAINTEXT", "127.0.0.1:0")
	require.NoError(t, err)
	b.addr = l.Addr().String()
	b.server.Serve(l)
	t.Cleanup(b.server.Close)
	return b
}

// broken is a handler that panics: in Serve for request 1, after it for request 2.
type broken struct{ every }

func (h broken) Serve(r *wire.Request) {
	switch r.CorrelationID {
	case 1:
		panic("begun")
	case 2:
		r.Reserve(1000)
		r.Resume(func() { panic("later") })
	default:
		h.every.Serve(r)
	}
}

// TestPanic: a request that panics ends its own connection, is logged, and leaves
// nothing behind.
func TestPanic(t *testing.T) {
	t.Parallel()
	for id := range int32(2) {
		reg := prometheus.NewRegistry()
		var log lines
		h := &handler{requests: make(chan *wire.Request, 10)}
		b := newServed(t, h, broken{every{h}}, wire.Config{Registerer: reg, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		other, unlucky := b.dial(t), b.dial(t)
		send(t, other, metadata(3))
		r := b.next(t)
		send(t, unlucky, produce(100<<10, id+1))
		closed(t, unlucky)
		gauged(t, reg, "bote_memory_used_bytes/records", 0)
		gauged(t, reg, "bote_memory_used_bytes/answers", 0)
		gauged(t, reg, "bote_connections", 1)
		gauged(t, reg, "bote_requests_in_flight", 1)
		r.Reply(kmsg.NewPtrMetadataResponse())
		require.Equal(t, int32(3), correlation(t, other))
		require.Contains(t, log.String(), "panic in a request")
	}
}

// framed is a request as it goes over the wire.
func framed(req kmsg.Request, version int16, correlation int32) []byte {
	req.SetVersion(version)
	p := binary.BigEndian.AppendUint16(nil, uint16(req.Key()))
	p = binary.BigEndian.AppendUint16(p, uint16(version))
	p = binary.BigEndian.AppendUint32(p, uint32(correlation))
	p = append(p, 0xff, 0xff)
	if req.IsFlexible() {
		p = append(p, 0)
	}
	p = req.AppendTo(p)
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(p))), p...)
}

// produce is a Produce request of so many bytes of records.
func produce(n int, correlation int32) []byte {
	req := kmsg.NewPtrProduceRequest()
	topic := kmsg.NewProduceRequestTopic()
	part := kmsg.NewProduceRequestTopicPartition()
	part.Records = make([]byte, n)
	topic.Topic, topic.Partitions = "t", append(topic.Partitions, part)
	req.Acks, req.Topics = -1, append(req.Topics, topic)
	return framed(req, 7, correlation)
}

func fetch(correlation int32) []byte {
	return framed(kmsg.NewPtrFetchRequest(), 11, correlation)
}

func heartbeat(correlation int32) []byte {
	return framed(kmsg.NewPtrHeartbeatRequest(), 3, correlation)
}

// sendAll writes on a goroutine that ends with the connection.
func sendAll(t *testing.T, c net.Conn, p []byte) {
	t.Helper()
	var done sync.WaitGroup
	done.Go(func() { _, _ = c.Write(p) })
	t.Cleanup(func() { _ = c.Close(); done.Wait() })
}

func (b *bench) next(t *testing.T) *wire.Request {
	t.Helper()
	select {
	case r := <-b.requests:
		return r
	case <-time.After(10 * time.Second):
		t.Fatal("no request")
		return nil
	}
}

// gaugeOf returns the value of a metric, given as "name" or "name/kind".
func gaugeOf(t *testing.T, g prometheus.Gatherer, metric string) (got float64) {
	t.Helper()
	name, kind, _ := strings.Cut(metric, "/")
	all, err := g.Gather()
	require.NoError(t, err)
	for _, f := range all {
		for _, m := range f.GetMetric() {
			if f.GetName() == name && (kind == "" || m.GetLabel()[0].GetValue() == kind) {
				got = m.GetGauge().GetValue() + m.GetCounter().GetValue()
			}
		}
	}
	return got
}

// gauged waits until a metric has a value.
func gauged(t *testing.T, g prometheus.Gatherer, metric string, want float64) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; runtime.Gosched() {
		got := gaugeOf(t, g, metric)
		if got == want {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s is %v, not %v", metric, got, want)
		}
	}
}

// TestProducersWaitForMemory: when the memory for records is used up, the server stops
// reading from producers; requests that need none of that memory are served.
func TestProducersWaitForMemory(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	b := newEvery(t, wire.Config{RequestMemory: 1 << 20, Registerer: reg})
	first, second, other := b.dial(t), b.dial(t), b.dial(t)
	sendAll(t, first, produce(1<<20, 1))
	held := b.next(t)
	sendAll(t, second, produce(1<<20, 2))
	gauged(t, reg, "bote_memory_waiting_requests/records", 1)
	send(t, other, heartbeat(3))
	b.next(t).Reply(kmsg.NewPtrHeartbeatResponse())
	require.Equal(t, int32(3), correlation(t, other))
	small := b.dial(t)
	send(t, small, produce(100, 4))
	b.next(t).Reply(kmsg.NewPtrProduceResponse())
	require.Equal(t, int32(4), correlation(t, small), "small requests of idle connections are taken")
	held.Reply(kmsg.NewPtrProduceResponse())
	require.Equal(t, int32(1), correlation(t, first))
	b.next(t).Reply(kmsg.NewPtrProduceResponse())
	require.Equal(t, int32(2), correlation(t, second))
	gauged(t, reg, "bote_memory_used_bytes/records", 0)
	gauged(t, reg, "bote_memory_waits_total/records", 1)
}

// copying is a handler that needs a request's bytes only during Serve.
type copying struct{ every }

func (h copying) Serve(r *wire.Request) {
	r.HoldFrame()
	r.ReleaseFrame()
	h.every.Serve(r)
}

// TestMemoryOfRequestsThatWait: a request whose bytes are not needed any more holds no
// memory while it waits for its answer, neither in the budget of all connections nor
// in its own connection's.
func TestMemoryOfRequestsThatWait(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	h := copying{every{&handler{requests: make(chan *wire.Request, 10_000)}}}
	b := newServed(t, h.handler, h, wire.Config{RequestMemory: 4 << 20, BudgetBytes: 1 << 20, BudgetRequests: 100, Registerer: reg})
	c := b.dial(t)
	var held []*wire.Request
	for i := range int32(10) {
		sendAll(t, c, produce(1<<20, i))
		held = append(held, b.next(t))
	}
	gauged(t, reg, "bote_memory_used_bytes/records", 0)
	for i, r := range held {
		r.Reply(kmsg.NewPtrProduceResponse())
		require.Equal(t, int32(i), correlation(t, c))
	}
}

// TestLargeFramesDoNotStopEachOther: many frames that need several steps arrive at the
// same time, and there is memory for one step only. All of them arrive.
func TestLargeFramesDoNotStopEachOther(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	b := newEvery(t, wire.Config{RequestMemory: 1 << 20, Registerer: reg})
	const clients = 6
	for i := range int32(clients) {
		sendAll(t, b.dial(t), produce(3<<20, i))
	}
	for range clients {
		b.next(t).Reply(kmsg.NewPtrProduceResponse())
	}
	gauged(t, reg, "bote_memory_used_bytes/records", 0)
}

// TestMemoryOfBrokenFramesIsGivenBack: half a frame, a malformed one, and one
// whose client leaves while it waits.
func TestMemoryOfBrokenFramesIsGivenBack(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	b := newEvery(t, wire.Config{RequestMemory: 1 << 20, Registerer: reg})
	half := b.dial(t)
	send(t, half, produce(1<<20, 1)[:1<<10])
	gauged(t, reg, "bote_memory_used_bytes/records", 1<<20)
	sendAll(t, b.dial(t), produce(1<<20, 2))
	gauged(t, reg, "bote_memory_waiting_requests/records", 1)
	require.NoError(t, half.Close())
	b.next(t).Skip()
	bad := produce(1000, 3)
	bad[len(bad)-1010] = 99 // the size of the records is beyond the frame
	c := b.dial(t)
	send(t, c, bad)
	closed(t, c)
	gauged(t, reg, "bote_memory_used_bytes/records", 0)
	gauged(t, reg, "bote_malformed_frames_total", 1)
}

// TestFetchesWaitForSlowClients: answers that nobody reads use up the memory for
// answers. Fetches wait, producers do not, and the slow client is closed.
func TestFetchesWaitForSlowClients(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	b := newEvery(t, wire.Config{AnswerMemory: 1 << 20, StallTimeout: 300 * time.Millisecond, Registerer: reg})
	slow := b.dial(t)
	send(t, slow, fetch(1))
	r := b.next(t)
	_, ok := r.Reserve(1000)
	require.True(t, ok)
	released := make(chan struct{})
	r.ReplyParts(false, []wire.Part{{Bytes: make([]byte, 64<<20)}}, func() { close(released) })
	gauged(t, reg, "bote_memory_used_bytes/answers", 64<<20+8)
	waiting, producer := b.dial(t), b.dial(t)
	send(t, waiting, fetch(2))
	gauged(t, reg, "bote_memory_waiting_requests/answers", 1)
	send(t, producer, produce(100<<10, 3))
	p := b.next(t)
	require.Equal(t, int32(3), p.CorrelationID)
	_, ok = p.Reserve(1)
	require.False(t, ok, "nothing is left")
	require.True(t, p.Grow(1000), "a small answer waits for nobody")
	require.False(t, p.Grow(1<<20))
	require.True(t, p.Grow(1000), "what was refused is not counted")
	p.Reply(kmsg.NewPtrProduceResponse())
	require.Equal(t, int32(3), correlation(t, producer))
	<-released
	b.next(t).Reply(kmsg.NewPtrFetchResponse())
	require.Equal(t, int32(2), correlation(t, waiting))
	gauged(t, reg, "bote_slow_clients_closed_total", 1)
	gauged(t, reg, "bote_memory_used_bytes/answers", 0)
}

// TestSlowProgressIsNoStall: a client that reads its answer slowly keeps its
// connection even while memory is short.
func TestSlowProgressIsNoStall(t *testing.T) {
	t.Parallel()
	b := newEvery(t, wire.Config{AnswerMemory: 1 << 20, StallTimeout: 500 * time.Millisecond})
	c := b.dial(t)
	send(t, c, fetch(1))
	const size = 24 << 20
	b.next(t).ReplyParts(false, []wire.Part{{Bytes: make([]byte, size)}}, nil)
	tick := time.NewTicker(40 * time.Millisecond)
	defer tick.Stop()
	got, began := int64(0), time.Now()
	for got < size {
		<-tick.C
		n, err := io.CopyN(io.Discard, c, min(512<<10, size+8-got))
		require.NoError(t, err)
		got += n
	}
	require.Greater(t, time.Since(began), time.Second, "too fast to prove anything")
}

// TestSlowClientsKeepTheirConnectionWhileThereIsMemory: as with Kafka, only the idle
// timeout closes it.
func TestSlowClientsKeepTheirConnectionWhileThereIsMemory(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	b := newEvery(t, wire.Config{AnswerMemory: 1 << 30, StallTimeout: 20 * time.Millisecond, IdleTimeout: time.Second, Registerer: reg})
	c := b.dial(t)
	send(t, c, fetch(1))
	began := time.Now()
	released := make(chan struct{})
	b.next(t).ReplyParts(false, []wire.Part{{Bytes: make([]byte, 64<<20)}}, func() { close(released) })
	<-released
	require.GreaterOrEqual(t, time.Since(began), 900*time.Millisecond)
	gauged(t, reg, "bote_slow_clients_closed_total", 1)
}

// newPiped starts a server in a synctest bubble, and returns a function that connects
// to it without a network.
func newPiped(t *testing.T, cfg wire.Config) (*bench, func() net.Conn) {
	t.Helper()
	h := every{&handler{requests: make(chan *wire.Request, 10)}}
	b := &bench{handler: h.handler, server: wire.NewServer(h, cfg)}
	l := &oneConn{conns: make(chan net.Conn, 1), closed: make(chan struct{})}
	b.server.Serve(wire.NewListener("PIPE", l))
	t.Cleanup(b.server.Close)
	return b, func() net.Conn {
		ours, theirs := net.Pipe()
		t.Cleanup(func() { _ = ours.Close() })
		l.conns <- theirs
		return ours
	}
}

// trickle reads so many bytes per second for a while.
func trickle(c net.Conn, bytes int64, while time.Duration) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for range while / time.Second {
		<-tick.C
		if _, err := io.CopyN(io.Discard, c, bytes); err != nil {
			return err
		}
	}
	return nil
}

// TestAnswersMustBeTakenAtARate: while memory for answers is short, a client that
// holds some of it and reads less than 64 KiB per second is closed, and other clients
// can fetch.
func TestAnswersMustBeTakenAtARate(t *testing.T) {
	t.Parallel()
	f, err := os.Create(filepath.Join(t.TempDir(), "segment"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = f.Close() })
	require.NoError(t, f.Truncate(64<<20))
	whole := []wire.Part{{Bytes: make([]byte, 64<<20)}}
	var pieces []wire.Part
	for range 100 {
		pieces = append(pieces, wire.Part{Bytes: make([]byte, 12<<10)}, wire.Part{File: f, Size: 4 << 10})
	}
	for name, c := range map[string]struct {
		memory int64
		rate   int64
		parts  []wire.Part
		kept   bool
	}{
		"trickle":                  {memory: 1 << 20, rate: 13 << 10, parts: whole},
		"trickle of many pieces":   {memory: 1 << 20, rate: 4 << 10, parts: pieces},
		"a little too slow":        {memory: 1 << 20, rate: 60 << 10, parts: whole},
		"slow, but fast enough":    {memory: 1 << 20, rate: 72 << 10, parts: whole, kept: true},
		"trickle, memory to spare": {memory: 1 << 30, rate: 1 << 10, parts: whole, kept: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				reg := prometheus.NewRegistry()
				var logged lines
				b, dial := newPiped(t, wire.Config{AnswerMemory: c.memory, Registerer: reg, Logger: slog.New(slog.NewTextHandler(&logged, nil))})
				slow, other := dial(), dial()
				send(t, slow, fetch(1))
				b.next(t).ReplyParts(false, slices.Clone(c.parts), nil)
				send(t, other, fetch(2))
				began := time.Now()
				err := trickle(slow, c.rate, 15*time.Minute)
				if c.kept {
					require.NoError(t, err)
					return
				}
				require.ErrorIs(t, err, io.EOF)
				require.Less(t, time.Since(began), time.Minute)
				require.Equal(t, int32(2), b.next(t).CorrelationID)
				synctest.Wait()
				require.InDelta(t, 1, gaugeOf(t, reg, "bote_slow_clients_closed_total"), 0)
				require.Equal(t, 1, strings.Count(logged.String(), "do not take their answers"), logged.String())
			})
		})
	}
}

// TestPartsOfFilesMayBeTakenSlowly: parts of files hold no memory for answers, so a
// client may read them slowly even when it is short. Bytes that are queued behind them
// do hold memory.
func TestPartsOfFilesMayBeTakenSlowly(t *testing.T) {
	t.Parallel()
	f, err := os.Create(filepath.Join(t.TempDir(), "segment"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = f.Close() })
	require.NoError(t, f.Truncate(1<<30))
	synctest.Test(t, func(t *testing.T) {
		reg := prometheus.NewRegistry()
		b, dial := newPiped(t, wire.Config{AnswerMemory: 1 << 20, Registerer: reg})
		slow, other := dial(), dial()
		send(t, other, metadata(1))
		require.True(t, b.next(t).Grow(768<<10), "memory is short, but not used up")
		send(t, slow, fetch(2))
		b.next(t).ReplyParts(false, []wire.Part{{File: f, Size: 1 << 30}}, nil)
		require.NoError(t, trickle(slow, 1<<10, 15*time.Minute))
		<-time.After(5 * time.Minute)
		synctest.Wait()
		require.Zero(t, gaugeOf(t, reg, "bote_slow_clients_closed_total"))
		require.NoError(t, trickle(slow, 72<<10, 5*time.Minute))
		send(t, slow, fetch(3))
		b.next(t).ReplyParts(false, []wire.Part{{Bytes: make([]byte, 8<<20)}}, nil)
		require.NoError(t, trickle(slow, 72<<10, 5*time.Minute), "fast enough for the memory behind")
		require.ErrorIs(t, trickle(slow, 13<<10, 2*time.Minute), io.EOF)
		synctest.Wait()
		require.InDelta(t, 1, gaugeOf(t, reg, "bote_slow_clients_closed_total"), 0)
	})
}

// TestSlowloris: a frame that has begun must arrive in time. Single bytes do not
// extend that time.
func TestSlowloris(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	var logged lines
	b := newEvery(t, wire.Config{FrameTimeout: 150 * time.Millisecond, Registerer: reg, Logger: slog.New(slog.NewTextHandler(&logged, nil))})
	for _, p := range [][]byte{{0, 0, 0, 20}, produce(1000, 1)[:15]} {
		c := b.dial(t)
		began := time.Now()
		send(t, c, p)
		drip := time.NewTicker(20 * time.Millisecond)
		var done sync.WaitGroup
		done.Go(func() {
			for range drip.C {
				if _, err := c.Write([]byte{0}); err != nil || time.Since(began) > 100*time.Millisecond {
					return
				}
			}
		})
		closed(t, c)
		done.Wait()
		drip.Stop()
		require.Less(t, time.Since(began), 3*time.Second)
	}
	gauged(t, reg, "bote_late_frames_total", 2)
	require.Equal(t, 1, strings.Count(logged.String(), "do not arrive in time"), logged.String())
}

// lines collects log lines.
type lines struct {
	mu  sync.Mutex
	out bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.out.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.out.String()
}

// failing is a listener that has no file descriptors for a while.
type failing struct {
	net.Listener
	left int
}

var errFiles = errors.New("too many open files")

func (f *failing) Accept() (net.Conn, error) {
	if f.left--; f.left >= 0 {
		return nil, errFiles
	}
	return f.Listener.Accept()
}

// TestAcceptRecovers: failures to accept are logged once, and the server tries again.
func TestAcceptRecovers(t *testing.T) {
	t.Parallel()
	var logged lines
	reg := prometheus.NewRegistry()
	h := &handler{requests: make(chan *wire.Request, 10)}
	s := wire.NewServer(h, wire.Config{Logger: slog.New(slog.NewTextHandler(&logged, nil)), Registerer: reg})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s.Serve(wire.NewListener("PLAINTEXT", &failing{Listener: ln, left: 6}))
	b := &bench{handler: h, server: s, addr: ln.Addr().String()}
	c := b.dial(t)
	send(t, c, metadata(1))
	b.next(t).Reply(kmsg.NewPtrMetadataResponse())
	require.Equal(t, int32(1), correlation(t, c))
	gauged(t, reg, "bote_accept_errors_total", 6)
	s.Close()
	require.Equal(t, 1, strings.Count(logged.String(), "too many open files"), logged.String())
	require.Contains(t, logged.String(), "accepted again")
	require.Contains(t, logged.String(), "events=6")
}

// TestConnectionLimitsByAddress: an exception for an address overrides the rule.
func TestConnectionLimitsByAddress(t *testing.T) {
	t.Parallel()
	var logged lines
	b := newBench(t, wire.Config{Limits: limits(wire.ConnectionLimits{Total: 10, Of: map[string]int{"127.0.0.1": 2}}), Logger: slog.New(slog.NewTextHandler(&logged, nil))})
	first, second := b.dial(t), b.dial(t)
	for _, c := range []net.Conn{first, second} {
		send(t, c, metadata(1))
		b.next(t).Reply(kmsg.NewPtrMetadataResponse())
		require.Equal(t, int32(1), correlation(t, c))
	}
	for range 5 {
		closed(t, b.dial(t))
	}
	require.NoError(t, first.Close())
	require.Eventually(t, func() bool { return b.server.Connections() == 1 }, 10*time.Second, time.Millisecond)
	third := b.dial(t)
	send(t, third, metadata(2))
	b.next(t).Reply(kmsg.NewPtrMetadataResponse())
	require.Equal(t, int32(2), correlation(t, third))
	closed(t, b.dial(t))
	require.Equal(t, 1, strings.Count(logged.String(), "refusing connections"), logged.String())

	none := newBench(t, wire.Config{Limits: limits(wire.ConnectionLimits{Total: 10})})
	closed(t, none.dial(t))
}

// TestMetricsAreClean: names, units and help texts follow Prometheus' rules.
func TestMetricsAreClean(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	b := newBench(t, wire.Config{Registerer: reg})
	c := b.dial(t)
	send(t, c, metadata(1))
	b.next(t).Reply(kmsg.NewPtrMetadataResponse())
	require.Equal(t, int32(1), correlation(t, c))
	all, err := reg.Gather()
	require.NoError(t, err)
	problems, err := promlint.NewWithMetricFamilies(all).Lint()
	require.NoError(t, err)
	require.Empty(t, problems)
	var names []string
	for _, f := range all {
		names = append(names, f.GetName())
	}
	require.Contains(t, names, "bote_request_duration_seconds")
}

// TestManyTinyElementsCount: a request that needs many times its size once decoded
// counts with that in the memory for requests other than Produce.
func TestManyTinyElementsCount(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	b := newEvery(t, wire.Config{RequestMemory: 16 << 20, Registerer: reg})
	req := kmsg.NewPtrMetadataRequest()
	req.Topics = make([]kmsg.MetadataRequestTopic, 100_000)
	first, second := b.dial(t), b.dial(t)
	sendAll(t, first, framed(req, 9, 1))
	held := b.next(t)
	sendAll(t, second, framed(req, 9, 2))
	gauged(t, reg, "bote_memory_waiting_requests/other", 1)
	small := b.dial(t)
	send(t, small, heartbeat(3))
	b.next(t).Reply(kmsg.NewPtrHeartbeatResponse())
	require.Equal(t, int32(3), correlation(t, small))
	held.Reply(kmsg.NewPtrMetadataResponse())
	b.next(t).Reply(kmsg.NewPtrMetadataResponse())
	require.Equal(t, int32(2), correlation(t, second))
	gauged(t, reg, "bote_memory_used_bytes/other", 0)
}

// TestElementsOfRecordsCount: a Produce request whose partitions need more memory than
// its bytes counts with that in the memory for records, and waits for it.
func TestElementsOfRecordsCount(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	b := newEvery(t, wire.Config{RequestMemory: 1 << 20, Registerer: reg})
	b.elements = 10_000
	first, second := b.dial(t), b.dial(t)
	send(t, first, produce(5000, 1))
	held := b.next(t)
	gauged(t, reg, "bote_memory_used_bytes/records", 10_000*128)
	send(t, second, produce(5000, 2))
	gauged(t, reg, "bote_memory_waiting_requests/records", 1)
	held.Reply(kmsg.NewPtrProduceResponse())
	require.Equal(t, int32(1), correlation(t, first))
	waited := b.next(t)
	require.Equal(t, int32(2), waited.CorrelationID)
	waited.Reply(kmsg.NewPtrProduceResponse())
	require.Equal(t, int32(2), correlation(t, second))
	gauged(t, reg, "bote_memory_used_bytes/records", 0)
}

// TestTooManyElements: too many elements close the connection, and the log names the
// request and the limit.
func TestTooManyElements(t *testing.T) {
	t.Parallel()
	var logged lines
	reg := prometheus.NewRegistry()
	b := newEvery(t, wire.Config{MaxElements: 9, Registerer: reg, Logger: slog.New(slog.NewTextHandler(&logged, nil))})
	b.elements = 10
	for range 3 {
		c := b.dial(t)
		send(t, c, metadata(1))
		closed(t, c)
	}
	gauged(t, reg, "bote_malformed_frames_total", 3)
	gauged(t, reg, "bote_memory_used_bytes/other", 0)
	require.Equal(t, 1, strings.Count(logged.String(), "Metadata version 1: 10 elements, the limit is 9"), logged.String())
}

// TestALargeFrameBeforeIsNoCredit: a large frame that a client sent before does not
// reserve memory for one that it only claims to send.
func TestALargeFrameBeforeIsNoCredit(t *testing.T) {
	const clients = 4
	reg := prometheus.NewRegistry()
	b := newEvery(t, wire.Config{RequestMemory: 200 << 20, Registerer: reg})
	var all []net.Conn
	for i := range int32(clients) {
		c := b.dial(t)
		sendAll(t, c, produce(50<<20, i))
		b.next(t).Reply(kmsg.NewPtrProduceResponse())
		all = append(all, c)
	}
	gauged(t, reg, "bote_memory_used_bytes/records", 0)
	before := inUse()
	for _, c := range all {
		send(t, c, produce(99<<20, 9)[:100])
	}
	gauged(t, reg, "bote_memory_used_bytes/records", clients<<20)
	require.Less(t, inUse()-before, 16*clients<<20)
}

// limits returns a Config.Limits that never changes.
func limits(l wire.ConnectionLimits) func() wire.ConnectionLimits {
	return func() wire.ConnectionLimits { return l }
}

// TestOtherProtocolsAreNamed: to connect with a browser or with TLS is a mistake that
// everybody makes once.
func TestOtherProtocolsAreNamed(t *testing.T) {
	for sent, says := range map[string]string{
		"GET / HTTP/1.1\r\n\r\n": "this is HTTP, and the port is Kafka's",
		"\x16\x03\x01\x02\x00":   "this is TLS, and the listener is plaintext",
		"\xff\xff\xff\xff\x00":   "size -1 is not between",
	} {
		var logged lines
		b := newBench(t, wire.Config{Logger: slog.New(slog.NewTextHandler(&logged, nil))})
		conn := b.dial(t)
		_, err := conn.Write([]byte(sent))
		require.NoError(t, err)
		_, err = conn.Read(make([]byte, 1))
		require.Error(t, err, "closed")
		require.Eventually(t, func() bool { return strings.Contains(logged.String(), says) }, 10*time.Second, time.Millisecond, sent)
	}
}
