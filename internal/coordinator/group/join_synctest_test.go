package group_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/coordinator/group"
)

func TestJoinIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*kmsg.JoinGroupRequest)
		want   *kerr.Error
	}{
		"session too short":          {func(r *kmsg.JoinGroupRequest) { r.SessionTimeoutMillis = 5999 }, kerr.InvalidSessionTimeout},
		"session too long":           {func(r *kmsg.JoinGroupRequest) { r.SessionTimeoutMillis = 1_800_001 }, kerr.InvalidSessionTimeout},
		"empty group":                {func(r *kmsg.JoinGroupRequest) { r.Group = "" }, kerr.InvalidGroupID},
		"empty group before session": {func(r *kmsg.JoinGroupRequest) { r.Group, r.SessionTimeoutMillis = "", 1 }, kerr.InvalidGroupID},
		"unknown member":             {func(r *kmsg.JoinGroupRequest) { r.MemberID = "nobody" }, kerr.UnknownMemberID},
		"no protocols":               {func(r *kmsg.JoinGroupRequest) { r.Protocols = nil }, kerr.InconsistentGroupProtocol},
		"no protocol type":           {func(r *kmsg.JoinGroupRequest) { r.ProtocolType = "" }, kerr.InconsistentGroupProtocol},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, group.Config{}, func(h *harness) {
				req := joinRequest(9, "g", "")
				c.change(req)
				resp := h.join(req).get()
				require.Equal(t, c.want.Code, resp.ErrorCode)
				require.EqualValues(t, -1, resp.Generation)
				require.Empty(t, resp.Members)
				require.Empty(t, resp.LeaderID)
				require.Nil(t, resp.Protocol)
				require.Equal(t, "Dead", h.state("g"), "no group comes of it")
			})
		})
	}
}

// TestStringsThatNoRecordHolds: a join with a string that is too long for a record is
// refused before anything is recorded, and does not harm the group or its shard.
func TestStringsThatNoRecordHolds(t *testing.T) {
	const longest = 32767
	run(t, group.Config{}, func(h *harness) {
		caller := group.Caller{ClientID: "client", ClientHost: "/127.0.0.1"}
		ask := func(caller group.Caller, req *kmsg.JoinGroupRequest) call[*kmsg.JoinGroupResponse] {
			c, reply := newCall[*kmsg.JoinGroupResponse]()
			h.c.JoinGroup(caller, req, reply)
			return c
		}
		a := h.stable("g")
		promised := h.newMember("new")
		for name, change := range map[string]func(*group.Caller, *kmsg.JoinGroupRequest){
			"member ID of a client":    func(c *group.Caller, _ *kmsg.JoinGroupRequest) { c.ClientID = strings.Repeat("c", longest-36) },
			"member ID of an instance": func(_ *group.Caller, r *kmsg.JoinGroupRequest) { r.InstanceID = new(strings.Repeat("i", longest-36)) },
			"client ID": func(c *group.Caller, r *kmsg.JoinGroupRequest) {
				c.ClientID, r.MemberID = strings.Repeat("c", longest+1), promised.id
			},
			"client host":   func(c *group.Caller, _ *kmsg.JoinGroupRequest) { c.ClientHost = strings.Repeat("h", longest+1) },
			"protocol type": func(_ *group.Caller, r *kmsg.JoinGroupRequest) { r.ProtocolType = strings.Repeat("t", longest+1) },
			"protocol": func(_ *group.Caller, r *kmsg.JoinGroupRequest) {
				r.Protocols = append(r.Protocols, offered(strings.Repeat("p", longest+1), nil))
			},
		} {
			for _, id := range []string{"g", "new", "none"} {
				for _, version := range []int16{3, 9} {
					c, req := caller, joinRequest(version, id, "")
					change(&c, req)
					require.Equal(t, kerr.UnknownServerError.Code, ask(c, req).get().ErrorCode, name)
				}
			}
		}
		require.Equal(t, kerr.InvalidGroupID.Code, ask(caller, joinRequest(9, strings.Repeat("g", longest+1), "")).get().ErrorCode)
		require.Equal(t, "Dead", h.state("none"), "nothing was recorded")
		require.Zero(t, a.heartbeats(), "nothing has changed")
		promised.joins()

		caller.ClientID = strings.Repeat("c", longest-37)
		req := joinRequest(3, "long", "")
		req.Protocols[0].Name = strings.Repeat("p", longest)
		resp := ask(caller, req).get()
		require.Zero(t, resp.ErrorCode, "these fit")
		sync := syncRequest("long", resp.MemberID, resp.Generation, resp.MemberID, "A")
		sync.Protocol = resp.Protocol
		require.Equal(t, "A", string(h.sync(sync).get().MemberAssignment))
		h.restart()
		require.Equal(t, "Stable", h.state("long"))
		require.Zero(t, a.heartbeats())
	})
}

