package group_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/coordinator/group"
)

func TestTrap72DescribeUnknown(t *testing.T) {
	run(t, group.Config{}, func(h *harness) {
		g := h.describe(5, "none")
		require.Zero(t, g.ErrorCode)
		require.Equal(t, "Dead", g.State)
		require.Empty(t, g.Members)
		g = h.describe(6, "none")
		require.Equal(t, kerr.GroupIDNotFound.Code, g.ErrorCode)
		require.Equal(t, "Dead", g.State)
		require.Equal(t, "Group none not found.", *g.ErrorMessage)
		require.Equal(t, "Dead", h.describe(5, "").State, "the empty id may be asked for")
	})
}

func TestTrap73Describe(t *testing.T) {
	run(t, group.Config{}, func(h *harness) {
		m := h.newMember("g")
		m.joins()
		g := h.describe(5, "g")
		require.Equal(t, "CompletingRebalance", g.State)
		require.Empty(t, g.Protocol)
		require.Len(t, g.Members, 1)
		require.Empty(t, g.Members[0].ProtocolMetadata)
		m.syncs(m.id, "A")
		for version := range int16(7) {
			g := h.describe(version, "g")
			require.Equal(t, "Stable", g.State)
			require.Equal(t, "consumer", g.ProtocolType)
			require.Equal(t, "range", g.Protocol)
			require.EqualValues(t, -1<<31, g.AuthorizedOperations)
			require.Equal(t, "client", g.Members[0].ClientID)
			require.Equal(t, "/127.0.0.1", g.Members[0].ClientHost)
			require.Equal(t, subscription("t"), g.Members[0].ProtocolMetadata)
			require.Equal(t, "A", string(g.Members[0].MemberAssignment))
		}
	})
}

func TestTrap72ListGroups(t *testing.T) {
	run(t, group.Config{}, func(h *harness) {
		require.Empty(t, h.list(nil, nil).Groups)
		h.stable("stable")
		h.commit(commitRequest(8, "simple", "t", 1))
		h.newMember("fresh")
		names := func(states, types []string) (names []string) {
			resp := h.list(states, types)
			require.Zero(t, resp.ErrorCode)
			for _, g := range resp.Groups {
				names = append(names, g.Group+" "+g.GroupState+" "+g.GroupType+" "+g.ProtocolType)
			}
			return names
		}
		all := []string{"fresh Empty classic ", "simple Empty classic ", "stable Stable classic consumer"}
		require.Equal(t, all, names(nil, nil))
		require.Equal(t, all[2:], names([]string{"stable"}, nil))
		require.Equal(t, all[:2], names([]string{"EMPTY", "Nonsense"}, nil))
		require.Empty(t, names([]string{"Nonsense"}, nil))
		require.Equal(t, all, names(nil, []string{"Classic"}))
		require.Empty(t, names(nil, []string{"consumer"}))
		require.Empty(t, names(nil, []string{"nonsense"}))
	})
}

func TestDeleteGroups(t *testing.T) {
	run(t, group.Config{}, func(h *harness) {
		m := h.stable("g")
		m.commit(1)
		require.Equal(t, kerr.NonEmptyGroup.Code, h.deleteGroup("g"))
		require.Equal(t, kerr.GroupIDNotFound.Code, h.deleteGroup("none"))
		h.leave(leaveRequest(5, "g", m.id))
		require.Zero(t, h.deleteGroup("g"))
		require.Equal(t, kerr.GroupIDNotFound.Code, h.deleteGroup("g"))
		require.Equal(t, "Dead", h.state("g"))
		require.EqualValues(t, -1, h.offset("g", "t"))

		p := h.newMember("pending")
		require.Zero(t, h.deleteGroup("pending"))
		require.Equal(t, kerr.UnknownMemberID.Code, p.startJoin().get().ErrorCode)
		h.commit(commitRequest(8, "simple", "t", 1))
		require.Zero(t, h.deleteGroup("simple"))
		h.restart()
		require.Empty(t, h.list(nil, nil).Groups)
	})
}

func TestCustomProtocolTypes(t *testing.T) {
	run(t, group.Config{}, func(h *harness) {
		m := h.newMember("g")
		m.req.ProtocolType = "connect"
		m.req.Protocols = []kmsg.JoinGroupRequestProtocol{offered("sessioned", []byte{0xff})}
		m.joins()
		req := syncRequest("g", m.id, 1, m.id, "\x00\xff")
		req.ProtocolType, req.Protocol = new("connect"), new("sessioned")
		require.Equal(t, "\x00\xff", string(h.sync(req).get().MemberAssignment))
		require.Equal(t, "connect", h.describe(5, "g").ProtocolType)
		h.leave(leaveRequest(5, "g", m.id))
		require.Zero(t, h.join(joinRequest(3, "g", "")).get().ErrorCode, "an empty group takes any type")
		require.Equal(t, "consumer", h.describe(5, "g").ProtocolType)
	})
}
