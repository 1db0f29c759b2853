package api

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/wire"
)

// ListConfigResources, key 74, versions 0-1 (KIP-1142). 0 lists client metrics
// resources, of which bote has none; 1 lists every kind.
func (b *Broker) listConfigResources(r *wire.Request, q *kmsg.ListConfigResourcesRequest) {
	resp := kmsg.NewPtrListConfigResourcesResponse()
	kinds := q.ResourceTypes
	if q.Version == 0 {
		kinds = []int8{int8(kmsg.ConfigResourceTypeClientMetrics)}
	}
	all := []int8{
		int8(kmsg.ConfigResourceTypeTopic), int8(kmsg.ConfigResourceTypeBroker), int8(kmsg.ConfigResourceTypeBrokerLogger),
		int8(kmsg.ConfigResourceTypeClientMetrics), int8(kmsg.ConfigResourceTypeGroupConfig),
	}
	if len(kinds) == 0 {
		kinds = all
	}
	for _, kind := range distinct(kinds) {
		if !slices.Contains(all, kind) {
			resp.ErrorCode = kerr.UnsupportedVersion.Code
			resp.ConfigResources = nil
			break
		}
		for _, name := range b.configResources(kmsg.ConfigResourceType(kind)) {
			cr := kmsg.NewListConfigResourcesResponseConfigResource()
			cr.Name, cr.Type = name, kind
			resp.ConfigResources = append(resp.ConfigResources, cr)
		}
	}
	r.Reply(resp)
}

func (b *Broker) configResources(kind kmsg.ConfigResourceType) []string {
	s := b.Catalog.Snapshot()
	switch kind {
	case kmsg.ConfigResourceTypeTopic:
		var names []string
		for t := range s.Topics() {
			names = append(names, t.Name)
		}
		return names
	case kmsg.ConfigResourceTypeBroker, kmsg.ConfigResourceTypeBrokerLogger:
		return []string{itoa(int64(b.Node.ID))}
	case kmsg.ConfigResourceTypeGroupConfig:
		return s.Groups()
	case kmsg.ConfigResourceTypeUnknown, kmsg.ConfigResourceTypeClientMetrics:
	}
	return nil
}
