package api

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/partition"
	"github.com/botehq/bote/internal/topic"
	"github.com/botehq/bote/internal/wire"
)

// ListOffsets, key 2, versions 1-11.
//
// 4 adds leader epochs; 6 is flexible; 7 adds the max timestamp (KIP-734); 8 the
// earliest local and 9 the latest tiered offset (KIP-405); 11 the earliest pending
// upload. Nothing is tiered: everything is local.

// Timestamps with a special meaning, and the first versions that may use them.
const (
	latestOffset        = -1
	earliestOffset      = -2
	maxTimestamp        = -3
	earliestLocal       = -4
	latestTiered        = -5
	earliestPending     = -6
	debugReplica        = -2
	firstMaxTimestamp   = 7
	firstEarliestLocal  = 8
	firstLatestTiered   = 9
	firstPendingUploads = 11
)

func (b *Broker) listOffsets(r *wire.Request, q *kmsg.ListOffsetsRequest) {
	if asksForTimes(q) {
		b.offReader(r, func() { b.answerOffsets(r, q) }, r.Skip)
		return
	}
	b.answerOffsets(r, q)
}

// asksForTimes reports whether a request needs to read logs.
func asksForTimes(q *kmsg.ListOffsetsRequest) bool {
	for _, qt := range q.Topics {
		for _, qp := range qt.Partitions {
			if qp.Timestamp >= 0 || qp.Timestamp == maxTimestamp {
				return true
			}
		}
	}
	return false
}

func (b *Broker) answerOffsets(r *wire.Request, q *kmsg.ListOffsetsRequest) {
	resp := kmsg.NewPtrListOffsetsResponse()
	s := b.Catalog.Snapshot()
	count := map[partKey]int{}
	for _, qt := range q.Topics {
		for _, qp := range qt.Partitions {
			count[partKey{name: qt.Topic, index: qp.Partition}]++
		}
	}
	done := answered{}
	for _, qt := range q.Topics {
		rt := kmsg.NewListOffsetsResponseTopic()
		rt.Topic = qt.Topic
		for _, qp := range qt.Partitions {
			if done.markAnswered(qt.Topic, qp.Partition) {
				continue
			}
			rp := kmsg.NewListOffsetsResponseTopicPartition()
			rp.Partition = qp.Partition
			_, p, err := b.find(s, qt.Topic, topic.ID{}, false, qp.Partition)
			switch {
			case count[partKey{name: qt.Topic, index: qp.Partition}] > 1:
				err = kerr.InvalidRequest
			case err == nil:
				err = b.listOffset(r, q, p, qp, &rp)
			}
			if err != nil {
				rp.ErrorCode, rp.Offset, rp.Timestamp, rp.LeaderEpoch = b.code(r, err), -1, -1, -1
			}
			rt.Partitions = append(rt.Partitions, rp)
		}
		if len(rt.Partitions) > 0 || len(qt.Partitions) == 0 {
			resp.Topics = append(resp.Topics, rt)
		}
	}
	r.Reply(resp)
}

func (b *Broker) listOffset(r *wire.Request, q *kmsg.ListOffsetsRequest, p *partition.Partition, qp kmsg.ListOffsetsRequestTopicPartition, rp *kmsg.ListOffsetsResponseTopicPartition) error {
	if err := p.CheckEpoch(qp.CurrentLeaderEpoch); err != nil {
		return err
	}
	rp.Offset, rp.Timestamp, rp.LeaderEpoch = -1, -1, -1
	switch ts := qp.Timestamp; {
	case ts == latestOffset:
		rp.Offset, rp.LeaderEpoch = p.HighWatermark(), p.LeaderEpoch()
		if q.ReplicaID == debugReplica {
			rp.Offset = p.LogEndOffset()
		}
	case ts == earliestOffset, ts == earliestLocal && q.Version >= firstEarliestLocal:
		rp.Offset, rp.LeaderEpoch = p.LogStartOffset(), p.StartEpoch()
	case ts == maxTimestamp && q.Version >= firstMaxTimestamp:
		found, ok, err := p.FindMaxTime(r.Conn.Context())
		if err != nil || !ok {
			return err
		}
		rp.Offset, rp.Timestamp, rp.LeaderEpoch = found.Offset, found.Timestamp, found.Epoch
	case ts == latestTiered && q.Version >= firstLatestTiered, ts == earliestPending && q.Version >= firstPendingUploads:
		// nothing is tiered
	case ts >= 0:
		found, ok, err := p.FindTime(r.Conn.Context(), ts)
		if err != nil || !ok {
			return err
		}
		rp.Offset, rp.Timestamp, rp.LeaderEpoch = found.Offset, found.Timestamp, found.Epoch
	default:
		return kerr.UnsupportedVersion
	}
	return nil
}
