package bote_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"

	"github.com/botehq/bote"
	"github.com/botehq/bote/botetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// running is a broker on a data directory, with a client.
type running struct {
	*bote.Broker
	client *kgo.Client
	admin  *kadm.Client
	served chan error
}

func start(t *testing.T, dir string) *running {
	t.Helper()
	b, err := bote.Open(t.Context(), bote.Config{
		DataDir: dir, Listen: "127.0.0.1:0", Properties: map[string]string{"group.initial.rebalance.delay.ms": "0"},
	})
	require.NoError(t, err)
	r := &running{Broker: b, served: make(chan error, 1)}
	go func() { r.served <- b.Serve(context.Background()) }()
	r.client, err = kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.AllowAutoTopicCreation(), kgo.MetadataMinAge(10*time.Millisecond))
	require.NoError(t, err)
	r.admin = kadm.NewClient(r.client)
	return r
}

func (r *running) stop(t *testing.T) {
	t.Helper()
	r.client.Close()
	require.NoError(t, r.Close())
	require.NoError(t, <-r.served)
}

func (r *running) produce(t *testing.T, topic string, values ...string) {
	t.Helper()
	for _, v := range values {
		require.NoError(t, r.client.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Value: []byte(v)}).FirstErr())
	}
}

func (r *running) values(t *testing.T, topic string) (out []string) {
	t.Helper()
	ends, err := r.admin.ListEndOffsets(t.Context(), topic)
	require.NoError(t, err)
	want := 0
	ends.Each(func(o kadm.ListedOffset) { want += int(o.Offset) })
	client, err := kgo.NewClient(kgo.SeedBrokers(r.Addr()), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	require.NoError(t, err)
	defer client.Close()
	for len(out) < want {
		fetches := client.PollFetches(t.Context())
		require.NoError(t, fetches.Err())
		for _, rec := range fetches.Records() {
			out = append(out, string(rec.Value))
		}
	}
	return out
}

func (r *running) metadata(t *testing.T, topic string) kmsg.MetadataResponseTopic {
	t.Helper()
	req := kmsg.NewPtrMetadataRequest()
	rt := kmsg.NewMetadataRequestTopic()
	rt.Topic = &topic
	req.Topics = append(req.Topics, rt)
	resp, err := req.RequestWith(t.Context(), r.client)
	require.NoError(t, err)
	return resp.Topics[0]
}

func (r *running) producerID(t *testing.T) int64 {
	t.Helper()
	resp, err := kmsg.NewPtrInitProducerIDRequest().RequestWith(t.Context(), r.client)
	require.NoError(t, err)
	require.NoError(t, kerr.ErrorForCode(resp.ErrorCode))
	return resp.ProducerID
}

func TestRestartKeepsEverything(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := start(t, dir)
	_, err := r.admin.CreateTopic(t.Context(), 2, 1, map[string]*string{"retention.ms": new("-1")}, "t")
	require.NoError(t, err)
	r.produce(t, "t", "a", "b", "c")
	require.NoError(t, r.admin.CommitAllOffsets(t.Context(), "g", kadm.OffsetsFromRecords(kgo.Record{Topic: "t", Partition: 0, Offset: 6})))
	before, cluster, pid := r.metadata(t, "t"), r.ClusterID(), r.producerID(t)
	r.stop(t)

	r = start(t, dir)
	require.ElementsMatch(t, []string{"a", "b", "c"}, r.values(t, "t"))
	require.Equal(t, before, r.metadata(t, "t"), "trap 38: a clean restart changes no epoch")
	require.Equal(t, cluster, r.ClusterID(), "trap 44")
	require.Greater(t, r.producerID(t), pid, "trap 18")
	offsets, err := r.admin.FetchOffsets(t.Context(), "g")
	require.NoError(t, err)
	o, ok := offsets.Lookup("t", 0)
	require.True(t, ok)
	require.Equal(t, int64(7), o.At)
	configs, err := r.admin.DescribeTopicConfigs(t.Context(), "t")
	require.NoError(t, err)
	for _, c := range configs[0].Configs {
		if c.Key == "retention.ms" {
			require.Equal(t, "-1", *c.Value)
		}
	}
	r.stop(t)
}

// TestTrap39UncleanStartRaisesTheEpoch: after a start without the clean-shutdown
// marker, clients must be able to notice that records may have been lost.
func TestTrap39UncleanStartRaisesTheEpoch(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := start(t, dir)
	r.produce(t, "t", "a")
	require.Zero(t, r.metadata(t, "t").Partitions[0].LeaderEpoch)
	r.stop(t)
	for want := int32(1); want <= 2; want++ {
		require.NoError(t, os.Remove(filepath.Join(dir, ".kafka_cleanshutdown")))
		r = start(t, dir)
		require.Equal(t, want, r.metadata(t, "t").Partitions[0].LeaderEpoch)
		require.Equal(t, []string{"a"}, r.values(t, "t"))
		r.produce(t, "new", "x")
		r.stop(t)
		require.NoError(t, os.RemoveAll(filepath.Join(dir, "nothing")))
	}
	r = start(t, dir)
	require.Equal(t, int32(2), r.metadata(t, "t").Partitions[0].LeaderEpoch, "it never goes back")
	require.Equal(t, int32(1), r.metadata(t, "new").Partitions[0].LeaderEpoch)
	r.stop(t)
}

func TestTrap48RecreatedTopicIsAnother(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := start(t, dir)
	r.produce(t, "t", "old")
	id := r.metadata(t, "t").TopicID
	resp, err := r.admin.DeleteTopics(t.Context(), "t")
	require.NoError(t, err)
	require.NoError(t, resp.Error())
	r.client.PurgeTopicsFromClient("t") // the client remembers the ID
	r.produce(t, "t", "new")
	require.NotEqual(t, id, r.metadata(t, "t").TopicID)
	require.Equal(t, []string{"new"}, r.values(t, "t"))
	r.stop(t)
	r = start(t, dir)
	require.Equal(t, []string{"new"}, r.values(t, "t"))
	r.stop(t)
}

// TestHalfDeletedTopic: a kill between the two halves of a deletion leaves
// directories that belong to no topic. The topic's name can be used again.
func TestHalfDeletedTopic(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := start(t, dir)
	r.produce(t, "t", "old")
	r.stop(t)
	require.NoError(t, os.CopyFS(filepath.Join(dir, "copy"), os.DirFS(filepath.Join(dir, "t-0"))))
	r = start(t, dir)
	_, err := r.admin.DeleteTopics(t.Context(), "t")
	require.NoError(t, err)
	r.stop(t)
	require.NoError(t, os.Rename(filepath.Join(dir, "copy"), filepath.Join(dir, "t-0")))

	r = start(t, dir)
	r.produce(t, "t", "new")
	require.Equal(t, []string{"new"}, r.values(t, "t"))
	r.stop(t)
	strays, err := filepath.Glob(filepath.Join(dir, "t-0.*-stray"))
	require.NoError(t, err)
	require.Len(t, strays, 1)
}

// TestAFailedStartDeletesNothing: if a start fails because one partition cannot be
// opened, the other partitions are unharmed.
func TestAFailedStartDeletesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := start(t, dir)
	_, err := r.admin.CreateTopic(t.Context(), 6, 1, nil, "orders")
	require.NoError(t, err)
	r.produce(t, "orders", "1", "2", "3", "4", "5", "6", "7", "8", "9")
	r.stop(t)

	marker := filepath.Join(dir, ".kafka_cleanshutdown")
	require.NoError(t, os.Remove(marker), "as if it had been killed")
	segment := filepath.Join(dir, "orders-5", "00000000000000000000.log")
	require.NoError(t, os.Rename(segment, segment+".kept"))
	require.NoError(t, os.Mkdir(segment, 0o700))
	_, err = bote.Open(t.Context(), bote.Config{DataDir: dir, Listen: "127.0.0.1:0"})
	require.ErrorContains(t, err, "orders-5")
	require.NoFileExists(t, marker, "what was not recovered must not be trusted")

	require.NoError(t, os.Remove(segment))
	require.NoError(t, os.Rename(segment+".kept", segment))
	r = start(t, dir)
	require.ElementsMatch(t, []string{"1", "2", "3", "4", "5", "6", "7", "8", "9"}, r.values(t, "orders"))
	r.stop(t)
}

