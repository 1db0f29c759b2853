package group

import "github.com/twmb/franz-go/pkg/kmsg"

// What clients send to join a group is kept for as long as they are in it, and
// there is no end to groups. So all members together may hold a number of bytes;
// who comes beyond that is told to try again, and an assignment beyond it is
// refused as one that is too large for a record is in Kafka.

const (
	// memberBytes is what a member takes that has next to nothing, and an ID that
	// was given out.
	memberBytes = 512
	// protocolBytes is what a protocol takes without its name and metadata.
	protocolBytes = 40
)

// bytes is what a member holds.
func (m *member) bytes() int64 {
	n := memberBytes + len(m.assignment)
	for i := range m.protocols {
		n += protocolBytes + len(m.protocols[i].name) + len(m.protocols[i].metadata)
	}
	return int64(n)
}

// weigh counts what a member holds now.
func (s *shard) weigh(m *member) {
	n := m.bytes()
	s.c.held.Add(n - m.weighed)
	m.weighed = n
}

// unweigh forgets a member that is gone.
func (s *shard) unweigh(m *member) {
	s.c.held.Add(-m.weighed)
	m.weighed = 0
}

// affords reports whether there is memory for what a join brings, beyond what its
// member holds already.
func (s *shard) affords(g *group, req *kmsg.JoinGroupRequest) bool {
	more := int64(memberBytes)
	for i := range req.Protocols {
		more += int64(protocolBytes + len(req.Protocols[i].Name) + len(req.Protocols[i].Metadata))
	}
	if g != nil {
		if m := g.member(req.MemberID); m != nil {
			more -= m.weighed
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
