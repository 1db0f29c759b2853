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
	resp.ApiKeys = b.table.versions
	resp.FinalizedFeaturesEpoch, resp.FinalizedFeatures = featuresEpoch, finalizedFeatures
	resp.SupportedFeatures = featuresAbove0
	if r.Version >= 4 {
		resp.SupportedFeatures = allFeatures
	}
	r.Reply(resp)
}

// The lists of an answer are made once, and never changed: every connection begins with this
// request, and most send nothing else.
var allFeatures, featuresAbove0, finalizedFeatures = featureLists()

func featureLists() (all, above0 []kmsg.ApiVersionsResponseSupportedFeature, final []kmsg.ApiVersionsResponseFinalizedFeature) {
	for _, f := range features {
		s := kmsg.NewApiVersionsResponseSupportedFeature()
		s.Name, s.MinVersion, s.MaxVersion = f.name, f.min, f.max
		all = append(all, s)
		if f.min > 0 {
			above0 = append(above0, s)
		}
		if f.finalLevel > 0 {
			l := kmsg.NewApiVersionsResponseFinalizedFeature()
			l.Name, l.MinVersionLevel, l.MaxVersionLevel = f.name, f.finalLevel, f.finalLevel
			final = append(final, l)
		}
	}
	return all, above0, final
}

// setVersions makes the list of the served versions.
func (t *table) setVersions() {
	for _, e := range t.rows {
		k := kmsg.NewApiVersionsResponseApiKey()
		k.ApiKey, k.MinVersion, k.MaxVersion = e.key, e.min, e.max
		t.versions = append(t.versions, k)
	}
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
