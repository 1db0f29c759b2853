package group

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/coordinator"
)

// groupType is the type of all groups in this package, as ListGroups spells it.
const groupType = "classic"

// describeNotFoundVersion is the first version of DescribeGroups that has an
// error for unknown groups (KIP-1043).
const describeNotFoundVersion = 6

// DescribeGroups answers with the state and the members of groups. Metadata and
// assignments are shown in Stable only. The caller fills in the authorized operations.
func (c *Coordinator) DescribeGroups(req *kmsg.DescribeGroupsRequest, reply func(*kmsg.DescribeGroupsResponse)) {
	resp := kmsg.NewPtrDescribeGroupsResponse()
	resp.Version = req.Version
	resp.Groups = make([]kmsg.DescribeGroupsResponseGroup, len(req.Groups))
	finish := gather(len(req.Groups), func() { reply(resp) })
	for i, id := range req.Groups {
		out := &resp.Groups[i]
		*out = kmsg.NewDescribeGroupsResponseGroup()
		out.Group = id
		refuse := func(code int16) {
			*out = kmsg.NewDescribeGroupsResponseGroup()
			out.Group, out.ErrorCode = id, code
			finish()
		}
		c.do(id, func(s *shard) {
			s.groups[id].describe(out, req.Version)
			s.Settled(func(err error) {
				if err != nil {
					refuse(clientCode(err))
					return
				}
				finish()
			})
		}, refuse)
	}
}

// describe fills in a description. g is nil for an unknown group.
func (g *group) describe(out *kmsg.DescribeGroupsResponseGroup, version int16) {
	if g == nil {
		out.State = Dead.String()
		if version >= describeNotFoundVersion {
			message := fmt.Sprintf("Group %s not found.", out.Group)
			out.ErrorCode, out.ErrorMessage = kerr.GroupIDNotFound.Code, &message
		}
		return
	}
	out.State, out.ProtocolType = g.state.String(), g.protocolType
	if g.state == Stable {
		out.Protocol = g.protocol
	}
	for _, m := range g.ordered() {
		v := kmsg.NewDescribeGroupsResponseGroupMember()
		v.MemberID, v.InstanceID, v.ClientID, v.ClientHost = m.id, m.instance, m.clientID, m.clientHost
		if g.state == Stable {
			v.ProtocolMetadata, v.MemberAssignment = m.metadata(g.protocol), m.assignment
		}
		out.Members = append(out.Members, v)
	}
}

// ListGroups lists all groups, in order, filtered by state and type. While some groups
// are being loaded it lists the others, with COORDINATOR_LOAD_IN_PROGRESS.
func (c *Coordinator) ListGroups(req *kmsg.ListGroupsRequest, reply func(*kmsg.ListGroupsResponse)) {
	resp := kmsg.NewPtrListGroupsResponse()
	resp.Version = req.Version
	states, types := req.StatesFilter, req.TypesFilter
	var mu sync.Mutex
	c.shards.All(func(s *shard, done func(error)) {
		var list []kmsg.ListGroupsResponseGroup
		for _, g := range s.groups {
			if !passes(states, g.state.String()) || !passes(types, groupType) {
				continue
			}
			v := kmsg.NewListGroupsResponseGroup()
			v.Group, v.ProtocolType, v.GroupState, v.GroupType = g.id, g.protocolType, g.state.String(), groupType
			list = append(list, v)
		}
		s.Settled(func(err error) {
			if err == nil {
				mu.Lock()
				resp.Groups = append(resp.Groups, list...)
				mu.Unlock()
			}
			done(err)
		})
	}, func(err error) {
		resp.ErrorCode = clientCode(err)
		slices.SortFunc(resp.Groups, func(a, b kmsg.ListGroupsResponseGroup) int { return strings.Compare(a.Group, b.Group) })
		reply(resp)
	})
}

// passes reports whether filter is empty or contains s, in any letter case. Unknown names
// in a filter match nothing.
func passes(filter []string, s string) bool {
	return len(filter) == 0 || slices.ContainsFunc(filter, func(f string) bool { return strings.EqualFold(f, s) })
}

