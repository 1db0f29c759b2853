package partition_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/internal/partition"
	"github.com/botehq/bote/internal/topic"
)

// TestSet: partitions come and go one at a time, in any order of their indexes.
func TestSet(t *testing.T) {
	t.Parallel()
	s := partition.NewSet()
	a, b := topic.ID{1}, topic.ID{2}
	third, first, other := &partition.Partition{}, &partition.Partition{}, &partition.Partition{}
	require.Nil(t, s.Get(a, 0))
	require.Nil(t, s.Remove(a, 0))
	require.Nil(t, s.Put(a, 2, third))
	require.Nil(t, s.Put(a, 0, first))
	require.Nil(t, s.Put(b, 0, other))
	require.Same(t, third, s.Get(a, 2))
	require.Nil(t, s.Get(a, 1), "led elsewhere")
	require.Nil(t, s.Get(a, -1))
	require.Nil(t, s.Get(a, 3))
	require.Len(t, s.All(), 3)

	again := &partition.Partition{}
	require.Same(t, first, s.Put(a, 0, again), "another life of it")
	require.Same(t, again, s.Get(a, 0))
	require.Same(t, third, s.Remove(a, 2))
	require.Nil(t, s.Remove(a, 2))
	require.Nil(t, s.Remove(a, 7))
	require.Same(t, again, s.Remove(a, 0))
	require.Nil(t, s.Get(a, 0))
	require.Equal(t, []*partition.Partition{other}, s.All())
}
