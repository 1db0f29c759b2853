package api

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestEditList: items are added once and removed wherever they are, in linear time.
func TestEditList(t *testing.T) {
	t.Parallel()
	require.Equal(t, "a,b,c", editList("a,b", "b, c,c", true))
	require.Equal(t, "b", editList("a,b,a", "a, x", false))
	require.Empty(t, editList("a", "a", false))
	require.Equal(t, "a", editList("", "a", true))
	items := make([]string, 500_000)
	for i := range items {
		items[i] = strconv.Itoa(i)
	}
	many := strings.Join(items, ",")
	require.Equal(t, many, editList(many, many, true))
	require.Empty(t, editList(many, many, false))
}

// TestMergeTopics: the partitions of a topic that a request lists again go to its
// first entry; topics with other names or IDs stay separate.
func TestMergeTopics(t *testing.T) {
	t.Parallel()
	topic := func(name string, id byte, parts ...int32) kmsg.ProduceRequestTopic {
		out := kmsg.ProduceRequestTopic{Topic: name, TopicID: [16]byte{id}}
		for _, p := range parts {
			out.Partitions = append(out.Partitions, kmsg.ProduceRequestTopicPartition{Partition: p})
		}
		return out
	}
	got := mergeTopics([]kmsg.ProduceRequestTopic{topic("a", 0, 1), topic("b", 0, 1, 2), topic("a", 0, 2, 1), topic("a", 7, 1), topic("b", 0)})
	require.Equal(t, []kmsg.ProduceRequestTopic{topic("a", 0, 1, 2, 1), topic("b", 0, 1, 2), topic("a", 7, 1)}, got)
}