// TestEmptyGroupThatCannotBeRecorded: a group that all members have left is empty and
// can be joined, even if the log refuses its record.
func TestEmptyGroupThatCannotBeRecorded(t *testing.T) {
	run(t, group.Config{}, func(h *harness) {
		m := h.stable("g")
		h.logs.Limit(1)
		require.Zero(t, h.leave(leaveRequest(5, "g", m.id)).Members[0].ErrorCode)
		require.Equal(t, "Empty", h.state("g"))
		h.logs.Limit(0)
		require.EqualValues(t, 3, h.newMember("g").joins().Generation)
	})
}

func TestTrap54MemberIDRequired(t *testing.T) {
	run(t, group.Config{}, func(h *harness) {
		m := h.newMember("g")
		require.True(t, strings.HasPrefix(m.id, "client-"), m.id)
		resp := m.joins()
		require.EqualValues(t, 1, resp.Generation)
		require.Equal(t, m.id, resp.LeaderID)
		require.Equal(t, "consumer", *resp.ProtocolType)
		require.Equal(t, "range", *resp.Protocol)
		require.Len(t, resp.Members, 1)
		require.Equal(t, subscription("t"), resp.Members[0].ProtocolMetadata)
		require.False(t, resp.SkipAssignment)
		for version := range int16(4) {
			resp := h.join(joinRequest(version, "old"+string('0'+rune(version)), "")).get()
			require.Zero(t, resp.ErrorCode, version)
			require.Equal(t, resp.MemberID, resp.LeaderID)
		}
		for version := int16(4); version < 10; version++ {
			require.Equal(t, kerr.MemberIDRequired.Code, h.join(joinRequest(version, "new", "")).get().ErrorCode, version)
		}
		static := h.static("s", "inst").joins()
		require.True(t, strings.HasPrefix(static.MemberID, "inst-"), static.MemberID)
		require.Equal(t, "inst", *static.Members[0].InstanceID)
	})
}

func TestTrap55PendingIDsBlock(t *testing.T) {
	run(t, group.Config{}, func(h *harness) {
		a := h.stable("g")
		b, c := h.newMember("g"), h.newMember("g")
		joinC := c.startJoin()
		require.Equal(t, kerr.RebalanceInProgress.Code, a.heartbeats())
		joinA := a.startJoin()
		require.True(t, joinA.waits(), "b has an id and has not joined")
		b.joins()
		c.joined(joinC)
		require.Len(t, a.joined(joinA).Members, 3)
	})
}

func TestTrap55PendingIDExpiresBeforeTheJoinTimer(t *testing.T) {
	run(t, group.Config{}, func(h *harness) {
		a := h.stable("g")
		pending := joinRequest(9, "g", "")
		pending.SessionTimeoutMillis = 6000
		resp := h.join(pending).get()
		require.Equal(t, kerr.MemberIDRequired.Code, resp.ErrorCode)
		start := time.Now()
		a.joins()
		require.Equal(t, 6*time.Second, time.Since(start))
		require.Equal(t, kerr.UnknownMemberID.Code, h.join(joinRequest(9, "g", resp.MemberID)).get().ErrorCode)
	})
}

