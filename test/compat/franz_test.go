package compat

import (
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// client returns a franz-go client that is closed when the test ends.
func client(t *testing.T, b broker, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(b.addr)}, opts...)...)
	require.NoError(t, err)
	t.Cleanup(cl.Close)
	return cl
}

func createTopic(t *testing.T, cl *kgo.Client, topic string, partitions int32) {
	t.Helper()
	r, err := kadm.NewClient(cl).CreateTopic(t.Context(), partitions, 1, nil, topic)
	require.NoError(t, err)
	require.NoError(t, r.Err)
}

// fill sends the values 0 to n-1, with timestamps a second apart.
func fill(t *testing.T, cl *kgo.Client, topic string, n int) {
	t.Helper()
	for i := range n {
		require.NoError(t, cl.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Value: []byte(strconv.Itoa(i)), Timestamp: time.UnixMilli(1_700_000_000_000 + int64(i)*1000)}).FirstErr())
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
}

// fillBatch sends n records in as few batches as the client makes.
func fillBatch(t *testing.T, cl *kgo.Client, topic string, n int) {
	t.Helper()
	records := make([]*kgo.Record, n)
	for i := range records {
		records[i] = &kgo.Record{
			Topic: topic, Key: []byte("key"), Value: []byte("a value that compresses " + strconv.Itoa(i)),
			Headers: []kgo.RecordHeader{{Key: "h", Value: []byte("v")}},
		}
	}
	require.NoError(t, cl.ProduceSync(t.Context(), records...).FirstErr())
}

// TestFranzGo runs franz-go itself, on which our library and tools are built.
func TestFranzGo(t *testing.T) {
	needCompat(t)
	onEach(t, nil, func(t *testing.T, b broker) {
		codecs := map[string]kgo.CompressionCodec{
			"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
			"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
		}
		for name, codec := range codecs {
			t.Run("group-"+name, func(t *testing.T) { franzGroup(t, b, "franz-"+name, kgo.ProducerBatchCompression(codec)) })
		}
		t.Run("rebalance-cooperative", func(t *testing.T) { franzRebalance(t, b, kgo.CooperativeStickyBalancer()) })
		t.Run("rebalance-range", func(t *testing.T) { franzRebalance(t, b, kgo.RangeBalancer()) })
		t.Run("offsets-by-time", func(t *testing.T) { franzTimes(t, b) })
		t.Run("admin", func(t *testing.T) { franzAdmin(t, b) })
	})
}

// franzGroup sends with an idempotent producer and reads in a group, in two parts.
func franzGroup(t *testing.T, b broker, topic string, opts ...kgo.Opt) {
	t.Helper()
	p := client(t, b, opts...)
	createTopic(t, p, topic, 1)
	fillBatch(t, p, topic, 300)
	for read := 0; read < 300; {
		c := client(t, b, kgo.ConsumeTopics(topic), kgo.ConsumerGroup(topic), kgo.DisableAutoCommit(),
			kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
		records := c.PollRecords(t.Context(), 150).Records()
		require.NotEmpty(t, records)
		for _, r := range records {
			require.Equal(t, int64(read), r.Offset)
			require.Equal(t, "a value that compresses "+strconv.Itoa(read), string(r.Value))
			require.Equal(t, []kgo.RecordHeader{{Key: "h", Value: []byte("v")}}, r.Headers)
			read++
		}
		require.NoError(t, c.CommitRecords(t.Context(), records...))
		c.Close()
	}
}

// franzRebalance makes two members share a topic; each record is read once.
func franzRebalance(t *testing.T, b broker, balancer kgo.GroupBalancer) {
	t.Helper()
	topic := "franz-two-" + balancer.ProtocolName()
	member := func() *kgo.Client {
		return client(t, b, kgo.ConsumeTopics(topic), kgo.ConsumerGroup(topic), kgo.Balancers(balancer),
			kgo.HeartbeatInterval(300*time.Millisecond))
	}
	admin := client(t, b, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	createTopic(t, admin, topic, 4)
	one, two := member(), member()
	eventually(t, 30*time.Second, func() (bool, error) {
		d, err := kadm.NewClient(admin).DescribeGroups(t.Context(), topic)
		if err != nil || len(d[topic].Members) != 2 || d[topic].State != "Stable" {
			return false, err
		}
		for _, m := range d[topic].Members {
			if a, ok := m.Assigned.AsConsumer(); !ok || len(a.Topics) != 1 || len(a.Topics[0].Partitions) != 2 {
				return false, nil
			}
		}
		return true, nil
	})
	for i := range 40 {
		require.NoError(t, admin.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Partition: int32(i % 4), Value: []byte("v")}).FirstErr())
	}
	seen, from := map[[2]int64]bool{}, [2]int{}
	for i, c := range []*kgo.Client{one, two} {
		for from[i] < 20 {
			f := c.PollFetches(t.Context())
			require.NoError(t, f.Err())
			for _, r := range f.Records() {
				at := [2]int64{int64(r.Partition), r.Offset}
				require.False(t, seen[at], "record %v twice", at)
				seen[at] = true
				from[i]++
			}
		}
	}
	require.Equal(t, [2]int{20, 20}, from)
}

func franzTimes(t *testing.T, b broker) {
	t.Helper()
	cl := client(t, b)
	createTopic(t, cl, "franz-times", 1)
	fill(t, cl, "franz-times", 5)
	admin := kadm.NewClient(cl)
	at, err := admin.ListOffsetsAfterMilli(t.Context(), 1_700_000_001_500, "franz-times")
	require.NoError(t, err)
	require.Equal(t, int64(2), at["franz-times"][0].Offset)
	end, err := admin.ListEndOffsets(t.Context(), "franz-times")
	require.NoError(t, err)
	require.Equal(t, int64(5), end["franz-times"][0].Offset)
}

func franzAdmin(t *testing.T, b broker) {
	t.Helper()
	admin := kadm.NewClient(client(t, b))
	_, err := admin.CreateTopic(t.Context(), 2, 1, map[string]*string{"retention.ms": new("5000")}, "franz-admin")
	require.NoError(t, err)
	topics, err := admin.ListTopics(t.Context(), "franz-admin")
	require.NoError(t, err)
	require.Len(t, topics["franz-admin"].Partitions, 2)
	configs, err := admin.DescribeTopicConfigs(t.Context(), "franz-admin")
	require.NoError(t, err)
	for _, c := range configs[0].Configs {
		if c.Key == "retention.ms" {
			require.Equal(t, "5000", *c.Value)
		}
	}
	_, err = admin.DeleteTopic(t.Context(), "franz-admin")
	require.NoError(t, err)
	topics, err = admin.ListTopics(t.Context())
	require.NoError(t, err)
	require.False(t, topics.Has("franz-admin"))
}
