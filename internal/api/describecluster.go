package api

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/wire"
)

// DescribeCluster, key 60, versions 0-2 (KIP-700). 1 adds endpoint types (KIP-919); 2
// adds fenced brokers.

// The kinds of endpoints on the wire.
const (
	brokerEndpoints     int8 = 1
	controllerEndpoints int8 = 2
)

func (b *Broker) describeCluster(r *wire.Request, q *kmsg.DescribeClusterRequest) {
	resp := kmsg.NewPtrDescribeClusterResponse()
	resp.ClusterAuthorizedOperations = noOperations
	if err := b.endpointError(q); err != nil {
		resp.ErrorCode, resp.ErrorMessage = b.code(r, err), message(err)
		r.Reply(resp)
		return
	}
	if q.IncludeClusterAuthorizedOperations {
		resp.ClusterAuthorizedOperations = clusterOperations
	}
	resp.ClusterID, resp.ControllerID = b.Node.ClusterID, b.Node.ID
	resp.EndpointType = b.endpoints
	at := b.Node.Endpoint(r.Conn.Listener().Name)
	rb := kmsg.NewDescribeClusterResponseBroker()
	rb.NodeID, rb.Host, rb.Port, rb.Rack = b.Node.ID, at.Host, at.Port, b.Node.Rack
	resp.Brokers = append(resp.Brokers, rb)
	r.Reply(resp)
}

// endpointError refuses a request for the kind of nodes that this listener is not
// for. Version 0 asks for brokers.
func (b *Broker) endpointError(q *kmsg.DescribeClusterRequest) error {
	asked := q.EndpointType
	if q.Version == 0 {
		asked = brokerEndpoints
	}
	switch asked {
	case b.endpoints:
		return nil
	case brokerEndpoints, controllerEndpoints:
		return kerr.MismatchedEndpointType
	default:
		return kerr.UnsupportedEndpointType
	}
}
