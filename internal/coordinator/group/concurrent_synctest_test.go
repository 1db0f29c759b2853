package group_test

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/internal/coordinator/coordinatortest"
	"github.com/botehq/bote/internal/coordinator/group"
)

func TestCallersInParallel(t *testing.T) {
	run(t, group.Config{}, func(h *harness) {
		var callers sync.WaitGroup
		for i := range 8 {
			callers.Go(func() {
				id := fmt.Sprint("g", i)
				for n := range int64(50) {
					if h.commit(commitRequest(8, id, "t", n)) != 0 || h.offset(id, "t") != n {
						t.Errorf("commit %d of %s", n, id)
					}
					h.list(nil, nil)
					h.join(joinRequest(3, "shared", ""))
				}
			})
		}
		callers.Wait()
		require.Len(t, h.list(nil, nil).Groups, 9)
		h.check(0)
	})
}

// A replaced static member keeps its place in the order across a restart.
func TestMembersAreInTheSameOrderAfterARestart(t *testing.T) {
	run(t, group.Config{}, func(h *harness) {
		s := h.static("g", "inst")
		s.joins()
		s.syncs(s.id, "A")
		b := h.newMember("g")
		joinB := b.startJoin()
		s.joins()
		b.joined(joinB)
		s.syncs(s.id, "A", b.id, "B")
		again := h.static("g", "inst")
		again.joins()
		before := h.describe(5, "g")
		require.Equal(t, again.id, before.Members[0].MemberID)
		h.restart()
		require.Equal(t, before, h.describe(5, "g"))
	})
}

func TestMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logs := coordinatortest.New(4)
		h := &harness{t: t, logs: logs, topics: newTopics()}
		h.topics.create("t", 1)
		registry := prometheus.NewRegistry()
		var err error
		n := 0
		h.c, err = group.New(group.Config{}, group.Deps{
			Logs: logs, Topics: h.topics, Registerer: registry,
			NewID: func() string { n++; return fmt.Sprint(n) },
		})
		require.NoError(t, err)
		gauge := func(name string) float64 {
			families, err := registry.Gather()
			require.NoError(t, err)
			for _, f := range families {
				if f.GetName() == name {
					m := f.GetMetric()[0]
					return m.GetGauge().GetValue() + m.GetCounter().GetValue()
				}
			}
			t.Fatalf("no metric %s", name)
			return 0
		}
		h.stablePair("g")
		h.commit(commitRequest(8, "simple", "t", 1))
		require.InDelta(t, 2, gauge("bote_group_groups"), 0)
		require.InDelta(t, 2, gauge("bote_group_members"), 0)
		require.InDelta(t, 2, gauge("bote_group_rebalances_total"), 0)
		require.InDelta(t, 0, gauge("bote_coordinator_shard_failures_total"), 0)
		h.c.Close()
		for _, name := range []string{"bote_group_groups", "bote_group_members", "bote_coordinator_loaded_shards"} {
			require.InDelta(t, 0, gauge(name), 0, name)
		}
	})
}
