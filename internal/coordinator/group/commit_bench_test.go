package group_test

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/coordinator/coordinatortest"
	"github.com/botehq/bote/internal/coordinator/group"
)

func benchmarkCoordinator(b *testing.B) *group.Coordinator {
	b.Helper()
	names := newTopics()
	names.create("t", 10)
	c, err := group.New(group.Config{}, group.Deps{Logs: coordinatortest.New(50), Topics: names})
	require.NoError(b, err)
	b.Cleanup(c.Close)
	return c
}

func BenchmarkOffsetCommit(b *testing.B) {
	c := benchmarkCoordinator(b)
	req := commitRequest(8, "g", "t", 1)
	done := make(chan struct{})
	for b.Loop() {
		c.OffsetCommit(req, func(*kmsg.OffsetCommitResponse) { done <- struct{}{} })
		<-done
	}
}

// BenchmarkGroups reports how much memory a group with ten offsets needs.
func BenchmarkGroups(b *testing.B) {
	const groups = 5000
	for b.Loop() {
		c := benchmarkCoordinator(b)
		heap := func() uint64 {
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return m.HeapAlloc
		}
		done := make(chan struct{})
		before := heap()
		for i := range groups {
			req := commitRequest(8, fmt.Sprint("group-", i), "t", 1)
			for p := range int32(9) {
				part := req.Topics[0].Partitions[0]
				part.Partition = p + 1
				req.Topics[0].Partitions = append(req.Topics[0].Partitions, part)
			}
			c.OffsetCommit(req, func(*kmsg.OffsetCommitResponse) { done <- struct{}{} })
			<-done
		}
		b.ReportMetric(float64(heap()-before)/groups, "B/group")
		c.Close()
	}
}