func TestTrap56WhoStartsARebalance(t *testing.T) {
	run(t, group.Config{}, func(h *harness) {
		a, b := h.stablePair("g")
		resp := b.joins()
		require.EqualValues(t, 2, resp.Generation, "an unchanged follower does not")
		require.Equal(t, a.id, resp.LeaderID)
		require.Empty(t, resp.Members)
		require.Zero(t, a.heartbeats())

		joinA := a.startJoin()
		require.True(t, joinA.waits(), "the leader does")
		require.Equal(t, kerr.RebalanceInProgress.Code, b.heartbeats())
		b.joins()
		require.EqualValues(t, 3, a.joined(joinA).Generation)
		require.Equal(t, "CompletingRebalance", h.state("g"))
		require.EqualValues(t, 3, b.joins().Generation, "the same metadata in CompletingRebalance is answered at once")
		require.Len(t, a.joins().Members, 2)
		syncB := b.startSync()
		a.syncs(a.id, "x")
		require.Zero(t, syncB.get().ErrorCode)

		b.req.Protocols = []kmsg.JoinGroupRequestProtocol{offered("range", subscription("u"))}
		joinB := b.startJoin()
		require.True(t, joinB.waits(), "a follower with other metadata does")
		a.joins()
		require.EqualValues(t, 4, b.joined(joinB).Generation)
	})
}

func TestTrap57JoinWaitsForTheRebalanceTimeout(t *testing.T) {
	run(t, group.Config{}, func(h *harness) {
		a := h.newMember("g")
		a.req.RebalanceTimeoutMillis, a.req.SessionTimeoutMillis = 10_000, 60_000
		a.joins()
		a.syncs()
		b := h.newMember("g")
		b.req.RebalanceTimeoutMillis = 2000
		start := time.Now()
		resp := b.joins() // a never joins again
		require.Equal(t, 10*time.Second, time.Since(start), "the largest of the members' timeouts")
		require.Equal(t, b.id, resp.LeaderID)
		require.Len(t, resp.Members, 1)
		require.Equal(t, kerr.UnknownMemberID.Code, a.heartbeats())
	})
}

func TestTrap57SlowMemberIsWaitedFor(t *testing.T) {
	run(t, group.Config{}, func(h *harness) {
		a := h.stable("g")
		b := h.newMember("g")
		joinB := b.startJoin()
		a.beats(29 * time.Second)
		require.True(t, joinB.waits())
		a.joins()
		require.EqualValues(t, 2, b.joined(joinB).Generation)
	})
}

func TestTrap58ParkedMembersAreAnswered(t *testing.T) {
	run(t, group.Config{}, func(h *harness) {
		a, b := h.stablePair("left-while-joining")
		b.req.Protocols[0].Metadata = subscription("u")
		joinB := b.startJoin()
		require.True(t, joinB.waits())
		h.leave(leaveRequest(5, a.group, b.id))
		require.Equal(t, kerr.UnknownMemberID.Code, joinB.get().ErrorCode)

		a, b = joinedPair(h, "rebalance-while-syncing")
		syncB := b.startSync()
		require.True(t, syncB.waits())
		h.leave(leaveRequest(5, a.group, a.id))
		require.Equal(t, kerr.RebalanceInProgress.Code, syncB.get().ErrorCode)

		a, b = joinedPair(h, "left-while-syncing")
		syncB = b.startSync()
		require.True(t, syncB.waits())
		h.leave(leaveRequest(5, a.group, b.id))
		require.Equal(t, kerr.UnknownMemberID.Code, syncB.get().ErrorCode)

		a, b = h.stablePair("joined-twice")
		b.req.Protocols[0].Metadata = subscription("u")
		first := b.startJoin()
		require.True(t, first.waits())
		second := b.startJoin()
		require.Equal(t, kerr.RebalanceInProgress.Code, first.get().ErrorCode)
		a.joins()
		b.joined(second)
	})
}

// joinedPair returns the members of a new group of two, in CompletingRebalance.
func joinedPair(h *harness, id string) (leader, follower *member) {
	leader = h.stable(id)
	follower = h.newMember(id)
	c := follower.startJoin()
	leader.joins()
	follower.joined(c)
	return leader, follower
}

