package bote_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote"
	"github.com/botehq/bote/internal/record"
)

// bench is a broker and a client that allocates nothing: the client sends prepared
// frames and reads answers into one buffer. So a benchmark counts only the broker's
// allocations, from the socket to the log and back.
type bench struct {
	conn net.Conn
	buf  []byte
}

func newBench(tb testing.TB, flush string) *bench {
	tb.Helper()
	b, err := bote.Open(context.Background(), bote.Config{DataDir: tb.TempDir(), Listen: "127.0.0.1:0", Properties: map[string]string{"log.flush": flush}})
	require.NoError(tb, err)
	served := make(chan error, 1)
	go func() { served <- b.Serve(context.Background()) }()
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()))
	require.NoError(tb, err)
	_, err = kadm.NewClient(client).CreateTopic(context.Background(), 1, 1, nil, "bench")
	require.NoError(tb, err)
	client.Close()
	var d net.Dialer
	conn, err := d.DialContext(context.Background(), "tcp", b.Addr())
	require.NoError(tb, err)
	tb.Cleanup(func() {
		_ = conn.Close()
		require.NoError(tb, b.Close())
		require.NoError(tb, <-served)
	})
	return &bench{conn: conn, buf: make([]byte, 4<<20)}
}

// call sends a frame and reads the answer.
func (b *bench) call(tb testing.TB, frame []byte) []byte {
	tb.Helper()
	if _, err := b.conn.Write(frame); err != nil {
		tb.Fatal(err)
	}
	if _, err := io.ReadFull(b.conn, b.buf[:4]); err != nil {
		tb.Fatal(err)
	}
	n := int(binary.BigEndian.Uint32(b.buf))
	if _, err := io.ReadFull(b.conn, b.buf[4:4+n]); err != nil {
		tb.Fatal(err)
	}
	return b.buf[4 : 4+n]
}

func frameOf(q kmsg.Request) []byte {
	return kmsg.NewRequestFormatter(kmsg.FormatterClientID("bench")).AppendRequest(nil, q, 1)
}

// produceFrame returns a Produce request with one batch of records of the given size.
func produceFrame(records, size int) []byte {
	values := make([]record.KeyValue, records)
	for i := range values {
		values[i].Value = make([]byte, size)
	}
	q := kmsg.NewPtrProduceRequest()
	q.Version, q.Acks, q.TimeoutMillis = 9, -1, 1000
	part := kmsg.NewProduceRequestTopicPartition()
	part.Records = record.Build(1, values...)
	topic := kmsg.NewProduceRequestTopic()
	topic.Topic = "bench"
	topic.Partitions = append(topic.Partitions, part)
	q.Topics = append(q.Topics, topic)
	return frameOf(q)
}

// fetchFrame returns a Fetch request for up to maxBytes from the beginning of the
// log.
func fetchFrame(maxBytes int32) []byte {
	q := kmsg.NewPtrFetchRequest()
	q.Version, q.MaxWaitMillis, q.MinBytes, q.MaxBytes, q.SessionEpoch = 11, 100, 1, maxBytes, -1
	part := kmsg.NewFetchRequestTopicPartition()
	part.PartitionMaxBytes, part.CurrentLeaderEpoch = maxBytes, -1
	topic := kmsg.NewFetchRequestTopic()
	topic.Topic = "bench"
	topic.Partitions = append(topic.Partitions, part)
	q.Topics = append(q.Topics, topic)
	return frameOf(q)
}

func BenchmarkProduce(b *testing.B) {
	for _, flush := range []string{"os", "commit"} {
		for _, c := range []struct{ records, size int }{{1, 100}, {1, 1024}, {250, 1024}, {2500, 100}} {
			b.Run(fmt.Sprintf("%s/%dx%d", flush, c.records, c.size), func(b *testing.B) {
				server := newBench(b, flush)
				frame := produceFrame(c.records, c.size)
				server.call(b, frame)
				b.SetBytes(int64(c.records * c.size))
				b.ReportAllocs()
				for b.Loop() {
					server.call(b, frame)
				}
			})
		}
	}
}

func BenchmarkFetch(b *testing.B) {
	for _, c := range []struct {
		records, size int
		maxBytes      int32
	}{{1, 100, 1}, {250, 1024, 1 << 20}, {1, 100, 1 << 20}} {
		b.Run(fmt.Sprintf("%dx%d/%d", c.records, c.size, c.maxBytes), func(b *testing.B) {
			server := newBench(b, "os")
			frame := produceFrame(c.records, c.size)
			for n := 0; n < 2<<20; n += len(frame) {
				server.call(b, frame)
			}
			frame = fetchFrame(c.maxBytes)
			b.SetBytes(int64(len(server.call(b, frame))))
			b.ReportAllocs()
			for b.Loop() {
				server.call(b, frame)
			}
		})
	}
}

// TestRecordsAreNotAllocatedFor: a request costs a bounded number of allocations, and
// its records cost none.
func TestRecordsAreNotAllocatedFor(t *testing.T) {
	server := newBench(t, "os")
	per := func(frame []byte) float64 {
		server.call(t, frame)
		return testing.AllocsPerRun(200, func() { server.call(t, frame) })
	}
	one, many := per(produceFrame(1, 100)), per(produceFrame(2500, 100))
	require.Less(t, one, 40.0, "allocations of a produce request")
	require.InDelta(t, one, many, 8, "2,500 records allocate like one")

	one, many = per(fetchFrame(1)), per(fetchFrame(1<<20))
	require.Less(t, one, 40.0, "allocations of a fetch request")
	require.InDelta(t, one, many, 8, "a megabyte of records allocates like one batch")
}
