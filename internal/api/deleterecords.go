package api

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/catalog"
	"github.com/botehq/bote/internal/partition"
	"github.com/botehq/bote/internal/topic"
	"github.com/botehq/bote/internal/wire"
)

// DeleteRecords, key 21, versions 0-2 (KIP-107). 2 is flexible. The new log start
// offset is on disk before the answer. If a partition is named twice, the last offset
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
	var d recordsDeletion
	done := answered{}
	for _, qt := range q.Topics {
		rt := kmsg.NewDeleteRecordsResponseTopic()
		rt.Topic = qt.Topic
		rt.Partitions = make([]kmsg.DeleteRecordsResponseTopicPartition, 0, len(qt.Partitions)) // d points into it, so it must not move
		for _, qp := range qt.Partitions {
			if done.markAnswered(qt.Topic, qp.Partition) {
				continue
			}
			rp := kmsg.NewDeleteRecordsResponseTopicPartition()
			rp.Partition, rp.LowWatermark = qp.Partition, -1
			t, p, err := b.find(s, qt.Topic, topic.ID{}, false, qp.Partition)
			if err == nil {
				err = recordsDeletable(t)
			}
			rp.ErrorCode = b.code(r, err)
			rt.Partitions = append(rt.Partitions, rp)
			if err == nil {
				d.add(p, last[partKey{name: qt.Topic, index: qp.Partition}], &rt.Partitions[len(rt.Partitions)-1])
			}
		}
		if len(rt.Partitions) > 0 || len(qt.Partitions) == 0 {
			resp.Topics = append(resp.Topics, rt)
		}
	}
	d.run(b, r)
	r.Reply(resp)
}

// recordsDeletion is the partitions of a request whose records are deleted, all at
// once.
type recordsDeletion struct {
	parts   []*partition.Partition
	offsets []int64
	answers []*kmsg.DeleteRecordsResponseTopicPartition
}

func (d *recordsDeletion) add(p *partition.Partition, offset int64, answer *kmsg.DeleteRecordsResponseTopicPartition) {
	d.parts, d.offsets, d.answers = append(d.parts, p), append(d.offsets, offset), append(d.answers, answer)
}

func (d *recordsDeletion) run(b *Broker, r *wire.Request) {
	starts, errs := partition.DeleteRecords(r.Conn.Context(), d.parts, d.offsets)
	for i, answer := range d.answers {
		answer.LowWatermark, answer.ErrorCode = starts[i], b.code(r, errs[i])
	}
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