func TestTrap60ProtocolBelowVersion7(t *testing.T) {
	run(t, group.Config{}, func(h *harness) {
		for _, version := range []int16{5, 7} {
			resp := h.join(joinRequest(version, "g", "nobody")).get()
			decoded := kmsg.NewPtrJoinGroupResponse()
			decoded.Version = version
			require.Equal(t, version, resp.Version)
			require.NoError(t, decoded.ReadFrom(resp.AppendTo(nil)))
			if version < 7 {
				require.Empty(t, *decoded.Protocol)
			} else {
				require.Nil(t, decoded.Protocol)
			}
		}
		_, b := h.stablePair("pair")
		require.Empty(t, b.joins().Members, "followers see no members")
	})
}

func TestTrap61StaticRestart(t *testing.T) {
	run(t, group.Config{}, func(h *harness) {
		old := h.static("g", "inst")
		old.joins()
		old.syncs(old.id, "A")
		again := h.static("g", "inst")
		resp := again.joins()
		require.EqualValues(t, 1, resp.Generation)
		require.NotEqual(t, old.id, resp.MemberID)
		require.True(t, resp.SkipAssignment)
		require.Equal(t, resp.MemberID, resp.LeaderID)
		require.Len(t, resp.Members, 1)
		require.Equal(t, "A", string(again.syncs().MemberAssignment))

		require.Equal(t, kerr.UnknownMemberID.Code, old.heartbeats())
		hb := heartbeatRequest("g", old.id, 1)
		hb.InstanceID = new("inst")
		require.Equal(t, kerr.FencedInstanceID.Code, h.heartbeat(hb))

		before := h.static("g", "inst")
		before.req.Version = 8
		resp = before.joins()
		require.EqualValues(t, 1, resp.Generation)
		require.Equal(t, again.id, resp.LeaderID, "the former self, so that it does not assign")
		require.Empty(t, resp.Members)

		h.restart()
		require.Zero(t, h.heartbeat(heartbeatRequest("g", before.id, 1)), "the new id is durable")
		require.Equal(t, "A", string(before.syncs().MemberAssignment))
	})
}

func TestStaticMemberThatWaitsIsFenced(t *testing.T) {
	run(t, group.Config{}, func(h *harness) {
		lead := h.stable("g")
		old := h.static("g", "inst")
		first := old.startJoin()
		require.True(t, first.waits())
		again := h.static("g", "inst")
		second := again.startJoin()
		resp := first.get()
		require.Equal(t, kerr.FencedInstanceID.Code, resp.ErrorCode)
		lead.joins()
		again.joined(second)
		waiting := again.startSync()
		require.True(t, waiting.waits())
		third := h.static("g", "inst")
		joinThird := third.startJoin()
		require.Equal(t, kerr.FencedInstanceID.Code, waiting.get().ErrorCode)
		require.Equal(t, kerr.RebalanceInProgress.Code, lead.heartbeats(), "replaced in CompletingRebalance: once more")
		lead.joins()
		require.EqualValues(t, 3, third.joined(joinThird).Generation)
	})
}

