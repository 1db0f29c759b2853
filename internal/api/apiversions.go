package api

import (
	"regexp"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/wire"
)

// ApiVersions, key 18, versions 0-4 (KIP-35, KIP-511, KIP-584).
//
// Version 3 names the client software. Version 4 lists features whose minimum is 0,
// which older clients refuse. An unknown version is answered in version 0 with error
// 35 (UNSUPPORTED_VERSION) and the versions of this API, so that the client can try
// again.

// feature is a cluster feature: its range and its finalized level.
type feature struct {
	name       string
	min, max   int16
	finalLevel int16
}

// features are the features of what bote serves: no transactions, no new group
// protocols.
var features = []feature{
	{"metadata.version", 7, 29, 29},
	{"kraft.version", 0, 1, 0},
	{"eligible.leader.replicas.version", 0, 1, 1},
}

// featuresEpoch only has to exist: clients ignore features without an epoch.
const featuresEpoch = 1

var clientSoftware = regexp.MustCompile(`^[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?$`)

func (b *Broker) apiVersions(r *wire.Request, q *kmsg.ApiVersionsRequest) {
	resp := kmsg.NewPtrApiVersionsResponse()
	if r.Version >= 3 && (!clientSoftware.MatchString(q.ClientSoftwareName) || !clientSoftware.MatchString(q.ClientSoftwareVersion)) {
		resp.ErrorCode = kerr.InvalidRequest.Code
		r.Reply(resp)
		return
	}
	for _, e := range b.table.rows {
		k := kmsg.NewApiVersionsResponseApiKey()
		k.ApiKey, k.MinVersion, k.MaxVersion = e.key, e.min, e.max
		resp.ApiKeys = append(resp.ApiKeys, k)
	}
	resp.FinalizedFeaturesEpoch = featuresEpoch
	for _, f := range b.features {
		if f.min > 0 || r.Version >= 4 {
			s := kmsg.NewApiVersionsResponseSupportedFeature()
			s.Name, s.MinVersion, s.MaxVersion = f.name, f.min, f.max
			resp.SupportedFeatures = append(resp.SupportedFeatures, s)
		}
		if f.finalLevel > 0 {
			l := kmsg.NewApiVersionsResponseFinalizedFeature()
			l.Name, l.MinVersionLevel, l.MaxVersionLevel = f.name, f.finalLevel, f.finalLevel
			resp.FinalizedFeatures = append(resp.FinalizedFeatures, l)
		}
	}
	r.Reply(resp)
}

func (b *Broker) unknownAPIVersions(r *wire.Request) {
	e := b.table.lookup(r.Key)
	k := kmsg.NewApiVersionsResponseApiKey()
	k.ApiKey, k.MinVersion, k.MaxVersion = e.key, e.min, e.max
	resp := kmsg.NewPtrApiVersionsResponse()
	resp.ErrorCode = kerr.UnsupportedVersion.Code
	resp.ApiKeys = append(resp.ApiKeys, k)
	r.Version = 0
	r.Reply(resp)
}
