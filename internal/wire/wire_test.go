package wire_test

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"

	"github.com/botehq/bote/internal/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// handler accepts Metadata and ApiVersions, and hands every request to the test.
type handler struct {
	requests chan *wire.Request
	elements int // of all requests
}

func (h *handler) Accepts(key, version int16) bool {
	return key == 3 && version >= 0 && version <= 12 || key == 18 && version <= 4
}

func (h *handler) Count(_, _ int16, _ []byte, limit int) (int, error) {
	if h.elements > limit {
		return h.elements, fmt.Errorf("%d elements, the limit is %d", h.elements, limit)
	}
	return h.elements, nil
}
func (h *handler) Serve(r *wire.Request) { h.requests <- r }

type bench struct {
	*handler
	server *wire.Server
	addr   string
}

func newBench(t *testing.T, cfg wire.Config) *bench {
	t.Helper()
	b := &bench{handler: &handler{requests: make(chan *wire.Request, 10_000)}}
	b.server = wire.NewServer(b.handler, cfg)
	l, err := wire.Listen(t.Context(), "PLAINTEXT", "127.0.0.1:0")
	require.NoError(t, err)
	b.addr = l.Addr().String()
	b.server.Serve(l)
	t.Cleanup(b.server.Close)
	return b
}

func (b *bench) dial(t *testing.T) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", b.addr)
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	require.NoError(t, c.SetDeadline(time.Now().Add(time.Minute)))
	return c
}

// metadata is a Metadata request of version 1 for no topics, as a frame.
func metadata(correlation int32) []byte {
	body := []byte{0, 3, 0, 1}
	body = binary.BigEndian.AppendUint32(body, uint32(correlation))
	body = append(body, 0, 1, 'x', 0, 0, 0, 0)
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...)
}

func send(t *testing.T, c net.Conn, p []byte) {
	t.Helper()
	_, err := c.Write(p)
	require.NoError(t, err)
}

// correlation reads one answer and returns its correlation ID.
func correlation(t *testing.T, c net.Conn) int32 {
	t.Helper()
	var size [4]byte
	_, err := io.ReadFull(c, size[:])
	require.NoError(t, err)
	p := make([]byte, binary.BigEndian.Uint32(size[:]))
	_, err = io.ReadFull(c, p)
	require.NoError(t, err)
	return int32(binary.BigEndian.Uint32(p))
}

func closed(t *testing.T, c net.Conn) {
	t.Helper()
	n, err := io.Copy(io.Discard, c)
	require.Zero(t, n)
	if err != nil {
		require.NotErrorIs(t, err, io.ErrNoProgress)
		var timeout net.Error
		if e, ok := err.(net.Error); ok { //nolint:errorlint // as net returns it
			timeout = e
			require.False(t, timeout.Timeout(), "still open")
		}
	}
}

// TestTrap13AnswersKeepTheOrder: requests begin in order, the handler answers them in
// any order, and the answers are sent in order.
func TestTrap13AnswersKeepTheOrder(t *testing.T) {
	t.Parallel()
	b := newBench(t, wire.Config{})
	c := b.dial(t)
	const n = 100
	for i := range int32(n) {
		send(t, c, metadata(i))
	}
	var requests []*wire.Request
	for i := range int32(n) {
		r := <-b.requests
		require.Equal(t, i, r.CorrelationID)
		requests = append(requests, r)
	}
	rand.Shuffle(n, func(i, j int) { requests[i], requests[j] = requests[j], requests[i] })
	for _, r := range requests {
		go r.Reply(kmsg.NewPtrMetadataResponse())
	}
	for i := range int32(n) {
		require.Equal(t, i, correlation(t, c))
	}
}

func TestSkipAndHangup(t *testing.T) {
	t.Parallel()
	b := newBench(t, wire.Config{})
	c := b.dial(t)
	for i := range int32(4) {
		send(t, c, metadata(i))
	}
	first, second, third, fourth := <-b.requests, <-b.requests, <-b.requests, <-b.requests
	fourth.Reply(kmsg.NewPtrMetadataResponse())
	third.Hangup()
	second.Skip()
	first.Reply(kmsg.NewPtrMetadataResponse())
	require.Equal(t, int32(0), correlation(t, c), "what precedes the hangup is sent")
	closed(t, c)
}

func TestTrap99SizesAreCheckedFirst(t *testing.T) {
	t.Parallel()
	b := newBench(t, wire.Config{MaxRequestBytes: 1000})
	for _, p := range [][]byte{
		{0xff, 0xff, 0xff, 0xff}, {0, 0, 0, 0}, {0, 0, 3, 233}, []byte("GET / HTTP/1.1\r\n\r\n"),
	} {
		c := b.dial(t)
		send(t, c, p)
		closed(t, c)
	}
}

// TestOnlyRecordsMayBeLarge: decoding can multiply the size of an array of tiny
// elements, so only Produce requests may use the whole frame limit.
func TestOnlyRecordsMayBeLarge(t *testing.T) {
	t.Parallel()
	b := newBench(t, wire.Config{MaxRequestBytes: 1000, MaxOtherBytes: 100})
	c := b.dial(t)
	send(t, c, append([]byte{0, 0, 0, 101}, metadata(1)[4:]...))
	closed(t, c)
	c = b.dial(t)
	send(t, c, []byte{0, 0, 1, 145, 0, 14}) // 401 bytes of SyncGroup
	closed(t, c)
}

func TestIdleConnections(t *testing.T) {
	t.Parallel()
	b := newBench(t, wire.Config{IdleTimeout: 50 * time.Millisecond})
	idle, busy := b.dial(t), b.dial(t)
	send(t, busy, metadata(7))
	r := <-b.requests
	closed(t, idle)
	r.Reply(kmsg.NewPtrMetadataResponse()) // trap 98: a connection with a request in progress is not idle
	require.Equal(t, int32(7), correlation(t, busy))
	closed(t, busy)
}

func TestConnectionLimits(t *testing.T) {
	t.Parallel()
	b := newBench(t, wire.Config{Limits: limits(wire.ConnectionLimits{Total: 1, PerHost: 10})})
	first := b.dial(t)
	send(t, first, metadata(1))
	r := <-b.requests
	closed(t, b.dial(t))
	r.Reply(kmsg.NewPtrMetadataResponse())
	require.Equal(t, int32(1), correlation(t, first))
}

func TestAnswersAfterTheClientLeft(t *testing.T) {
	t.Parallel()
	b := newBench(t, wire.Config{})
	c := b.dial(t)
	send(t, c, metadata(1))
	r := <-b.requests
	require.NoError(t, c.Close())
	<-r.Conn.Context().Done()
	released := make(chan struct{})
	r.ReplyParts(false, []wire.Part{{Bytes: []byte{1}}}, func() { close(released) })
	<-released
}

func TestCloseEndsEverything(t *testing.T) {
	t.Parallel()
	b := newBench(t, wire.Config{})
	for range 10 {
		c := b.dial(t)
		send(t, c, metadata(1))
		<-b.requests
	}
	b.server.Close()
	b.server.Close()
	require.Zero(t, b.server.Connections())
}