// TestStaticMemberOfALostGeneration: a static member was restarted in a generation that
// the coordinator had not recorded when it stopped. Its old member ID, which replay
// restores, does not fence it. It joins again, and only then is the old ID fenced.
func TestStaticMemberOfALostGeneration(t *testing.T) {
	run(t, group.Config{}, func(h *harness) {
		a := h.static("g", "a")
		a.joins()
		require.Zero(t, a.syncs(a.id, "A").ErrorCode)
		b := h.static("g", "b")
		joining := b.startJoin()
		require.True(t, joining.waits())
		again := h.static("g", "a") // the process of member a is restarted
		again.joins()
		b.joined(joining)
		h.restart()

		ask := func(m *member) map[string]int16 {
			sync := syncRequest("g", m.id, m.generation)
			beat := heartbeatRequest("g", m.id, m.generation)
			commit := commitRequest(8, "g", "t", 1)
			commit.MemberID, commit.Generation = m.id, m.generation
			sync.InstanceID, beat.InstanceID, commit.InstanceID = m.req.InstanceID, m.req.InstanceID, m.req.InstanceID
			return map[string]int16{"sync": h.sync(sync).get().ErrorCode, "heartbeat": h.heartbeat(beat), "commit": h.commit(commit)}
		}
		for name, code := range ask(again) {
			require.Equal(t, kerr.UnknownMemberID.Code, code, name)
		}
		early := &member{h: h, group: "g", id: again.id, generation: a.generation, req: a.req}
		for name, code := range ask(early) {
			require.Equal(t, kerr.FencedInstanceID.Code, code, "%s of a generation that there was", name)
		}
		late := &member{h: h, group: "g", id: a.id, generation: again.generation, req: a.req}
		for name, code := range ask(late) {
			require.Equal(t, kerr.IllegalGeneration.Code, code, "%s of a member that is known", name)
		}
		again.joins()
		require.Zero(t, again.syncs(again.id, "A").ErrorCode)
		for name, code := range ask(a) {
			require.Equal(t, kerr.FencedInstanceID.Code, code, name)
		}
	})
}

func TestStaticReplacementWaitsForDurability(t *testing.T) {
	run(t, group.Config{}, func(h *harness) {
		old := h.static("g", "inst")
		old.joins()
		old.syncs(old.id, "A")
		h.logs.Hold()
		again := h.static("g", "inst")
		c := again.startJoin()
		require.True(t, c.waits())
		h.logs.Release()
		require.True(t, again.joined(c).SkipAssignment)
	})
}

func TestStaticReplacementThatChangesTheProtocol(t *testing.T) {
	run(t, group.Config{}, func(h *harness) {
		old := h.static("g", "inst")
		old.joins()
		old.syncs(old.id, "A")
		again := h.static("g", "inst")
		again.req.Protocols = append([]kmsg.JoinGroupRequestProtocol{offered("sticky", nil)}, again.req.Protocols...)
		resp := again.joins()
		require.EqualValues(t, 2, resp.Generation)
		require.Equal(t, "sticky", *resp.Protocol)
	})
}

func TestStaticMemberMissesTheRebalance(t *testing.T) {
	run(t, group.Config{}, func(h *harness) {
		s := h.static("g", "inst")
		s.req.SessionTimeoutMillis, s.req.RebalanceTimeoutMillis = 120_000, 10_000
		s.joins()
		s.syncs(s.id, "A")
		b := h.newMember("g")
		b.req.RebalanceTimeoutMillis = 10_000
		resp := b.joins()
		require.Equal(t, b.id, resp.LeaderID, "the leader is among those who joined")
		require.Len(t, resp.Members, 2, "the static member keeps its place")
		require.Equal(t, kerr.IllegalGeneration.Code, s.heartbeats())
	})
}

func TestProtocolVote(t *testing.T) {
	run(t, group.Config{}, func(h *harness) {
		a := h.newMember("g")
		a.req.Protocols = []kmsg.JoinGroupRequestProtocol{offered("range", []byte("r")), offered("roundrobin", []byte("rr"))}
		require.Equal(t, "range", *a.joins().Protocol)
		a.syncs()
		b := h.newMember("g")
		b.req.Protocols = []kmsg.JoinGroupRequestProtocol{offered("roundrobin", []byte("b"))}
		joinB := b.startJoin()
		resp := a.joins()
		require.Equal(t, "roundrobin", *resp.Protocol)
		for _, m := range resp.Members {
			if m.MemberID == a.id {
				require.Equal(t, "rr", string(m.ProtocolMetadata))
			}
		}
		b.joined(joinB)
		for change, req := range map[string]*kmsg.JoinGroupRequest{"protocol": joinRequest(3, "g", ""), "type": joinRequest(3, "g", "")} {
			if change == "type" {
				req.ProtocolType = "connect"
			}
			require.Equal(t, kerr.InconsistentGroupProtocol.Code, h.join(req).get().ErrorCode, change)
		}
	})
}

