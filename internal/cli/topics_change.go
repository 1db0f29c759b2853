package cli

import (
	"context"
	"maps"
	"math"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func (c *topicsCommand) create(ctx context.Context, name string) error {
	c.warnOfDots(name)
	topic, err := c.newTopic(name)
	if err != nil {
		return err
	}
	if name == "" {
		return throw(classInvalid, "The given topic name '' cannot be represented in a request.")
	}
	if err := c.conn.await(ctx, "createTopics"); err != nil {
		return err
	}
	ctx, cancel := c.conn.within(ctx)
	defer cancel()
	req := kmsg.NewPtrCreateTopicsRequest()
	req.TimeoutMillis = int32(min(c.conn.timeout.Milliseconds(), math.MaxInt32))
	req.Topics = append(req.Topics, topic)
	resp, err := req.RequestWith(ctx, c.conn.Client)
	if err != nil {
		return asException(err, "createTopics")
	}
	for _, t := range resp.Topics {
		if t.ErrorCode == kerr.TopicAlreadyExists.Code && c.set.has("if-not-exists") {
			return nil
		}
		if err := brokerError(t.ErrorCode, t.ErrorMessage); err != nil {
			return err
		}
	}
	c.s.printf("Created topic %s.\n", name)
	return nil
}

// newTopic reads the options of --create. Values are looked at in Kafka's order, so that the same one is reported.
func (c *topicsCommand) newTopic(name string) (kmsg.CreateTopicsRequestTopic, error) {
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = name, -1, -1
	r := &reader{set: c.set}
	partitions, factor, replicas := r.int32("partitions", -1), r.int32("replication-factor", -1), r.text("replica-assignment", "")
	if r.err != nil {
		return topic, r.err
	}
	if c.set.has("partitions") {
		if partitions < 1 {
			return topic, throw(classArgument, "The partitions must be greater than 0")
		}
		topic.NumPartitions = partitions
	}
	if c.set.has("replication-factor") {
		if factor < 1 || factor > math.MaxInt16 {
			return topic, throw(classArgument, "The replication factor must be between 1 and 32767 inclusive")
		}
		topic.ReplicationFactor = int16(factor)
	}
	if replicas != "" {
		list, err := assignment(replicas)
		if err != nil {
			return topic, err
		}
		for i, brokers := range list {
			a := kmsg.NewCreateTopicsRequestTopicReplicaAssignment()
			a.Partition, a.Replicas = int32(i), brokers
			topic.ReplicaAssignment = append(topic.ReplicaAssignment, a)
		}
	}
	values, err := c.topicConfigs()
	if err != nil {
		return topic, err
	}
	for _, k := range slices.Sorted(maps.Keys(values)) {
		v := kmsg.NewCreateTopicsRequestTopicConfig()
		v.Name, v.Value = k, new(values[k])
		topic.Configs = append(topic.Configs, v)
	}
	return topic, nil
}

func (c *topicsCommand) alter(ctx context.Context, pattern string) error {
	topics, err := c.existing(ctx, pattern)
	if err != nil {
		return err
	}
	r := &reader{set: c.set}
	partitions, replicas := r.int32("partitions", -1), r.text("replica-assignment", "")
	if r.err != nil || len(topics) == 0 {
		return r.err
	}
	var lists [][]int32
	if replicas != "" {
		if lists, err = assignment(replicas); err != nil {
			return err
		}
	}
	req := kmsg.NewPtrCreatePartitionsRequest()
	req.TimeoutMillis = int32(min(c.conn.timeout.Milliseconds(), math.MaxInt32))
	for _, t := range topics {
		change := kmsg.NewCreatePartitionsRequestTopic()
		change.Topic, change.Count = t.name, partitions
		if lists != nil {
			for _, brokers := range lists[min(len(t.partitions), len(lists)):] {
				a := kmsg.NewCreatePartitionsRequestTopicAssignment()
				a.Replicas = brokers
				change.Assignment = append(change.Assignment, a)
			}
		}
		req.Topics = append(req.Topics, change)
	}
	ctx, cancel := c.conn.within(ctx)
	defer cancel()
	resp, err := req.RequestWith(ctx, c.conn.Client)
	if err != nil {
		return asException(err, "createPartitions")
	}
	for _, t := range resp.Topics {
		if err := brokerError(t.ErrorCode, t.ErrorMessage); err != nil {
			return err
		}
	}
	return nil
}

func (c *topicsCommand) delete(ctx context.Context, pattern string) error {
	topics, err := c.existing(ctx, pattern)
	if err != nil || len(topics) == 0 {
		return err
	}
	req := kmsg.NewPtrDeleteTopicsRequest()
	req.TimeoutMillis = int32(min(c.conn.timeout.Milliseconds(), math.MaxInt32))
	for _, t := range topics {
		one := kmsg.NewDeleteTopicsRequestTopic()
		one.Topic = new(t.name)
		req.Topics = append(req.Topics, one)
		req.TopicNames = append(req.TopicNames, t.name)
	}
	ctx, cancel := c.conn.within(ctx)
	defer cancel()
	resp, err := req.RequestWith(ctx, c.conn.Client)
	if err != nil {
		return asException(err, "deleteTopics")
	}
	for _, t := range resp.Topics {
		if err := brokerError(t.ErrorCode, t.ErrorMessage); err != nil {
			return err
		}
	}
	return nil
}
