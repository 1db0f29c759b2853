package group

import (
	"cmp"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/coordinator"
)

// State is the state of a group. No group is ever in Dead: DescribeGroups reports it for
// groups that do not exist.
type State int8

// The states. String spells them as on the wire.
const (
	Empty State = iota
	PreparingRebalance
	CompletingRebalance
	Stable
	Dead
)

// String returns the name on the wire.
func (s State) String() string {
	return [...]string{"Empty", "PreparingRebalance", "CompletingRebalance", "Stable", "Dead"}[s]
}

// consumerType is the protocol type of consumers, whose metadata can be read.
const consumerType = "consumer"

// group is one group. Invariants:
//   - leader is the ID of a member; without members it is "".
//   - protocol is "" except in CompletingRebalance, in Stable, and in a
//     PreparingRebalance that followed one of them.
type group struct {
	id    string
	state State
	// These fields are as in the group's last record, or newer while a rebalance runs.
	protocolType string // "" for a simple group, which has offsets only
	generation   int32
	protocol     string
	leader       string
	stateSince   int64 // when the state began, Unix time in ms; -1 if unknown

	offsets    map[partition]offset
	txnOffsets map[int64]map[partition]offset // by producer ID, until its transaction ends

	*membership // may be nil while the group has no members and no pending IDs
}

// membership is the part of a group that only groups with members have.
type membership struct {
	members    map[string]*member
	static     map[string]string // instance ID to member ID
	support    support           // how many members offer each protocol
	pendingIDs map[string]*pendingID
	joining    int // number of members with a parked join
	nextOrder  int // member.order of the next member

	fromEmpty        bool // PreparingRebalance began in Empty, so the initial delay applies
	joinedSinceDelay bool // a member joined since the initial delay was last armed
	joinTimer        coordinator.Timer
	syncTimer        coordinator.Timer

	topics      map[string]struct{} // subscriptions of the generation's members
	topicsKnown bool                // all their metadata could be read
}

// member is one member. It waits for at most one answer.
type member struct {
	id               string
	instance         *string
	clientID         string
	clientHost       string
	rebalanceTimeout int32 // ms
	sessionTimeout   int32 // ms
	protocols        []protocol
	lastFound        int // index in protocols that find returned last
	assignment       []byte
	countedBytes     int64 // bytes that it contributes to Coordinator.held

	order   int  // members that came earlier have a smaller one
	isNew   bool // its first join is not answered yet
	syncDue bool // it has not synced in this generation
	join    func(*kmsg.JoinGroupResponse)
	sync    func(*kmsg.SyncGroupResponse)
	session coordinator.Timer
}

// ensureMembership makes the membership, if there is none.
func (g *group) ensureMembership() {
	if g.membership == nil {
		g.membership = &membership{members: make(map[string]*member)}
	}
}

// size returns the number of members.
func (g *group) size() int {
	if g.membership == nil {
		return 0
	}
	return len(g.members)
}

func (g *group) member(id string) *member {
	if g.membership == nil {
		return nil
	}
	return g.members[id]
}

// staticID returns the member ID of an instance ID, "" if there is none.
func (g *group) staticID(instance string) string {
	if g.membership == nil {
		return ""
	}
	return g.static[instance]
}

func (g *group) isPending(id string) bool {
	return g.membership != nil && g.pendingIDs[id] != nil
}

// ordered returns the members, oldest first.
func (g *group) ordered() []*member {
	if g.membership == nil {
		return nil
	}
	list := make([]*member, 0, len(g.members))
	for _, m := range g.members {
		list = append(list, m)
	}
	slices.SortFunc(list, func(a, b *member) int { return cmp.Compare(a.order, b.order) })
	return list
}

// validate checks the identity that a request claims. It returns an error code, or 0.
func (g *group) validate(memberID string, instance *string) int16 {
	if instance != nil {
		switch id := g.staticID(*instance); {
		case id == "":
			return kerr.UnknownMemberID.Code
		case id != memberID:
			return kerr.FencedInstanceID.Code
		}
	}
	if g.member(memberID) == nil {
		return kerr.UnknownMemberID.Code
	}
	return 0
}

