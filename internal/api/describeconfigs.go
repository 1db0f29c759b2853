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

// DescribeConfigs, key 32, versions 1-4. 1 adds synonyms; 3 types and documentation;
// 4 is flexible. A few bytes of a request can make tens of kilobytes of the answer,
// so the answer is limited to the memory that is left for answers.
func (b *Broker) describeConfigs(r *wire.Request, q *kmsg.DescribeConfigsRequest) {
	resp := kmsg.NewPtrDescribeConfigsResponse()
	s := b.Catalog.Snapshot()
	full := false
	for i := range q.Resources {
		qr := &q.Resources[i]
		rr := kmsg.NewDescribeConfigsResponseResource()
		rr.ResourceType, rr.ResourceName = qr.ResourceType, qr.ResourceName
		err := errConfigsFull
		if !full {
			rr.Configs, err = b.describeResource(s, q, qr)
		}
		if size := configsBytes(rr.Configs); !full && !r.Grow(size) {
			full, rr.Configs, err = true, nil, errConfigsFull
		}
		rr.ErrorCode, rr.ErrorMessage = b.code(r, err), message(err)
		resp.Resources = append(resp.Resources, rr)
	}
	r.Reply(resp)
}

// errConfigsFull is the answer for resources that there is no memory left to
// describe.
var errConfigsFull error = &catalog.RefusedError{
	Code:    kerr.ThrottlingQuotaExceeded,
	Message: "There is not enough memory left for the answer (queued.max.response.bytes): describe fewer resources at once, or try again later.",
}

// describeResource returns the configs of a resource that the request asks for.
func (b *Broker) describeResource(s *catalog.Snapshot, q *kmsg.DescribeConfigsRequest, qr *kmsg.DescribeConfigsRequestResource) ([]kmsg.DescribeConfigsResponseResourceConfig, error) {
	entries, err := b.configEntries(s, qr.ResourceType, qr.ResourceName)
	var out []kmsg.DescribeConfigsResponseResourceConfig
	for _, e := range entries {
		if len(qr.ConfigNames) == 0 || slices.Contains(qr.ConfigNames, e.Name) {
			out = append(out, configEntry(e, q))
		}
	}
	return out, err
}

// The memory that a config and a synonym need besides their texts.
const (
	configBytes  = 80
	synonymBytes = 40
)

// configsBytes estimates the memory that configs need, as values and then in the
// encoded answer.
func configsBytes(configs []kmsg.DescribeConfigsResponseResourceConfig) int {
	text := func(s *string) int {
		if s == nil {
			return 0
		}
		return len(*s)
	}
	n := 0
	for i := range configs {
		c := &configs[i]
		n += configBytes + len(c.Name) + text(c.Value) + text(c.Documentation)
		for j := range c.ConfigSynonyms {
			cs := &c.ConfigSynonyms[j]
			n += synonymBytes + len(cs.Name) + text(cs.Value)
		}
	}
	return n
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

// brokerResource parses the name of a broker resource: this broker's ID, or the empty
// name for the configs of all brokers.
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
