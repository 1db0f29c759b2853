package client

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/cli/exception"
)

// Group is a group in the answer to ListGroups, with state and type in Kafka's spelling.
type Group struct {
	ID, Protocol, State, Type string
}

// OfConsumers reports whether it is a group of consumers, and not of Connect workers or share consumers.
func (g Group) OfConsumers() bool {
	return (g.Protocol == "consumer" || g.Protocol == "") && (g.Type == "Classic" || g.Type == "Consumer" || g.Type == "")
}

// Groups returns all groups of the cluster in name order.
func (c *Conn) Groups(ctx context.Context) ([]Group, error) {
	if err := c.Await(ctx, "findAllBrokers"); err != nil {
		if x, ok := errors.AsType[*exception.Error](err); ok && x.Class != exception.Timeout {
			return nil, err
		}
		return nil, &exception.Error{Class: exception.Kafka, Text: "Failed to find brokers to send ListGroups", Cause: err}
	}
	ctx, cancel := c.Within(ctx)
	defer cancel()
	resp, err := kmsg.NewPtrListGroupsRequest().RequestWith(ctx, c.Client)
	if err != nil {
		return nil, exception.Of(err, "listGroups")
	}
	if err := exception.FromBroker(resp.ErrorCode, nil); err != nil {
		return nil, err
	}
	var list []Group
	for _, g := range resp.Groups {
		typ := capital(g.GroupType)
		if typ == "" {
			typ = "Classic"
		}
		list = append(list, Group{ID: g.Group, Protocol: g.ProtocolType, State: g.GroupState, Type: typ})
	}
	slices.SortFunc(list, func(a, b Group) int { return strings.Compare(a.ID, b.ID) })
	return list, nil
}

func capital(s string) string {
	if s == "" {
		return ""
	}
	return strings.ToUpper(s[:1]) + strings.ToLower(s[1:])
}