// TestManyProtocols: members that offer very many protocols, and have only one in common,
// find it quickly. A comparison of each with each would keep the shard busy for minutes.
func TestManyProtocols(t *testing.T) {
	run(t, group.Config{InitialRebalanceDelay: time.Second}, func(h *harness) {
		var members []*member
		var joins []call[*kmsg.JoinGroupResponse]
		for i := range 4 {
			m := &member{h: h, group: "g", req: joinRequest(3, "g", "")}
			m.req.Protocols = nil
			for k := range 100_000 {
				m.req.Protocols = append(m.req.Protocols, offered(fmt.Sprint(i, k), nil))
			}
			m.req.Protocols = append(m.req.Protocols, offered("common", []byte{byte(i)}))
			members, joins = append(members, m), append(joins, m.startJoin())
		}
		for i, m := range members {
			require.Equal(t, "common", *m.joined(joins[i]).Protocol)
		}
		stranger := joinRequest(3, "g", "")
		stranger.Protocols = members[0].req.Protocols[:100_000]
		require.Equal(t, kerr.InconsistentGroupProtocol.Code, h.join(stranger).get().ErrorCode)
		h.check(0)
	})
}

func TestInitialDelayExtends(t *testing.T) {
	run(t, group.Config{InitialRebalanceDelay: 3 * time.Second}, func(h *harness) {
		start := time.Now()
		a, b := h.newMember("g"), h.newMember("g")
		joinA := a.startJoin()
		time.Sleep(2 * time.Second)
		joinB := b.startJoin()
		a.joined(joinA)
		require.Equal(t, 6*time.Second, time.Since(start), "b extends it once")
		require.EqualValues(t, 1, b.joined(joinB).Generation)
		require.Equal(t, a.id, b.joins().LeaderID)
	})
}

func TestInitialDelayEndsAtTheRebalanceTimeout(t *testing.T) {
	run(t, group.Config{InitialRebalanceDelay: 3 * time.Second}, func(h *harness) {
		start := time.Now()
		first := joinRequest(3, "g", "")
		first.RebalanceTimeoutMillis = 7000
		joins := []call[*kmsg.JoinGroupResponse]{h.join(first)}
		for range 8 {
			time.Sleep(900 * time.Millisecond)
			if !joins[0].waits() {
				break
			}
			req := joinRequest(3, "g", "")
			req.RebalanceTimeoutMillis = 7000
			joins = append(joins, h.join(req))
		}
		require.Zero(t, joins[0].get().ErrorCode)
		require.Less(t, time.Since(start), 8*time.Second)
		require.Greater(t, time.Since(start), 6*time.Second)
	})
}

func TestInitialDelayOfEverybodyLeaving(t *testing.T) {
	run(t, group.Config{InitialRebalanceDelay: 3 * time.Second}, func(h *harness) {
		a := h.newMember("g")
		joinA := a.startJoin()
		require.True(t, joinA.waits())
		h.leave(leaveRequest(4, "g", a.id))
		require.Equal(t, kerr.UnknownMemberID.Code, joinA.get().ErrorCode)
		require.Equal(t, "PreparingRebalance", h.state("g"))
		time.Sleep(4 * time.Second)
		require.Equal(t, "Empty", h.state("g"))
	})
}

func TestGroupMaxSize(t *testing.T) {
	run(t, group.Config{MaxSize: 2}, func(h *harness) {
		a, b := h.stablePair("g")
		require.Equal(t, kerr.GroupMaxSizeReached.Code, h.join(joinRequest(9, "g", "")).get().ErrorCode)
		joinA := a.startJoin()
		require.True(t, joinA.waits())
		joinA2 := a.startJoin()
		require.Equal(t, kerr.RebalanceInProgress.Code, joinA.get().ErrorCode, "who waits may join again")
		b.joins()
		a.joined(joinA2)
	})
}

