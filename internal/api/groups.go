package api

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/coordinator/group"
	"github.com/botehq/bote/internal/wire"
)

// The APIs of consumer groups. The coordinator decides, and answers later.
//
//	8 OffsetCommit 2-9    6 leader epochs; 7 static members; 8 flexible; 9 KIP-848
//	9 OffsetFetch 1-9     2 all topics; 6 flexible; 7 stable; 8 many groups; 9 KIP-848
//	11 JoinGroup 0-9      4 member ID required; 5 static members; 6 flexible; 9 skip assignment
//	12 Heartbeat 0-4      3 static members; 4 flexible
//	13 LeaveGroup 0-5     3 many members; 4 flexible; 5 reasons
//	14 SyncGroup 0-5      3 static members; 4 flexible; 5 protocol is checked
//	15 DescribeGroups 0-6 3 operations; 5 flexible; 6 unknown groups are errors
//	16 ListGroups 0-5     3 flexible; 4 states; 5 types
//	42 DeleteGroups 0-2   2 flexible
//	47 OffsetDelete 0
//
// OffsetCommit and OffsetFetch end at version 9 unless offsets.topic.ids.enable is set:
// version 10 has only topic IDs, which tools in the field fill in wrongly.

// Answers that may be large count against the memory that all connections share for
// answers. If none is left, the answer is COORDINATOR_NOT_AVAILABLE, and clients try
// again.

// entryBytes estimates the memory that a group, a member or a partition needs besides its
// texts.
const entryBytes = 64

func offsetsBytes(g *kmsg.OffsetFetchResponseGroup) (n int) {
	for i := range g.Topics {
		t := &g.Topics[i]
		n += entryBytes + len(t.Topic)
		for j := range t.Partitions {
			n += entryBytes
			if m := t.Partitions[j].Metadata; m != nil {
				n += len(*m)
			}
		}
	}
	return n
}

func membersBytes(g *kmsg.DescribeGroupsResponseGroup) (n int) {
	for i := range g.Members {
		m := &g.Members[i]
		n += entryBytes + len(m.MemberID) + len(m.ClientID) + len(m.ClientHost) + len(m.ProtocolMetadata) + len(m.MemberAssignment)
	}
	return n
}

func caller(r *wire.Request) group.Caller {
	return group.Caller{ClientID: r.ClientID, ClientHost: "/" + r.Conn.RemoteHost()}
}

func (b *Broker) joinGroup(r *wire.Request, q *kmsg.JoinGroupRequest) {
	r.Unsized()
	b.Groups.JoinGroup(caller(r), q, func(resp *kmsg.JoinGroupResponse) { r.Reply(resp) })
}

func (b *Broker) syncGroup(r *wire.Request, q *kmsg.SyncGroupRequest) {
	r.Unsized()
	b.Groups.SyncGroup(q, func(resp *kmsg.SyncGroupResponse) { r.Reply(resp) })
}

func (b *Broker) heartbeat(r *wire.Request, q *kmsg.HeartbeatRequest) {
	b.Groups.Heartbeat(q, func(resp *kmsg.HeartbeatResponse) { r.Reply(resp) })
}

func (b *Broker) leaveGroup(r *wire.Request, q *kmsg.LeaveGroupRequest) {
	b.Groups.LeaveGroup(q, func(resp *kmsg.LeaveGroupResponse) { r.Reply(resp) })
}

func (b *Broker) offsetCommit(r *wire.Request, q *kmsg.OffsetCommitRequest) {
	b.Groups.OffsetCommit(q, func(resp *kmsg.OffsetCommitResponse) { r.Reply(resp) })
}

// offsetFetch answers for all offsets of a group once, even if the request names the
// group several times.
func (b *Broker) offsetFetch(r *wire.Request, q *kmsg.OffsetFetchRequest) {
	seen := map[string]bool{}
	q.Groups = slices.DeleteFunc(q.Groups, func(g kmsg.OffsetFetchRequestGroup) bool {
		again := g.Topics == nil && seen[g.Group]
		if g.Topics == nil {
			seen[g.Group] = true
		}
		return again
	})
	r.Unsized()
	b.Groups.OffsetFetch(q, func(resp *kmsg.OffsetFetchResponse) {
		for i := range resp.Groups {
			if g := &resp.Groups[i]; !r.Grow(offsetsBytes(g)) {
				g.Topics, g.ErrorCode = nil, kerr.CoordinatorNotAvailable.Code
			}
		}
		r.Reply(resp)
	})
}

func (b *Broker) offsetDelete(r *wire.Request, q *kmsg.OffsetDeleteRequest) {
	b.Groups.OffsetDelete(q, func(resp *kmsg.OffsetDeleteResponse) { r.Reply(resp) })
}

func (b *Broker) listGroups(r *wire.Request, q *kmsg.ListGroupsRequest) {
	r.Unsized()
	b.Groups.ListGroups(q, func(resp *kmsg.ListGroupsResponse) {
		n := 0
		for i := range resp.Groups {
			n += entryBytes + len(resp.Groups[i].Group)
		}
		if !r.Grow(n) {
			resp.Groups, resp.ErrorCode = nil, kerr.CoordinatorNotAvailable.Code
		}
		r.Reply(resp)
	})
}

func (b *Broker) deleteGroups(r *wire.Request, q *kmsg.DeleteGroupsRequest) {
	q.Groups = distinct(q.Groups)
	b.Groups.DeleteGroups(q, func(resp *kmsg.DeleteGroupsResponse) { r.Reply(resp) })
}

// describeGroups describes a group once, even if the request names it several times: its
// members together may have megabytes.
func (b *Broker) describeGroups(r *wire.Request, q *kmsg.DescribeGroupsRequest) {
	q.Groups = distinct(q.Groups)
	withOperations := q.IncludeAuthorizedOperations && q.Version >= 3
	r.Unsized()
	b.Groups.DescribeGroups(q, func(resp *kmsg.DescribeGroupsResponse) {
		for i := range resp.Groups {
			if g := &resp.Groups[i]; !r.Grow(membersBytes(g)) {
				refused := kmsg.NewDescribeGroupsResponseGroup()
				refused.Group, refused.ErrorCode = g.Group, kerr.CoordinatorNotAvailable.Code
				*g = refused
			}
			resp.Groups[i].AuthorizedOperations = noOperations
			if withOperations {
				resp.Groups[i].AuthorizedOperations = groupOperations
			}
		}
		r.Reply(resp)
	})
}
