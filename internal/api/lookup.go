package api

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/botehq/bote/internal/catalog"
	"github.com/botehq/bote/internal/cluster"
	"github.com/botehq/bote/internal/partition"
	"github.com/botehq/bote/internal/topic"
	"github.com/botehq/bote/internal/wire"
)

// find looks for a partition by the topic's name or, if byID, its ID. There are three
// answers: it is here; it exists and is led by another broker, or is about to be led
// here, NOT_LEADER_OR_FOLLOWER; it does not exist, UNKNOWN_TOPIC_ID or
// UNKNOWN_TOPIC_OR_PARTITION.
func (b *Broker) find(s *catalog.Snapshot, name string, id topic.ID, byID bool, index int32) (*catalog.Topic, *partition.Partition, error) {
	t := s.Topic(name)
	missing := error(kerr.UnknownTopicOrPartition)
	if byID {
		t, missing = s.TopicByID(id), kerr.UnknownTopicID
	}
	if t == nil {
		return nil, nil, missing
	}
	if index < 0 || index >= t.Partitions {
		return t, nil, kerr.UnknownTopicOrPartition
	}
	p := b.Partitions.Get(t.ID, index)
	if p == nil {
		return t, nil, kerr.NotLeaderForPartition
	}
	return t, p, nil
}

// leader returns who leads a partition; ok is false if nobody does for now. The epoch
// of a partition that lives here is its own.
func (b *Broker) leader(t *catalog.Topic, index int32) (leader cluster.Leader, ok bool) {
	if p := b.Partitions.Get(t.ID, index); p != nil {
		return cluster.Leader{Node: b.Node, Epoch: p.LeaderEpoch()}, true
	}
	return b.Leaders.Leader(cluster.Partition{Topic: t.ID, Index: index})
}

// hints are the leaders that an answer names, so that a client whose metadata is old
// can go there at once (KIP-951).
type hints struct{ nodes []namedNode }

// namedNode is a broker and where the client finds it.
type namedNode struct {
	*cluster.Node
	at cluster.Endpoint
}

// hint returns the leader of a partition, to be named in the answer to a request.
func (h *hints) hint(b *Broker, r *wire.Request, t *catalog.Topic, index int32) (leader cluster.Leader, ok bool) {
	if t == nil {
		return leader, false
	}
	if leader, ok = b.leader(t, index); ok && !slices.ContainsFunc(h.nodes, func(n namedNode) bool { return n.Node == leader.Node }) {
		h.nodes = append(h.nodes, namedNode{leader.Node, endpoint(r, leader.Node)})
	}
	return leader, ok
}

// endpoint is where a client that came in on a listener finds a node.
func endpoint(r *wire.Request, n *cluster.Node) cluster.Endpoint {
	return n.Endpoint(r.Conn.Listener().Name)
}
