package cli

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// topicMetadata is what tools need of a topic.
type topicMetadata struct {
	name       string
	id         [16]byte
	internal   bool
	partitions []partitionMetadata
}

type partitionMetadata struct {
	id       int32
	leader   int32
	replicas []int32
	isr      []int32
	// elr and lastKnownElr are the eligible leaders (KIP-966), if the broker told them.
	hasElr       bool
	elr          []int32
	lastKnownElr []int32
}

// topics returns all topics in name order. It never creates one.
func (c *connection) topics(ctx context.Context, call string) ([]topicMetadata, error) {
	resp, err := c.metadata(ctx, call, nil)
	if err != nil {
		return nil, err
	}
	var list []topicMetadata
	for _, t := range resp.Topics {
		if t.ErrorCode == 0 && t.Topic != nil {
			list = append(list, topicOf(t))
		}
	}
	slices.SortFunc(list, func(a, b topicMetadata) int { return strings.Compare(a.name, b.name) })
	return list, nil
}

// metadata asks for the named topics, or for all of them if topics is nil.
func (c *connection) metadata(ctx context.Context, call string, topics []kmsg.MetadataRequestTopic) (*kmsg.MetadataResponse, error) {
	if err := c.await(ctx, call); err != nil {
		return nil, err
	}
	ctx, cancel := c.within(ctx)
	defer cancel()
	req := kmsg.NewPtrMetadataRequest()
	req.Topics = topics
	req.AllowAutoTopicCreation = false
	resp, err := req.RequestWith(ctx, c.Client)
	if err != nil {
		return nil, asException(err, call)
	}
	return resp, nil
}

func topicOf(t kmsg.MetadataResponseTopic) topicMetadata {
	m := topicMetadata{name: *t.Topic, id: t.TopicID, internal: t.IsInternal}
	for _, p := range t.Partitions {
		m.partitions = append(m.partitions, partitionMetadata{id: p.Partition, leader: p.Leader, replicas: p.Replicas, isr: p.ISR})
	}
	slices.SortFunc(m.partitions, func(a, b partitionMetadata) int { return int(a.id - b.id) })
	return m
}

// brokers returns the brokers of the cluster in the order of their ids.
func (c *connection) brokers(ctx context.Context) ([]node, error) {
	resp, err := c.metadata(ctx, "listNodes", []kmsg.MetadataRequestTopic{})
	if err != nil {
		return nil, err
	}
	var nodes []node
	for _, b := range resp.Brokers {
		nodes = append(nodes, node{b.NodeID, b.Host, b.Port, b.Rack})
	}
	slices.SortFunc(nodes, func(a, b node) int { return int(a.id - b.id) })
	return nodes, nil
}

func isInternal(t topicMetadata) bool {
	return t.internal || slices.Contains([]string{"__consumer_offsets", "__transaction_state", "__share_group_state"}, t.name)
}

// topicPattern reads a list of topics as Kafka's tools do: commas are alternatives, blanks and surrounding quotes do not
// count, and the whole name must match.
func topicPattern(pattern string) (*javaRegex, error) {
	cleaned := strings.ReplaceAll(strings.ReplaceAll(strings.TrimSpace(pattern), ",", "|"), " ", "")
	cleaned = strings.Trim(cleaned, `"'`)
	re, err := compileJavaRegex(cleaned)
	if err != nil {
		return nil, &exception{class: classRuntime, text: cleaned + " is an invalid regex.", cause: err}
	}
	return re, nil
}

type node struct {
	id   int32
	host string
	port int32
	rack *string
}

// ids joins broker ids by commas.
func ids(list []int32) string {
	parts := make([]string, len(list))
	for i, id := range list {
		parts[i] = strconv.Itoa(int(id))
	}
	return strings.Join(parts, ",")
}
