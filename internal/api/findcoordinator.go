package api

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/catalog"
	"github.com/botehq/bote/internal/cluster"
	"github.com/botehq/bote/internal/topic"
	"github.com/botehq/bote/internal/wire"
)

// FindCoordinator, key 10, versions 0-6. 1 adds key types; 3 is flexible; 4 allows
// many keys; 6 adds share groups. A group's coordinator is the leader of its
// partition of __consumer_offsets. If that topic does not exist, the request creates
// it.

const groupKey = 0

func (b *Broker) findCoordinator(r *wire.Request, q *kmsg.FindCoordinatorRequest) {
	if q.CoordinatorType == groupKey && b.Catalog.Snapshot().Topic(topic.ConsumerOffsets) == nil {
		b.offReader(r, func() { b.answerCoordinators(r, q) }, r.Skip)
		return
	}
	b.answerCoordinators(r, q)
}

func (b *Broker) answerCoordinators(r *wire.Request, q *kmsg.FindCoordinatorRequest) {
	resp := kmsg.NewPtrFindCoordinatorResponse()
	keys := q.CoordinatorKeys
	if q.Version < 4 {
		keys = []string{q.CoordinatorKey}
	}
	t, err := b.coordinated(r, q)
	for _, key := range keys {
		c := kmsg.NewFindCoordinatorResponseCoordinator()
		c.Key, c.NodeID, c.Port = key, -1, -1
		leader, refused := b.coordinator(t, key, err)
		if refused != nil {
			c.ErrorCode, c.ErrorMessage = b.code(r, refused), message(refused)
		} else {
			at := endpoint(r, leader)
			c.NodeID, c.Host, c.Port = leader.ID, at.Host, at.Port
		}
		resp.Coordinators = append(resp.Coordinators, c)
	}
	if q.Version < 4 {
		c := resp.Coordinators[0]
		resp.NodeID, resp.Host, resp.Port, resp.ErrorCode, resp.ErrorMessage = c.NodeID, c.Host, c.Port, c.ErrorCode, c.ErrorMessage
		resp.Coordinators = nil
	}
	r.Reply(resp)
}

// coordinated returns the topic that holds the state of the request's kind of
// coordinator, or why keys of this kind have no coordinator.
func (b *Broker) coordinated(r *wire.Request, q *kmsg.FindCoordinatorRequest) (*catalog.Topic, error) {
	switch q.CoordinatorType {
	case groupKey:
		return b.OffsetsTopic(r.Conn.Context())
	case 1:
		return nil, &catalog.RefusedError{Code: kerr.InvalidRequest, Message: "This broker does not serve transactions."}
	default:
		return nil, kerr.InvalidRequest
	}
}

// coordinator returns the broker that leads the partition of a group.
func (b *Broker) coordinator(t *catalog.Topic, group string, err error) (*cluster.Node, error) {
	if err != nil {
		return nil, err
	}
	leader, ok := b.leader(t, b.Groups.Partition(group))
	if !ok {
		return nil, kerr.CoordinatorNotAvailable
	}
	return leader.Node, nil
}
