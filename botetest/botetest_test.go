package botetest_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/botehq/bote/botetest"
)

func TestProduceAndConsume(t *testing.T) {
	t.Parallel()
	b := botetest.New(t)
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.AllowAutoTopicCreation(), kgo.ConsumeTopics("greetings"), kgo.ConsumerGroup("g"),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	require.NoError(t, err)
	defer client.Close()
	require.NoError(t, client.ProduceSync(t.Context(), &kgo.Record{Topic: "greetings", Value: []byte("hello")}).FirstErr())
	fetches := client.PollFetches(t.Context())
	require.NoError(t, fetches.Err())
	require.Equal(t, "hello", string(fetches.Records()[0].Value))
}
