package api

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/catalog"
	"github.com/botehq/bote/internal/topic"
	"github.com/botehq/bote/internal/wire"
)

// DeleteRecords, key 21, versions 0-2 (KIP-107). 2 is flexible. The new start is
// on disk before the answer. Of a partition that is named twice the last offset
// counts.
func (b *Broker) deleteRecords(r *wire.Request, q *kmsg.DeleteRecordsRequest) {
	resp := kmsg.NewPtrDeleteRecordsResponse()
	s := b.Catalog.Snapshot()
	last := map[partKey]int64{}
	for _, qt := range q.Topics {
		for _, qp := range qt.Partitions {
			last[partKey{name: qt.Topic, index: qp.Partition}] = qp.Offset
		}
	}
	done := answered{}
	for _, qt := range q.Topics {
		rt := kmsg.NewDeleteRecordsResponseTopic()
		rt.Topic = qt.Topic
		for _, qp := range qt.Partitions {
			if done.before(qt.Topic, qp.Partition) {
				continue
			}
			rp := kmsg.NewDeleteRecordsResponseTopicPartition()
			rp.Partition, rp.LowWatermark = qp.Partition, -1
			t, p, err := b.find(s, qt.Topic, topic.ID{}, false, qp.Partition)
			if err == nil {
				err = recordsDeletable(t)
			}
			if err == nil {
				rp.LowWatermark, err = p.DeleteRecords(last[partKey{name: qt.Topic, index: qp.Partition}])
			}
			rp.ErrorCode = b.code(r, err)
			rt.Partitions = append(rt.Partitions, rp)
		}
		if len(rt.Partitions) > 0 || len(qt.Partitions) == 0 {
			resp.Topics = append(resp.Topics, rt)
		}
	}
	r.Reply(resp)
}

func recordsDeletable(t *catalog.Topic) error {
	switch {
	case topic.IsInternal(t.Name):
		return kerr.InvalidTopicException
	case t.Config.CleanupCompact && !t.Config.CleanupDelete:
		return kerr.PolicyViolation
	}
	return nil
}
