package api

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/wire"
)

// InitProducerId, key 22, versions 0-5 (KIP-98). 2 is flexible; 3 lets a producer
// bump its epoch (KIP-360). Without a transactional ID, every call returns a new
// producer ID. Transactions are not served: a request with a transactional ID gets an
// error that clients report at once.
func (b *Broker) initProducerID(r *wire.Request, q *kmsg.InitProducerIDRequest) {
	resp := kmsg.NewPtrInitProducerIDResponse()
	resp.ProducerID, resp.ProducerEpoch = -1, -1
	var err error
	switch {
	case q.TransactionalID == nil:
		var id int64
		if id, err = b.Catalog.ProducerID(r.Conn.Context()); err == nil {
			resp.ProducerID, resp.ProducerEpoch = id, 0
		}
	case *q.TransactionalID == "":
		err = kerr.InvalidRequest
	default:
		err = kerr.UnsupportedVersion
	}
	resp.ErrorCode = b.code(r, err)
	r.Reply(resp)
}
