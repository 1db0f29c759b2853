package group

import (
	"encoding/binary"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/coordinator"
)

// A group keeps what a client sent to join for as long as the client is a member, and
// the number of groups is not limited. So all members share one limit, MembersMaxBytes.
// A join above it gets COORDINATOR_NOT_AVAILABLE, so that the client tries again. An
// assignment above it gets UNKNOWN_SERVER_ERROR, as in Kafka if it is too large for a
// record. The topic names decoded from a member's metadata count too.

const (
	// memberBytes is the overhead of a member with empty fields, or of a pending ID,
	// and of a group that has only this one.
	memberBytes = 1024
	// protocolBytes is the overhead of a protocol, besides its name and metadata: in
	// its member, and in the group's support.
	protocolBytes = 40 + 88
	// topicBytes is the overhead of a topic in group.topics, besides its name.
	topicBytes = 56
)

// weights adds up the bytes that a member occupies, or will: its own, and those of
// its topics in group.topics.
type weights struct{ bytes, topics int64 }

// protocol adds one protocol of the member. Its name counts twice, because the group's
// support has a copy. A group keeps only the topics of the selected protocol, so the
// protocol with the most topics counts.
func (w *weights) protocol(name string, metadata []byte, consumer bool) {
	w.bytes += int64(protocolBytes + 2*len(name) + len(metadata))
	if consumer {
		w.topics = max(w.topics, topicsWeight(metadata))
	}
}

func (w *weights) sum() int64 { return w.bytes + w.topics }

// topicsWeight is an upper bound of the bytes that the topics in consumer protocol
// metadata occupy.
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

// bytes returns how many bytes a member of the group occupies.
func (g *group) bytes(m *member) int64 {
	var w weights
	w.bytes = int64(memberBytes + len(m.id) + len(value(m.instance)) + len(m.clientID) + len(m.clientHost) + len(m.assignment))
	for i := range m.protocols {
		w.protocol(m.protocols[i].name, m.protocols[i].metadata, g.protocolType == consumerType)
	}
	return w.sum()
}

// bytes returns how many bytes the member of a join will occupy, without an assignment.
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

// weigh updates the bytes that are counted for a member.
func (s *shard) weigh(g *group, m *member) {
	n := g.bytes(m)
	s.c.memberBytesInUse.Add(n - m.countedBytes)
	m.countedBytes = n
}

// unweigh ends the counting of a member that was removed.
func (s *shard) unweigh(m *member) {
	s.c.memberBytesInUse.Add(-m.countedBytes)
	m.countedBytes = 0
}

// pendingID is a pending ID: a member ID that was given out with MEMBER_ID_REQUIRED and
// has not joined yet.
type pendingID struct {
	expiry  coordinator.Timer // forgets the ID
	weighed int64             // bytes that it contributes to Coordinator.held
}

// newPendingID makes the promise of an ID and counts its bytes.
func (s *shard) newPendingID(id string) *pendingID {
	p := &pendingID{weighed: int64(memberBytes + len(id))}
	s.c.memberBytesInUse.Add(p.weighed)
	return p
}

// stopPendingID stops the promise's timer and ends its counting.
func (s *shard) stopPendingID(p *pendingID) {
	s.Cancel(&p.expiry)
	s.c.memberBytesInUse.Add(-p.weighed)
	p.weighed = 0
}

// affords reports whether there is memory for the member of a join. The member or
// promise that it replaces, if any, makes room for it.
func (s *shard) affords(g *group, j *join) bool {
	more := j.bytes()
	if g != nil && g.membership != nil {
		id := j.req.MemberID
		if id == "" && j.req.InstanceID != nil {
			id = g.static[*j.req.InstanceID]
		}
		if m := g.members[id]; m != nil {
			more -= m.countedBytes - int64(len(m.assignment))
		}
		if p := g.pendingIDs[id]; p != nil {
			more -= p.weighed
		}
	}
	return more <= 0 || s.c.memberBytesInUse.Load()+more <= s.c.cfg.MembersMaxBytes
}

// affordsAssignments reports whether there is memory for a leader's assignments. The
// present ones, which they replace, make room for them.
func (s *shard) affordsAssignments(g *group, list []kmsg.SyncGroupRequestGroupAssignment) bool {
	more := int64(0)
	for _, m := range g.members {
		more -= int64(len(m.assignment))
	}
	for i := range list {
		more += int64(len(list[i].MemberAssignment))
	}
	return more <= 0 || s.c.memberBytesInUse.Load()+more <= s.c.cfg.MembersMaxBytes
}
