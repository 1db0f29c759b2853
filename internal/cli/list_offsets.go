package cli

import (
	"context"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Timestamps that ListOffsets takes for places in the log.
const (
	atLatest          = -1
	atEarliest        = -2
	atMaxTimestamp    = -3
	atEarliestLocal   = -4
	atLatestTiered    = -5
	atEarliestPending = -6
)

// foundOffset is the answer for one partition. Offset -1 is no such place.
type foundOffset struct {
	offset    int64
	timestamp int64
	epoch     int32
	err       error
}

// listOffsets asks for the offsets of a place or a time in several partitions.
func (c *connection) listOffsets(ctx context.Context, parts []topicPartition, at int64, committedOnly bool) (map[topicPartition]foundOffset, error) {
	found := make(map[topicPartition]foundOffset, len(parts))
	if len(parts) == 0 {
		return found, nil
	}
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID = -1
	if committedOnly {
		req.IsolationLevel = 1
	}
	req.TimeoutMillis = 30_000
	byTopic := map[string]int{}
	for _, p := range parts {
		i, ok := byTopic[p.topic]
		if !ok {
			i = len(req.Topics)
			byTopic[p.topic] = i
			t := kmsg.NewListOffsetsRequestTopic()
			t.Topic = p.topic
			req.Topics = append(req.Topics, t)
		}
		one := kmsg.NewListOffsetsRequestTopicPartition()
		one.Partition, one.Timestamp, one.CurrentLeaderEpoch = p.partition, at, -1
		req.Topics[i].Partitions = append(req.Topics[i].Partitions, one)
	}
	resp, err := listOffsetsOf(ctx, c.Client, req)
	if err != nil {
		return nil, asException(err, "listOffsets")
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			f := foundOffset{offset: p.Offset, timestamp: p.Timestamp, epoch: p.LeaderEpoch, err: brokerError(p.ErrorCode, nil)}
			if len(p.OldStyleOffsets) > 0 && p.Offset < 0 {
				f.offset = p.OldStyleOffsets[0]
			}
			found[topicPartition{t.Topic, p.Partition}] = f
		}
	}
	return found, nil
}

func listOffsetsOf(ctx context.Context, cl *kgo.Client, req *kmsg.ListOffsetsRequest) (*kmsg.ListOffsetsResponse, error) {
	return req.RequestWith(ctx, cl)
}