func TestLoadedGroupOverTheMaxSize(t *testing.T) {
	run(t, group.Config{}, func(h *harness) {
		a, b := h.stablePair("g")
		h.cfg.MaxSize = 1
		h.restart()
		require.Equal(t, "PreparingRebalance", h.state("g"))
		joinA := a.startJoin()
		require.True(t, joinA.waits())
		again := a.startJoin()
		require.Equal(t, kerr.RebalanceInProgress.Code, joinA.get().ErrorCode)
		require.True(t, again.waits(), "who has joined may join again")
		require.Equal(t, kerr.GroupMaxSizeReached.Code, b.startJoin().get().ErrorCode)
		require.Len(t, a.joined(again).Members, 1)
	})
}

func TestNewMemberWhoseClientIsGone(t *testing.T) {
	run(t, group.Config{}, func(h *harness) {
		a := h.stable("g")
		a.req.RebalanceTimeoutMillis = 900_000
		joinA := a.startJoin()
		a.joined(joinA)
		a.syncs()
		gone := h.newMember("g").startJoin()
		start := time.Now()
		for gone.waits() {
			a.beats(5 * time.Second)
		}
		require.Equal(t, kerr.UnknownMemberID.Code, gone.get().ErrorCode)
		require.Equal(t, 300*time.Second, time.Since(start).Truncate(5*time.Second))
	})
}

func TestVersion0UsesTheSessionTimeout(t *testing.T) {
	run(t, group.Config{}, func(h *harness) {
		req := joinRequest(0, "g", "")
		req.SessionTimeoutMillis, req.RebalanceTimeoutMillis = 7000, -1
		resp := h.join(req).get()
		require.Zero(t, h.sync(syncRequest("g", resp.MemberID, 1, resp.MemberID, "x")).get().ErrorCode)
		start := time.Now()
		b := h.newMember("g")
		b.req.RebalanceTimeoutMillis = 1000
		b.joins()
		require.Equal(t, 7*time.Second, time.Since(start))
	})
}

// TestMembersMaxBytes: all members share one memory limit. A join above it is refused,
// and succeeds when it is tried again once there is room.
func TestMembersMaxBytes(t *testing.T) {
	run(t, group.Config{MembersMaxBytes: 20_000}, func(h *harness) {
		large := joinRequest(3, "large", "")
		large.Protocols[0].Metadata = make([]byte, 15_000)
		first := h.join(large).get()
		require.Zero(t, first.ErrorCode)
		other := joinRequest(3, "other", "")
		other.Protocols[0].Metadata = make([]byte, 6_000)
		require.Equal(t, kerr.CoordinatorNotAvailable.Code, h.join(other).get().ErrorCode)
		require.Zero(t, h.join(joinRequest(3, "small", "")).get().ErrorCode, "little is taken")

		large.MemberID = first.MemberID
		again := h.join(large).get()
		require.Zero(t, again.ErrorCode, "what is there already does not count twice")
		h.leave(leaveRequest(2, "large", again.MemberID))
		require.Zero(t, h.join(other).get().ErrorCode)
		h.restart()
		h.c.Close()
		require.Zero(t, h.c.Held())
	})
}

