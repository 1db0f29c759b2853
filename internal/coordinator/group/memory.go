package group

import (
	"encoding/binary"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/coordinator"
)

// What clients send to join a group is kept for as long as they are in it, and
// there is no end to groups. So all members together may hold a number of bytes;
// who comes beyond that is told to try again, and an assignment beyond it is
// refused as one that is too large for a record is in Kafka. What is read of a
// member's bytes counts too.

const (
	// memberBytes is what a member takes that has next to nothing, or an ID that
	// was given out, with what a group takes that has no other.
	memberBytes = 1024
	// protocolBytes is what a protocol takes without its name and metadata: by its
	// member, and where the group counts who offers it.
	protocolBytes = 40 + 88
	// topicBytes is what a topic that the members subscribe to takes without its
	// name.
	topicBytes = 56
)

// weights are the parts of what a member holds, or will.
type weights struct{ bytes, topics int64 }

// protocol counts one that the member offers, of which a group has a second name.
// One of a consumer's can win, and then its topics are kept.
func (w *weights) protocol(name string, metadata []byte, consumer bool) {
	w.bytes += int64(protocolBytes + 2*len(name) + len(metadata))
	if consumer {
		w.topics = max(w.topics, topicsWeight(metadata))
	}
}

func (w *weights) sum() int64 { return w.bytes + w.topics }

// topicsWeight is what the topics of consumer protocol metadata take, or more.
func topicsWeight(metadata []byte) int64 {
	const start = 2 + 4 // version, number of topics
	if len(metadata) < start {
		return 0
	}
	rest := int64(len(metadata) - start)
	n := min(int64(binary.BigEndian.Uint32(metadata[2:])), rest/2)
	if n == 0 {
		return 0
	}
	return n*topicBytes + rest - 2*n
}

// bytes is what a member of the group holds.
func (g *group) bytes(m *member) int64 {
	var w weights
	w.bytes = int64(memberBytes + len(m.id) + len(value(m.instance)) + len(m.clientID) + len(m.clientHost) + len(m.assignment))
	for i := range m.protocols {
		w.protocol(m.protocols[i].name, m.protocols[i].metadata, g.protocolType == consumerType)
	}
	return w.sum()
}

// bytes is what the member of a join will hold, without an assignment.
func (j *join) bytes() int64 {
	var w weights
	w.bytes = int64(memberBytes + len(value(j.req.InstanceID)) + len(j.caller.ClientID) + len(j.caller.ClientHost))
	if j.req.MemberID == "" {
		w.bytes += int64(j.newIDBytes())
	} else {
		w.bytes += int64(len(j.req.MemberID))
	}
	for i := range j.req.Protocols {
		w.protocol(j.req.Protocols[i].Name, j.req.Protocols[i].Metadata, j.req.ProtocolType == consumerType)
	}
	return w.sum()
}

// weigh counts what a member holds now.
func (s *shard) weigh(g *group, m *member) {
	n := g.bytes(m)
	s.c.held.Add(n - m.weighed)
	m.weighed = n
}

// unweigh forgets a member that is gone.
func (s *shard) unweigh(m *member) {
	s.c.held.Add(-m.weighed)
	m.weighed = 0
}

// promise is a member ID that was given out with MEMBER_ID_REQUIRED and has not
// joined: when it is forgotten, and what it counts until then.
type promise struct {
	expiry  coordinator.Timer
	weighed int64
}

// newPromise counts an ID that is given out.
func (s *shard) newPromise(id string) *promise {
	p := &promise{weighed: int64(memberBytes + len(id))}
	s.c.held.Add(p.weighed)
	return p
}

// breakPromise forgets an ID that was given out.
func (s *shard) breakPromise(p *promise) {
	s.Cancel(&p.expiry)
	s.c.held.Add(-p.weighed)
	p.weighed = 0
}

// affords reports whether there is memory for what a join brings, beyond what is
// held already by whose place it takes.
func (s *shard) affords(g *group, j *join) bool {
	more := j.bytes()
	if g != nil && g.membership != nil {
		id := j.req.MemberID
		if id == "" && j.req.InstanceID != nil {
			id = g.static[*j.req.InstanceID]
		}
		if m := g.members[id]; m != nil {
			more -= m.weighed - int64(len(m.assignment))
		}
		if p := g.pendingIDs[id]; p != nil {
			more -= p.weighed
		}
	}
	return more <= 0 || s.c.held.Load()+more <= s.c.cfg.MembersMaxBytes
}

// affordsAssignments reports whether there is memory for a leader's assignments,
// which take the place of those that there are.
func (s *shard) affordsAssignments(g *group, list []kmsg.SyncGroupRequestGroupAssignment) bool {
	more := int64(0)
	for _, m := range g.members {
		more -= int64(len(m.assignment))
	}
	for i := range list {
		more += int64(len(list[i].MemberAssignment))
	}
	return more <= 0 || s.c.held.Load()+more <= s.c.cfg.MembersMaxBytes
}
