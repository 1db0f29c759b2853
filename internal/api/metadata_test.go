package api_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/botetest"
)

// TestMetadataByIDWithEmptyNames asks for two topics by ID as Kafka's admin client
// does: the names are empty, not null.
func TestMetadataByIDWithEmptyNames(t *testing.T) {
	cl, err := kgo.NewClient(kgo.SeedBrokers(botetest.New(t).Addr()))
	require.NoError(t, err)
	defer cl.Close()
	created, err := kadm.NewClient(cl).CreateTopics(t.Context(), 1, 1, nil, "a", "b")
	require.NoError(t, err)

	q := kmsg.NewPtrMetadataRequest()
	for _, name := range []string{"a", "b"} {
		want := kmsg.NewMetadataRequestTopic()
		want.TopicID, want.Topic = created[name].ID, new("")
		q.Topics = append(q.Topics, want)
	}
	resp, err := q.RequestWith(t.Context(), cl)
	require.NoError(t, err)
	require.Len(t, resp.Topics, 2)
	for i, name := range []string{"a", "b"} {
		require.Zero(t, resp.Topics[i].ErrorCode)
		require.Equal(t, name, *resp.Topics[i].Topic)
	}
}
