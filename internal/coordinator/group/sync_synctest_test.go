package group_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/coordinator/group"
)

func TestSyncWaitsForTheLeader(t *testing.T) {
	run(t, group.Config{}, func(h *harness) {
		a, b := joinedPair(h, "g")
		syncB := b.startSync()
		require.True(t, syncB.waits())
		resp := a.syncs(a.id, "mine", "stranger", "x")
		require.Equal(t, "mine", string(resp.MemberAssignment))
		require.Equal(t, "consumer", *resp.ProtocolType)
		require.Equal(t, "range", *resp.Protocol)
		got := syncB.get()
		require.Zero(t, got.ErrorCode)
		require.Empty(t, got.MemberAssignment, "what the leader left out is empty")
		require.Equal(t, "Stable", h.state("g"))
		require.Zero(t, b.syncs(b.id, "ignored").ErrorCode)
		require.Empty(t, b.syncs().MemberAssignment, "only the leader assigns")
	})
}

func TestSyncIsRefused(t *testing.T) {
	run(t, group.Config{}, func(h *harness) {
		m := h.stable("g")
		for name, c := range map[string]struct {
			change func(*kmsg.SyncGroupRequest)
			want   *kerr.Error
		}{
			"protocol type": {func(r *kmsg.SyncGroupRequest) { r.ProtocolType = new("connect") }, kerr.InconsistentGroupProtocol},
			"protocol":      {func(r *kmsg.SyncGroupRequest) { r.Protocol = new("other") }, kerr.InconsistentGroupProtocol},
			"null protocol": {func(r *kmsg.SyncGroupRequest) { r.Protocol = nil }, kerr.InconsistentGroupProtocol},
			"generation":    {func(r *kmsg.SyncGroupRequest) { r.Generation = 99 }, kerr.IllegalGeneration},
			"member":        {func(r *kmsg.SyncGroupRequest) { r.MemberID = "nobody" }, kerr.UnknownMemberID},
			"group":         {func(r *kmsg.SyncGroupRequest) { r.Group = "none" }, kerr.UnknownMemberID},
			"empty group":   {func(r *kmsg.SyncGroupRequest) { r.Group = "" }, kerr.InvalidGroupID},
			"instance":      {func(r *kmsg.SyncGroupRequest) { r.InstanceID = new("none") }, kerr.UnknownMemberID},
		} {
			req := syncRequest("g", m.id, m.generation)
			c.change(req)
			resp := h.sync(req).get()
			require.Equal(t, c.want.Code, resp.ErrorCode, name)
			require.Empty(t, resp.MemberAssignment)
		}
		old := syncRequest("g", m.id, m.generation)
		old.Version, old.ProtocolType, old.Protocol = 4, nil, nil
		require.Zero(t, h.sync(old).get().ErrorCode)

		joinB := h.newMember("g").startJoin()
		require.True(t, joinB.waits())
		require.Equal(t, kerr.RebalanceInProgress.Code, m.syncs().ErrorCode)
	})
}

func TestSyncWaitsForDurability(t *testing.T) {
	run(t, group.Config{}, func(h *harness) {
		a, b := joinedPair(h, "g")
		h.logs.Hold()
		syncA := a.startSync(a.id, "L", b.id, "F")
		syncB := b.startSync()
		require.True(t, syncA.waits())
		require.True(t, syncB.waits(), "decided and not durable yet")
		h.logs.Release()
		require.Equal(t, "L", string(syncA.get().MemberAssignment))
		require.Equal(t, "F", string(syncB.get().MemberAssignment))
	})
}

func TestRebalanceBeforeTheAssignmentIsDurable(t *testing.T) {
	run(t, group.Config{}, func(h *harness) {
		a, b := joinedPair(h, "g")
		h.logs.Hold()
		syncA, syncB := a.startSync(a.id, "L", b.id, "F"), b.startSync()
		require.True(t, syncA.waits())
		b.req.Protocols[0].Metadata = subscription("u")
		joinB := b.startJoin()
		require.True(t, joinB.waits())
		require.Equal(t, kerr.RebalanceInProgress.Code, syncA.get().ErrorCode)
		require.Equal(t, kerr.RebalanceInProgress.Code, syncB.get().ErrorCode)
		h.logs.Release()
		a.joins()
		require.EqualValues(t, 3, b.joined(joinB).Generation)
	})
}

