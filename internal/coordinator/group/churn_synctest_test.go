package group_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/coordinator/group"
)

// client is a member that sends random requests, in no sensible order.
type client struct {
	*member
	r *rand.Rand
	// The requests that are not answered yet.
	joining []call[*kmsg.JoinGroupResponse]
	syncing []call[*kmsg.SyncGroupResponse]
	peers   []string // the members of the group, if it leads
	// protocol is the protocol of its generation.
	protocol string
}

func (c *client) act() {
	c.collect()
	switch c.r.IntN(10) {
	case 0, 1, 2:
		if c.r.IntN(4) == 0 {
			c.req.Protocols = []kmsg.JoinGroupRequestProtocol{offered("range", subscription([]string{"t", "u"}[c.r.IntN(2)]))}
			for range c.r.IntN(3) {
				c.req.Protocols = slices.Insert(c.req.Protocols, c.r.IntN(len(c.req.Protocols)+1),
					offered([]string{"range", "sticky", "own"}[c.r.IntN(3)], subscription("t")))
			}
		}
		c.joining = append(c.joining, c.startJoin())
	case 3, 4, 5:
		var assignments []string
		for _, id := range c.peers {
			assignments = append(assignments, id, fmt.Sprint(c.r.IntN(100)))
		}
		req := syncRequest(c.group, c.id, c.generation, assignments...)
		req.Protocol = &c.protocol
		c.syncing = append(c.syncing, c.h.sync(req))
	case 6:
		c.heartbeats()
	case 7:
		req := commitRequest(8, c.group, []string{"t", "u"}[c.r.IntN(2)], c.r.Int64N(1000))
		req.MemberID, req.Generation = c.id, c.generation
		c.h.startCommit(req)
	case 8:
		if c.r.IntN(3) == 0 {
			req := leaveRequest(5, c.group, c.id)
			req.Members[0].InstanceID = c.req.InstanceID
			c.h.c.LeaveGroup(req, func(*kmsg.LeaveGroupResponse) {})
		}
	case 9:
		if c.r.IntN(2) == 0 && c.req.InstanceID != nil {
			c.req.MemberID = "" // restarted
		}
	}
}

// collect takes the answers that have arrived.
func (c *client) collect() {
	c.joining = drain(c.joining, func(resp *kmsg.JoinGroupResponse) {
		switch resp.ErrorCode {
		case 0:
			c.id, c.generation, c.peers = resp.MemberID, resp.Generation, nil
			c.protocol = *resp.Protocol
			for _, m := range resp.Members {
				c.peers = append(c.peers, m.MemberID)
			}
		case kerr.MemberIDRequired.Code:
			c.id = resp.MemberID
		case kerr.UnknownMemberID.Code, kerr.FencedInstanceID.Code:
			c.id = ""
		}
		c.req.MemberID = c.id
	})
	c.syncing = drain(c.syncing, func(*kmsg.SyncGroupResponse) {})
}

func drain[T any](calls []call[T], f func(T)) (rest []call[T]) {
	for _, c := range calls {
		select {
		case v := <-c.answers:
			f(v)
		default:
			rest = append(rest, c)
		}
	}
	return rest
}

// Whatever clients do, the invariants hold, no answer is lost or given twice, and
// a restart finds the durable state.
func TestChurn(t *testing.T) {
	for seed := range uint64(25) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			cfg := group.Config{InitialRebalanceDelay: time.Duration(seed%3) * time.Second, MaxSize: []int{2, 100}[seed%2]}
			run(t, cfg, func(h *harness) { churn(h, rand.New(rand.NewPCG(seed, 1))) })
		})
	}
}

func churn(h *harness, r *rand.Rand) {
	var clients []*client
	groups := []string{"a", "b", "c"}
	for i := range 9 {
		m := &member{h: h, group: groups[i%3], req: joinRequest([]int16{3, 9}[r.IntN(2)], groups[i%3], "")}
		if r.IntN(3) == 0 {
			m.req.InstanceID = new(fmt.Sprint("instance", i%5))
		}
		clients = append(clients, &client{member: m, r: r})
	}
	for step := range 400 {
		clients[r.IntN(len(clients))].act()
		switch r.IntN(20) {
		case 0:
			h.logs.Hold()
		case 1, 2:
			h.logs.Release()
		case 3:
			time.Sleep(time.Duration(r.IntN(20)) * time.Second)
		}
		synctest.Wait()
		h.check(step)
	}
	h.logs.Release()
	synctest.Wait()
	before := h.snapshot(groups)
	h.restart()
	after := h.snapshot(groups)
	for id, g := range before {
		require.Equal(h.t, g.offsets, after[id].offsets)
		if g.State == "Stable" || g.State == "Empty" {
			require.Equal(h.t, g.DescribeGroupsResponseGroup, after[id].DescribeGroupsResponseGroup)
		}
	}
	for _, c := range clients {
		c.collect()
		require.Empty(h.t, c.joining, "closing answered who waited")
		require.Empty(h.t, c.syncing)
	}
	time.Sleep(time.Hour)
	for id, g := range h.snapshot(groups) {
		require.Contains(h.t, []string{"Empty", "Dead"}, g.State, id)
	}
	h.check(-1)
}

func (h *harness) check(step int) {
	h.t.Helper()
	ended, done := newCall[error]()
	h.c.Check(done)
	require.NoError(h.t, ended.get(), "after step %d", step)
}

// durable is the state of a group that a client can see.
type durable struct {
	kmsg.DescribeGroupsResponseGroup
	offsets []kmsg.OffsetFetchResponseGroupTopic
}

func (h *harness) snapshot(ids []string) map[string]durable {
	all := make(map[string]durable)
	for _, id := range ids {
		all[id] = durable{h.describe(5, id), h.startFetch(fetchRequest(9, id, "")).get().Groups[0].Topics}
	}
	return all
}

// A log that keeps failing loses no commit that was answered.
func TestChurnWithFailures(t *testing.T) {
	for seed := range uint64(10) {
		run(t, group.Config{}, func(h *harness) {
			r := rand.New(rand.NewPCG(seed, 2))
			answered := map[int32]int64{}
			for i := range int64(200) {
				p := r.Int32N(3)
				req := commitRequest(8, "g", "t", i)
				req.Topics[0].Partitions[0].Partition = p
				if r.IntN(3) == 0 {
					h.logs.Hold()
				}
				commit := h.startCommit(req)
				synctest.Wait()
				switch r.IntN(6) {
				case 0:
					h.logs.Fail()
				default:
					h.logs.Release()
				}
				if commit.get().Topics[0].Partitions[0].ErrorCode == 0 {
					answered[p] = i
				}
				if r.IntN(2) == 0 {
					time.Sleep(time.Second)
				}
			}
			time.Sleep(time.Minute)
			h.c.LoadAll()
			synctest.Wait()
			for p, want := range answered {
				got := h.startFetch(fetchRequest(9, "g", "t", p)).get().Groups[0]
				require.Zero(t, got.ErrorCode)
				require.Equal(t, want, got.Topics[0].Partitions[0].Offset)
			}
		})
	}
}
