package cli

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// configsOrder is the order of configurations in the Configs: field: that of a Java hash map of the names.
var configsOrder = []string{
	"compression.type", "remote.log.delete.on.disable", "leader.replication.throttled.replicas", "remote.storage.enable",
	"min.insync.replicas", "segment.jitter.ms", "remote.log.copy.disable", "local.retention.ms", "cleanup.policy", "flush.ms",
	"follower.replication.throttled.replicas", "compression.lz4.level", "compression.gzip.level", "segment.bytes", "retention.ms",
	"compression.zstd.level", "flush.messages", "file.delete.delay.ms", "max.compaction.lag.ms", "max.message.bytes",
	"min.compaction.lag.ms", "message.timestamp.type", "local.retention.bytes", "preallocate", "index.interval.bytes",
	"min.cleanable.dirty.ratio", "unclean.leader.election.enable", "delete.retention.ms", "retention.bytes",
	"message.timestamp.after.max.ms", "message.timestamp.before.max.ms", "segment.ms", "segment.index.bytes",
}

func (c *topicsCommand) describe(ctx context.Context, pattern string) error {
	r := &reader{set: c.set}
	id, limit := r.text("topic-id", ""), r.int32("partition-size-limit-per-response", 2000)
	if r.err != nil {
		return r.err
	}
	topics, err := c.described(ctx, pattern, id, limit)
	if err != nil || len(topics) == 0 {
		return err
	}
	configs, err := topicConfigs(ctx, c.conn, topics)
	if err != nil {
		return err
	}
	moves, err := reassignments(ctx, c.conn)
	if err != nil {
		return err
	}
	filter := slices.ContainsFunc(topicsDescribeFilters, c.set.has)
	for _, t := range topics {
		conf := configs[t.name]
		overrides := c.set.has("topics-with-overrides")
		if !filter && (!overrides || conf.line != "") {
			c.s.printf("%s\n", summaryLine(t, conf))
		}
		if overrides {
			continue
		}
		for _, p := range t.partitions {
			if c.shows(p, conf) {
				c.s.printf("%s\n", partitionLine(t.name, p, moves[topicPartition{t.name, p.id}]))
			}
		}
	}
	return nil
}

// described returns what --topic or --topic-id mean, with the eligible leaders where names were used and the broker tells them.
func (c *topicsCommand) described(ctx context.Context, pattern, id string, limit int32) ([]topicMetadata, error) {
	uuid, byID, err := topicID(id)
	if err != nil {
		return nil, err
	}
	if byID {
		return c.describedByID(ctx, pattern, id, uuid)
	}
	topics, err := c.existing(ctx, pattern)
	if err != nil || len(topics) == 0 {
		return nil, err
	}
	if !c.conn.supports(ctx, kmsg.DescribeTopicPartitions) {
		return topics, nil
	}
	return describePartitions(ctx, c.conn, topics, limit)
}

func (c *topicsCommand) describedByID(ctx context.Context, pattern, id string, uuid [16]byte) ([]topicMetadata, error) {
	if pattern != "" && c.set.has("if-exists") {
		c.s.printf("Only topic id will be used when both --topic and --topic-id are specified and topicId is not Uuid.ZERO_UUID\n")
	}
	topics, err := c.conn.topics(ctx, "listTopics")
	if err != nil {
		return nil, err
	}
	topics = slices.DeleteFunc(topics, func(t topicMetadata) bool { return t.id != uuid })
	if len(topics) == 0 && !c.set.has("if-exists") {
		return nil, throw(classArgument, "TopicId '%s' does not exist as expected", id)
	}
	return topics, nil
}

// topicID reads an id as Kafka writes it: 16 bytes in URL-safe base64. The zero id means no id.
func topicID(id string) (uuid [16]byte, ok bool, err error) {
	if id == "" {
		return uuid, false, nil
	}
	if len(id) > 24 {
		return uuid, false, throw(classArgument, "Input string with prefix `%s` is too long to be decoded as a base64 UUID", id[:24])
	}
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(id, "="))
	if err != nil {
		return uuid, false, throw(classArgument, "Illegal base64 character in `%s`", id)
	}
	if len(raw) != 16 {
		return uuid, false, throw(classArgument, "Input string `%s` decoded as %d bytes, which is not equal to the expected 16 bytes of a base64-encoded UUID", id, len(raw))
	}
	copy(uuid[:], raw)
	return uuid, uuid != [16]byte{}, nil
}

func idText(uuid [16]byte) string { return base64.RawURLEncoding.EncodeToString(uuid[:]) }

// describePartitions asks for the eligible leaders, page by page.
func describePartitions(ctx context.Context, c *connection, topics []topicMetadata, limit int32) ([]topicMetadata, error) {
	ctx, cancel := c.within(ctx)
	defer cancel()
	req := kmsg.NewPtrDescribeTopicPartitionsRequest()
	req.ResponsePartitionLimit = limit
	for _, t := range topics {
		one := kmsg.NewDescribeTopicPartitionsRequestTopic()
		one.Topic = t.name
		req.Topics = append(req.Topics, one)
	}
	found := map[string]*topicMetadata{}
	var list []topicMetadata
	for {
		resp, err := req.RequestWith(ctx, c.Client)
		if err != nil {
			return nil, asException(err, "describeTopicPartitions")
		}
		for _, t := range resp.Topics {
			if t.Topic == nil {
				continue
			}
			if err := brokerError(t.ErrorCode, nil); err != nil {
				return nil, err
			}
			m := found[*t.Topic]
			if m == nil {
				m = &topicMetadata{name: *t.Topic, id: t.TopicID, internal: t.IsInternal}
				found[m.name] = m
			}
			for _, p := range t.Partitions {
				m.partitions = append(m.partitions, partitionMetadata{
					id: p.Partition, leader: p.LeaderID, replicas: p.Replicas, isr: p.ISR,
					hasElr: true, elr: p.EligibleLeaderReplicas, lastKnownElr: p.LastKnownELR,
				})
			}
		}
		if resp.NextCursor == nil {
			break
		}
		next := kmsg.NewDescribeTopicPartitionsRequestCursor()
		next.Topic, next.Partition = resp.NextCursor.Topic, resp.NextCursor.Partition
		req.Cursor = &next
		req.Topics = slices.DeleteFunc(req.Topics, func(t kmsg.DescribeTopicPartitionsRequestTopic) bool { return t.Topic < next.Topic })
	}
	for _, t := range topics {
		if m := found[t.name]; m != nil {
			slices.SortFunc(m.partitions, func(a, b partitionMetadata) int { return int(a.id - b.id) })
			list = append(list, *m)
		}
	}
	return list, nil
}