func TestAssignmentThatIsTooLarge(t *testing.T) {
	run(t, group.Config{}, func(h *harness) {
		a, b := joinedPair(h, "g")
		syncB := b.startSync()
		h.logs.Limit(200)
		require.Equal(t, kerr.UnknownServerError.Code, a.syncs(a.id, string(make([]byte, 500))).ErrorCode)
		require.Equal(t, kerr.UnknownServerError.Code, syncB.get().ErrorCode)
		require.Equal(t, kerr.RebalanceInProgress.Code, a.heartbeats(), "it starts over")
		h.logs.Limit(0)
		joinB := b.startJoin()
		a.joins()
		require.EqualValues(t, 3, b.joined(joinB).Generation)
	})
}

func TestLogThatFailsUnderTheGroup(t *testing.T) {
	run(t, group.Config{}, func(h *harness) {
		a, b := joinedPair(h, "g")
		h.logs.Hold()
		syncB, syncA := b.startSync(), a.startSync(a.id, "L")
		joinC := h.newMember("g").startJoin()
		commit := h.startCommit(commitRequest(8, "g2", "t", 1))
		require.Equal(t, kerr.RebalanceInProgress.Code, syncA.get().ErrorCode)
		require.Equal(t, kerr.RebalanceInProgress.Code, syncB.get().ErrorCode)
		require.True(t, joinC.waits())
		h.logs.Fail()
		require.Equal(t, kerr.NotCoordinator.Code, joinC.get().ErrorCode)
		require.Equal(t, kerr.NotCoordinator.Code, commit.get().Topics[0].Partitions[0].ErrorCode)
		time.Sleep(time.Second)
		h.c.LoadAll()
		synctest.Wait()
		require.Equal(t, "Stable", h.state("g"), "generation 1, the last that was durable")
		require.Zero(t, h.heartbeat(heartbeatRequest("g", a.id, 1)))
		require.Equal(t, kerr.UnknownMemberID.Code, b.heartbeats())
	})
}

func TestTrap59SyncExpiry(t *testing.T) {
	run(t, group.Config{}, func(h *harness) {
		m := h.newMember("g")
		m.req.RebalanceTimeoutMillis, m.req.SessionTimeoutMillis = 2000, 30_000
		m.joins()
		time.Sleep(1900 * time.Millisecond)
		require.Equal(t, "CompletingRebalance", h.state("g"))
		time.Sleep(200 * time.Millisecond)
		require.Equal(t, "Empty", h.state("g"))
		require.Equal(t, kerr.UnknownMemberID.Code, m.heartbeats())
	})
}

func TestTrap59SyncExpiryInStable(t *testing.T) {
	run(t, group.Config{}, func(h *harness) {
		a, b := joinedPair(h, "g")
		a.syncs(a.id, "L", b.id, "F")
		for range 29 {
			time.Sleep(time.Second)
			require.Zero(t, a.heartbeats())
			b.heartbeats()
		}
		time.Sleep(1100 * time.Millisecond)
		require.Equal(t, kerr.RebalanceInProgress.Code, a.heartbeats(), "b joined and never synced")
		require.Len(t, a.joins().Members, 1)
	})
}

func TestHeartbeat(t *testing.T) {
	run(t, group.Config{}, func(h *harness) {
		m := h.stable("g")
		require.Zero(t, m.heartbeats())
		require.Equal(t, kerr.UnknownMemberID.Code, h.heartbeat(heartbeatRequest("none", m.id, 1)))
		require.Equal(t, kerr.UnknownMemberID.Code, h.heartbeat(heartbeatRequest("g", "nobody", 7)), "member before generation")
		require.Equal(t, kerr.IllegalGeneration.Code, h.heartbeat(heartbeatRequest("g", m.id, 7)))
		require.Equal(t, kerr.InvalidGroupID.Code, h.heartbeat(heartbeatRequest("", m.id, 1)))
		n := h.newMember("completing")
		n.joins()
		require.Zero(t, n.heartbeats())
	})
}

