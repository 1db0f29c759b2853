package cli

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// listedGroup is a group as ListGroups tells it, with state and type in Kafka's spelling.
type listedGroup struct {
	id, protocol, state, typ string
}

// consumers reports whether it is a group of consumers, and not of Connect workers or share consumers.
func (g listedGroup) consumers() bool {
	return (g.protocol == "consumer" || g.protocol == "") && (g.typ == "Classic" || g.typ == "Consumer" || g.typ == "")
}

// groups returns all groups of the cluster in name order.
func (c *connection) groups(ctx context.Context) ([]listedGroup, error) {
	if err := c.await(ctx, "findAllBrokers"); err != nil {
		if x, ok := errors.AsType[*exception](err); ok && x.class != classTimeout {
			return nil, err
		}
		return nil, &exception{class: classKafka, text: "Failed to find brokers to send ListGroups", cause: err}
	}
	ctx, cancel := c.within(ctx)
	defer cancel()
	resp, err := kmsg.NewPtrListGroupsRequest().RequestWith(ctx, c.Client)
	if err != nil {
		return nil, asException(err, "listGroups")
	}
	if err := brokerError(resp.ErrorCode, nil); err != nil {
		return nil, err
	}
	var list []listedGroup
	for _, g := range resp.Groups {
		typ := capital(g.GroupType)
		if typ == "" {
			typ = "Classic"
		}
		list = append(list, listedGroup{id: g.Group, protocol: g.ProtocolType, state: g.GroupState, typ: typ})
	}
	slices.SortFunc(list, func(a, b listedGroup) int { return strings.Compare(a.id, b.id) })
	return list, nil
}

func capital(s string) string {
	if s == "" {
		return ""
	}
	return strings.ToUpper(s[:1]) + strings.ToLower(s[1:])
}

// describedGroup is a group with its members. The epochs are those of the consumer protocol (KIP-848), nil for classic groups.
type describedGroup struct {
	id, state, assignor string
	coordinator         node
	epoch, targetEpoch  *int32
	members             []groupMemberInfo
}

type groupMemberInfo struct {
	id, instance, client, host string
	assigned, target           []topicPartition
	epoch, targetEpoch         *int32
	// upgraded tells whether a member of a mixed group uses the consumer protocol, nil if it is not known.
	upgraded *bool
}

type node struct {
	id   int32
	host string
	port int32
	rack *string
}

// describeGroup returns a group of either protocol.
func (c *connection) describeGroup(ctx context.Context, id string) (*describedGroup, error) {
	if err := c.await(ctx, "describeConsumerGroups(api=FIND_COORDINATOR)"); err != nil {
		return nil, err
	}
	ctx, cancel := c.within(ctx)
	defer cancel()
	coordinator, err := c.coordinator(ctx, id)
	if err != nil {
		return nil, err
	}
	if c.supports(ctx, kmsg.ConsumerGroupDescribe) {
		g, err := c.describeConsumerGroup(ctx, id)
		if err == nil {
			g.coordinator = coordinator
			return g, nil
		}
		if !errors.Is(err, kerr.GroupIDNotFound) && !errors.Is(err, kerr.UnsupportedVersion) {
			return nil, err
		}
	}
	g, err := c.describeClassicGroup(ctx, id)
	if err != nil {
		return nil, err
	}
	g.coordinator = coordinator
	return g, nil
}

func (c *connection) coordinator(ctx context.Context, group string) (node, error) {
	req := kmsg.NewPtrFindCoordinatorRequest()
	req.CoordinatorKey, req.CoordinatorKeys = group, []string{group}
	resp, err := req.RequestWith(ctx, c.Client)
	if err != nil {
		return node{}, asException(err, "describeConsumerGroups(api=FIND_COORDINATOR)")
	}
	for _, k := range resp.Coordinators {
		return node{id: k.NodeID, host: k.Host, port: k.Port}, brokerError(k.ErrorCode, k.ErrorMessage)
	}
	return node{id: resp.NodeID, host: resp.Host, port: resp.Port}, brokerError(resp.ErrorCode, resp.ErrorMessage)
}

func (c *connection) describeConsumerGroup(ctx context.Context, id string) (*describedGroup, error) {
	req := kmsg.NewPtrConsumerGroupDescribeRequest()
	req.Groups = []string{id}
	resp, err := req.RequestWith(ctx, c.Client)
	if err != nil {
		return nil, asException(err, "describeConsumerGroups")
	}
	if len(resp.Groups) == 0 {
		return nil, throw(classKafka, "the broker did not describe group %s", id)
	}
	g := resp.Groups[0]
	if err := brokerError(g.ErrorCode, g.ErrorMessage); err != nil {
		return nil, err
	}
	d := &describedGroup{id: g.Group, state: g.State, assignor: g.AssignorName, epoch: &g.Epoch, targetEpoch: &g.AssignmentEpoch}
	for _, m := range g.Members {
		info := groupMemberInfo{id: m.MemberID, client: m.ClientID, host: m.ClientHost, epoch: &m.MemberEpoch, targetEpoch: &g.AssignmentEpoch}
		if m.InstanceID != nil {
			info.instance = *m.InstanceID
		}
		if m.MemberType >= 0 {
			info.upgraded = new(m.MemberType == 1)
		}
		info.assigned, info.target = assignedPartitions(m.Assignment), assignedPartitions(m.TargetAssignment)
		d.members = append(d.members, info)
	}
	return d, nil
}

func assignedPartitions(a kmsg.Assignment) []topicPartition {
	var list []topicPartition
	for _, t := range a.TopicPartitions {
		for _, p := range t.Partitions {
			list = append(list, topicPartition{t.Topic, p})
		}
	}
	slices.SortFunc(list, comparePartitions)
	return list
}

func (c *connection) describeClassicGroup(ctx context.Context, id string) (*describedGroup, error) {
	req := kmsg.NewPtrDescribeGroupsRequest()
	req.Groups = []string{id}
	resp, err := req.RequestWith(ctx, c.Client)
	if err != nil {
		return nil, asException(err, "describeConsumerGroups")
	}
	if len(resp.Groups) == 0 {
		return nil, throw(classKafka, "the broker did not describe group %s", id)
	}
	g := resp.Groups[0]
	if err := brokerError(g.ErrorCode, g.ErrorMessage); err != nil {
		return nil, err
	}
	if g.ProtocolType != "" && g.ProtocolType != "consumer" {
		return nil, throw(classArgument, "GroupId %s is not a consumer group (%s).", id, g.ProtocolType)
	}
	d := &describedGroup{id: g.Group, state: g.State, assignor: g.Protocol}
	for _, m := range g.Members {
		info := groupMemberInfo{id: m.MemberID, client: m.ClientID, host: m.ClientHost, assigned: classicAssignment(m.MemberAssignment)}
		if m.InstanceID != nil {
			info.instance = *m.InstanceID
		}
		d.members = append(d.members, info)
	}
	return d, nil
}

// classicAssignment reads what a member was given. Bytes that are not an assignment are none.
func classicAssignment(data []byte) []topicPartition {
	var a kmsg.ConsumerMemberAssignment
	if len(data) == 0 || a.ReadFrom(data) != nil {
		return nil
	}
	var list []topicPartition
	for _, t := range a.Topics {
		for _, p := range t.Partitions {
			list = append(list, topicPartition{t.Topic, p})
		}
	}
	slices.SortFunc(list, comparePartitions)
	return list
}
