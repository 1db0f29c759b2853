package api

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/catalog"
	"github.com/botehq/bote/internal/topic"
	"github.com/botehq/bote/internal/wire"
)

// DeleteRecords, key 21, versions 0-2 (KIP-107). 2 is flexible. The new start is
// on disk before the answer.
func (b *Broker) deleteRecords(r *wire.Request, q *kmsg.DeleteRecordsRequest) {
	resp := kmsg.NewPtrDeleteRecordsResponse()
	s := b.Catalog.Snapshot()
	for _, qt := range q.Topics {
		rt := kmsg.NewDeleteRecordsResponseTopic()
		rt.Topic = qt.Topic
		for _, qp := range qt.Partitions {
			rp := kmsg.NewDeleteRecordsResponseTopicPartition()
			rp.Partition, rp.LowWatermark = qp.Partition, -1
			t, p, err := b.find(s, qt.Topic, topic.ID{}, false, qp.Partition)
			if err == nil {
				err = recordsDeletable(t)
			}
			if err == nil {
				rp.LowWatermark, err = p.DeleteRecords(qp.Offset)
			}
			rp.ErrorCode = b.code(r, err)
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
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
