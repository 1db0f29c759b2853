package group

import (
	"cmp"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/coordinator"
)

// State is the state of a group. A group that is deleted is gone; Dead is only
// how it is described.
type State int8

// The states, which String spells as on the wire.
const (
	Empty State = iota
	PreparingRebalance
	CompletingRebalance
	Stable
	Dead
)

// String is the name on the wire.
func (s State) String() string {
	return [...]string{"Empty", "PreparingRebalance", "CompletingRebalance", "Stable", "Dead"}[s]
}

// consumerType is the protocol type of consumers, whose metadata can be read.
const consumerType = "consumer"

// group is one group. Invariants: leader is a member or "" and is "" without
// members; protocol is "" unless CompletingRebalance, Stable, or the
// PreparingRebalance after them.
type group struct {
	id    string
	state State
	// Durable as of the last record; ahead of it while a rebalance runs.
	protocolType string // "" for a simple group: offsets only
	generation   int32
	protocol     string
	leader       string
	since        int64 // of the state, in ms, -1 unknown

	offsets map[partition]offset
	pending map[int64]map[partition]offset // by producer ID, until its transaction ends

	*membership // nil without members and pending IDs
}

// membership is the part of a group that only groups with members have.
type membership struct {
	members    map[string]*member
	static     map[string]string // instance ID to member ID
	support    support           // what the members offer
	pendingIDs map[string]*promise
	joining    int // members with a parked join
	nextOrder  int // of members, by when they came

	fromEmpty bool // PreparingRebalance began in Empty: the initial delay
	newcomer  bool // since the initial delay was last armed
	joinTimer coordinator.Timer
	syncTimer coordinator.Timer

	topics      map[string]struct{} // that the generation's members subscribe to
	topicsKnown bool
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
	found            int // the place in them of the one that was asked for last
	assignment       []byte
	weighed          int64 // what it counts as of the memory of all members

	order   int
	isNew   bool // its first join is not answered yet
	syncDue bool // it has not synced in this generation
	join    func(*kmsg.JoinGroupResponse)
	sync    func(*kmsg.SyncGroupResponse)
	session coordinator.Timer
}

// ensureMembership makes room for members.
func (g *group) ensureMembership() {
	if g.membership == nil {
		g.membership = &membership{members: make(map[string]*member)}
	}
}

// size is the number of members.
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

// staticID is the member ID of an instance ID, "" if there is none.
func (g *group) staticID(instance string) string {
	if g.membership == nil {
		return ""
	}
	return g.static[instance]
}

func (g *group) isPending(id string) bool {
	return g.membership != nil && g.pendingIDs[id] != nil
}

// ordered returns the members by when they came.
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

// validate checks the identity that a request claims; 0 is fine.
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

// validateIn is validate for a request of a generation. One that the group has not
// reached went with the memory of a coordinator, and so may have a static member
// that was started again in it: its former self, which replay brings back, does
// not fence it. Told that it is not known, it joins anew and replaces that.
func (g *group) validateIn(generation int32, memberID string, instance *string) int16 {
	code := g.validate(memberID, instance)
	if code == kerr.FencedInstanceID.Code && generation > g.generation {
		return kerr.UnknownMemberID.Code
	}
	return code
}

// maxRebalanceTimeout is the largest of the members'.
func (g *group) maxRebalanceTimeout() time.Duration {
	var ms int32
	for _, m := range g.members {
		ms = max(ms, m.rebalanceTimeout)
	}
	return millis(ms)
}

// allJoined reports whether the join phase has nobody to wait for.
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

// noteTopics reads what the members subscribe to. Unreadable metadata makes it
// unknown, which is no error.
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

// electLeader makes sure that the leader is among those who joined. It reports
// false if nobody has.
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

// insert adds a member; the first one leads.
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

// delete removes a member without answering it; if it led, the oldest leads.
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

// park makes m wait for the end of the join phase. A join that waited already
// is told to try again: its client has given up on it.
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

// timeouts takes over those of a join.
func (m *member) timeouts(req *kmsg.JoinGroupRequest) {
	m.sessionTimeout, m.rebalanceTimeout = req.SessionTimeoutMillis, req.RebalanceTimeoutMillis
	if req.Version == 0 {
		m.rebalanceTimeout = req.SessionTimeoutMillis
	}
}