// DeleteGroups deletes empty groups and their offsets.
func (c *Coordinator) DeleteGroups(req *kmsg.DeleteGroupsRequest, reply func(*kmsg.DeleteGroupsResponse)) {
	resp := kmsg.NewPtrDeleteGroupsResponse()
	resp.Version = req.Version
	resp.Groups = make([]kmsg.DeleteGroupsResponseGroup, len(req.Groups))
	finish := gather(len(req.Groups), func() { reply(resp) })
	for i, id := range req.Groups {
		out := &resp.Groups[i]
		*out = kmsg.NewDeleteGroupsResponseGroup()
		out.Group = id
		answer := func(code int16) {
			out.ErrorCode = code
			finish()
		}
		c.do(id, func(s *shard) { s.deleteGroup(id, answer) }, answer)
	}
}

func (s *shard) deleteGroup(id string, answer func(int16)) {
	g := s.groups[id]
	switch {
	case g == nil:
		s.Settled(func(err error) {
			if err != nil {
				answer(clientCode(err))
				return
			}
			answer(kerr.GroupIDNotFound.Code)
		})
		return
	case g.state != Empty:
		answer(kerr.NonEmptyGroup.Code)
		return
	}
	records := append(g.tombstones(g.everyPartition()), groupTombstone(g.id))
	if err := s.append(func(err error) { answer(clientCode(err)) }, records...); err != nil {
		answer(clientCode(err))
	}
}

// everyPartition returns the partitions with an offset, committed or pending, in order.
func (g *group) everyPartition() []partition {
	list := g.committed()
	for _, held := range g.txnOffsets {
		for p := range held {
			list = append(list, p)
		}
	}
	slices.SortFunc(list, comparePartitions)
	return slices.Compact(list)
}

func (g *group) tombstones(list []partition) []coordinator.KeyValue {
	records := make([]coordinator.KeyValue, 0, len(list)+1)
	for _, p := range list {
		records = append(records, offsetTombstone(g.id, p))
	}
	return records
}

// OffsetDelete removes offsets of topics that no member of the group subscribes to
// (KIP-496).
func (c *Coordinator) OffsetDelete(req *kmsg.OffsetDeleteRequest, reply func(*kmsg.OffsetDeleteResponse)) {
	resp := kmsg.NewPtrOffsetDeleteResponse()
	resp.Version = req.Version
	for _, t := range req.Topics {
		rt := kmsg.NewOffsetDeleteResponseTopic()
		rt.Topic = t.Topic
		_, partitions, ok := c.topics.Lookup(t.Topic)
		for _, p := range t.Partitions {
			rp := kmsg.NewOffsetDeleteResponseTopicPartition()
			rp.Partition = p.Partition
			if !ok || p.Partition < 0 || p.Partition >= partitions {
				rp.ErrorCode = kerr.UnknownTopicOrPartition.Code
			}
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	answer := func(code int16) {
		if code != 0 {
			resp.ErrorCode, resp.Topics = code, nil
		}
		reply(resp)
	}
	if req.Group == "" {
		answer(kerr.InvalidGroupID.Code)
		return
	}
	c.do(req.Group, func(s *shard) { s.deleteOffsets(req.Group, resp.Topics, answer) }, answer)
}

// deleteOffsets deletes the offsets of the partitions in topics, which is the answer
// without its results. It skips partitions that have an error already.
func (s *shard) deleteOffsets(id string, topics []kmsg.OffsetDeleteResponseTopic, answer func(int16)) {
	g := s.groups[id]
	switch {
	case g == nil:
		answer(kerr.GroupIDNotFound.Code)
		return
	case g.state != Empty && g.protocolType != consumerType:
		answer(kerr.NonEmptyGroup.Code)
		return
	}
	var doomed []partition
	for _, t := range topics {
		for i := range t.Partitions {
			out := &t.Partitions[i]
			p := topicPartition(t.Topic, out.Partition)
			_, ok := g.offsets[p]
			switch {
			case out.ErrorCode != 0:
			case g.subscribes(t.Topic):
				out.ErrorCode = kerr.GroupSubscribedToTopic.Code
			case ok || g.hasPending(p):
				doomed = append(doomed, p)
			}
		}
	}
	if len(doomed) == 0 {
		s.Settled(func(err error) { answer(clientCode(err)) })
		return
	}
	if err := s.append(func(err error) { answer(clientCode(err)) }, g.tombstones(doomed)...); err != nil {
		answer(clientCode(err))
	}
}