func TestSessionExpiry(t *testing.T) {
	run(t, group.Config{}, func(h *harness) {
		m := h.newMember("g")
		m.req.SessionTimeoutMillis = 6000
		m.joins()
		m.syncs(m.id, "A")
		for range 3 {
			time.Sleep(5 * time.Second)
			require.Zero(t, m.heartbeats())
		}
		time.Sleep(5 * time.Second)
		require.Zero(t, m.commit(1), "a commit keeps the session too")
		time.Sleep(5 * time.Second)
		require.Equal(t, "Stable", h.state("g"))
		time.Sleep(1100 * time.Millisecond)
		require.Equal(t, "Empty", h.state("g"))
		require.Equal(t, kerr.UnknownMemberID.Code, m.heartbeats())
	})
}

func TestStaticMemberExpires(t *testing.T) {
	run(t, group.Config{}, func(h *harness) {
		m := h.static("g", "inst")
		m.joins()
		m.syncs(m.id, "A")
		time.Sleep(31 * time.Second)
		require.Equal(t, "Empty", h.state("g"))
		hb := heartbeatRequest("g", m.id, 1)
		hb.InstanceID = new("inst")
		require.Equal(t, kerr.UnknownMemberID.Code, h.heartbeat(hb), "the instance is forgotten, not fenced")
	})
}

func TestWhoWaitsDoesNotExpire(t *testing.T) {
	run(t, group.Config{}, func(h *harness) {
		a, b := h.stablePair("g")
		a.req.RebalanceTimeoutMillis, a.req.SessionTimeoutMillis = 120_000, 6000
		joinA := a.startJoin()
		for range 20 {
			time.Sleep(4 * time.Second)
			require.Equal(t, kerr.RebalanceInProgress.Code, b.heartbeats())
		}
		require.True(t, joinA.waits(), "80 s with a session of 6 s")
		b.joins()
		a.joined(joinA)
		time.Sleep(5 * time.Second)
		require.Zero(t, a.heartbeats(), "the answer starts the session")
	})
}

func TestTrap62HeartbeatWhileLoading(t *testing.T) {
	run(t, group.Config{}, func(h *harness) {
		m := h.stable("g")
		h.c.Close()
		release := h.logs.HoldReads()
		h.start()
		h.c.LoadAll()
		synctest.Wait()
		require.Zero(t, m.heartbeats())
		require.Equal(t, kerr.CoordinatorLoadInProgress.Code, m.startJoin().get().ErrorCode)
		require.Equal(t, kerr.CoordinatorLoadInProgress.Code, m.syncs().ErrorCode)
		require.Equal(t, kerr.CoordinatorLoadInProgress.Code, h.leave(leaveRequest(5, "g", m.id)).ErrorCode)
		require.Equal(t, kerr.CoordinatorLoadInProgress.Code, m.commit(1))
		require.Equal(t, kerr.CoordinatorLoadInProgress.Code, h.describe(6, "g").ErrorCode)
		require.Equal(t, kerr.CoordinatorLoadInProgress.Code, h.list(nil, nil).ErrorCode)
		require.Equal(t, kerr.CoordinatorLoadInProgress.Code, h.deleteGroup("g"))
		require.Equal(t, kerr.CoordinatorLoadInProgress.Code, h.deleteOffset("g", "t").ErrorCode)
		require.Equal(t, kerr.CoordinatorLoadInProgress.Code, h.startFetch(fetchRequest(8, "g", "t", 0)).get().Groups[0].ErrorCode)
		require.Equal(t, kerr.CoordinatorLoadInProgress.Code, h.startFetch(fetchRequest(7, "g", "t", 0)).get().ErrorCode)
		require.Equal(t, kerr.CoordinatorLoadInProgress.Code, h.startFetch(fetchRequest(1, "g", "t", 0)).get().Topics[0].Partitions[0].ErrorCode)
		release()
		synctest.Wait()
		require.Zero(t, m.heartbeats())
		require.Equal(t, "A", string(m.syncs().MemberAssignment))
	})
}

func TestTrap63SessionsStartAnewAtLoad(t *testing.T) {
	run(t, group.Config{}, func(h *harness) {
		m := h.stable("g")
		time.Sleep(29 * time.Second)
		h.restart()
		time.Sleep(29 * time.Second)
		require.Zero(t, m.heartbeats())
		time.Sleep(31 * time.Second)
		require.Equal(t, "Empty", h.state("g"))
	})
}

