package config

import (
	"maps"
	"slices"
	"strconv"
	"time"
)

// Source says where a value comes from. The numbers are those of DescribeConfigs (ConfigSource on the wire).
type Source int8

// The sources. Within topics and brokers, the first one that has a value wins.
const (
	SourceTopic          Source = 1
	SourceDynamicBroker  Source = 2
	SourceDynamicDefault Source = 3
	SourceStatic         Source = 4
	SourceDefault        Source = 5
	SourceLogger         Source = 6
	SourceClientMetrics  Source = 7
	SourceGroup          Source = 8
)

// String returns the name under which Kafka's tools print the source.
func (s Source) String() string {
	names := [...]string{
		"UNKNOWN", "DYNAMIC_TOPIC_CONFIG", "DYNAMIC_BROKER_CONFIG", "DYNAMIC_DEFAULT_BROKER_CONFIG", "STATIC_BROKER_CONFIG",
		"DEFAULT_CONFIG", "DYNAMIC_BROKER_LOGGER_CONFIG", "DYNAMIC_CLIENT_METRICS_CONFIG", "DYNAMIC_GROUP_CONFIG",
	}
	if s < 0 || int(s) >= len(names) {
		return names[0]
	}
	return names[s]
}

// Synonym is one of the places that a value could come from.
type Synonym struct {
	Name   string
	Value  *string
	Source Source
}

// Entry is one configuration as DescribeConfigs returns it. Value is nil if the configuration is unset or sensitive.
// Source is the source of the first synonym.
type Entry struct {
	Name          string
	Value         *string
	Source        Source
	Type          Type
	Sensitive     bool
	ReadOnly      bool
	Documentation string
	Synonyms      []Synonym
}

// Layers are the values set at each level, by name, as they were written; Layers never changes them. Maps may be nil.
// Static is server.properties, see ParseProperties.
type Layers struct {
	Topic          map[string]string
	DynamicBroker  map[string]string
	DynamicDefault map[string]string
	Static         map[string]string
}

// TopicEntries describes all topic configurations of a topic whose own values are in l.Topic, sorted by name.
func (l Layers) TopicEntries() []Entry {
	entries := make([]Entry, 0, len(All(TopicKind)))
	for _, k := range All(TopicKind) {
		entries = append(entries, l.topicEntry(k))
	}
	return entries
}

// TopicValue returns the effective value of a topic configuration, in canonical form; empty for an unknown name.
func (l Layers) TopicValue(name string) string {
	k, ok := Lookup(TopicKind, name)
	if !ok {
		return ""
	}
	if v, ok := l.Topic[name]; ok {
		return canonical(k, v)
	}
	if k.Server != "" {
		if v, ok := l.merged(k.Server); ok {
			return canonical(k, v)
		}
	}
	return value(k.Default)
}

func (l Layers) topicEntry(k *Key) Entry {
	e := k.entry(new(l.TopicValue(k.Name)))
	if v, ok := l.Topic[k.Name]; ok {
		e.Synonyms = append(e.Synonyms, Synonym{Name: k.Name, Value: new(v), Source: SourceTopic})
	}
	if k.Server != "" {
		e.Synonyms = append(e.Synonyms, l.synonyms(k.Server)...)
	}
	return e.sourced()
}

// BrokerEntries describes all of Kafka's broker configurations, and all other names in the static and dynamic layers,
// sorted by name. Names that are not in the table are treated as secrets, as in Kafka.
func (l Layers) BrokerEntries() []Entry {
	names := map[string]bool{}
	for _, k := range All(BrokerKind) {
		if !k.NotInKafka {
			names[k.Name] = true
		}
	}
	for _, layer := range []map[string]string{l.Static, l.DynamicDefault, l.DynamicBroker} {
		for name := range layer {
			names[name] = true
		}
	}
	entries := make([]Entry, 0, len(names))
	for _, name := range slices.Sorted(maps.Keys(names)) {
		entries = append(entries, l.brokerEntry(name))
	}
	return entries
}

// DefaultEntries describes the values that are set for all brokers of the cluster: the DynamicDefault layer, sorted by
// name.
func (l Layers) DefaultEntries() []Entry {
	entries := make([]Entry, 0, len(l.DynamicDefault))
	for _, name := range slices.Sorted(maps.Keys(l.DynamicDefault)) {
		e := l.brokerEntry(name)
		e.Synonyms = slices.DeleteFunc(e.Synonyms, func(s Synonym) bool { return s.Source != SourceDynamicDefault })
		entries = append(entries, e.sourced())
	}
	return entries
}

// BrokerValue returns the effective value of a broker configuration in canonical form, or false if it is unset and has
// no default.
func (l Layers) BrokerValue(name string) (string, bool) {
	v, ok := l.set(name)
	k, known := Lookup(BrokerKind, name)
	switch {
	case ok && known:
		return canonical(k, v), true
	case known && k.Default != nil:
		return *k.Default, true
	}
	return v, ok
}

func (l Layers) brokerEntry(name string) Entry {
	k, known := Lookup(BrokerKind, base(name))
	if !known {
		k = &Key{Name: name}
	}
	e := k.entry(nil)
	e.Name, e.ReadOnly = name, k.Update == ReadOnly
	e.Sensitive = e.Sensitive || !known
	if v, ok := l.set(name); ok {
		e.Value = new(canonical(k, v))
	} else if known {
		e.Value = k.Default
	}
	e.Synonyms = l.synonyms(name)
	if e.Sensitive {
		e.Value = nil
		for i := range e.Synonyms {
			e.Synonyms[i].Value = nil
		}
	}
	return e.sourced()
}

