package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/topic"
	"github.com/botehq/bote/internal/wire"
)

// OffsetForLeaderEpoch, key 23, versions 2-4 (KIP-101, KIP-320). Old librdkafka
// always sends version 2. 4 is flexible.
func (b *Broker) offsetForLeaderEpoch(r *wire.Request, q *kmsg.OffsetForLeaderEpochRequest) {
	resp := kmsg.NewPtrOffsetForLeaderEpochResponse()
	s := b.Catalog.Snapshot()
	for _, qt := range q.Topics {
		rt := kmsg.NewOffsetForLeaderEpochResponseTopic()
		rt.Topic = qt.Topic
		for _, qp := range qt.Partitions {
			rp := kmsg.NewOffsetForLeaderEpochResponseTopicPartition()
			rp.Partition = qp.Partition
			_, p, err := b.find(s, qt.Topic, topic.ID{}, false, qp.Partition)
			if err == nil {
				err = p.CheckEpoch(qp.CurrentLeaderEpoch)
			}
			if err == nil {
				end := p.EpochEnd(qp.LeaderEpoch)
				rp.LeaderEpoch, rp.EndOffset = end.Epoch, end.Start
			}
			rp.ErrorCode = b.code(r, err)
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	r.Reply(resp)
}
