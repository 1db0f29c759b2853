package cli

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// topicArguments reads the words of --topic: names that mean all partitions, and partitions of names.
func topicArguments(words []string) (topics []string, parts []topicPartition, err error) {
	for _, word := range words {
		topic, list, some := strings.Cut(word, ":")
		if !some {
			topics = append(topics, topic)
			continue
		}
		for id := range strings.SplitSeq(list, ",") {
			n, err := parseInt32(id)
			if err != nil {
				return nil, nil, usage(fmt.Sprintf("Invalid partition '%s' specified in topic arg '%s''", id, word))
			}
			parts = append(parts, topicPartition{topic, n})
		}
	}
	return topics, parts, nil
}

// partitionsOf adds the partitions of topics to a list. Topics that do not exist are returned.
func (c *groupsCommand) partitionsOf(ctx context.Context, topics []string, parts []topicPartition) (all []topicPartition, unknown []string, err error) {
	known, err := c.conn.topics(ctx, "describeTopics")
	if err != nil {
		return nil, nil, err
	}
	for _, name := range topics {
		i := slices.IndexFunc(known, func(t topicMetadata) bool { return t.name == name })
		if i < 0 {
			unknown = append(unknown, name)
			continue
		}
		for _, p := range known[i].partitions {
			parts = append(parts, topicPartition{name, p.id})
		}
	}
	slices.SortFunc(parts, comparePartitions)
	return slices.Compact(parts), unknown, nil
}

// deletedOffset is a line of the table of --delete-offsets.
type deletedOffset struct{ topic, partition, status string }

func (c *groupsCommand) deleteOffsets(ctx context.Context) error {
	group, err := c.set.text("group", "")
	if err != nil {
		return err
	}
	topics, parts, err := topicArguments(c.set.all("topic"))
	if err != nil {
		return err
	}
	parts, unknown, err := c.partitionsOf(ctx, topics, parts)
	if err != nil {
		return err
	}
	resp, err := c.requestDeleteOffsets(ctx, group, parts)
	if err != nil {
		return execution(err)
	}
	rows, failed := deletedRows(resp, parts, unknown)
	switch {
	case resp.ErrorCode != 0:
		c.s.printf("\nError: %s\n", asException(brokerError(resp.ErrorCode, nil), "deleteConsumerGroupOffsets"))
	case failed:
		c.s.printf("\nError: Encountered some partition-level error, see the follow-up details.\n")
	default:
		c.s.printf("Request succeeded for deleting offsets from group %s.\n", group)
	}
	width := 15
	for _, r := range rows {
		width = max(width, len(r.topic))
	}
	c.s.printf("\n%-*s %-10s %-15s", width, "TOPIC", "PARTITION", "STATUS")
	for _, r := range rows {
		c.s.printf("\n%-*s %-10s %-15s", width, r.topic, r.partition, r.status)
	}
	c.s.printf("\n")
	return nil
}

func (c *groupsCommand) requestDeleteOffsets(ctx context.Context, group string, parts []topicPartition) (*kmsg.OffsetDeleteResponse, error) {
	ctx, cancel := c.conn.within(ctx)
	defer cancel()
	req := kmsg.NewPtrOffsetDeleteRequest()
	req.Group = group
	for _, p := range parts {
		if n := len(req.Topics); n == 0 || req.Topics[n-1].Topic != p.topic {
			t := kmsg.NewOffsetDeleteRequestTopic()
			t.Topic = p.topic
			req.Topics = append(req.Topics, t)
		}
		one := kmsg.NewOffsetDeleteRequestTopicPartition()
		one.Partition = p.partition
		last := &req.Topics[len(req.Topics)-1]
		last.Partitions = append(last.Partitions, one)
	}
	resp, err := req.RequestWith(ctx, c.conn.Client)
	if err != nil {
		return nil, asException(err, "deleteConsumerGroupOffsets")
	}
	return resp, nil
}

func deletedRows(resp *kmsg.OffsetDeleteResponse, parts []topicPartition, unknown []string) (rows []deletedOffset, failed bool) {
	codes := map[topicPartition]int16{}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			codes[topicPartition{t.Topic, p.Partition}] = p.ErrorCode
		}
	}
	for _, p := range parts {
		code := codes[p]
		if resp.ErrorCode != 0 {
			code = resp.ErrorCode
		}
		failed = failed || code != 0
		rows = append(rows, deletedOffset{p.topic, strconv.Itoa(int(p.partition)), deletedStatus(code)})
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
	return "Error: " + named(brokerError(code, nil))
}
