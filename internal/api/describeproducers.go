package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/topic"
	"github.com/botehq/bote/internal/wire"
)

// DescribeProducers, key 61, version 0 (KIP-664). A partition that is named several
// times is answered once; Kafka answers each time.
func (b *Broker) describeProducers(r *wire.Request, q *kmsg.DescribeProducersRequest) {
	resp := kmsg.NewPtrDescribeProducersResponse()
	s := b.Catalog.Snapshot()
	done := answered{}
	for _, qt := range q.Topics {
		rt := kmsg.NewDescribeProducersResponseTopic()
		rt.Topic = qt.Topic
		for _, index := range qt.Partitions {
			if done.markAnswered(qt.Topic, index) {
				continue
			}
			rp := kmsg.NewDescribeProducersResponseTopicPartition()
			rp.Partition = index
			_, p, err := b.find(s, qt.Topic, topic.ID{}, false, index)
			rp.ErrorCode, rp.ErrorMessage = b.code(r, err), message(err)
			if err == nil {
				for _, s := range p.Producers() {
					a := kmsg.NewDescribeProducersResponseTopicPartitionActiveProducer()
					a.ProducerID, a.ProducerEpoch, a.LastSequence = s.ID, int32(s.Epoch), s.LastSequence
					a.LastTimestamp, a.CoordinatorEpoch, a.CurrentTxnStartOffset = s.LastTimestamp, s.CoordinatorEpoch, s.TxnStart
					rp.ActiveProducers = append(rp.ActiveProducers, a)
				}
			}
			rt.Partitions = append(rt.Partitions, rp)
		}
		if len(rt.Partitions) > 0 || len(qt.Partitions) == 0 {
			resp.Topics = append(resp.Topics, rt)
		}
	}
	r.Reply(resp)
}
