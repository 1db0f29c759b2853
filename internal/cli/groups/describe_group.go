package groups

import (
	"context"
	"errors"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/cli/client"
	"github.com/botehq/bote/internal/cli/exception"
)

// describedGroup is a group with its members. The epochs are those of the consumer protocol (KIP-848), nil for classic groups.
type describedGroup struct {
	id, state, assignor string
	coordinator         client.Node
	epoch, targetEpoch  *int32
	members             []memberInfo
}

type memberInfo struct {
	id, instance, client, host string
	assigned, target           []client.TopicPartition
	epoch, targetEpoch         *int32
	// upgraded reports whether the member of a mixed group uses the consumer protocol; nil if that is not known.
	upgraded *bool
}

// describeGroup returns a group of the classic or the consumer protocol.
func describeGroup(ctx context.Context, c *client.Conn, id string) (*describedGroup, error) {
	if err := c.Await(ctx, "describeConsumerGroups(api=FIND_COORDINATOR)"); err != nil {
		return nil, err
	}
	ctx, cancel := c.Within(ctx)
	defer cancel()
	coordinator, err := findCoordinator(ctx, c, id)
	if err != nil {
		return nil, err
	}
	if c.Supports(ctx, kmsg.ConsumerGroupDescribe) {
		g, err := describeConsumerGroup(ctx, c, id)
		if err == nil {
			g.coordinator = coordinator
			return g, nil
		}
		if !errors.Is(err, kerr.GroupIDNotFound) && !errors.Is(err, kerr.UnsupportedVersion) {
			return nil, err
		}
	}
	g, err := describeClassicGroup(ctx, c, id)
	if err != nil {
		return nil, err
	}
	g.coordinator = coordinator
	return g, nil
}

func findCoordinator(ctx context.Context, c *client.Conn, group string) (client.Node, error) {
	req := kmsg.NewPtrFindCoordinatorRequest()
	req.CoordinatorKey, req.CoordinatorKeys = group, []string{group}
	resp, err := req.RequestWith(ctx, c.Client)
	if err != nil {
		return client.Node{}, exception.Of(err, "describeConsumerGroups(api=FIND_COORDINATOR)")
	}
	for _, k := range resp.Coordinators {
		return client.Node{ID: k.NodeID, Host: k.Host, Port: k.Port}, exception.FromBroker(k.ErrorCode, k.ErrorMessage)
	}
	return client.Node{ID: resp.NodeID, Host: resp.Host, Port: resp.Port}, exception.FromBroker(resp.ErrorCode, resp.ErrorMessage)
}

func describeConsumerGroup(ctx context.Context, c *client.Conn, id string) (*describedGroup, error) {
	req := kmsg.NewPtrConsumerGroupDescribeRequest()
	req.Groups = []string{id}
	resp, err := req.RequestWith(ctx, c.Client)
	if err != nil {
		return nil, exception.Of(err, "describeConsumerGroups")
	}
	if len(resp.Groups) == 0 {
		return nil, exception.New(exception.Kafka, "the broker did not describe group %s", id)
	}
	g := resp.Groups[0]
	if err := exception.FromBroker(g.ErrorCode, g.ErrorMessage); err != nil {
		return nil, err
	}
	d := &describedGroup{id: g.Group, state: g.State, assignor: g.AssignorName, epoch: &g.Epoch, targetEpoch: &g.AssignmentEpoch}
	for _, m := range g.Members {
		info := memberInfo{id: m.MemberID, client: m.ClientID, host: m.ClientHost, epoch: &m.MemberEpoch, targetEpoch: &g.AssignmentEpoch}
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

func assignedPartitions(a kmsg.Assignment) []client.TopicPartition {
	var list []client.TopicPartition
	for _, t := range a.TopicPartitions {
		for _, p := range t.Partitions {
			list = append(list, client.TopicPartition{Topic: t.Topic, Partition: p})
		}
	}
	slices.SortFunc(list, client.ComparePartitions)
	return list
}

func describeClassicGroup(ctx context.Context, c *client.Conn, id string) (*describedGroup, error) {
	req := kmsg.NewPtrDescribeGroupsRequest()
	req.Groups = []string{id}
	resp, err := req.RequestWith(ctx, c.Client)
	if err != nil {
		return nil, exception.Of(err, "describeConsumerGroups")
	}
	if len(resp.Groups) == 0 {
		return nil, exception.New(exception.Kafka, "the broker did not describe group %s", id)
	}
	g := resp.Groups[0]
	if err := exception.FromBroker(g.ErrorCode, g.ErrorMessage); err != nil {
		return nil, err
	}
	if g.ProtocolType != "" && g.ProtocolType != "consumer" {
		return nil, exception.New(exception.IllegalArgument, "GroupId %s is not a consumer group (%s).", id, g.ProtocolType)
	}
	d := &describedGroup{id: g.Group, state: g.State, assignor: g.Protocol}
	for _, m := range g.Members {
		info := memberInfo{id: m.MemberID, client: m.ClientID, host: m.ClientHost, assigned: classicAssignment(m.MemberAssignment)}
		if m.InstanceID != nil {
			info.instance = *m.InstanceID
		}
		d.members = append(d.members, info)
	}
	return d, nil
}

// classicAssignment reads the assignment of a member. It returns nil for bytes that are not an assignment.
func classicAssignment(data []byte) []client.TopicPartition {
	var a kmsg.ConsumerMemberAssignment
	if len(data) == 0 || a.ReadFrom(data) != nil {
		return nil
	}
	var list []client.TopicPartition
	for _, t := range a.Topics {
		for _, p := range t.Partitions {
			list = append(list, client.TopicPartition{Topic: t.Topic, Partition: p})
		}
	}
	slices.SortFunc(list, client.ComparePartitions)
	return list
}