// TestMembersMaxBytesCountsEverything: whatever clients send, the limit holds, groups
// use no more memory than is counted, and the count returns to zero.
func TestMembersMaxBytesCountsEverything(t *testing.T) {
	const limit = 8 << 20
	long := strings.Repeat("x", 32_000)
	var topics []string
	for i := range 30_000 {
		topics = append(topics, fmt.Sprintf("%05d", i))
	}
	metadata := subscription(topics...)
	var many []kmsg.JoinGroupRequestProtocol
	for i := range 10_000 {
		many = append(many, offered(fmt.Sprintf("protocol-%05d", i), nil))
	}
	for name, join := range map[string]func(i int) (group.Caller, *kmsg.JoinGroupRequest){
		"promised IDs": func(int) (group.Caller, *kmsg.JoinGroupRequest) {
			return group.Caller{ClientID: long}, joinRequest(4, "g", "")
		},
		"client IDs": func(i int) (group.Caller, *kmsg.JoinGroupRequest) {
			return group.Caller{ClientID: long}, joinRequest(3, fmt.Sprint("g", i), "")
		},
		"client hosts": func(i int) (group.Caller, *kmsg.JoinGroupRequest) {
			return group.Caller{ClientHost: long}, joinRequest(3, fmt.Sprint("g", i), "")
		},
		"instances": func(i int) (group.Caller, *kmsg.JoinGroupRequest) {
			req := joinRequest(9, fmt.Sprint("g", i), "")
			req.InstanceID = &long
			return group.Caller{}, req
		},
		"topics": func(i int) (group.Caller, *kmsg.JoinGroupRequest) {
			req := joinRequest(3, fmt.Sprint("g", i), "")
			req.Protocols[0].Metadata = metadata
			return group.Caller{}, req
		},
		"protocols": func(i int) (group.Caller, *kmsg.JoinGroupRequest) {
			req := joinRequest(3, fmt.Sprint("g", i), "")
			req.Protocols = many
			return group.Caller{}, req
		},
		"little": func(i int) (group.Caller, *kmsg.JoinGroupRequest) {
			return group.Caller{}, joinRequest([]int16{3, 4}[i%2], fmt.Sprint("g", i), "")
		},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, group.Config{MembersMaxBytes: limit}, func(h *harness) {
				heap := func() int64 {
					runtime.GC()
					var m runtime.MemStats
					runtime.ReadMemStats(&m)
					return int64(m.HeapAlloc)
				}
				before := heap()
				joined := 0
				for ; joined < 10_000; joined++ {
					caller, req := join(joined)
					c, reply := newCall[*kmsg.JoinGroupResponse]()
					h.c.JoinGroup(caller, req, reply)
					code := c.get().ErrorCode
					if code == kerr.CoordinatorNotAvailable.Code {
						break
					}
					require.Contains(t, []int16{0, kerr.MemberIDRequired.Code}, code)
				}
				require.Greater(t, joined, 2)
				require.Less(t, joined, 10_000)
				require.LessOrEqual(t, h.c.Held(), int64(limit))
				require.Less(t, heap()-before, h.c.Held()+h.c.Held()/2, "groups and their records take some too")
				h.check(0)
				time.Sleep(time.Hour)
				require.Zero(t, h.c.Held())
			})
		})
	}
}

// TestMemberTakesThePlaceOfItsFormerSelf: the memory of a pending ID that joins, a member
// that joins again, or a static member that is restarted is not counted twice.
func TestMemberTakesThePlaceOfItsFormerSelf(t *testing.T) {
	run(t, group.Config{MembersMaxBytes: 100_000}, func(h *harness) {
		caller := group.Caller{ClientID: strings.Repeat("c", 20_000)}
		join := func(req *kmsg.JoinGroupRequest) *kmsg.JoinGroupResponse {
			c, reply := newCall[*kmsg.JoinGroupResponse]()
			h.c.JoinGroup(caller, req, reply)
			return c.get()
		}
		req := joinRequest(9, "g", "")
		req.Protocols[0].Metadata = make([]byte, 50_000)
		resp := join(req)
		require.Equal(t, kerr.MemberIDRequired.Code, resp.ErrorCode)
		req.MemberID = resp.MemberID
		for range 3 {
			require.Zero(t, join(req).ErrorCode)
			h.check(0)
		}
		h.leave(leaveRequest(5, "g", req.MemberID))
		req.MemberID, req.InstanceID = "", new("i")
		for range 3 {
			require.Zero(t, join(req).ErrorCode)
			h.check(0)
		}
	})
}

// TestAssignmentsMaxBytes: an assignment above the memory limit is refused like one that
// is too large for a record.
func TestAssignmentsMaxBytes(t *testing.T) {
	run(t, group.Config{MembersMaxBytes: 20_000}, func(h *harness) {
		m := h.newMember("g")
		m.joins()
		require.Equal(t, kerr.UnknownServerError.Code, m.syncs(m.id, strings.Repeat("x", 30_000)).ErrorCode)
		for range 3 {
			m.joins()
			require.Zero(t, m.syncs(m.id, strings.Repeat("x", 12_000)).ErrorCode)
		}
		h.restart()
		require.Greater(t, h.c.Held(), int64(12_000))
		h.leave(leaveRequest(4, "g", m.id))
		require.Zero(t, h.c.Held())
	})
}
