package client

import (
	"context"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/cli/exception"
)

// Special timestamps of ListOffsets, which stand for places in the log.
const (
	AtLatest          = -1
	AtEarliest        = -2
	AtMaxTimestamp    = -3
	AtEarliestLocal   = -4
	AtLatestTiered    = -5
	AtEarliestPending = -6
)

// FoundOffset is the answer for one partition. Offset -1 means that there is no such place.
type FoundOffset struct {
	Offset    int64
	Timestamp int64
	Epoch     int32
	Err       error
}

// ListOffsets asks for the offsets at a place or time in several partitions.
func (c *Conn) ListOffsets(ctx context.Context, parts []TopicPartition, at int64, committedOnly bool) (map[TopicPartition]FoundOffset, error) {
	found := make(map[TopicPartition]FoundOffset, len(parts))
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
		i, ok := byTopic[p.Topic]
		if !ok {
			i = len(req.Topics)
			byTopic[p.Topic] = i
			t := kmsg.NewListOffsetsRequestTopic()
			t.Topic = p.Topic
			req.Topics = append(req.Topics, t)
		}
		one := kmsg.NewListOffsetsRequestTopicPartition()
		one.Partition, one.Timestamp, one.CurrentLeaderEpoch = p.Partition, at, -1
		req.Topics[i].Partitions = append(req.Topics[i].Partitions, one)
	}
	resp, err := listOffsetsOf(ctx, c.Client, req)
	if err != nil {
		return nil, exception.Of(err, "listOffsets")
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			f := FoundOffset{Offset: p.Offset, Timestamp: p.Timestamp, Epoch: p.LeaderEpoch, Err: exception.FromBroker(p.ErrorCode, nil)}
			if len(p.OldStyleOffsets) > 0 && p.Offset < 0 {
				f.Offset = p.OldStyleOffsets[0]
			}
			found[TopicPartition{t.Topic, p.Partition}] = f
		}
	}
	return found, nil
}

func listOffsetsOf(ctx context.Context, cl *kgo.Client, req *kmsg.ListOffsetsRequest) (*kmsg.ListOffsetsResponse, error) {
	return req.RequestWith(ctx, cl)
}
