package api

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/catalog"
	"github.com/botehq/bote/internal/wire"
)

// CreatePartitions, key 37, versions 0-3 (KIP-195). 2 is flexible; 3 adds quotas.
func (b *Broker) createPartitions(r *wire.Request, q *kmsg.CreatePartitionsRequest) {
	resp := kmsg.NewPtrCreatePartitionsResponse()
	count := map[string]int{}
	for i := range q.Topics {
		count[q.Topics[i].Topic]++
	}
	for i := range q.Topics {
		qt := &q.Topics[i]
		n := count[qt.Topic]
		if n < 0 {
			continue
		}
		count[qt.Topic] = -1
		rt := kmsg.NewCreatePartitionsResponseTopic()
		rt.Topic = qt.Topic
		err := error(&catalog.RefusedError{Code: kerr.InvalidRequest, Message: "Duplicate topic name."})
		if n == 1 {
			err = b.growTopic(r, q, qt)
		}
		rt.ErrorCode, rt.ErrorMessage = b.code(r, err), message(err)
		resp.Topics = append(resp.Topics, rt)
	}
	r.Reply(resp)
}

func (b *Broker) growTopic(r *wire.Request, q *kmsg.CreatePartitionsRequest, qt *kmsg.CreatePartitionsRequestTopic) error {
	t := b.Catalog.Snapshot().Topic(qt.Topic)
	if t != nil && qt.Assignment != nil && qt.Count > t.Partitions {
		if added := int(qt.Count - t.Partitions); len(qt.Assignment) != added {
			return &catalog.RefusedError{Code: kerr.InvalidReplicaAssignment, Message: "The number of manual assignments does not match the number of new partitions."}
		}
		for _, a := range qt.Assignment {
			if err := catalog.CheckReplicas(a.Replicas, b.Node.ID); err != nil {
				return err
			}
		}
	}
	return b.Catalog.AddPartitions(r.Conn.Context(), qt.Topic, qt.Count, q.ValidateOnly)
}
