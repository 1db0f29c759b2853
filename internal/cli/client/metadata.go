package client

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/cli/exception"
	"github.com/botehq/bote/internal/cli/javaregex"
)

// Topic is what the tools need to know about a topic.
type Topic struct {
	Name       string
	ID         [16]byte
	Internal   bool
	Partitions []Partition
}

// Partition is what the tools need to know about a partition.
type Partition struct {
	ID       int32
	Leader   int32
	Replicas []int32
	ISR      []int32
	// ELR and LastKnownELR are the eligible leader replicas (KIP-966). HasELR is false if the broker did not send them.
	HasELR       bool
	ELR          []int32
	LastKnownELR []int32
}

// Topics returns all topics in name order. It never creates a topic.
func (c *Conn) Topics(ctx context.Context, call string) ([]Topic, error) {
	resp, err := c.metadata(ctx, call, nil)
	if err != nil {
		return nil, err
	}
	var list []Topic
	for _, t := range resp.Topics {
		if t.ErrorCode == 0 && t.Topic != nil {
			list = append(list, topicOf(t))
		}
	}
	slices.SortFunc(list, func(a, b Topic) int { return strings.Compare(a.Name, b.Name) })
	return list, nil
}

// metadata asks for the named topics, or for all of them if topics is nil.
func (c *Conn) metadata(ctx context.Context, call string, topics []kmsg.MetadataRequestTopic) (*kmsg.MetadataResponse, error) {
	if err := c.Await(ctx, call); err != nil {
		return nil, err
	}
	ctx, cancel := c.Within(ctx)
	defer cancel()
	req := kmsg.NewPtrMetadataRequest()
	req.Topics = topics
	req.AllowAutoTopicCreation = false
	resp, err := req.RequestWith(ctx, c.Client)
	if err != nil {
		return nil, exception.Of(err, call)
	}
	return resp, nil
}

func topicOf(t kmsg.MetadataResponseTopic) Topic {
	m := Topic{Name: *t.Topic, ID: t.TopicID, Internal: t.IsInternal}
	for _, p := range t.Partitions {
		m.Partitions = append(m.Partitions, Partition{ID: p.Partition, Leader: p.Leader, Replicas: p.Replicas, ISR: p.ISR})
	}
	slices.SortFunc(m.Partitions, func(a, b Partition) int { return int(a.ID - b.ID) })
	return m
}

// Brokers returns the brokers of the cluster in the order of their IDs.
func (c *Conn) Brokers(ctx context.Context) ([]Node, error) {
	resp, err := c.metadata(ctx, "listNodes", []kmsg.MetadataRequestTopic{})
	if err != nil {
		return nil, err
	}
	var nodes []Node
	for _, b := range resp.Brokers {
		nodes = append(nodes, Node{b.NodeID, b.Host, b.Port, b.Rack})
	}
	slices.SortFunc(nodes, func(a, b Node) int { return int(a.ID - b.ID) })
	return nodes, nil
}

// IsInternal reports whether a topic is one of the cluster's own.
func IsInternal(t Topic) bool {
	return t.Internal || slices.Contains([]string{"__consumer_offsets", "__transaction_state", "__share_group_state"}, t.Name)
}

// TopicPattern reads a list of topics as Kafka's tools do: commas separate alternatives, blanks and surrounding quotes are
// ignored, and the whole name must match.
func TopicPattern(pattern string) (*javaregex.Regexp, error) {
	cleaned := strings.ReplaceAll(strings.ReplaceAll(strings.TrimSpace(pattern), ",", "|"), " ", "")
	cleaned = strings.Trim(cleaned, `"'`)
	re, err := javaregex.Compile(cleaned)
	if err != nil {
		return nil, &exception.Error{Class: exception.Runtime, Text: cleaned + " is an invalid regex.", Cause: err}
	}
	return re, nil
}

// Node is a broker.
type Node struct {
	ID   int32
	Host string
	Port int32
	Rack *string
}

// JoinIDs joins broker IDs with commas.
func JoinIDs(list []int32) string {
	parts := make([]string, len(list))
	for i, id := range list {
		parts[i] = strconv.Itoa(int(id))
	}
	return strings.Join(parts, ",")
}
