package api

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/catalog"
	"github.com/botehq/bote/internal/wire"
)

// FindCoordinator, key 10, versions 0-6. 1 key types; 3 flexible; 4 many keys; 6
// share groups. This broker coordinates everything that is coordinated:
// groups. The topic of committed offsets is created on the way.

const groupKey = 0

func (b *Broker) findCoordinator(r *wire.Request, q *kmsg.FindCoordinatorRequest) {
	resp := kmsg.NewPtrFindCoordinatorResponse()
	keys := q.CoordinatorKeys
	if q.Version < 4 {
		keys = []string{q.CoordinatorKey}
	}
	err := b.coordinates(r, q)
	at := b.Node.Endpoint(r.Conn.Listener().Name)
	for _, key := range keys {
		c := kmsg.NewFindCoordinatorResponseCoordinator()
		c.Key, c.NodeID, c.Host, c.Port = key, b.Node.ID, at.Host, at.Port
		if err != nil {
			c.NodeID, c.Host, c.Port = -1, "", -1
			c.ErrorCode, c.ErrorMessage = b.code(r, err), message(err)
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

// coordinates says why keys of a type have no coordinator here.
func (b *Broker) coordinates(r *wire.Request, q *kmsg.FindCoordinatorRequest) error {
	switch q.CoordinatorType {
	case groupKey:
		_, err := b.OffsetsTopic(r.Conn.Context())
		return err
	case 1:
		return &catalog.RefusedError{Code: kerr.InvalidRequest, Message: "This broker does not serve transactions."}
	default:
		return kerr.InvalidRequest
	}
}
