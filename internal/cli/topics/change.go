package topics

import (
	"context"
	"maps"
	"math"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/cli/exception"
	"github.com/botehq/bote/internal/cli/jopt"
)

func (c *command) create(ctx context.Context, name string) error {
	c.warnOfDots(name)
	topic, err := c.newTopic(name)
	if err != nil {
		return err
	}
	if name == "" {
		return exception.New(exception.InvalidTopic, "The given topic name '' cannot be represented in a request.")
	}
	if err := c.conn.Await(ctx, "createTopics"); err != nil {
		return err
	}
	ctx, cancel := c.conn.Within(ctx)
	defer cancel()
	req := kmsg.NewPtrCreateTopicsRequest()
	req.TimeoutMillis = int32(min(c.conn.Timeout.Milliseconds(), math.MaxInt32))
	req.Topics = append(req.Topics, topic)
	resp, err := req.RequestWith(ctx, c.conn.Client)
	if err != nil {
		return exception.Of(err, "createTopics")
	}
	for _, t := range resp.Topics {
		if t.ErrorCode == kerr.TopicAlreadyExists.Code && c.set.Has("if-not-exists") {
			return nil
		}
		if err := exception.FromBroker(t.ErrorCode, t.ErrorMessage); err != nil {
			return err
		}
	}
	c.s.Printf("Created topic %s.\n", name)
	return nil
}

// newTopic reads the options of --create. It checks the values in Kafka's order, so that it reports the same error as Kafka.
func (c *command) newTopic(name string) (kmsg.CreateTopicsRequestTopic, error) {
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = name, -1, -1
	r := &jopt.Reader{Set: c.set}
	partitions, factor, replicas := r.Int32("partitions", -1), r.Int32("replication-factor", -1), r.Text("replica-assignment", "")
	if r.Err != nil {
		return topic, r.Err
	}
	if c.set.Has("partitions") {
		if partitions < 1 {
			return topic, exception.New(exception.IllegalArgument, "The partitions must be greater than 0")
		}
		topic.NumPartitions = partitions
	}
	if c.set.Has("replication-factor") {
		if factor < 1 || factor > math.MaxInt16 {
			return topic, exception.New(exception.IllegalArgument, "The replication factor must be between 1 and 32767 inclusive")
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

func (c *command) alter(ctx context.Context, pattern string) error {
	topics, err := c.existing(ctx, pattern)
	if err != nil {
		return err
	}
	r := &jopt.Reader{Set: c.set}
	partitions, replicas := r.Int32("partitions", -1), r.Text("replica-assignment", "")
	if r.Err != nil || len(topics) == 0 {
		return r.Err
	}
	var lists [][]int32
	if replicas != "" {
		if lists, err = assignment(replicas); err != nil {
			return err
		}
	}
	req := kmsg.NewPtrCreatePartitionsRequest()
	req.TimeoutMillis = int32(min(c.conn.Timeout.Milliseconds(), math.MaxInt32))
	for _, t := range topics {
		change := kmsg.NewCreatePartitionsRequestTopic()
		change.Topic, change.Count = t.Name, partitions
		if lists != nil {
			for _, brokers := range lists[min(len(t.Partitions), len(lists)):] {
				a := kmsg.NewCreatePartitionsRequestTopicAssignment()
				a.Replicas = brokers
				change.Assignment = append(change.Assignment, a)
			}
		}
		req.Topics = append(req.Topics, change)
	}
	ctx, cancel := c.conn.Within(ctx)
	defer cancel()
	resp, err := req.RequestWith(ctx, c.conn.Client)
	if err != nil {
		return exception.Of(err, "createPartitions")
	}
	for _, t := range resp.Topics {
		if err := exception.FromBroker(t.ErrorCode, t.ErrorMessage); err != nil {
			return err
		}
	}
	return nil
}

func (c *command) delete(ctx context.Context, pattern string) error {
	topics, err := c.existing(ctx, pattern)
	if err != nil || len(topics) == 0 {
		return err
	}
	req := kmsg.NewPtrDeleteTopicsRequest()
	req.TimeoutMillis = int32(min(c.conn.Timeout.Milliseconds(), math.MaxInt32))
	for _, t := range topics {
		one := kmsg.NewDeleteTopicsRequestTopic()
		one.Topic = new(t.Name)
		req.Topics = append(req.Topics, one)
		req.TopicNames = append(req.TopicNames, t.Name)
	}
	ctx, cancel := c.conn.Within(ctx)
	defer cancel()
	resp, err := req.RequestWith(ctx, c.conn.Client)
	if err != nil {
		return exception.Of(err, "deleteTopics")
	}
	for _, t := range resp.Topics {
		if err := exception.FromBroker(t.ErrorCode, t.ErrorMessage); err != nil {
			return err
		}
	}
	return nil
}
