// Package cluster knows which brokers there are and which of them leads a partition.
// There is one broker. It is the leader and the only replica of every partition. Its
// leader epoch for a partition is the number of runs since the topic was created: a run
// begins after an unclean stop, or after a log failed (see package catalog).
package cluster

import (
	"crypto/rand"
	"encoding/base64"
	"net"
	"strconv"
)

// Endpoint is the address at which clients of one listener find the broker.
type Endpoint struct {
	Host string
	Port int32
}

// ParseEndpoint splits an address, which is host:port.
func ParseEndpoint(address string) (Endpoint, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return Endpoint{}, err
	}
	n, err := strconv.ParseInt(port, 10, 32)
	if err != nil {
		return Endpoint{}, err
	}
	return Endpoint{Host: host, Port: int32(n)}, nil
}

// Node is this broker.
type Node struct {
	ClusterID string
	ID        int32
	Rack      *string
	// Endpoints are the advertised addresses by listener name.
	Endpoints map[string]Endpoint
}

// Replicas returns the replica list, which is the same for every partition.
func (n *Node) Replicas() []int32 { return []int32{n.ID} }

// Endpoint returns the address for clients that are connected to a listener.
func (n *Node) Endpoint(listener string) Endpoint { return n.Endpoints[listener] }

// NewID returns a random ID in the 22-character form that clusters, directories
// and topics share. It does not begin with '-', so that it can be an argument.
func NewID() string {
	for {
		var id [16]byte
		_, _ = rand.Read(id[:]) // never fails
		id[6] = id[6]&0x0f | 0x40
		id[8] = id[8]&0x3f | 0x80
		if s := base64.RawURLEncoding.EncodeToString(id[:]); s[0] != '-' {
			return s
		}
	}
}
