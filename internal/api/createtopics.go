package api

import (
	"context"
	"errors"
	"log/slog"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/catalog"
	"github.com/botehq/bote/internal/config"
	"github.com/botehq/bote/internal/topic"
	"github.com/botehq/bote/internal/wire"
)

// CreateTopics, key 19, versions 2-7.
//
// 4 allows -1 for the defaults; 5 is flexible, and its answer has configs (KIP-525);
// 6 adds quotas; 7 adds topic IDs. The next request on any connection sees the
// topics.
func (b *Broker) createTopics(r *wire.Request, q *kmsg.CreateTopicsRequest) {
	resp := kmsg.NewPtrCreateTopicsResponse()
	count := map[string]int{}
	for i := range q.Topics {
		count[q.Topics[i].Topic]++
	}
	var specs []catalog.Spec
	place := map[int]int{} // index in specs by index in the answer
	for i := range q.Topics {
		qt := &q.Topics[i]
		if count[qt.Topic] < 0 {
			continue // a duplicate that has been answered
		}
		rt := kmsg.NewCreateTopicsResponseTopic()
		rt.Topic, rt.NumPartitions, rt.ReplicationFactor = qt.Topic, -1, -1
		spec, err := specOf(qt)
		if count[qt.Topic] > 1 {
			count[qt.Topic] = -1
			err = &catalog.RefusedError{Code: kerr.InvalidRequest, Message: "Duplicate topic name."}
		}
		if err != nil {
			rt.ErrorCode, rt.ErrorMessage = b.code(r, err), message(err)
		} else {
			place[len(resp.Topics)] = len(specs)
			specs = append(specs, spec)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	topics, errs := b.Catalog.CreateTopics(r.Conn.Context(), specs, b.policy(), q.ValidateOnly)
	for i := range resp.Topics {
		at, ok := place[i]
		if !ok {
			continue
		}
		rt := &resp.Topics[i]
		if err := errs[at]; err != nil {
			rt.ErrorCode, rt.ErrorMessage = b.code(r, err), message(err)
			continue
		}
		b.describeCreated(rt, topics[at], q.ValidateOnly)
	}
	r.Reply(resp)
}

func specOf(qt *kmsg.CreateTopicsRequestTopic) (catalog.Spec, error) {
	spec := catalog.Spec{Name: qt.Topic, Partitions: qt.NumPartitions, ReplicationFactor: qt.ReplicationFactor, Config: map[string]string{}}
	for _, a := range qt.ReplicaAssignment {
		if spec.Assignment == nil {
			spec.Assignment = map[int32][]int32{}
		}
		if _, twice := spec.Assignment[a.Partition]; twice {
			return spec, &catalog.RefusedError{Code: kerr.InvalidReplicaAssignment, Message: "Found multiple manual partition assignments for the same partition."}
		}
		spec.Assignment[a.Partition] = a.Replicas
	}
	for _, c := range qt.Configs {
		if c.Value == nil {
			return spec, &catalog.RefusedError{Code: kerr.InvalidConfig, Message: "Null value not supported for topic configs: " + c.Name}
		}
		spec.Config[c.Name] = *c.Value
	}
	return spec, nil
}

func (b *Broker) describeCreated(rt *kmsg.CreateTopicsResponseTopic, t *catalog.Topic, validateOnly bool) {
	if !validateOnly {
		rt.TopicID = t.ID
		b.log.Info("created topic", slog.String("topic", t.Name), slog.Int("partitions", int(t.Partitions)))
		config.Remark(b.log, config.TopicKind, t.Overrides, slog.String("topic", t.Name))
	}
	rt.NumPartitions, rt.ReplicationFactor = t.Partitions, 1
	rt.Configs = []kmsg.CreateTopicsResponseTopicConfig{}
	for _, e := range b.Catalog.Snapshot().Layers(t).TopicEntries() {
		c := kmsg.NewCreateTopicsResponseTopicConfig()
		c.Name, c.Value, c.ReadOnly, c.Source, c.IsSensitive = e.Name, e.Value, e.ReadOnly, int8(e.Source), e.Sensitive
		rt.Configs = append(rt.Configs, c)
	}
}

// OffsetsTopic returns the topic of committed offsets. It creates the topic if need
// be.
func (b *Broker) OffsetsTopic(ctx context.Context) (*catalog.Topic, error) {
	if t := b.Catalog.Snapshot().Topic(topic.ConsumerOffsets); t != nil {
		return t, nil
	}
	g := &b.Config.Groups
	t, err := b.Catalog.CreateTopic(ctx, catalog.Spec{
		Name: topic.ConsumerOffsets, Partitions: g.OffsetsPartitions, ReplicationFactor: 1,
		Config: map[string]string{
			"cleanup.policy": "compact", "compression.type": "producer", "segment.bytes": itoa(int64(g.OffsetsSegmentBytes)),
		},
	}, b.policy())
	if errors.Is(err, kerr.TopicAlreadyExists) {
		return b.Catalog.Snapshot().Topic(topic.ConsumerOffsets), nil
	}
	return t, err
}
