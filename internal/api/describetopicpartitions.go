package api

import (
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/catalog"
	"github.com/botehq/bote/internal/topic"
	"github.com/botehq/bote/internal/wire"
)

// DescribeTopicPartitions, key 75, version 0 (KIP-966): metadata in pages. It
// never creates a topic.

func (b *Broker) describeTopicPartitions(r *wire.Request, q *kmsg.DescribeTopicPartitionsRequest) {
	s := b.Catalog.Snapshot()
	names := topicNames(s, q)
	if q.Cursor != nil {
		if len(q.Topics) > 0 && !slices.Contains(names, q.Cursor.Topic) || q.Cursor.Partition < 0 {
			resp := kmsg.NewPtrDescribeTopicPartitionsResponse()
			for _, name := range names {
				rt := kmsg.NewDescribeTopicPartitionsResponseTopic()
				rt.ErrorCode, rt.Topic = kerr.InvalidRequest.Code, new(name)
				resp.Topics = append(resp.Topics, rt)
			}
			r.Reply(resp)
			return
		}
		names = slices.DeleteFunc(names, func(name string) bool { return name < q.Cursor.Topic })
	}
	r.Reply(b.topicPage(s, q, names))
}

// topicNames returns the topics that the request names, or all topics, sorted and
// each once.
func topicNames(s *catalog.Snapshot, q *kmsg.DescribeTopicPartitionsRequest) []string {
	var names []string
	if len(q.Topics) == 0 {
		for t := range s.Topics() {
			names = append(names, t.Name)
		}
		return names
	}
	for i := range q.Topics {
		names = append(names, q.Topics[i].Topic)
	}
	slices.SortFunc(names, strings.Compare)
	return slices.Compact(names)
}

func (b *Broker) topicPage(s *catalog.Snapshot, q *kmsg.DescribeTopicPartitionsRequest, names []string) *kmsg.DescribeTopicPartitionsResponse {
	resp := kmsg.NewPtrDescribeTopicPartitionsResponse()
	left := min(max(q.ResponsePartitionLimit, 1), b.Config.Connections.MaxRequestPartitions)
	for _, name := range names {
		rt := kmsg.NewDescribeTopicPartitionsResponseTopic()
		rt.Topic = new(name)
		t := s.Topic(name)
		if t == nil {
			rt.ErrorCode = kerr.UnknownTopicOrPartition.Code
			if topic.Validate(name) != nil {
				rt.ErrorCode = kerr.InvalidTopicException.Code
			}
			resp.Topics = append(resp.Topics, rt)
			continue
		}
		first := int32(0)
		if q.Cursor != nil && q.Cursor.Topic == name {
			first = q.Cursor.Partition
		}
		if left == 0 {
			resp.NextCursor = &kmsg.DescribeTopicPartitionsResponseNextCursor{Topic: name, Partition: first}
			return resp
		}
		last := min(t.Partitions, first+left)
		b.fillPartitions(&rt, t, first, last)
		left -= max(0, last-first)
		resp.Topics = append(resp.Topics, rt)
		if last < t.Partitions {
			resp.NextCursor = &kmsg.DescribeTopicPartitionsResponseNextCursor{Topic: name, Partition: last}
			return resp
		}
	}
	return resp
}

func (b *Broker) fillPartitions(rt *kmsg.DescribeTopicPartitionsResponseTopic, t *catalog.Topic, first, last int32) {
	rt.TopicID, rt.IsInternal, rt.AuthorizedOperations = t.ID, topic.IsInternal(t.Name), topicOperations
	for i := first; i < last; i++ {
		p := kmsg.NewDescribeTopicPartitionsResponseTopicPartition()
		p.Partition, p.LeaderID = i, -1
		if leader, ok := b.leader(t, i); ok {
			p.LeaderID, p.LeaderEpoch = leader.Node.ID, leader.Epoch
		} else {
			p.ErrorCode = kerr.LeaderNotAvailable.Code
		}
		p.Replicas, p.ISR = b.Node.Replicas(), b.Node.Replicas()
		p.EligibleLeaderReplicas, p.LastKnownELR, p.OfflineReplicas = []int32{}, []int32{}, []int32{}
		rt.Partitions = append(rt.Partitions, p)
	}
}
