package config

import (
	"log/slog"
	"maps"
	"slices"
	"strings"
)

// Remark logs which of the values that were set have no effect in bote. The attributes say what they were set for.
func Remark(log *slog.Logger, kind Kind, values map[string]string, of ...any) {
	if names := WithoutEffect(kind, values); len(names) > 0 {
		log.Warn("settings without effect in bote", append([]any{slog.String("settings", strings.Join(names, ", "))}, of...)...)
	}
	policy := map[Kind]string{BrokerKind: "log.cleanup.policy", TopicKind: "cleanup.policy"}[kind]
	if slices.Contains(splitList(values[policy]), "compact") {
		const text = "cleanup.policy has compact, which bote does not do yet: nothing is deleted by compaction"
		if kind == BrokerKind {
			log.Warn(text, append([]any{slog.String("setting", policy)}, of...)...)
		} else {
			log.Info(text, of...)
		}
	}
}

// WithoutEffect lists the settings that are known, differ from their default and have no effect, sorted by name.
func WithoutEffect(kind Kind, values map[string]string) []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(values)) {
		k, ok := Lookup(kind, base(name))
		if ok && k.Ignored && k.isSet(values[name]) || kind == BrokerKind && asksInVain(name, values[name]) {
			names = append(names, name)
		}
	}
	return names
}

// asksInVain reports whether a setting that is not in the table asks for something that bote does not do: rules of an
// authorizer, which bote does not have, and ZooKeeper's settings.
func asksInVain(name, value string) bool {
	value = strings.TrimSpace(value)
	switch {
	case name == "allow.everyone.if.no.acl.found":
		return strings.EqualFold(value, "false")
	case name == "super.users", strings.HasPrefix(name, "zookeeper."):
		return value != ""
	}
	return false
}

// isSet reports whether a value asks for anything beyond the default and beyond what bote does anyway.
func (k *Key) isSet(v string) bool {
	if v = strings.TrimSpace(v); v == "" || v == k.MetBy {
		return false
	}
	return k.Default == nil || canonical(k, v) != *k.Default
}
