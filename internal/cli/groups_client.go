package cli

import (
	"context"
	"errors"
	"slices"
	"strings"

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
