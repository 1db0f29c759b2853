package group

import (
	"cmp"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// manyGroupsVersion is the first version of OffsetFetch with many groups (KIP-709).
const manyGroupsVersion = 8

// OffsetFetch answers with committed offsets that are durable. Partitions without one,
// unknown groups and unknown topic names get offset -1 and no error. An unknown topic ID
// gets UNKNOWN_TOPIC_ID.
func (c *Coordinator) OffsetFetch(req *kmsg.OffsetFetchRequest, reply func(*kmsg.OffsetFetchResponse)) {
	if req.Version < manyGroupsVersion {
		c.fetchOne(req, reply)
		return
	}
	resp := kmsg.NewPtrOffsetFetchResponse()
	resp.Version = req.Version
	resp.Groups = make([]kmsg.OffsetFetchResponseGroup, len(req.Groups))
	finish := gather(len(req.Groups), func() { reply(resp) })
	for i := range req.Groups {
		c.fetchGroup(req.Version, &req.Groups[i], req.RequireStable, func(g kmsg.OffsetFetchResponseGroup) {
			resp.Groups[i] = g
			finish()
		})
	}
}

// fetchOne is OffsetFetch before version 8, which has one group. Its error is at the top
// level since version 2, and in every partition before that.
func (c *Coordinator) fetchOne(req *kmsg.OffsetFetchRequest, reply func(*kmsg.OffsetFetchResponse)) {
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group, g.MemberEpoch = req.Group, -1
	if req.Topics != nil {
		g.Topics = make([]kmsg.OffsetFetchRequestGroupTopic, len(req.Topics))
		for i, t := range req.Topics {
			g.Topics[i] = kmsg.NewOffsetFetchRequestGroupTopic()
			g.Topics[i].Topic, g.Topics[i].Partitions = t.Topic, t.Partitions
		}
	}
	c.fetchGroup(req.Version, &g, req.RequireStable, func(out kmsg.OffsetFetchResponseGroup) {
		resp := kmsg.NewPtrOffsetFetchResponse()
		resp.Version, resp.ErrorCode = req.Version, out.ErrorCode
		if req.Version < 2 && out.ErrorCode != 0 {
			out.Topics = refusedTopics(&g, out.ErrorCode)
		}
		for _, t := range out.Topics {
			rt := kmsg.NewOffsetFetchResponseTopic()
			rt.Topic = t.Topic
			for _, p := range t.Partitions {
				rp := kmsg.NewOffsetFetchResponseTopicPartition()
				rp.Partition, rp.Offset, rp.LeaderEpoch, rp.Metadata, rp.ErrorCode = p.Partition, p.Offset, p.LeaderEpoch, p.Metadata, p.ErrorCode
				rt.Partitions = append(rt.Partitions, rp)
			}
			resp.Topics = append(resp.Topics, rt)
		}
		reply(resp)
	})
}

func refusedTopics(req *kmsg.OffsetFetchRequestGroup, code int16) []kmsg.OffsetFetchResponseGroupTopic {
	topics := make([]kmsg.OffsetFetchResponseGroupTopic, 0, len(req.Topics))
	for _, t := range req.Topics {
		out := kmsg.NewOffsetFetchResponseGroupTopic()
		out.Topic = t.Topic
		for _, p := range t.Partitions {
			out.Partitions = append(out.Partitions, noOffset(p, code))
		}
		topics = append(topics, out)
	}
	return topics
}

// fetchGroup answers for one group.
func (c *Coordinator) fetchGroup(version int16, req *kmsg.OffsetFetchRequestGroup, stable bool, reply func(kmsg.OffsetFetchResponseGroup)) {
	out := kmsg.NewOffsetFetchResponseGroup()
	out.Group = req.Group
	refuse := func(code int16) {
		out.Topics, out.ErrorCode = nil, fetchCode(code)
		reply(out)
	}
	c.do(req.Group, func(s *shard) {
		g := s.groups[req.Group]
		if req.Topics == nil {
			out.Topics = s.allOffsets(g, version, stable)
		} else {
			out.Topics = s.someOffsets(g, version, req.Topics, stable)
		}
		s.Settled(func(err error) {
			if err != nil {
				refuse(clientCode(err))
				return
			}
			reply(out)
		})
	}, refuse)
}

// fetchCode replaces a code that is fatal in OffsetFetch for Java consumers before 3.9.
func fetchCode(code int16) int16 {
	if code == kerr.CoordinatorNotAvailable.Code {
		return kerr.NotCoordinator.Code
	}
	return code
}

// someOffsets answers for all partitions that the request names.
func (s *shard) someOffsets(g *group, version int16, topics []kmsg.OffsetFetchRequestGroupTopic, stable bool) []kmsg.OffsetFetchResponseGroupTopic {
	out := make([]kmsg.OffsetFetchResponseGroupTopic, 0, len(topics))
	for _, t := range topics {
		rt := kmsg.NewOffsetFetchResponseGroupTopic()
		rt.Topic, rt.TopicID = t.Topic, t.TopicID
		name, code := t.Topic, int16(0)
		if version >= topicIDVersion {
			name, _, code = s.c.find(version, "", t.TopicID)
		}
		id, _, exists := s.c.topics.Lookup(name)
		for _, p := range t.Partitions {
			if code != 0 {
				rt.Partitions = append(rt.Partitions, noOffset(p, code))
				continue
			}
			rt.Partitions = append(rt.Partitions, g.fetch(topicPartition(name, p), id, exists, stable))
		}
		out = append(out, rt)
	}
	return out
}

// allOffsets answers for all partitions that have an offset, in order. From
// topicIDVersion on it leaves out topics that do not exist, because they have no ID.
func (s *shard) allOffsets(g *group, version int16, stable bool) []kmsg.OffsetFetchResponseGroupTopic {
	if g == nil {
		return nil
	}
	var out []kmsg.OffsetFetchResponseGroupTopic
	for _, p := range g.committed() {
		name := p.topic.Value()
		id, _, exists := s.c.topics.Lookup(name)
		if version >= topicIDVersion && !exists || g.offsets[p].isStale(id, exists) {
			continue
		}
		if len(out) == 0 || out[len(out)-1].Topic != name {
			rt := kmsg.NewOffsetFetchResponseGroupTopic()
			rt.Topic, rt.TopicID = name, id
			out = append(out, rt)
		}
		last := &out[len(out)-1]
		last.Partitions = append(last.Partitions, g.fetch(p, id, exists, stable))
	}
	return out
}

// committed returns the partitions that have an offset, in order.
func (g *group) committed() []partition {
	list := make([]partition, 0, len(g.offsets))
	for p := range g.offsets {
		list = append(list, p)
	}
	slices.SortFunc(list, comparePartitions)
	return list
}

func comparePartitions(a, b partition) int {
	return cmp.Or(strings.Compare(a.topic.Value(), b.topic.Value()), cmp.Compare(a.id, b.id))
}

// isStale reports whether the offset belongs to a deleted topic of the same name.
func (o offset) isStale(id [16]byte, exists bool) bool {
	return exists && o.topicID != [16]byte{} && o.topicID != id
}

// fetch answers for one partition. If stable is set, a pending offset of a transaction
// makes it answer UNSTABLE_OFFSET_COMMIT.
func (g *group) fetch(p partition, id [16]byte, exists, stable bool) kmsg.OffsetFetchResponseGroupTopicPartition {
	if g == nil {
		return noOffset(p.id, 0)
	}
	if stable && g.hasPending(p) {
		return noOffset(p.id, kerr.UnstableOffsetCommit.Code)
	}
	o, ok := g.offsets[p]
	if !ok || o.isStale(id, exists) {
		return noOffset(p.id, 0)
	}
	out := noOffset(p.id, 0)
	out.Offset, out.LeaderEpoch, out.Metadata = o.at, o.leaderEpoch, &o.metadata
	return out
}

func noOffset(partition int32, code int16) kmsg.OffsetFetchResponseGroupTopicPartition {
	out := kmsg.NewOffsetFetchResponseGroupTopicPartition()
	empty := ""
	out.Partition, out.Offset, out.LeaderEpoch, out.Metadata, out.ErrorCode = partition, -1, -1, &empty, code
	return out
}
