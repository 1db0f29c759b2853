package bote_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote"
	"github.com/botehq/bote/botetest"
)

// held returns how much memory the answers hold.
func held(t *testing.T, g prometheus.Gatherer) int {
	t.Helper()
	all, err := g.Gather()
	require.NoError(t, err)
	for _, f := range all {
		for _, m := range f.GetMetric() {
			if f.GetName() == "bote_memory_used_bytes" && strings.Contains(m.String(), "answers") {
				return int(m.GetGauge().GetValue())
			}
		}
	}
	t.Fatal("no metric")
	return 0
}

// hungry connects and sends fetches of a topic from offset 0. It never reads the
// answers.
func hungry(t *testing.T, addr, topic string, fetches int) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	require.NoError(t, c.(*net.TCPConn).SetReadBuffer(4<<10))
	req := kmsg.NewPtrFetchRequest()
	req.Version, req.MaxBytes, req.MinBytes, req.MaxWaitMillis, req.SessionEpoch = 11, 50<<20, 1, 10_000, -1
	ft, fp := kmsg.NewFetchRequestTopic(), kmsg.NewFetchRequestTopicPartition()
	fp.PartitionMaxBytes = 50 << 20
	ft.Topic, ft.Partitions = topic, append(ft.Partitions, fp)
	req.Topics = append(req.Topics, ft)
	p := append([]byte{0, 1, 0, 11, 0, 0, 0, 1, 0xff, 0xff}, req.AppendTo(nil)...)
	frame := append(binary.BigEndian.AppendUint32(nil, uint32(len(p))), p...)
	for range fetches {
		_, err = c.Write(frame)
		require.NoError(t, err)
	}
}

// TestAnswersAreBounded: clients that fetch everything and read nothing cannot make
// the broker hold more memory than its limit, and a client that reads still gets
// everything.
func TestAnswersAreBounded(t *testing.T) {
	t.Parallel()
	const limit, batch, batches = 2 << 20, 256 << 10, 64
	reg := prometheus.NewRegistry()
	b := botetest.New(t, botetest.WithConfig(func(c *bote.Config) { c.Registerer = reg }),
		botetest.WithProperty("queued.max.response.bytes", fmt.Sprint(limit)), botetest.WithProperty("socket.stall.timeout.ms", "300"))
	producer, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.AllowAutoTopicCreation(), kgo.DefaultProduceTopic("t"), kgo.ProducerBatchCompression(kgo.NoCompression()))
	require.NoError(t, err)
	defer producer.Close()
	for range batches {
		require.NoError(t, producer.ProduceSync(t.Context(), kgo.SliceRecord(make([]byte, batch))).FirstErr())
	}
	for range 12 {
		hungry(t, b.Addr(), "t", 30)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var watching sync.WaitGroup
	read := make(chan struct{})
	most := 0
	watching.Go(func() {
		for {
			most = max(most, held(t, reg))
			select {
			case <-read:
				return
			default:
			}
		}
	})
	consumer, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.ConsumeTopics("t"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	require.NoError(t, err)
	defer consumer.Close()
	for got := 0; got < batches; {
		fetches := consumer.PollFetches(ctx)
		require.NoError(t, fetches.Err())
		got += fetches.NumRecords()
	}
	close(read)
	watching.Wait()
	t.Logf("answers held at most %d KiB of %d", most>>10, limit>>10)
	require.Less(t, most, limit+4*(batch+1000))
}
