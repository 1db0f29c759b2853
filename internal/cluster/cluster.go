// Package cluster is who the brokers are and which of them leads a partition.
// There is one broker: it is the leader and the only replica of everything, and
// its leader epoch for a partition follows from how often the data directory was
// opened after an unclean stop (see package catalog).
package cluster

import (
	"crypto/rand"
	"encoding/base64"
	"net"
	"strconv"
)

// Endpoint is where clients of one listener find the broker.
type Endpoint struct {
	Host string
	Port int32
}

// ParseEndpoint splits a bound or configured address.
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

// Replicas is the replica list of every partition.
func (n *Node) Replicas() []int32 { return []int32{n.ID} }

// Endpoint is the address for clients that came in on a listener.
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
