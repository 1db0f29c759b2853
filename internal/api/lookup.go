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

// find looks up a partition by its topic's name or, if byID is set, its topic's ID.
// There are three results:
//
//   - The partition is led here.
//   - NOT_LEADER_OR_FOLLOWER: the partition exists, but another broker leads it, or
//     this one is about to.
//   - UNKNOWN_TOPIC_ID or UNKNOWN_TOPIC_OR_PARTITION: the partition does not exist.
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

// leader returns the leader of a partition; ok is false if there is none for now. For
// a partition that is led here, the epoch is the partition's own.
func (b *Broker) leader(t *catalog.Topic, index int32) (leader cluster.Leader, ok bool) {
	if p := b.Partitions.Get(t.ID, index); p != nil {
		return cluster.Leader{Node: b.Node, Epoch: p.LeaderEpoch()}, true
	}
	return b.Leaders.Leader(cluster.Partition{Topic: t.ID, Index: index})
}

// hints are the leaders that an answer names, so that a client with old metadata can
// go there at once (KIP-951).
type hints struct{ nodes []namedNode }

// namedNode is a broker and the address at which the client finds it.
type namedNode struct {
	*cluster.Node
	at cluster.Endpoint
}

// hint returns the leader of a partition, and adds it to the nodes that the answer
// will name.
func (h *hints) hint(b *Broker, r *wire.Request, t *catalog.Topic, index int32) (leader cluster.Leader, ok bool) {
	if t == nil {
		return leader, false
	}
	if leader, ok = b.leader(t, index); ok && !slices.ContainsFunc(h.nodes, func(n namedNode) bool { return n.Node == leader.Node }) {
		h.nodes = append(h.nodes, namedNode{leader.Node, endpoint(r, leader.Node)})
	}
	return leader, ok
}

// endpoint returns the address of a node for the client of a request, which depends
// on the listener.
func endpoint(r *wire.Request, n *cluster.Node) cluster.Endpoint {
	return n.Endpoint(r.Conn.Listener().Name)
}
