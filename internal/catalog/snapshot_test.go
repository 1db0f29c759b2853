package catalog_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/botehq/bote/internal/catalog"
	"github.com/botehq/bote/internal/meta/memmeta"
	"github.com/botehq/bote/internal/topic"
)

// namesOf lists the topics of a snapshot, and requires that each is found by its name and
// its ID.
func namesOf(t *testing.T, s *catalog.Snapshot) []string {
	t.Helper()
	names := []string{}
	for topic := range s.Topics() {
		require.Same(t, topic, s.Topic(topic.Name))
		require.Same(t, topic, s.TopicByID(topic.ID))
		names = append(names, topic.Name)
	}
	require.Len(t, names, s.Len())
	require.True(t, slices.IsSorted(names))
	return names
}

// TestSnapshotsStayAsTheyWere: later changes do not change a snapshot that was taken.
func TestSnapshotsStayAsTheyWere(t *testing.T) {
	t.Parallel()
	c, err := catalog.Open(t.Context(), memmeta.New(), 1, nil, true)
	require.NoError(t, err)
	c.SetApplier(opener{func() {}, nil})
	rng := rand.New(rand.NewPCG(1, 1))
	type moment struct {
		s     *catalog.Snapshot
		names []string
	}
	var moments []moment
	there := map[string]bool{}
	for range 500 {
		name := fmt.Sprintf("t%03d", rng.IntN(200))
		if there[name] {
			_, errs := c.DeleteTopics(t.Context(), []topic.ID{c.Snapshot().Topic(name).ID})
			require.NoError(t, errs[0])
			delete(there, name)
		} else {
			_, err := c.CreateTopic(t.Context(), catalog.Spec{Name: name, Partitions: 1, ReplicationFactor: 1}, onePartition)
			require.NoError(t, err)
			there[name] = true
		}
		moments = append(moments, moment{c.Snapshot(), namesOf(t, c.Snapshot())})
		require.Len(t, there, c.Snapshot().Len())
	}
	for _, m := range moments {
		require.Equal(t, m.names, namesOf(t, m.s))
	}
}

// TestCollisions: a name is refused while there is a topic with the same metric names.
func TestCollisions(t *testing.T) {
	t.Parallel()
	c, err := catalog.Open(t.Context(), memmeta.New(), 1, nil, true)
	require.NoError(t, err)
	c.SetApplier(opener{func() {}, nil})
	create := func(names ...string) []error {
		var specs []catalog.Spec
		for _, name := range names {
			specs = append(specs, catalog.Spec{Name: name, Partitions: 1, ReplicationFactor: 1})
		}
		_, errs := c.CreateTopics(t.Context(), specs, onePartition, false)
		return errs
	}
	require.Equal(t, []error{nil, nil, nil}, create("a.b", "a_b", "ab"), "these do not know of each other")
	for _, name := range []string{"a.b", "a_b"} {
		_, errs := c.DeleteTopics(t.Context(), []topic.ID{c.Snapshot().Topic(name).ID})
		require.NoError(t, errs[0])
		if name == "a.b" {
			require.ErrorIs(t, create("a.b")[0], kerr.InvalidTopicException, "a_b is left")
			require.NoError(t, create("a.b.c")[0])
			require.ErrorIs(t, create("a_b.c")[0], kerr.InvalidTopicException)
		}
	}
	require.NoError(t, create("a.b")[0])
}

// TestBrokerConfigsReachTopics: a config of all brokers applies to the topics that do not
// set it, and only to those.
func TestBrokerConfigsReachTopics(t *testing.T) {
	t.Parallel()
	c, err := catalog.Open(t.Context(), memmeta.New(), 1, nil, true)
	require.NoError(t, err)
	c.SetApplier(opener{func() {}, nil})
	for name, config := range map[string]map[string]string{"own": {"max.message.bytes": "5"}, "none": nil} {
		_, err := c.CreateTopic(t.Context(), catalog.Spec{Name: name, Partitions: 1, ReplicationFactor: 1, Config: config}, onePartition)
		require.NoError(t, err)
	}
	for i, set := range []string{"message.max.bytes", "num.network.threads"} {
		before := c.Snapshot().Topic("none")
		require.NoError(t, c.AlterBroker(t.Context(), true, func(_ func(string) string, values map[string]string) error {
			values[set] = "7"
			return nil
		}, false))
		require.EqualValues(t, 5, c.Snapshot().Topic("own").Config.MaxMessageBytes)
		require.EqualValues(t, 7, c.Snapshot().Topic("none").Config.MaxMessageBytes)
		require.Equal(t, i == 1, before == c.Snapshot().Topic("none"), "what means nothing to topics leaves them alone")
	}
}