func TestInternalTopicsRefuseClients(t *testing.T) {
	t.Parallel()
	r := start(t, t.TempDir())
	defer r.stop(t)
	require.NoError(t, r.admin.CommitAllOffsets(t.Context(), "g", kadm.Offsets{}))
	_, err := r.admin.ListGroups(t.Context())
	require.NoError(t, err)
	req := kmsg.NewPtrFindCoordinatorRequest()
	req.CoordinatorKey = "g"
	_, err = req.RequestWith(t.Context(), r.client)
	require.NoError(t, err)
	err = r.client.ProduceSync(t.Context(), &kgo.Record{Topic: "__consumer_offsets", Value: []byte("x")}).FirstErr()
	require.ErrorIs(t, err, kerr.InvalidTopicException)
}

func TestOpenSaysWhatToDo(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, taken.Close()) }()
	_, err = bote.Open(t.Context(), bote.Config{DataDir: t.TempDir(), Listen: taken.Addr().String()})
	require.ErrorContains(t, err, taken.Addr().String())

	photos := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(photos, "cat.jpg"), nil, 0o600))
	_, err = bote.Open(t.Context(), bote.Config{DataDir: photos, Listen: "127.0.0.1:0"})
	require.ErrorContains(t, err, "choose an empty directory")

	dir := t.TempDir()
	r := start(t, dir)
	_, err = bote.Open(t.Context(), bote.Config{DataDir: dir, Listen: "127.0.0.1:0"})
	require.ErrorContains(t, err, "another broker is using the data directory "+dir)
	r.stop(t)
	_, err = bote.Open(t.Context(), bote.Config{DataDir: dir, Listen: "127.0.0.1:0", Properties: map[string]string{"node.id": "7"}})
	require.ErrorContains(t, err, "belongs to node.id 1")
}

