package client

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

// A topic is recreated while a consumer reads it. Later its group rebalances: the partition
// goes to another member, which reads and commits up to offset 100, and then comes back.
func TestTopicCreatedAnewIsReadFromItsStartOnce(t *testing.T) {
	c := NewCommitter()
	close(c.ready)
	c.Forget("t")
	first := map[string]map[int32]kgo.Offset{"t": {0: kgo.NewOffset().At(7)}} // of the old topic
	c.resume(first)
	require.Equal(t, kgo.NewOffset().AtStart(), first["t"][0])
	c.Read(&kgo.Record{Topic: "t", Partition: 0, Offset: 4})
	c.positions = map[TopicPartition]kgo.EpochOffset{} // everything is committed
	c.Revoked(t.Context(), nil, map[string][]int32{"t": {0}})
	back := map[string]map[int32]kgo.Offset{"t": {0: kgo.NewOffset().At(100)}}
	c.resume(back)
	require.EqualValues(t, 100, back["t"][0].EpochOffset().Offset)
}