// shownConfigs are the configurations of a topic that are not built-in defaults, and the one that filters look at.
type shownConfigs struct {
	line   string
	minISR int
}

func topicConfigs(ctx context.Context, c *connection, topics []topicMetadata) (map[string]shownConfigs, error) {
	ctx, cancel := c.within(ctx)
	defer cancel()
	req := kmsg.NewPtrDescribeConfigsRequest()
	for _, t := range topics {
		r := kmsg.NewDescribeConfigsRequestResource()
		r.ResourceType, r.ResourceName = kmsg.ConfigResourceTypeTopic, t.name
		req.Resources = append(req.Resources, r)
	}
	resp, err := req.RequestWith(ctx, c.Client)
	if err != nil {
		return nil, asException(err, "describeConfigs")
	}
	shown := map[string]shownConfigs{}
	for _, r := range resp.Resources {
		if err := brokerError(r.ErrorCode, r.ErrorMessage); err != nil {
			return nil, err
		}
		shown[r.ResourceName] = showConfigs(r.Configs)
	}
	return shown, nil
}

func showConfigs(configs []kmsg.DescribeConfigsResponseResourceConfig) shownConfigs {
	rank := func(name string) int {
		if i := slices.Index(configsOrder, name); i >= 0 {
			return i
		}
		return len(configsOrder)
	}
	configs = slices.Clone(configs)
	slices.SortStableFunc(configs, func(a, b kmsg.DescribeConfigsResponseResourceConfig) int {
		if d := rank(a.Name) - rank(b.Name); d != 0 {
			return d
		}
		return strings.Compare(a.Name, b.Name)
	})
	var parts []string
	shown := shownConfigs{minISR: 1}
	for _, k := range configs {
		v := ""
		if k.Value != nil {
			v = *k.Value
		}
		if k.Name == "min.insync.replicas" {
			if n, err := strconv.Atoi(v); err == nil {
				shown.minISR = n
			}
		}
		if k.Source != kmsg.ConfigSourceDefaultConfig && !k.IsDefault {
			parts = append(parts, k.Name+"="+v)
		}
	}
	shown.line = strings.Join(parts, ",")
	return shown
}

func (c *topicsCommand) shows(p partitionMetadata, conf shownConfigs) bool {
	switch {
	case c.set.has("under-replicated-partitions"):
		return len(p.isr) < len(p.replicas)
	case c.set.has("unavailable-partitions"):
		return p.leader < 0
	case c.set.has("under-min-isr-partitions"):
		return p.leader < 0 || len(p.isr) < conf.minISR
	case c.set.has("at-min-isr-partitions"):
		return len(p.isr) == conf.minISR
	}
	return true
}

func summaryLine(t topicMetadata, conf shownConfigs) string {
	line := "Topic: " + t.name
	if t.id != [16]byte{} {
		line += "\tTopicId: " + idText(t.id)
	}
	factor := 0
	if len(t.partitions) > 0 {
		factor = len(t.partitions[0].replicas)
	}
	return line + fmt.Sprintf("\tPartitionCount: %d\tReplicationFactor: %d\tConfigs: %s", len(t.partitions), factor, conf.line)
}

func partitionLine(topic string, p partitionMetadata, move reassignment) string {
	leader := "none"
	if p.leader >= 0 {
		leader = strconv.Itoa(int(p.leader))
	}
	line := fmt.Sprintf("\tTopic: %s\tPartition: %d\tLeader: %s\tReplicas: %s\tIsr: %s", topic, p.id, leader, ids(p.replicas), ids(p.isr))
	if len(move.adding)+len(move.removing) > 0 {
		line += "\tAdding Replicas: " + ids(move.adding) + "\tRemoving Replicas: " + ids(move.removing)
	}
	if !p.hasElr {
		return line + "\tElr: N/A\tLastKnownElr: N/A"
	}
	return line + "\tElr: " + ids(p.elr) + "\tLastKnownElr: " + ids(p.lastKnownElr)
}

type reassignment struct{ adding, removing []int32 }

// reassignments returns the moves under way. Brokers that do not know the question have none; neither have those that do not
// let us ask.
func reassignments(ctx context.Context, c *connection) (map[topicPartition]reassignment, error) {
	if !c.supports(ctx, kmsg.ListPartitionReassignments) {
		return nil, nil
	}
	ctx, cancel := c.within(ctx)
	defer cancel()
	req := kmsg.NewPtrListPartitionReassignmentsRequest()
	req.TimeoutMillis = 30_000
	resp, err := req.RequestWith(ctx, c.Client)
	if err != nil {
		return nil, asException(err, "listPartitionReassignments")
	}
	moves := map[topicPartition]reassignment{}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			moves[topicPartition{t.Topic, p.Partition}] = reassignment{adding: p.AddingReplicas, removing: p.RemovingReplicas}
		}
	}
	return moves, nil
}
