package topics

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/cli/client"
	"github.com/botehq/bote/internal/cli/exception"
	"github.com/botehq/bote/internal/cli/jopt"
)

// configsOrder is the order of configurations in the Configs: field, which is the order of a Java hash map with these names.
var configsOrder = []string{
	"compression.type", "remote.log.delete.on.disable", "leader.replication.throttled.replicas", "remote.storage.enable",
	"min.insync.replicas", "segment.jitter.ms", "remote.log.copy.disable", "local.retention.ms", "cleanup.policy", "flush.ms",
	"follower.replication.throttled.replicas", "compression.lz4.level", "compression.gzip.level", "segment.bytes", "retention.ms",
	"compression.zstd.level", "flush.messages", "file.delete.delay.ms", "max.compaction.lag.ms", "max.message.bytes",
	"min.compaction.lag.ms", "message.timestamp.type", "local.retention.bytes", "preallocate", "index.interval.bytes",
	"min.cleanable.dirty.ratio", "unclean.leader.election.enable", "delete.retention.ms", "retention.bytes",
	"message.timestamp.after.max.ms", "message.timestamp.before.max.ms", "segment.ms", "segment.index.bytes",
}

func (c *command) describe(ctx context.Context, pattern string) error {
	r := &jopt.Reader{Set: c.set}
	id, limit := r.Text("topic-id", ""), r.Int32("partition-size-limit-per-response", 2000)
	if r.Err != nil {
		return r.Err
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
	filter := slices.ContainsFunc(describeFilters, c.set.Has)
	for _, t := range topics {
		conf := configs[t.Name]
		overrides := c.set.Has("topics-with-overrides")
		if !filter && (!overrides || conf.line != "") {
			c.s.Printf("%s\n", summaryLine(t, conf))
		}
		if overrides {
			continue
		}
		for _, p := range t.Partitions {
			if c.shows(p, conf) {
				c.s.Printf("%s\n", partitionLine(t.Name, p, moves[client.TopicPartition{Topic: t.Name, Partition: p.ID}]))
			}
		}
	}
	return nil
}

// described returns the topics that --topic or --topic-id name. Topics found by name have eligible leaders, if the broker
// supports DescribeTopicPartitions.
func (c *command) described(ctx context.Context, pattern, id string, limit int32) ([]client.Topic, error) {
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
	if !c.conn.Supports(ctx, kmsg.DescribeTopicPartitions) {
		return topics, nil
	}
	return describePartitions(ctx, c.conn, topics, limit)
}

func (c *command) describedByID(ctx context.Context, pattern, id string, uuid [16]byte) ([]client.Topic, error) {
	if pattern != "" && c.set.Has("if-exists") {
		c.s.Printf("Only topic id will be used when both --topic and --topic-id are specified and topicId is not Uuid.ZERO_UUID\n")
	}
	topics, err := c.conn.Topics(ctx, "listTopics")
	if err != nil {
		return nil, err
	}
	topics = slices.DeleteFunc(topics, func(t client.Topic) bool { return t.ID != uuid })
	if len(topics) == 0 && !c.set.Has("if-exists") {
		return nil, exception.New(exception.IllegalArgument, "TopicId '%s' does not exist as expected", id)
	}
	return topics, nil
}

// topicID reads a topic ID in Kafka's format: 16 bytes in URL-safe base64. ok is false if the ID is empty or zero.
func topicID(id string) (uuid [16]byte, ok bool, err error) {
	if id == "" {
		return uuid, false, nil
	}
	if len(id) > 24 {
		return uuid, false, exception.New(exception.IllegalArgument, "Input string with prefix `%s` is too long to be decoded as a base64 UUID", id[:24])
	}
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(id, "="))
	if err != nil {
		return uuid, false, exception.New(exception.IllegalArgument, "Illegal base64 character in `%s`", id)
	}
	if len(raw) != 16 {
		return uuid, false, exception.New(exception.IllegalArgument, "Input string `%s` decoded as %d bytes, which is not equal to the expected 16 bytes of a base64-encoded UUID", id, len(raw))
	}
	copy(uuid[:], raw)
	return uuid, uuid != [16]byte{}, nil
}

func idText(uuid [16]byte) string { return base64.RawURLEncoding.EncodeToString(uuid[:]) }

