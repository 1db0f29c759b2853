package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/wire"
)

// ListPartitionReassignments, key 46, version 0 (KIP-455). With one broker there
// is nothing to move.
func (b *Broker) listPartitionReassignments(r *wire.Request, q *kmsg.ListPartitionReassignmentsRequest) {
	r.Reply(q.ResponseKind())
}
