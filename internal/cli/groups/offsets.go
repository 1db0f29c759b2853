package groups

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/cli/client"
	"github.com/botehq/bote/internal/cli/exception"
	"github.com/botehq/bote/internal/cli/jopt"
	"github.com/botehq/bote/internal/cli/tool"
)

// topicArguments reads the words of --topic: topics, which mean all their partitions, and topic:0,1 for some partitions.
func topicArguments(words []string) (topics []string, parts []client.TopicPartition, err error) {
	for _, word := range words {
		topic, list, some := strings.Cut(word, ":")
		if !some {
			topics = append(topics, topic)
			continue
		}
		for id := range strings.SplitSeq(list, ",") {
			n, err := tool.ParseInt32(id)
			if err != nil {
				return nil, nil, jopt.BadUsage(fmt.Sprintf("Invalid partition '%s' specified in topic arg '%s''", id, word))
			}
			parts = append(parts, client.TopicPartition{Topic: topic, Partition: n})
		}
	}
	return topics, parts, nil
}

// partitionsOf adds all partitions of the topics to a list. It also returns the topics that do not exist.
func (c *command) partitionsOf(ctx context.Context, topics []string, parts []client.TopicPartition) (all []client.TopicPartition, unknown []string, err error) {
	known, err := c.conn.Topics(ctx, "describeTopics")
	if err != nil {
		return nil, nil, err
	}
	for _, name := range topics {
		i := slices.IndexFunc(known, func(t client.Topic) bool { return t.Name == name })
		if i < 0 {
			unknown = append(unknown, name)
			continue
		}
		for _, p := range known[i].Partitions {
			parts = append(parts, client.TopicPartition{Topic: name, Partition: p.ID})
		}
	}
	slices.SortFunc(parts, client.ComparePartitions)
	return slices.Compact(parts), unknown, nil
}

// deletedOffset is a row of the table of --delete-offsets.
type deletedOffset struct{ topic, partition, status string }

func (c *command) deleteOffsets(ctx context.Context) error {
	group, err := c.set.Text("group", "")
	if err != nil {
		return err
	}
	topics, parts, err := topicArguments(c.set.All("topic"))
	if err != nil {
		return err
	}
	parts, unknown, err := c.partitionsOf(ctx, topics, parts)
	if err != nil {
		return err
	}
	resp, err := c.requestDeleteOffsets(ctx, group, parts)
	if err != nil {
		return exception.InFuture(err)
	}
	rows, failed := deletedRows(resp, parts, unknown)
	switch {
	case resp.ErrorCode != 0:
		c.s.Printf("\nError: %s\n", exception.Of(exception.FromBroker(resp.ErrorCode, nil), "deleteConsumerGroupOffsets"))
	case failed:
		c.s.Printf("\nError: Encountered some partition-level error, see the follow-up details.\n")
	default:
		c.s.Printf("Request succeeded for deleting offsets from group %s.\n", group)
	}
	width := 15
	for _, r := range rows {
		width = max(width, len(r.topic))
	}
	c.s.Printf("\n%-*s %-10s %-15s", width, "TOPIC", "PARTITION", "STATUS")
	for _, r := range rows {
		c.s.Printf("\n%-*s %-10s %-15s", width, r.topic, r.partition, r.status)
	}
	c.s.Printf("\n")
	return nil
}

func (c *command) requestDeleteOffsets(ctx context.Context, group string, parts []client.TopicPartition) (*kmsg.OffsetDeleteResponse, error) {
	ctx, cancel := c.conn.Within(ctx)
	defer cancel()
	req := kmsg.NewPtrOffsetDeleteRequest()
	req.Group = group
	for _, p := range parts {
		if n := len(req.Topics); n == 0 || req.Topics[n-1].Topic != p.Topic {
			t := kmsg.NewOffsetDeleteRequestTopic()
			t.Topic = p.Topic
			req.Topics = append(req.Topics, t)
		}
		one := kmsg.NewOffsetDeleteRequestTopicPartition()
		one.Partition = p.Partition
		last := &req.Topics[len(req.Topics)-1]
		last.Partitions = append(last.Partitions, one)
	}
	resp, err := req.RequestWith(ctx, c.conn.Client)
	if err != nil {
		return nil, exception.Of(err, "deleteConsumerGroupOffsets")
	}
	return resp, nil
}

func deletedRows(resp *kmsg.OffsetDeleteResponse, parts []client.TopicPartition, unknown []string) (rows []deletedOffset, failed bool) {
	codes := map[client.TopicPartition]int16{}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			codes[client.TopicPartition{Topic: t.Topic, Partition: p.Partition}] = p.ErrorCode
		}
	}
	for _, p := range parts {
		code := codes[p]
		if resp.ErrorCode != 0 {
			code = resp.ErrorCode
		}
		failed = failed || code != 0
		rows = append(rows, deletedOffset{p.Topic, strconv.Itoa(int(p.Partition)), deletedStatus(code)})
	}
	for _, name := range unknown {
		rows = append(rows, deletedOffset{name, missing, deletedStatus(kerr.UnknownTopicOrPartition.Code)})
	}
	return rows, failed
}

func deletedStatus(code int16) string {
	if code == 0 {
		return "Successful"
	}
	return "Error: " + exception.Named(exception.FromBroker(code, nil))
}
