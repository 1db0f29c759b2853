package hostile_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote"
)

// panics is a log handler that remembers panics, which a broker survives.
type panics struct{ seen atomic.Pointer[string] }

func (*panics) Enabled(context.Context, slog.Level) bool { return true }
func (p *panics) WithAttrs([]slog.Attr) slog.Handler     { return p }
func (p *panics) WithGroup(string) slog.Handler          { return p }
func (p *panics) Handle(_ context.Context, r slog.Record) error {
	if !strings.Contains(r.Message, "panic") {
		return nil
	}
	text := r.Message
	r.Attrs(func(a slog.Attr) bool { text += "\n" + a.String(); return true })
	p.seen.Store(&text)
	return nil
}

// keys are the APIs that a broker serves.
var keys = []int16{0, 1, 2, 3, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 19, 20, 21, 22, 23, 32, 33, 35, 37, 42, 44, 46, 47, 60, 61, 74, 75}

// FuzzRequests: a request of any API and version with any body is answered under
// its correlation ID, with an answer that kmsg can read, or its connection is
// closed. No handler panics, and the broker goes on.
func FuzzRequests(f *testing.F) {
	a := attacker{rng: newRand()}
	for range 200 {
		req := a.message()
		version := int16(a.rng.IntN(int(req.MaxVersion()) + 1))
		req.SetVersion(version)
		f.Add(uint8(indexOf(req.Key())), uint8(version), req.AppendTo(nil))
	}
	log := &panics{}
	b := &broker{log: log}
	b.open(f)
	f.Cleanup(func() { b.close(f) })
	f.Fuzz(func(t *testing.T, which, version uint8, body []byte) {
		if b.runs++; b.runs%500 == 0 { // otherwise its topics would fill the memory
			b.close(t)
			b.open(t)
		}
		key := keys[int(which)%len(keys)]
		req := kmsg.RequestForKey(key)
		v := int16(version) % (req.MaxVersion() + 1)
		req.SetVersion(v)
		if req.ReadFrom(body) == nil {
			tame(req)
			body = req.AppendTo(nil)
		}
		ask(t, b.Addr(), req, v, body)
		if text := log.seen.Load(); text != nil {
			t.Fatalf("%s version %d: %s", kmsg.NameForKey(key), v, *text)
		}
	})
}

// broker is a broker in memory that outlives a test.
type broker struct {
	*bote.Broker
	log    *panics
	runs   int
	served chan error
}

func (b *broker) open(tb testing.TB) {
	tb.Helper()
	var err error
	b.Broker, err = bote.Open(context.Background(), bote.Config{
		InMemory: true, Listen: "127.0.0.1:0", Logger: slog.New(b.log),
		Properties: map[string]string{"num.partitions": "1", "log.segment.bytes": "1048576", "group.initial.rebalance.delay.ms": "0"},
	})
	require.NoError(tb, err)
	b.served = make(chan error, 1)
	go func(opened *bote.Broker, served chan<- error) { served <- opened.Serve(context.Background()) }(b.Broker, b.served)
}

func (b *broker) close(tb testing.TB) {
	tb.Helper()
	require.NoError(tb, b.Close())
	require.NoError(tb, <-b.served)
}

func indexOf(key int16) int {
	for i, k := range keys {
		if k == key {
			return i
		}
	}
	return 0
}

// tame removes from a request what would only cost time or memory: long waits and
// thousands of partitions.
func tame(req kmsg.Request) {
	switch r := req.(type) {
	case *kmsg.FetchRequest:
		r.MaxWaitMillis = min(r.MaxWaitMillis, 5)
	case *kmsg.CreateTopicsRequest:
		for i := range r.Topics {
			r.Topics[i].NumPartitions = min(r.Topics[i].NumPartitions, 3)
		}
	case *kmsg.CreatePartitionsRequest:
		for i := range r.Topics {
			r.Topics[i].Count = min(r.Topics[i].Count, 5)
		}
	case *kmsg.JoinGroupRequest:
		r.RebalanceTimeoutMillis = min(r.RebalanceTimeoutMillis, 10)
	}
}

// patience is how long an answer may take; members of groups may wait longer.
const patience = 30 * time.Millisecond

func ask(t *testing.T, addr string, req kmsg.Request, version int16, body []byte) {
	t.Helper()
	const correlation = 77
	c, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	defer func() { _ = c.Close() }()
	_ = c.(*net.TCPConn).SetLinger(0)
	p := binary.BigEndian.AppendUint16(nil, uint16(req.Key()))
	p = binary.BigEndian.AppendUint16(p, uint16(version))
	p = append(p, 0, 0, 0, correlation, 0, 1, 'f')
	if req.IsFlexible() {
		p = append(p, 0)
	}
	_, err = c.Write(sized(append(p, body...)))
	require.NoError(t, err)
	_ = c.SetReadDeadline(time.Now().Add(patience))
	head := make([]byte, 8)
	if _, err := io.ReadFull(c, head); err != nil {
		require.True(t, errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, io.EOF) || strings.Contains(err.Error(), "reset"), "%v", err)
		return
	}
	require.Equal(t, uint32(correlation), binary.BigEndian.Uint32(head[4:]))
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
	answer := make([]byte, binary.BigEndian.Uint32(head)-4)
	_, err = io.ReadFull(c, answer)
	require.NoError(t, err)
	resp := req.ResponseKind()
	if req.Key() == 18 {
		if len(answer) >= 2 && binary.BigEndian.Uint16(answer) != 0 {
			return // the answer to an unknown version has version 0
		}
	} else if resp.IsFlexible() {
		require.NotEmpty(t, answer)
		answer = answer[1:]
	}
	require.NoError(t, resp.ReadFrom(answer), "%s version %d", kmsg.NameForKey(req.Key()), version)
}
