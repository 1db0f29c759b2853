package api

import (
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/catalog"
	"github.com/botehq/bote/internal/config"
	"github.com/botehq/bote/internal/topic"
	"github.com/botehq/bote/internal/wire"
)

// DescribeConfigs, key 32, versions 1-4. 1 synonyms; 3 types and documentation;
// 4 flexible. A resource is described in full once, however often it is named:
// a few bytes make tens of kilobytes.
func (b *Broker) describeConfigs(r *wire.Request, q *kmsg.DescribeConfigsRequest) {
	type resource struct {
		kind kmsg.ConfigResourceType
		name string
	}
	full := map[resource]bool{}
	resp := kmsg.NewPtrDescribeConfigsResponse()
	s := b.Catalog.Snapshot()
	for i := range q.Resources {
		qr := &q.Resources[i]
		if this := (resource{qr.ResourceType, qr.ResourceName}); len(qr.ConfigNames) == 0 {
			if full[this] {
				continue
			}
			full[this] = true
		}
		rr := kmsg.NewDescribeConfigsResponseResource()
		rr.ResourceType, rr.ResourceName = qr.ResourceType, qr.ResourceName
		entries, err := b.configEntries(s, qr.ResourceType, qr.ResourceName)
		rr.ErrorCode, rr.ErrorMessage = b.code(r, err), message(err)
		for _, e := range entries {
			if len(qr.ConfigNames) == 0 || slices.Contains(qr.ConfigNames, e.Name) {
				rr.Configs = append(rr.Configs, configEntry(e, q))
			}
		}
		resp.Resources = append(resp.Resources, rr)
	}
	r.Reply(resp)
}

// configEntries returns the configs of a resource.
func (b *Broker) configEntries(s *catalog.Snapshot, kind kmsg.ConfigResourceType, name string) ([]config.Entry, error) {
	switch kind {
	case kmsg.ConfigResourceTypeTopic:
		if err := topic.Validate(name); err != nil {
			return nil, &catalog.RefusedError{Code: kerr.InvalidTopicException, Message: err.Error()}
		}
		t := s.Topic(name)
		if t == nil {
			return nil, kerr.UnknownTopicOrPartition
		}
		return s.Layers(t).TopicEntries(), nil
	case kmsg.ConfigResourceTypeBroker:
		cluster, err := b.brokerResource(name)
		if err != nil {
			return nil, err
		}
		if cluster {
			return s.Layers(nil).DefaultEntries(), nil
		}
		return s.Layers(nil).BrokerEntries(), nil
	case kmsg.ConfigResourceTypeGroupConfig:
		if name == "" {
			return nil, &catalog.RefusedError{Code: kerr.InvalidRequest, Message: "Group name must not be empty."}
		}
		return config.GroupEntries(s.Group(name)), nil
	case kmsg.ConfigResourceTypeUnknown, kmsg.ConfigResourceTypeBrokerLogger, kmsg.ConfigResourceTypeClientMetrics:
	}
	return nil, &catalog.RefusedError{Code: kerr.InvalidRequest, Message: "Unsupported resource type: " + itoa(int64(kind))}
}

// brokerResource reads the name of a broker resource: this broker's ID, or empty
// for the configs of every broker.
func (b *Broker) brokerResource(name string) (cluster bool, err error) {
	if name == "" {
		return true, nil
	}
	id, err := strconv.ParseInt(name, 10, 32)
	if err != nil {
		return false, &catalog.RefusedError{Code: kerr.InvalidRequest, Message: "Broker id must be an integer, but it is: " + name}
	}
	if int32(id) != b.Node.ID {
		return false, &catalog.RefusedError{Code: kerr.InvalidRequest, Message: "Unexpected broker id, expected " + itoa(int64(b.Node.ID)) + " or empty string, but received " + name}
	}
	return false, nil
}

func configEntry(e config.Entry, q *kmsg.DescribeConfigsRequest) kmsg.DescribeConfigsResponseResourceConfig {
	c := kmsg.NewDescribeConfigsResponseResourceConfig()
	c.Name, c.Value, c.ReadOnly, c.IsSensitive = e.Name, e.Value, e.ReadOnly, e.Sensitive
	c.Source, c.ConfigType = kmsg.ConfigSource(e.Source), kmsg.ConfigType(e.Type)
	if q.IncludeSynonyms {
		for _, s := range e.Synonyms {
			cs := kmsg.NewDescribeConfigsResponseResourceConfigConfigSynonym()
			cs.Name, cs.Value, cs.Source = s.Name, s.Value, kmsg.ConfigSource(s.Source)
			c.ConfigSynonyms = append(c.ConfigSynonyms, cs)
		}
	}
	if q.IncludeDocumentation {
		c.Documentation = &e.Documentation
	}
	return c
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
