package catalog_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/internal/catalog"
	"github.com/botehq/bote/internal/meta/memmeta"
	"github.com/botehq/bote/internal/topic"
)

// crowded returns a catalog with n topics.
func crowded(tb testing.TB, n int) *catalog.Catalog {
	tb.Helper()
	c, err := catalog.Open(tb.Context(), memmeta.New(), 1, nil, true)
	require.NoError(tb, err)
	c.SetApplier(opener{func() {}, nil})
	specs := make([]catalog.Spec, 0, n)
	for i := range n {
		specs = append(specs, catalog.Spec{Name: fmt.Sprintf("orders.%06d", i), Partitions: 1, ReplicationFactor: 1})
	}
	for len(specs) > 0 {
		k := min(len(specs), 10_000)
		_, errs := c.CreateTopics(tb.Context(), specs[:k], onePartition, false)
		for _, err := range errs {
			require.NoError(tb, err)
		}
		specs = specs[k:]
	}
	return c
}

// The cost of a change must not grow with the number of topics.
var crowds = []int{1000, 100_000}

func BenchmarkCreateTopic(b *testing.B) {
	for _, n := range crowds {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			c := crowded(b, n)
			for i := 0; b.Loop(); i++ {
				_, err := c.CreateTopic(b.Context(), catalog.Spec{Name: fmt.Sprintf("new.%d", i), Partitions: 1, ReplicationFactor: 1}, onePartition)
				require.NoError(b, err)
			}
		})
	}
}

func BenchmarkDeleteTopic(b *testing.B) {
	for _, n := range crowds {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			c := crowded(b, n)
			for i := 0; b.Loop(); i++ {
				name := fmt.Sprintf("orders.%06d", i%n)
				_, errs := c.DeleteTopics(b.Context(), []topic.ID{c.Snapshot().Topic(name).ID})
				require.NoError(b, errs[0])
				b.StopTimer()
				_, err := c.CreateTopic(b.Context(), catalog.Spec{Name: name, Partitions: 1, ReplicationFactor: 1}, onePartition)
				require.NoError(b, err)
				b.StartTimer()
			}
		})
	}
}

func BenchmarkAlterTopic(b *testing.B) {
	for _, n := range crowds {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			c := crowded(b, n)
			for i := 0; b.Loop(); i++ {
				require.NoError(b, c.AlterTopic(b.Context(), fmt.Sprintf("orders.%06d", i%n), func(_ func(string) string, set map[string]string) error {
					set["retention.ms"] = fmt.Sprint(i)
					return nil
				}, false))
			}
		})
	}
}

// BenchmarkLookup measures the lookups that a produce request needs for each topic.
func BenchmarkLookup(b *testing.B) {
	for _, n := range crowds {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := crowded(b, n).Snapshot()
			id := s.Topic("orders.000500").ID
			b.ReportAllocs()
			for b.Loop() {
				if s.Topic("orders.000500") == nil || s.TopicByID(id) == nil {
					b.Fatal("not found")
				}
			}
		})
	}
}
