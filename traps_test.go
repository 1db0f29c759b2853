package bote_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/botetest"
)

func connect(t *testing.T, opts ...botetest.Option) *kgo.Client {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(botetest.New(t, opts...).Addr()))
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return client
}

func describe(t *testing.T, client *kgo.Client, create bool, names ...string) []kmsg.MetadataResponseTopic {
	t.Helper()
	req := kmsg.NewPtrMetadataRequest()
	req.AllowAutoTopicCreation = create
	for _, name := range names {
		rt := kmsg.NewMetadataRequestTopic()
		rt.Topic = &name
		req.Topics = append(req.Topics, rt)
	}
	resp, err := req.RequestWith(t.Context(), client)
	require.NoError(t, err)
	return resp.Topics
}

// TestTrap41EveryTopicHasItsPartitions: a topic without an error has all partitions
// from 0 to n-1.
func TestTrap41EveryTopicHasItsPartitions(t *testing.T) {
	t.Parallel()
	client := connect(t)
	admin := kadm.NewClient(client)
	_, err := admin.CreateTopics(t.Context(), 7, 1, nil, "a", "b")
	require.NoError(t, err)
	_, err = admin.CreatePartitions(t.Context(), 3, "b")
	require.NoError(t, err)
	topics := describe(t, client, false)
	require.Len(t, topics, 2)
	for _, topic := range topics {
		require.Zero(t, topic.ErrorCode)
		seen := map[int32]bool{}
		for _, p := range topic.Partitions {
			seen[p.Partition] = true
		}
		require.NotEmpty(t, seen)
		for i := range int32(len(seen)) {
			require.True(t, seen[i])
		}
	}
	require.Len(t, topics[1].Partitions, 10)
}

// TestTrap47AutoCreatedTopicCanBeUsed: the answer that creates a topic shows its
// partitions, and the next request may produce.
func TestTrap47AutoCreatedTopicCanBeUsed(t *testing.T) {
	t.Parallel()
	client := connect(t)
	topic := describe(t, client, true, "fresh")[0]
	require.Zero(t, topic.ErrorCode)
	require.Len(t, topic.Partitions, 1)
	require.NoError(t, client.ProduceSync(t.Context(), &kgo.Record{Topic: "fresh", Value: []byte("x")}).FirstErr())
}

// TestTrap51ReplicationFactor: three replicas on one broker are refused as in Kafka,
// or lowered if the setting says so.
func TestTrap51ReplicationFactor(t *testing.T) {
	t.Parallel()
	_, err := kadm.NewClient(connect(t)).CreateTopic(t.Context(), 1, 3, nil, "t")
	require.ErrorIs(t, err, kerr.InvalidReplicationFactor)
	client := connect(t, botetest.WithProperty("replication.factor.clamp", "true"))
	_, err = kadm.NewClient(client).CreateTopic(t.Context(), 1, 3, nil, "t")
	require.NoError(t, err)
	require.Equal(t, []int32{1}, describe(t, client, false, "t")[0].Partitions[0].Replicas)
}
