package api

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/catalog"
	"github.com/botehq/bote/internal/topic"
	"github.com/botehq/bote/internal/wire"
)

// Metadata, key 3, versions 0-13.
//
// In 0, no topics means all; from 1, null means all. From 4, a client may decline
// auto-creation; 7 adds leader epochs; 8-10 authorized operations; 9 is flexible; 10
// adds topic IDs, and from 12 a client may ask by ID; 13 adds a top-level error.
//
// A topic that the request creates can be used as soon as the answer is sent.
func (b *Broker) metadata(r *wire.Request, q *kmsg.MetadataRequest) {
	if b.mayCreate(q) {
		b.offReader(r, func() { b.answerMetadata(r, q) }, r.Skip)
		return
	}
	b.answerMetadata(r, q)
}

// mayCreate reports whether a request names a topic that does not exist and wants it
// created.
func (b *Broker) mayCreate(q *kmsg.MetadataRequest) bool {
	if q.Version >= 4 && !q.AllowAutoTopicCreation {
		return false
	}
	s := b.Catalog.Snapshot()
	for i := range q.Topics {
		if name := q.Topics[i].Topic; name != nil && s.Topic(*name) == nil {
			return true
		}
	}
	return false
}

func (b *Broker) answerMetadata(r *wire.Request, q *kmsg.MetadataRequest) {
	resp := kmsg.NewPtrMetadataResponse()
	resp.ControllerID, resp.ClusterID = b.Node.ID, &b.Node.ClusterID
	resp.AuthorizedOperations = noOperations
	if q.IncludeClusterAuthorizedOperations && q.Version >= 8 && q.Version <= 10 {
		resp.AuthorizedOperations = clusterOperations
	}
	mb := kmsg.NewMetadataResponseBroker()
	at := b.Node.Endpoint(r.Conn.Listener().Name)
	mb.NodeID, mb.Host, mb.Port, mb.Rack = b.Node.ID, at.Host, at.Port, b.Node.Rack
	resp.Brokers = append(resp.Brokers, mb)

	s := b.Catalog.Snapshot()
	if q.Topics == nil || q.Version == 0 && len(q.Topics) == 0 {
		for t := range s.Topics() {
			resp.Topics = append(resp.Topics, b.describeTopic(t, q))
		}
		r.Reply(resp)
		return
	}
	type asked struct {
		name string
		id   topic.ID
	}
	seen := make(map[asked]bool, len(q.Topics))
	for i := range q.Topics {
		// A client that asks by ID sends no name or, like Kafka's admin client, an
		// empty one.
		one := asked{id: q.Topics[i].TopicID}
		if name := q.Topics[i].Topic; name != nil && one.id == (topic.ID{}) {
			one.name = *name
		}
		if seen[one] {
			continue
		}
		seen[one] = true
		resp.Topics = append(resp.Topics, b.metadataTopic(r, q, &q.Topics[i]))
	}
	r.Reply(resp)
}

func (b *Broker) metadataTopic(r *wire.Request, q *kmsg.MetadataRequest, want *kmsg.MetadataRequestTopic) kmsg.MetadataResponseTopic {
	s := b.Catalog.Snapshot()
	byID := topic.ID(want.TopicID) != topic.ID{}
	refused := kmsg.NewMetadataResponseTopic()
	refused.AuthorizedOperations = noOperations
	switch {
	case q.Version < 12 && (want.Topic == nil || byID):
		refused.ErrorCode, refused.Topic = kerr.InvalidRequest.Code, want.Topic
		return refused
	case want.Topic == nil || byID:
		if t := s.TopicByID(topic.ID(want.TopicID)); t != nil {
			return b.describeTopic(t, q)
		}
		refused.ErrorCode, refused.TopicID = kerr.UnknownTopicID.Code, want.TopicID
		return refused
	}
	if t := s.Topic(*want.Topic); t != nil {
		return b.describeTopic(t, q)
	}
	t, err := b.autoCreate(r.Conn.Context(), *want.Topic, q)
	if err != nil {
		refused.ErrorCode, refused.Topic = b.code(r, err), want.Topic
		return refused
	}
	return b.describeTopic(t, q)
}

// autoCreate creates a topic that a client asked for, if request and configs allow
// that.
func (b *Broker) autoCreate(ctx context.Context, name string, q *kmsg.MetadataRequest) (*catalog.Topic, error) {
	if topic.Validate(name) != nil {
		return nil, kerr.InvalidTopicException
	}
	allowed := q.Version < 4 || q.AllowAutoTopicCreation
	if !allowed || !b.Config.AutoCreateTopics && !topic.IsInternal(name) {
		return nil, kerr.UnknownTopicOrPartition
	}
	if topic.IsInternal(name) && name != topic.ConsumerOffsets {
		return nil, kerr.UnknownTopicOrPartition
	}
	if name == topic.ConsumerOffsets {
		return b.OffsetsTopic(ctx)
	}
	t, err := b.Catalog.CreateTopic(ctx, catalog.Spec{Name: name, Partitions: -1, ReplicationFactor: -1}, b.policy())
	if errors.Is(err, kerr.TopicAlreadyExists) {
		if t := b.Catalog.Snapshot().Topic(name); t != nil {
			return t, nil
		}
	}
	return t, err
}

// policy returns what the configs in force say about new topics.
func (b *Broker) policy() catalog.Policy {
	return catalog.Policy{
		NodeID: b.Node.ID, Partitions: b.Config.NumPartitions, ReplicationFactor: b.Config.DefaultReplicationFactor,
		Clamp: b.Config.ReplicationFactorClamp,
	}
}

func (b *Broker) describeTopic(t *catalog.Topic, q *kmsg.MetadataRequest) kmsg.MetadataResponseTopic {
	out := kmsg.NewMetadataResponseTopic()
	out.Topic, out.TopicID, out.IsInternal = &t.Name, t.ID, topic.IsInternal(t.Name)
	out.AuthorizedOperations = noOperations
	if q.IncludeTopicAuthorizedOperations && q.Version >= 8 {
		out.AuthorizedOperations = topicOperations
	}
	out.Partitions = make([]kmsg.MetadataResponseTopicPartition, t.Partitions)
	for i := range out.Partitions {
		p := &out.Partitions[i]
		p.Default()
		p.Partition = int32(i)
		if leader, ok := b.leader(t, p.Partition); ok {
			p.Leader, p.LeaderEpoch = leader.Node.ID, leader.Epoch
		} else {
			p.Leader, p.ErrorCode = -1, kerr.LeaderNotAvailable.Code
		}
		p.Replicas, p.ISR = b.Node.Replicas(), b.Node.Replicas()
	}
	return out
}
