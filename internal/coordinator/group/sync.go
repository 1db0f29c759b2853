package group

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// protocolVersion is the first version of SyncGroup that names protocol type and
// protocol (KIP-559).
const protocolVersion = 5

func refusedSync(code int16) *kmsg.SyncGroupResponse {
	resp := kmsg.NewPtrSyncGroupResponse()
	resp.ErrorCode = code
	return resp
}

// SyncGroup gives a member its assignment. Followers wait for the leader, whose
// request has all assignments. All members wait until these are durable.
func (c *Coordinator) SyncGroup(req *kmsg.SyncGroupRequest, reply func(*kmsg.SyncGroupResponse)) {
	answer := func(resp *kmsg.SyncGroupResponse) {
		resp.Version = req.Version
		reply(resp)
	}
	refuse := func(code int16) { answer(refusedSync(code)) }
	switch {
	case req.Version >= protocolVersion && (req.ProtocolType == nil || req.Protocol == nil):
		refuse(kerr.InconsistentGroupProtocol.Code)
	case req.Group == "":
		refuse(kerr.InvalidGroupID.Code)
	default:
		c.do(req.Group, func(s *shard) {
			if code := s.sync(req, answer); code != 0 {
				refuse(code)
			}
		}, refuse)
	}
}

// sync returns the code to refuse the request with, or 0: then answer will be called.
func (s *shard) sync(req *kmsg.SyncGroupRequest, answer func(*kmsg.SyncGroupResponse)) int16 {
	g := s.groups[req.Group]
	if g == nil {
		return kerr.UnknownMemberID.Code
	}
	if code := g.validateSync(req); code != 0 {
		return code
	}
	m := g.members[req.MemberID]
	switch g.state {
	case PreparingRebalance:
		return kerr.RebalanceInProgress.Code
	case CompletingRebalance:
		s.parkSync(g, m, answer)
		switch {
		case g.leader != m.id:
		case s.affordsAssignments(g, req.GroupAssignment):
			s.assign(g, req.GroupAssignment)
		default:
			s.refuseAssignment(g, kerr.UnknownServerError.Code)
		}
	case Stable:
		s.parkSync(g, m, answer)
		s.Settled(func(err error) {
			if err == nil {
				s.releaseSync(g, m)
			}
		})
	case Empty, Dead:
		return kerr.UnknownMemberID.Code
	}
	return 0
}

func (g *group) validateSync(req *kmsg.SyncGroupRequest) int16 {
	if code := g.validateIn(req.Generation, req.MemberID, req.InstanceID); code != 0 {
		return code
	}
	switch {
	case req.Generation != g.generation:
		return kerr.IllegalGeneration.Code
	case contradicts(req.ProtocolType, g.protocolType), contradicts(req.Protocol, g.protocol):
		return kerr.InconsistentGroupProtocol.Code
	}
	return 0
}

// contradicts reports whether a request's claim differs from the group's value. A nil
// claim and an empty value contradict nothing.
func contradicts(claim *string, fact string) bool {
	return claim != nil && fact != "" && *claim != fact
}

// parkSync notes that a member has synced and makes it wait. If it has a parked sync
// already, that is answered REBALANCE_IN_PROGRESS: its client has given up on it.
func (s *shard) parkSync(g *group, m *member, answer func(*kmsg.SyncGroupResponse)) {
	m.answerSync(kerr.RebalanceInProgress.Code)
	m.sync = answer
	m.syncDue = false
	if g.allSynced() {
		s.Cancel(&g.syncTimer)
	}
}

// assign records the leader's assignments, which makes the group Stable. Members
// that the leader left out get an empty assignment. The parked members are answered
// when the record is durable, unless a rebalance begins meanwhile, which then answers
// them.
func (s *shard) assign(g *group, list []kmsg.SyncGroupRequestGroupAssignment) {
	assignments := make(map[string][]byte, len(list))
	for _, a := range list {
		assignments[a.MemberID] = a.MemberAssignment
	}
	generation := g.generation
	err := s.append(func(err error) {
		if err != nil || g.state != Stable || g.generation != generation {
			return
		}
		for _, m := range g.ordered() {
			s.releaseSync(g, m)
		}
	}, g.snapshot(assignments))
	if err != nil {
		s.refuseAssignment(g, clientCode(err))
	}
}

// refuseAssignment answers all parked syncs with code, because the assignments could not
// be recorded, and starts another rebalance.
func (s *shard) refuseAssignment(g *group, code int16) {
	for _, m := range g.ordered() {
		if m.sync != nil {
			m.answerSync(code)
			s.refreshSession(g, m)
		}
	}
	s.prepare(g, "the assignment could not be recorded")
}

// releaseSync answers a parked sync with the member's assignment.
func (s *shard) releaseSync(g *group, m *member) {
	if m.sync == nil || g.state != Stable || g.member(m.id) != m {
		return
	}
	reply := m.sync
	m.sync = nil
	resp := kmsg.NewPtrSyncGroupResponse()
	resp.ProtocolType, resp.Protocol = nullable(g.protocolType), nullable(g.protocol)
	resp.MemberAssignment = m.assignment
	s.refreshSession(g, m)
	reply(resp)
}
