package group

import (
	"log/slog"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Heartbeat keeps a member's session alive. While the group is being loaded it answers
// without an error, so that loading does not disturb the members.
func (c *Coordinator) Heartbeat(req *kmsg.HeartbeatRequest, reply func(*kmsg.HeartbeatResponse)) {
	answer := func(code int16) {
		resp := kmsg.NewPtrHeartbeatResponse()
		resp.Version, resp.ErrorCode = req.Version, code
		reply(resp)
	}
	if req.Group == "" {
		answer(kerr.InvalidGroupID.Code)
		return
	}
	c.do(req.Group, func(s *shard) { answer(s.heartbeat(req)) }, func(code int16) {
		if code == kerr.CoordinatorLoadInProgress.Code {
			code = 0
		}
		answer(code)
	})
}

func (s *shard) heartbeat(req *kmsg.HeartbeatRequest) int16 {
	g := s.groups[req.Group]
	if g == nil {
		return kerr.UnknownMemberID.Code
	}
	if code := g.validateIn(req.Generation, req.MemberID, req.InstanceID); code != 0 {
		return code
	}
	if req.Generation != g.generation {
		return kerr.IllegalGeneration.Code
	}
	s.refreshSession(g, g.members[req.MemberID])
	if g.state == PreparingRebalance {
		return kerr.RebalanceInProgress.Code
	}
	return 0
}

// leaveBatchVersion is the first version of LeaveGroup with many members and an
// error for each (KIP-345).
const leaveBatchVersion = 3

// LeaveGroup removes members: those that stop, and static members that an
// administrator names by their instance IDs.
func (c *Coordinator) LeaveGroup(req *kmsg.LeaveGroupRequest, reply func(*kmsg.LeaveGroupResponse)) {
	leaving := req.Members
	if req.Version < leaveBatchVersion {
		m := kmsg.NewLeaveGroupRequestMember()
		m.MemberID = req.MemberID
		leaving = []kmsg.LeaveGroupRequestMember{m}
	}
	answer := func(code int16, members []kmsg.LeaveGroupResponseMember) {
		resp := kmsg.NewPtrLeaveGroupResponse()
		resp.Version, resp.ErrorCode = req.Version, code
		switch {
		case code != 0:
		case req.Version < leaveBatchVersion:
			resp.ErrorCode = members[0].ErrorCode
		default:
			resp.Members = members
		}
		reply(resp)
	}
	if req.Group == "" {
		answer(kerr.InvalidGroupID.Code, nil)
		return
	}
	c.do(req.Group, func(s *shard) {
		members := s.leave(req.Group, leaving)
		s.Settled(func(err error) { answer(clientCode(err), members) })
	}, func(code int16) { answer(code, nil) })
}

func (s *shard) leave(group string, leaving []kmsg.LeaveGroupRequestMember) []kmsg.LeaveGroupResponseMember {
	g := s.groups[group]
	left := false
	answers := make([]kmsg.LeaveGroupResponseMember, 0, len(leaving))
	for _, l := range leaving {
		a := kmsg.NewLeaveGroupResponseMember()
		a.MemberID, a.InstanceID = l.MemberID, l.InstanceID
		a.ErrorCode = kerr.UnknownMemberID.Code
		if g != nil {
			a.ErrorCode = s.leaveOne(g, l)
		}
		left = left || a.ErrorCode == 0
		answers = append(answers, a)
	}
	if left {
		s.afterLoss(g, "members left")
	}
	return answers
}

func (s *shard) leaveOne(g *group, l kmsg.LeaveGroupRequestMember) int16 {
	id := l.MemberID
	switch {
	case id == "" && l.InstanceID != nil:
		id = g.staticID(*l.InstanceID)
	case g.isPending(id):
		s.dropPendingID(g, id)
		return 0
	}
	if code := g.validate(id, l.InstanceID); code != 0 {
		return code
	}
	s.c.log.Info("member left", slog.String("group", g.id), slog.String("member", id))
	s.dismiss(g, g.members[id])
	return 0
}
