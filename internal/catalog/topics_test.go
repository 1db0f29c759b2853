package catalog_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/botehq/bote/internal/catalog"
	"github.com/botehq/bote/internal/meta/memmeta"
	"github.com/botehq/bote/internal/topic"
)

// opener is an applier that calls begun when it opens partitions, and then returns err.
type opener struct {
	begun func()
	err   error
}

func (o opener) Created(ctx context.Context, created []catalog.Created) []error {
	o.begun()
	return slices.Repeat([]error{errors.Join(ctx.Err(), o.err)}, len(created))
}
func (opener) Changed(*catalog.Topic) {}
func (o opener) Deleted(ctx context.Context, deleted []*catalog.Topic) []error {
	o.begun()
	return slices.Repeat([]error{ctx.Err()}, len(deleted))
}

var (
	onePartition = catalog.Policy{NodeID: 1, Partitions: 1, ReplicationFactor: 1}
	errOpen      = errors.New("no room")
)

// TestClientLeaves: if the client goes away meanwhile, a topic is created, grown or deleted
// completely or not at all, also as seen after a restart.
func TestClientLeaves(t *testing.T) {
	t.Parallel()
	store := memmeta.New()
	c, err := catalog.Open(t.Context(), store, 1, nil, true)
	require.NoError(t, err)
	partitions := func(want int32) {
		t.Helper()
		again, err := catalog.Open(t.Context(), store, 1, nil, false)
		require.NoError(t, err)
		for _, s := range []*catalog.Snapshot{c.Snapshot(), again.Snapshot()} {
			got := int32(0)
			if orders := s.Topic("orders"); orders != nil {
				got = orders.Partitions
			}
			require.Equal(t, want, got)
		}
	}
	leaving := func(err error) context.Context {
		ctx, leave := context.WithCancel(t.Context())
		c.SetApplier(opener{leave, err})
		return ctx
	}
	spec := catalog.Spec{Name: "orders", Partitions: 3, ReplicationFactor: 1}

	_, err = c.CreateTopic(leaving(errOpen), spec, onePartition)
	require.ErrorIs(t, err, errOpen)
	partitions(0)
	_, err = c.CreateTopic(leaving(nil), spec, onePartition)
	require.NoError(t, err)
	partitions(3)
	require.ErrorIs(t, c.AddPartitions(leaving(errOpen), "orders", 5, false), errOpen)
	partitions(3)
	require.NoError(t, c.AddPartitions(leaving(nil), "orders", 5, false))
	partitions(5)
	_, errs := c.DeleteTopics(leaving(nil), []topic.ID{c.Snapshot().Topic("orders").ID})
	require.Equal(t, []error{nil}, errs)
	partitions(0)
}

// TestOffsetsTopicDoesNotGrow: the number of its partitions decides in which of them a
// group's offsets are, so it must not change.
func TestOffsetsTopicDoesNotGrow(t *testing.T) {
	t.Parallel()
	c, err := catalog.Open(t.Context(), memmeta.New(), 1, nil, true)
	require.NoError(t, err)
	c.SetApplier(opener{func() {}, nil})
	_, err = c.CreateTopic(t.Context(), catalog.Spec{Name: topic.ConsumerOffsets, Partitions: 3, ReplicationFactor: 1}, onePartition)
	require.NoError(t, err)
	for _, validateOnly := range []bool{true, false} {
		require.ErrorIs(t, c.AddPartitions(t.Context(), topic.ConsumerOffsets, 5, validateOnly), kerr.PolicyViolation)
	}
	require.Equal(t, int32(3), c.Snapshot().Topic(topic.ConsumerOffsets).Partitions)
}
