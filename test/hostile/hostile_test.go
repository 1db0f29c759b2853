// Package hostile sends a broker what no client would send: random bytes, requests
// cut short, and requests with flipped bits, from many connections at once. The
// broker must stay up, keep its memory bounded, and leave nothing behind.
package hostile_test

import (
	"encoding/binary"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/botetest"
)

// frames returns how many frames are sent; the environment variable BOTE_FRAMES
// changes it.
func frames(t *testing.T) int64 {
	t.Helper()
	if text := os.Getenv("BOTE_FRAMES"); text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		require.NoError(t, err)
		return n
	}
	return 20_000
}

const (
	workers = 8
	seed    = 42
	// memoryBound is far above what the broker needs, and far below what a length
	// field can ask for.
	memoryBound = 512 << 20
)

func TestHostileFrames(t *testing.T) {
	before := runtime.NumGoroutine()
	b := botetest.New(t)
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.AllowAutoTopicCreation(), kgo.DefaultProduceTopic("kept"))
	require.NoError(t, err)
	require.NoError(t, client.ProduceSync(t.Context(), kgo.StringRecord("before")).FirstErr())

	var left atomic.Int64
	left.Store(frames(t))
	var peak atomic.Uint64
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			a := attacker{addr: b.Addr(), rng: newRand(uint64(w))}
			defer a.hangUp()
			for left.Add(-1) >= 0 {
				if err := a.attack(); err != nil {
					t.Errorf("the broker is gone: %v", err)
					return
				}
				if left.Load()%1000 == 0 {
					var m runtime.MemStats
					runtime.ReadMemStats(&m)
					peak.Store(max(peak.Load(), m.HeapInuse))
				}
			}
		})
	}
	wg.Wait()
	t.Logf("heap in use at most %d MiB", peak.Load()>>20)
	require.Less(t, peak.Load(), uint64(memoryBound))

	require.NoError(t, client.ProduceSync(t.Context(), kgo.StringRecord("after")).FirstErr())
	client.Close()
	require.NoError(t, b.Close())
	require.Eventually(t, func() bool { return runtime.NumGoroutine() <= before+2 }, 10*time.Second, 10*time.Millisecond, "goroutines are left")
}

// attacker is one hostile client.
type attacker struct {
	addr string
	rng  *rand.Rand
	conn net.Conn
}

func (a *attacker) hangUp() {
	if a.conn != nil {
		_ = a.conn.Close()
	}
}

// attack sends one frame, on the open connection or on a new one.
func (a *attacker) attack() error {
	if a.conn == nil {
		c, err := net.Dial("tcp", a.addr)
		if err != nil {
			return err
		}
		a.conn = c
		go func() { _, _ = io.Copy(io.Discard, c) }()
	}
	p := a.frame()
	_ = a.conn.SetWriteDeadline(time.Now().Add(5 * time.Second))
	if _, err := a.conn.Write(p); err != nil || a.rng.IntN(20) == 0 {
		a.hangUp()
		a.conn = nil
	}
	return nil
}

func (a *attacker) frame() []byte {
	switch a.rng.IntN(4) {
	case 0: // random bytes in a well-formed frame
		return sized(a.random(a.rng.IntN(200)))
	case 1: // random bytes, the size included
		return a.random(4 + a.rng.IntN(100))
	case 2: // a request cut short
		p := a.request()
		return sized(p[:a.rng.IntN(len(p)+1)])
	default: // a request with flipped bits
		p := a.request()
		for range 1 + a.rng.IntN(4) {
			p[a.rng.IntN(len(p))] ^= 1 << a.rng.IntN(8)
		}
		return sized(p)
	}
}

func sized(p []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(p))), p...)
}

func (a *attacker) random(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(a.rng.Uint32())
	}
	return p
}

var names = []string{"kept", "other", "__consumer_offsets", "", "a b"}

// request returns a valid request of some API and version, with the important
// fields filled in.
func (a *attacker) request() []byte {
	req := a.message()
	version := int16(a.rng.IntN(int(req.MaxVersion()) + 1))
	req.SetVersion(version)
	h := binary.BigEndian.AppendUint16(nil, uint16(req.Key()))
	h = binary.BigEndian.AppendUint16(h, uint16(version))
	h = binary.BigEndian.AppendUint32(h, a.rng.Uint32())
	h = append(h, 0, 1, 'h')
	if req.IsFlexible() {
		h = append(h, 0)
	}
	return req.AppendTo(h)
}

func (a *attacker) name() string { return names[a.rng.IntN(len(names))] }

func (a *attacker) message() kmsg.Request {
	switch a.rng.IntN(12) {
	case 0:
		r := kmsg.NewPtrProduceRequest()
		t := kmsg.NewProduceRequestTopic()
		p := kmsg.NewProduceRequestTopicPartition()
		p.Records = a.random(a.rng.IntN(200))
		t.Topic, t.Partitions = a.name(), append(t.Partitions, p)
		r.Acks, r.Topics = int16(a.rng.IntN(3)-1), append(r.Topics, t)
		return r
	case 1:
		r := kmsg.NewPtrFetchRequest()
		t := kmsg.NewFetchRequestTopic()
		p := kmsg.NewFetchRequestTopicPartition()
		p.PartitionMaxBytes = 1 << 20
		t.Topic, t.Partitions = a.name(), append(t.Partitions, p)
		r.MaxWaitMillis, r.MinBytes, r.MaxBytes, r.Topics = int32(a.rng.IntN(50)), int32(a.rng.IntN(3)), 1<<20, append(r.Topics, t)
		return r
	case 2:
		r := kmsg.NewPtrMetadataRequest()
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = new(a.name())
		r.Topics = append(r.Topics, t)
		return r
	case 3:
		r := kmsg.NewPtrJoinGroupRequest()
		p := kmsg.NewJoinGroupRequestProtocol()
		p.Name, p.Metadata = "range", a.random(a.rng.IntN(50))
		r.Group, r.SessionTimeoutMillis, r.RebalanceTimeoutMillis, r.ProtocolType = a.name(), 6000, 6000, "consumer"
		r.Protocols = append(r.Protocols, p)
		return r
	case 4:
		r := kmsg.NewPtrOffsetCommitRequest()
		t := kmsg.NewOffsetCommitRequestTopic()
		t.Topic, t.Partitions = a.name(), append(t.Partitions, kmsg.NewOffsetCommitRequestTopicPartition())
		r.Group, r.Generation, r.Topics = a.name(), -1, append(r.Topics, t)
		return r
	case 5:
		r := kmsg.NewPtrDescribeConfigsRequest()
		c := kmsg.NewDescribeConfigsRequestResource()
		c.ResourceType, c.ResourceName = kmsg.ConfigResourceTypeTopic, a.name()
		r.Resources = append(r.Resources, c)
		return r
	case 6:
		r := kmsg.NewPtrListOffsetsRequest()
		t := kmsg.NewListOffsetsRequestTopic()
		t.Topic, t.Partitions = a.name(), append(t.Partitions, kmsg.NewListOffsetsRequestTopicPartition())
		r.Topics = append(r.Topics, t)
		return r
	default:
		return kmsg.RequestForKey([]int16{9, 10, 12, 13, 14, 15, 16, 18, 21, 22, 23, 32, 35, 42, 44, 46, 47, 60, 61, 74, 75}[a.rng.IntN(21)])
	}
}

// newRand returns a source of numbers that are the same in every run.
func newRand(stream ...uint64) *rand.Rand {
	n := uint64(0)
	for _, s := range stream {
		n = s
	}
	return rand.New(rand.NewPCG(seed, n))
}
