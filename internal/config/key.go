package config

import (
	"slices"
	"strings"
)

// Kind says what a configuration belongs to.
type Kind uint8

// The kinds of configuration.
const (
	BrokerKind Kind = iota
	TopicKind
	GroupKind
	MetricsKind
)

// String returns the kind as Kafka's texts spell it.
func (k Kind) String() string {
	switch k {
	case BrokerKind:
		return "broker"
	case TopicKind:
		return "topic"
	case GroupKind:
		return "group"
	case MetricsKind:
		return "client metrics"
	}
	return "unknown"
}

// Type is the type of a value. The numbers are those of DescribeConfigs (ConfigType on the wire).
type Type int8

// The types of values.
const (
	Unknown Type = iota
	Boolean
	String
	Int
	Short
	Long
	Double
	List
	Class
	Password
)

// String returns the type's name in Kafka's error texts.
func (t Type) String() string {
	names := [...]string{"UNKNOWN", "BOOLEAN", "STRING", "INT", "SHORT", "LONG", "DOUBLE", "LIST", "CLASS", "PASSWORD"}
	if t < 0 || int(t) >= len(names) {
		return names[0]
	}
	return names[t]
}

// Importance is how often people need a configuration.
type Importance uint8

// The importances.
const (
	High Importance = iota
	Medium
	Low
)

// String returns the importance in lower case.
func (i Importance) String() string { return [...]string{"high", "medium", "low"}[i%3] }

// Update says whether a broker configuration may change while the broker runs, and whether for one broker or for the
// cluster.
type Update uint8

// The update modes.
const (
	ReadOnly Update = iota
	PerBroker
	ClusterWide
)

// String returns the mode as Kafka's documentation writes it.
func (u Update) String() string { return [...]string{"read-only", "per-broker", "cluster-wide"}[u%3] }

// Key is one row of the table. Rows are shared and must not be changed.
type Key struct {
	Name string
	Kind Kind
	Type Type

	// Default is nil if the configuration is unset by default. Required configurations have no default.
	Default  *string
	Required bool

	Importance Importance
	Update     Update

	// Server is the broker configuration that gives a topic configuration its default.
	Server string

	// NotInKafka marks configurations that Kafka does not have. Ignored marks configurations that bote accepts and describes
	// but does not act on.
	NotInKafka bool
	Ignored    bool

	// MetBy is a value of an ignored configuration that asks only for what bote does anyway; empty if there is none.
	MetBy string

	// UnservedProtection marks configurations that keep somebody or something out and that bote does not implement yet. bote does
	// not start if one of them is set.
	UnservedProtection bool

	// Doc is one sentence on the configuration's purpose.
	Doc string

	check check
}

// Sensitive reports whether the value must never be shown.
func (k *Key) Sensitive() bool { return k.Type == Password }

// Unserved reports whether Kafka, but not bote, can change the configuration on a running broker. bote refuses the
// change, because one that is accepted without effect could leave something open.
func (k *Key) Unserved() bool {
	if k.UnservedProtection {
		return k.Update != ReadOnly
	}
	switch k.Name {
	case "listeners", "advertised.listeners", "listener.security.protocol.map":
		return true
	}
	return false
}

// Documentation returns Doc, with a note if the configuration has no effect.
func (k *Key) Documentation() string {
	switch {
	case k.Ignored:
		return k.Doc + " Accepted, but without effect in bote."
	case k.UnservedProtection:
		return k.Doc + " bote does not serve it yet, and does not start where it is set."
	}
	return k.Doc
}

// Valid describes the values that are allowed, besides their type; empty if there is no such rule.
func (k *Key) Valid() string { return k.check.text }

// Lookup returns the row of a name, or false if the kind has no such configuration. Listener prefixes are not resolved.
func Lookup(kind Kind, name string) (*Key, bool) {
	k, ok := tables[kind].byName[name]
	return k, ok
}

// All returns the rows of a kind, sorted by name. The slice is shared and must not be changed.
func All(kind Kind) []*Key { return tables[kind].sorted }

const lastKind = int(MetricsKind)

type table struct {
	byName map[string]*Key
	sorted []*Key
}

// tables is built once, from the rows in the table_*.go files, and never changes.
var tables = [lastKind + 1]table{
	BrokerKind:  newTable(BrokerKind, serverKeys, netKeys, logKeys, coordinatorKeys, replicaKeys, securityKeys, ownKeys),
	TopicKind:   newTable(TopicKind, topicKeys),
	GroupKind:   newTable(GroupKind, groupKeys),
	MetricsKind: newTable(MetricsKind, clientMetricsKeys),
}

func newTable(kind Kind, parts ...[]Key) table {
	t := table{byName: map[string]*Key{}}
	for _, part := range parts {
		for _, k := range part {
			k.Kind = kind
			t.byName[k.Name] = &k
			t.sorted = append(t.sorted, &k)
		}
	}
	slices.SortFunc(t.sorted, func(a, b *Key) int { return strings.Compare(a.Name, b.Name) })
	return t
}
