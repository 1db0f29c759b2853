package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/topic"
	"github.com/botehq/bote/internal/wire"
)

// DescribeProducers, key 61, version 0 (KIP-664). A partition is answered once,
// however often it is named.
func (b *Broker) describeProducers(r *wire.Request, q *kmsg.DescribeProducersRequest) {
	resp := kmsg.NewPtrDescribeProducersResponse()
	s := b.Catalog.Snapshot()
	seen := map[partKey]bool{}
	for _, qt := range q.Topics {
		rt := kmsg.NewDescribeProducersResponseTopic()
		rt.Topic = qt.Topic
		for _, index := range qt.Partitions {
			key := partKey{name: qt.Topic, index: index}
			if seen[key] {
				continue
			}
			seen[key] = true
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
		resp.Topics = append(resp.Topics, rt)
	}
	r.Reply(resp)
}