// GroupEntries describes all group configurations of a group with the given values, sorted by name.
func GroupEntries(group map[string]string) []Entry { return ownEntries(GroupKind, group, SourceGroup) }

// ClientMetricsEntries describes the values set for a client metrics subscription, sorted by name.
func ClientMetricsEntries(subscription map[string]string) []Entry {
	entries := ownEntries(MetricsKind, subscription, SourceClientMetrics)
	return slices.DeleteFunc(entries, func(e Entry) bool { return e.Source == SourceDefault })
}

func ownEntries(kind Kind, values map[string]string, source Source) []Entry {
	entries := make([]Entry, 0, len(All(kind)))
	for _, k := range All(kind) {
		e := k.entry(k.Default)
		if v, ok := values[k.Name]; ok {
			e.Value = new(canonical(k, v))
			e.Synonyms = []Synonym{{Name: k.Name, Value: e.Value, Source: source}}
		} else if k.Default != nil {
			e.Synonyms = []Synonym{{Name: k.Name, Value: k.Default, Source: SourceDefault}}
		}
		entries = append(entries, e.sourced())
	}
	return entries
}

func (k *Key) entry(v *string) Entry {
	return Entry{Name: k.Name, Value: v, Source: SourceDefault, Type: k.Type, Sensitive: k.Sensitive(), Documentation: k.Documentation()}
}

func (e Entry) sourced() Entry {
	e.Source = SourceDefault
	if len(e.Synonyms) > 0 {
		e.Source = e.Synonyms[0].Source
	}
	return e
}

// synonyms lists where a broker configuration's value can come from: every related name at every level that has a value
// for it, strongest level first. As in Kafka, synonyms before the first one with this very name are left out: a
// retention in hours does not show for log.retention.ms, unless the milliseconds are set too.
func (l Layers) synonyms(name string) []Synonym {
	var all []Synonym
	add := func(source Source, look func(string) (string, bool)) {
		for _, related := range related(name) {
			if v, ok := look(related.name); ok {
				all = append(all, Synonym{Name: related.name, Value: new(v), Source: source})
			}
		}
	}
	add(SourceDynamicBroker, from(l.DynamicBroker))
	add(SourceDynamicDefault, from(l.DynamicDefault))
	add(SourceStatic, l.static)
	add(SourceDefault, defaultOf)
	first := slices.IndexFunc(all, func(s Synonym) bool { return s.Name == name })
	if first < 0 {
		return nil
	}
	return all[first:]
}

func from(layer map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) { v, ok := layer[name]; return v, ok }
}

func defaultOf(name string) (string, bool) {
	if k, ok := Lookup(BrokerKind, name); ok && k.Default != nil && !k.NotInKafka {
		return *k.Default, true
	}
	return "", false
}

// static returns a value from server.properties, where broker.id and node.id can replace each other.
func (l Layers) static(name string) (string, bool) {
	v, ok := l.Static[name]
	if !ok && (name == nodeID || name == brokerID) {
		v, ok = l.Static[map[string]string{nodeID: brokerID, brokerID: nodeID}[name]]
	}
	return v, ok
}

// set returns the strongest value that is set for a broker configuration under this very name.
func (l Layers) set(name string) (string, bool) {
	if v, ok := l.DynamicBroker[name]; ok {
		return v, true
	}
	if v, ok := l.DynamicDefault[name]; ok {
		return v, true
	}
	return l.static(name)
}

// merged returns the effective value of a broker configuration that has relatives in other units, converted to its own
// unit. Milliseconds win over minutes, and minutes over hours, whatever level they are set at.
func (l Layers) merged(name string) (string, bool) {
	for _, r := range related(name) {
		if v, ok := l.set(r.name); ok {
			return r.convert(v), true
		}
	}
	for _, r := range related(name) {
		if v, ok := defaultOf(r.name); ok {
			return r.convert(v), true
		}
	}
	return "", false
}

// relative is a broker configuration with the same meaning as another one, in another unit or with lower priority.
type relative struct {
	name string
	unit time.Duration
}

func (r relative) convert(v string) string {
	if r.unit == 0 {
		return v
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil || n < 0 {
		return v
	}
	return strconv.FormatInt(n*r.unit.Milliseconds(), 10)
}

// related lists the names that can set a broker configuration, including its own, strongest first.
func related(name string) []relative {
	switch name {
	case "log.roll.ms", "log.roll.hours":
		return []relative{{"log.roll.ms", 0}, {"log.roll.hours", time.Hour}}
	case "log.roll.jitter.ms", "log.roll.jitter.hours":
		return []relative{{"log.roll.jitter.ms", 0}, {"log.roll.jitter.hours", time.Hour}}
	case "log.flush.interval.ms":
		return []relative{{"log.flush.interval.ms", 0}, {"log.flush.scheduler.interval.ms", 0}}
	case "log.retention.ms", "log.retention.minutes", "log.retention.hours":
		return []relative{{"log.retention.ms", 0}, {"log.retention.minutes", time.Minute}, {"log.retention.hours", time.Hour}}
	}
	if b := base(name); b != name {
		return []relative{{name, 0}, {b, 0}}
	}
	return []relative{{name, 0}}
}

func canonical(k *Key, v string) string {
	if c, err := k.Canonical(v); err == nil {
		return c
	}
	return v
}

func value(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