// validateIn is validate for a request that names a generation. A generation newer than
// the group's was lost when a coordinator crashed. A static member may have been
// replaced in it. Replay restores only the old member ID, which must not fence the new
// one: that gets UNKNOWN_MEMBER_ID, so that the client rejoins and replaces the old ID.
func (g *group) validateIn(generation int32, memberID string, instance *string) int16 {
	code := g.validate(memberID, instance)
	if code == kerr.FencedInstanceID.Code && generation > g.generation {
		return kerr.UnknownMemberID.Code
	}
	return code
}

// maxRebalanceTimeout returns the largest rebalance timeout of the members.
func (g *group) maxRebalanceTimeout() time.Duration {
	var ms int32
	for _, m := range g.members {
		ms = max(ms, m.rebalanceTimeout)
	}
	return millis(ms)
}

// allJoined reports whether every member has joined and no pending ID is outstanding.
func (g *group) allJoined() bool {
	return g.joining == len(g.members) && len(g.pendingIDs) == 0
}

// allSynced reports whether no member is due to sync.
func (g *group) allSynced() bool {
	for _, m := range g.members {
		if m.syncDue {
			return false
		}
	}
	return true
}

// noteTopics reads the members' subscriptions into topics. If metadata cannot be read,
// topicsKnown is false, which is not an error.
func (g *group) noteTopics() {
	g.topics, g.topicsKnown = nil, false
	if g.protocolType != consumerType || g.protocol == "" {
		return
	}
	topics := make(map[string]struct{})
	for _, m := range g.members {
		list, ok := subscribed(m.metadata(g.protocol))
		if !ok {
			return
		}
		for _, t := range list {
			topics[t] = struct{}{}
		}
	}
	g.topics, g.topicsKnown = topics, true
}

// subscribes reports whether a member is known to subscribe to the topic.
func (g *group) subscribes(topic string) bool {
	if g.membership == nil {
		return false
	}
	_, ok := g.topics[topic]
	return ok
}

// electLeader makes sure that the leader is a member that has joined. It reports false
// if no member has.
func (g *group) electLeader() bool {
	if m := g.member(g.leader); m != nil && m.join != nil {
		return true
	}
	for _, m := range g.ordered() {
		if m.join != nil {
			g.leader = m.id
			return true
		}
	}
	return false
}

// insert adds a member. The first one becomes the leader.
func (g *group) insert(m *member) {
	g.ensureMembership()
	m.order = g.nextOrder
	g.nextOrder++
	g.members[m.id] = m
	g.support.add(m.protocols)
	if m.instance != nil {
		if g.static == nil {
			g.static = make(map[string]string)
		}
		g.static[*m.instance] = m.id
	}
	if g.leader == "" {
		g.leader = m.id
	}
}

// delete removes a member without answering it. If it was the leader, the oldest of the
// others becomes the leader.
func (g *group) delete(m *member) {
	delete(g.members, m.id)
	g.support.remove(m.protocols)
	if m.join != nil {
		g.joining--
	}
	if m.instance != nil && g.static[*m.instance] == m.id {
		delete(g.static, *m.instance)
	}
	if g.leader == m.id {
		g.leader = ""
		if rest := g.ordered(); len(rest) > 0 {
			g.leader = rest[0].id
		}
	}
}

// park makes m wait for the end of the join phase. If m has a parked join already, that
// is answered REBALANCE_IN_PROGRESS: its client has given up on it.
func (g *group) park(m *member, join func(*kmsg.JoinGroupResponse)) {
	g.answerJoin(m, refusedJoin(m.id, kerr.RebalanceInProgress.Code))
	m.join = join
	g.joining++
}

// answerJoin answers a parked join, if there is one.
func (g *group) answerJoin(m *member, resp *kmsg.JoinGroupResponse) {
	if m.join == nil {
		return
	}
	reply := m.join
	m.join = nil
	g.joining--
	reply(resp)
}

// answerSync answers a parked sync, if there is one.
func (m *member) answerSync(code int16) {
	if m.sync == nil {
		return
	}
	reply := m.sync
	m.sync = nil
	reply(refusedSync(code))
}

// timeouts takes over the timeouts of a join.
func (m *member) timeouts(req *kmsg.JoinGroupRequest) {
	m.sessionTimeout, m.rebalanceTimeout = req.SessionTimeoutMillis, req.RebalanceTimeoutMillis
	if req.Version == 0 {
		m.rebalanceTimeout = req.SessionTimeoutMillis
	}
}