func TestTrap64LeaveGroup(t *testing.T) {
	run(t, group.Config{}, func(h *harness) {
		m := h.stable("g")
		require.Equal(t, kerr.UnknownMemberID.Code, h.leave(leaveRequest(2, "g", "nobody")).ErrorCode)
		require.Equal(t, kerr.UnknownMemberID.Code, h.leave(leaveRequest(0, "none", "x")).ErrorCode)
		resp := h.leave(leaveRequest(5, "g", "nobody", m.id))
		require.Zero(t, resp.ErrorCode)
		require.Equal(t, kerr.UnknownMemberID.Code, resp.Members[0].ErrorCode)
		require.Zero(t, resp.Members[1].ErrorCode)
		require.Equal(t, "Empty", h.state("g"))
		resp = h.leave(leaveRequest(4, "none", "x"))
		require.Zero(t, resp.ErrorCode)
		require.Equal(t, kerr.UnknownMemberID.Code, resp.Members[0].ErrorCode)
		require.Equal(t, kerr.InvalidGroupID.Code, h.leave(leaveRequest(4, "", "x")).ErrorCode)

		single := h.stable("single")
		require.Zero(t, h.leave(leaveRequest(1, "single", single.id)).ErrorCode)

		p := h.newMember("g")
		require.Zero(t, h.leave(leaveRequest(4, "g", p.id)).Members[0].ErrorCode)
		require.Equal(t, kerr.UnknownMemberID.Code, p.startJoin().get().ErrorCode)
	})
}

func TestStaticMemberIsRemovedByInstance(t *testing.T) {
	run(t, group.Config{}, func(h *harness) {
		h.static("g", "inst").joins()
		req := leaveRequest(4, "g", "wrong")
		req.Members[0].InstanceID = new("inst")
		require.Equal(t, kerr.FencedInstanceID.Code, h.leave(req).Members[0].ErrorCode)
		req.Members[0].MemberID = ""
		require.Zero(t, h.leave(req).Members[0].ErrorCode)
		require.Equal(t, kerr.UnknownMemberID.Code, h.leave(req).Members[0].ErrorCode)
	})
}

func TestLeavingFollowerRebalances(t *testing.T) {
	run(t, group.Config{}, func(h *harness) {
		a, b := h.stablePair("g")
		require.Zero(t, h.leave(leaveRequest(5, "g", b.id)).Members[0].ErrorCode)
		require.Equal(t, kerr.RebalanceInProgress.Code, a.heartbeats())
		require.Len(t, a.joins().Members, 1)
	})
}

// TestSyncOfAnOldGeneration: a member that missed a rebalance must not get the
// assignment of the new generation for the old one.
func TestSyncOfAnOldGeneration(t *testing.T) {
	run(t, group.Config{}, func(h *harness) {
		a, _ := h.stablePair("g")
		a.generation--
		require.Equal(t, kerr.IllegalGeneration.Code, a.syncs().ErrorCode)
	})
}

// TestAnEmptyGroupIsAGenerationOfItsOwn: as in Kafka, so that no member of the last
// generation can take part in the next one with members.
func TestAnEmptyGroupIsAGenerationOfItsOwn(t *testing.T) {
	run(t, group.Config{}, func(h *harness) {
		a := h.stable("g")
		last := a.generation
		require.Zero(t, h.leave(leaveRequest(5, "g", a.id)).Members[0].ErrorCode)
		b := h.newMember("g")
		require.Equal(t, last+2, b.joins().Generation)
	})
}

func TestCloseAnswersWhoWaits(t *testing.T) {
	run(t, group.Config{}, func(h *harness) {
		a, b := joinedPair(h, "g")
		_ = a
		syncB := b.startSync()
		require.True(t, syncB.waits())
		c := h.stable("other")
		joinD := h.newMember(c.group).startJoin()
		require.True(t, joinD.waits())
		h.c.Close()
		require.Equal(t, kerr.NotCoordinator.Code, syncB.get().ErrorCode)
		require.Equal(t, kerr.NotCoordinator.Code, joinD.get().ErrorCode)
		require.Equal(t, kerr.NotCoordinator.Code, a.heartbeats())
	})
}
