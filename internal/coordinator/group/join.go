package group

import (
	"log/slog"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// memberIDVersion is the first version of JoinGroup in which a new dynamic member is
// given an ID and has to join again with it (KIP-394).
const memberIDVersion = 4

// skipAssignmentVersion is the first version of JoinGroup that can tell a leader
// not to assign (KIP-814).
const skipAssignmentVersion = 9

// join is a JoinGroup request that is not answered yet.
type join struct {
	caller Caller
	req    *kmsg.JoinGroupRequest
	reply  func(*kmsg.JoinGroupResponse)
}

// answer gives resp the request's version and replies.
func (j *join) answer(resp *kmsg.JoinGroupResponse) {
	resp.Version = j.req.Version
	j.reply(resp)
}

func (j *join) refuse(code int16) { j.answer(refusedJoin(j.req.MemberID, code)) }

// refusedJoin returns the answer to a join that failed. Its protocol is nil, which is
// encoded as "" in versions that have no null there.
func refusedJoin(memberID string, code int16) *kmsg.JoinGroupResponse {
	resp := kmsg.NewPtrJoinGroupResponse()
	resp.ErrorCode, resp.Generation, resp.MemberID = code, -1, memberID
	return resp
}

// JoinGroup admits a member to the next generation of its group. A member that is not
// refused is answered when the join phase ends.
func (c *Coordinator) JoinGroup(caller Caller, req *kmsg.JoinGroupRequest, reply func(*kmsg.JoinGroupResponse)) {
	j := &join{caller, req, reply}
	session := millis(req.SessionTimeoutMillis)
	switch {
	case req.Group == "":
		j.refuse(kerr.InvalidGroupID.Code)
	case !j.writable():
		j.refuse(kerr.UnknownServerError.Code)
	case session < c.cfg.MinSessionTimeout || session > c.cfg.MaxSessionTimeout:
		j.refuse(kerr.InvalidSessionTimeout.Code)
	default:
		c.do(req.Group, func(s *shard) { s.join(j) }, j.refuse)
	}
}

// writable reports whether the strings of the join's member, and the member ID that it
// would get, fit into a record.
func (j *join) writable() bool {
	if !fitsRecord(j.req.ProtocolType, value(j.req.InstanceID), j.caller.ClientID, j.caller.ClientHost) {
		return false
	}
	if j.req.MemberID == "" && j.newIDBytes() > maxString {
		return false
	}
	return !slices.ContainsFunc(j.req.Protocols, func(p kmsg.JoinGroupRequestProtocol) bool { return !fitsRecord(p.Name) })
}

// newIDBytes returns the length of the ID that a new member would get.
func (j *join) newIDBytes() int { return len(j.newIDPrefix()) + len("-") + randomBytes }

// randomBytes is the length of the random part of a member ID.
const randomBytes = 36

// newIDPrefix returns the first part of a new member's ID.
func (j *join) newIDPrefix() string {
	if j.req.InstanceID != nil {
		return *j.req.InstanceID
	}
	return j.caller.ClientID
}

func (s *shard) join(j *join) {
	g := s.groups[j.req.Group]
	if !s.affords(g, j) {
		j.refuse(kerr.CoordinatorNotAvailable.Code)
		return
	}
	if g == nil {
		if g = s.createGroup(j); g == nil {
			return
		}
	}
	switch {
	case !s.hasRoom(g, j.req.MemberID):
		if m := g.member(j.req.MemberID); m != nil {
			s.dismiss(g, m)
			s.completeIfJoined(g)
		}
		j.answer(refusedJoin("", kerr.GroupMaxSizeReached.Code))
	case !g.supports(j.req.ProtocolType, j.req.Protocols):
		j.refuse(kerr.InconsistentGroupProtocol.Code)
	case j.req.MemberID == "":
		s.joinNew(g, j)
	default:
		s.rejoin(g, j)
	}
}

// createGroup creates the group of a first join and records it. It returns nil if it refused
// the join.
func (s *shard) createGroup(j *join) *group {
	switch {
	case j.req.MemberID != "":
		j.refuse(kerr.UnknownMemberID.Code)
		return nil
	case j.req.ProtocolType == "" || len(j.req.Protocols) == 0:
		j.refuse(kerr.InconsistentGroupProtocol.Code)
		return nil
	}
	if err := s.append(nil, groupRecord(j.req.Group, "", 0, "", "", s.Now().UnixMilli(), nil)); err != nil {
		j.refuse(clientCode(err))
		return nil
	}
	return s.groups[j.req.Group]
}

// hasRoom applies group.max.size. In PreparingRebalance only members that have joined
// count, so that a group that is too large loses the last ones to join.
func (s *shard) hasRoom(g *group, memberID string) bool {
	m := g.member(memberID)
	switch g.state {
	case PreparingRebalance:
		return m != nil && m.join != nil || g.joining < s.c.cfg.MaxSize
	case CompletingRebalance, Stable:
		return m != nil || g.size() < s.c.cfg.MaxSize
	case Empty, Dead:
	}
	return true
}

// joinNew handles a join without a member ID.
func (s *shard) joinNew(g *group, j *join) {
	id := j.newIDPrefix() + "-" + s.c.newID()
	if instance := j.req.InstanceID; instance != nil {
		if old := g.member(g.staticID(*instance)); old != nil {
			s.replace(g, old, id, j)
			return
		}
		s.admit(g, id, j)
		return
	}
	if j.req.Version < memberIDVersion {
		s.admit(g, id, j)
		return
	}
	s.givePendingID(g, id, j)
}

// givePendingID gives out a member ID and makes it a pending ID of the group.
func (s *shard) givePendingID(g *group, id string, j *join) {
	g.ensureMembership()
	if g.pendingIDs == nil {
		g.pendingIDs = make(map[string]*pendingID)
	}
	p := s.newPendingID(id)
	g.pendingIDs[id] = p
	s.Schedule(&p.expiry, millis(j.req.SessionTimeoutMillis), func() {
		s.c.log.Info("member id was not used in time", slog.String("group", g.id), slog.String("member", id))
		s.dropPendingID(g, id)
		s.completeIfJoined(g)
		s.shrink(g)
	})
	j.answer(refusedJoin(id, kerr.MemberIDRequired.Code))
}

// dropPendingID forgets a pending ID, if id is one.
func (s *shard) dropPendingID(g *group, id string) {
	if g.isPending(id) {
		s.stopPendingID(g.pendingIDs[id])
		delete(g.pendingIDs, id)
	}
}

// admit adds a member. It starts a rebalance, or the member takes part in the running
// one.
func (s *shard) admit(g *group, id string, j *join) {
	s.dropPendingID(g, id)
	m := &member{
		id:         strings.Clone(id),
		instance:   cloned(j.req.InstanceID),
		clientID:   strings.Clone(j.caller.ClientID),
		clientHost: strings.Clone(j.caller.ClientHost),
		protocols:  cloneProtocols(j.req.Protocols),
		isNew:      true,
	}
	m.timeouts(j.req)
	if g.size() == 0 {
		g.protocolType = strings.Clone(j.req.ProtocolType)
	}
	s.weigh(g, m)
	g.insert(m)
	s.c.metrics.members.Inc()
	g.joinedSinceDelay = g.joinedSinceDelay || g.state == PreparingRebalance && g.fromEmpty
	g.park(m, j.answer)
	// A new member cannot send heartbeats before it is answered, and the group does not
	// notice if its connection breaks while its join is parked. So this wait has a
	// limit of its own.
	s.startSession(g, m, newMemberTimeout)
	s.rebalance(g, "a member joined")
}

// newMemberTimeout limits a new member's wait for its first answer, in milliseconds.
const newMemberTimeout = 300_000

// rejoin handles a join with a member ID.
func (s *shard) rejoin(g *group, j *join) {
	id := j.req.MemberID
	if g.isPending(id) && j.req.InstanceID == nil {
		s.admit(g, id, j)
		return
	}
	if code := g.validate(id, j.req.InstanceID); code != 0 {
		j.refuse(code)
		return
	}
	m := g.members[id]
	switch g.state {
	case PreparingRebalance:
		s.parkInJoinPhase(g, m, j, "")
	case CompletingRebalance:
		if m.matches(j.req.Protocols) {
			j.answer(g.joined(m))
			return
		}
		s.parkInJoinPhase(g, m, j, "a member changed its metadata")
	case Stable:
		switch {
		case g.leader == m.id:
			s.parkInJoinPhase(g, m, j, "the leader joined again")
		case !m.matches(j.req.Protocols):
			s.parkInJoinPhase(g, m, j, "a member changed its metadata")
		default:
			j.answer(g.joined(m))
		}
	case Empty, Dead:
		j.refuse(kerr.UnknownMemberID.Code)
	}
}

// parkInJoinPhase parks a known member in the join phase, and starts one if none is running.
func (s *shard) parkInJoinPhase(g *group, m *member, j *join, reason string) {
	m.timeouts(j.req)
	g.offer(m, cloneProtocols(j.req.Protocols))
	s.weigh(g, m)
	g.park(m, j.answer)
	s.rebalance(g, reason)
}

// joined returns the answer for the current generation. Only the leader's answer lists
// the members.
func (g *group) joined(m *member) *kmsg.JoinGroupResponse {
	resp := kmsg.NewPtrJoinGroupResponse()
	resp.Generation, resp.LeaderID, resp.MemberID = g.generation, g.leader, m.id
	resp.ProtocolType, resp.Protocol = nullable(g.protocolType), nullable(g.protocol)
	if g.leader != m.id {
		return resp
	}
	for _, o := range g.ordered() {
		v := kmsg.NewJoinGroupResponseMember()
		v.MemberID, v.InstanceID, v.ProtocolMetadata = o.id, o.instance, o.metadata(g.protocol)
		resp.Members = append(resp.Members, v)
	}
	return resp
}

// replace gives a static member that was restarted a new member ID, and fences the old
// one. In Stable, if the selected protocol stays the same, no rebalance follows
// (KIP-345).
func (s *shard) replace(g *group, old *member, id string, j *join) {
	leader := g.leader
	g.answerJoin(old, refusedJoin(old.id, kerr.FencedInstanceID.Code))
	old.answerSync(kerr.FencedInstanceID.Code)
	s.Cancel(&old.session)
	m := &member{
		id: id, instance: old.instance, clientID: old.clientID, clientHost: old.clientHost,
		protocols: cloneProtocols(j.req.Protocols), assignment: old.assignment, order: old.order,
	}
	m.timeouts(j.req)
	s.unweigh(old)
	s.weigh(g, m)
	delete(g.members, old.id)
	g.members[id] = m
	g.support.remove(old.protocols)
	g.support.add(m.protocols)
	g.static[*m.instance] = id
	if leader == old.id {
		g.leader = id
	}
	s.startSession(g, m, m.sessionTimeout)
	g.park(m, j.answer)
	switch {
	case g.state == Stable && g.selectProtocol() == g.protocol:
		s.keepGeneration(g, m, j, leader)
	case g.state == PreparingRebalance:
		s.completeIfJoined(g)
	default:
		s.prepare(g, "a static member was replaced")
	}
}

// keepGeneration records a replaced static member and answers its join when the record
// is durable, unless a rebalance begins meanwhile, which then answers it. A client whose
// version has no SkipAssignment gets leader, the leader's ID before the replacement, so
// that it does not take itself for the leader and assign.
func (s *shard) keepGeneration(g *group, m *member, j *join, leader string) {
	generation := g.generation
	err := s.append(func(err error) {
		if err != nil || g.state != Stable || g.generation != generation || g.members[m.id] != m {
			return
		}
		resp := g.joined(m)
		if j.req.Version < skipAssignmentVersion {
			resp.LeaderID, resp.Members = leader, nil
		} else {
			resp.SkipAssignment = g.leader == m.id
		}
		g.answerJoin(m, resp)
		s.startSession(g, m, m.sessionTimeout)
	}, g.snapshot(nil))
	if err != nil {
		g.answerJoin(m, refusedJoin("", clientCode(err)))
	}
}