// describePartitions asks for the topics with their eligible leaders, page by page.
func describePartitions(ctx context.Context, c *client.Conn, topics []client.Topic, limit int32) ([]client.Topic, error) {
	ctx, cancel := c.Within(ctx)
	defer cancel()
	req := kmsg.NewPtrDescribeTopicPartitionsRequest()
	req.ResponsePartitionLimit = limit
	for _, t := range topics {
		one := kmsg.NewDescribeTopicPartitionsRequestTopic()
		one.Topic = t.Name
		req.Topics = append(req.Topics, one)
	}
	found := map[string]*client.Topic{}
	var list []client.Topic
	for {
		resp, err := req.RequestWith(ctx, c.Client)
		if err != nil {
			return nil, exception.Of(err, "describeTopicPartitions")
		}
		for _, t := range resp.Topics {
			if t.Topic == nil {
				continue
			}
			if err := exception.FromBroker(t.ErrorCode, nil); err != nil {
				return nil, err
			}
			m := found[*t.Topic]
			if m == nil {
				m = &client.Topic{Name: *t.Topic, ID: t.TopicID, Internal: t.IsInternal}
				found[m.Name] = m
			}
			for _, p := range t.Partitions {
				m.Partitions = append(m.Partitions, client.Partition{
					ID: p.Partition, Leader: p.LeaderID, Replicas: p.Replicas, ISR: p.ISR,
					HasELR: true, ELR: p.EligibleLeaderReplicas, LastKnownELR: p.LastKnownELR,
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
		if m := found[t.Name]; m != nil {
			slices.SortFunc(m.Partitions, func(a, b client.Partition) int { return int(a.ID - b.ID) })
			list = append(list, *m)
		}
	}
	return list, nil
}

// shownConfigs is the text of a topic's configurations that differ from the built-in defaults, and min.insync.replicas, which
// the filters need.
type shownConfigs struct {
	line   string
	minISR int
}

func topicConfigs(ctx context.Context, c *client.Conn, topics []client.Topic) (map[string]shownConfigs, error) {
	ctx, cancel := c.Within(ctx)
	defer cancel()
	req := kmsg.NewPtrDescribeConfigsRequest()
	for _, t := range topics {
		r := kmsg.NewDescribeConfigsRequestResource()
		r.ResourceType, r.ResourceName = kmsg.ConfigResourceTypeTopic, t.Name
		req.Resources = append(req.Resources, r)
	}
	resp, err := req.RequestWith(ctx, c.Client)
	if err != nil {
		return nil, exception.Of(err, "describeConfigs")
	}
	shown := map[string]shownConfigs{}
	for _, r := range resp.Resources {
		if err := exception.FromBroker(r.ErrorCode, r.ErrorMessage); err != nil {
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

func (c *command) shows(p client.Partition, conf shownConfigs) bool {
	switch {
	case c.set.Has("under-replicated-partitions"):
		return len(p.ISR) < len(p.Replicas)
	case c.set.Has("unavailable-partitions"):
		return p.Leader < 0
	case c.set.Has("under-min-isr-partitions"):
		return p.Leader < 0 || len(p.ISR) < conf.minISR
	case c.set.Has("at-min-isr-partitions"):
		return len(p.ISR) == conf.minISR
	}
	return true
}

func summaryLine(t client.Topic, conf shownConfigs) string {
	line := "Topic: " + t.Name
	if t.ID != [16]byte{} {
		line += "\tTopicId: " + idText(t.ID)
	}
	factor := 0
	if len(t.Partitions) > 0 {
		factor = len(t.Partitions[0].Replicas)
	}
	return line + fmt.Sprintf("\tPartitionCount: %d\tReplicationFactor: %d\tConfigs: %s", len(t.Partitions), factor, conf.line)
}

func partitionLine(topic string, p client.Partition, move reassignment) string {
	leader := "none"
	if p.Leader >= 0 {
		leader = strconv.Itoa(int(p.Leader))
	}
	line := fmt.Sprintf("\tTopic: %s\tPartition: %d\tLeader: %s\tReplicas: %s\tIsr: %s", topic, p.ID, leader, client.JoinIDs(p.Replicas), client.JoinIDs(p.ISR))
	if len(move.adding)+len(move.removing) > 0 {
		line += "\tAdding Replicas: " + client.JoinIDs(move.adding) + "\tRemoving Replicas: " + client.JoinIDs(move.removing)
	}
	if !p.HasELR {
		return line + "\tElr: N/A\tLastKnownElr: N/A"
	}
	return line + "\tElr: " + client.JoinIDs(p.ELR) + "\tLastKnownElr: " + client.JoinIDs(p.LastKnownELR)
}

type reassignment struct{ adding, removing []int32 }

// reassignments returns the ongoing reassignments. It returns none if the broker does not know the request, or does not permit
// it.
func reassignments(ctx context.Context, c *client.Conn) (map[client.TopicPartition]reassignment, error) {
	if !c.Supports(ctx, kmsg.ListPartitionReassignments) {
		return nil, nil
	}
	ctx, cancel := c.Within(ctx)
	defer cancel()
	req := kmsg.NewPtrListPartitionReassignmentsRequest()
	req.TimeoutMillis = 30_000
	resp, err := req.RequestWith(ctx, c.Client)
	if err != nil {
		return nil, exception.Of(err, "listPartitionReassignments")
	}
	moves := map[client.TopicPartition]reassignment{}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			moves[client.TopicPartition{Topic: t.Topic, Partition: p.Partition}] = reassignment{adding: p.AddingReplicas, removing: p.RemovingReplicas}
		}
	}
	return moves, nil
}