func TestCloseIsIdempotent(t *testing.T) {
	t.Parallel()
	b, err := bote.Open(t.Context(), bote.Config{InMemory: true, Listen: "127.0.0.1:0"})
	require.NoError(t, err)
	require.NoError(t, b.Close(), "before Serve")
	require.NoError(t, b.Close())
	require.NoError(t, b.Serve(t.Context()), "after Close it returns at once")
}

func TestManyBrokers(t *testing.T) {
	t.Parallel()
	for range 20 {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			b := botetest.New(t)
			client, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.AllowAutoTopicCreation())
			require.NoError(t, err)
			defer client.Close()
			require.NoError(t, client.ProduceSync(t.Context(), &kgo.Record{Topic: "t", Value: []byte("x")}).FirstErr())
		})
	}
}

func ExampleOpen() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	b, err := bote.Open(ctx, bote.Config{InMemory: true, Listen: "127.0.0.1:0"})
	if err != nil {
		fmt.Println(err)
		return
	}
	served := make(chan error, 1)
	go func() { served <- b.Serve(ctx) }()

	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.AllowAutoTopicCreation())
	if err != nil {
		fmt.Println(err)
		return
	}
	result := client.ProduceSync(ctx, &kgo.Record{Topic: "greetings", Value: []byte("hello")})
	fmt.Println(result.FirstErr())
	client.Close()

	cancel()
	fmt.Println(<-served, b.Close())
	// Output:
	// <nil>
	// <nil> <nil>
}
