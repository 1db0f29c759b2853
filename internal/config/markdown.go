package config

import (
	"fmt"
	"io"
	"strings"
)

// Markdown writes the reference of all configurations: docs/config.md.
func Markdown(w io.Writer) error {
	var b strings.Builder
	b.WriteString("# Configuration\n\nGenerated from the table in `internal/config`; do not edit.\n\n")
	b.WriteString("Names, types and defaults are those of Apache Kafka 4.2. Update says whether a broker setting can be changed while the broker runs: " +
		"read-only, per-broker, or cluster-wide.\n")
	wanted(&b)
	for _, part := range []struct {
		title string
		kind  Kind
	}{
		{"Topics", TopicKind},
		{"Brokers (server.properties)", BrokerKind},
		{"Groups", GroupKind},
		{"Client metrics subscriptions", MetricsKind},
	} {
		fmt.Fprintf(&b, "\n## %s\n", part.title)
		for _, k := range All(part.kind) {
			k.markdown(&b)
		}
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write the configuration reference: %w", err)
	}
	return nil
}

// wanted lists the few broker settings that a beginner may want to change, each with a reason.
func wanted(b *strings.Builder) {
	b.WriteString("\n## Ten settings that you may want to change\n\nAll of them are lines of `server.properties`, or `--set name=value` of `bote serve`. A broker runs without any.\n\n" +
		"| setting | default | when to change it |\n|---|---|---|\n")
	for _, w := range []struct{ name, why string }{
		{"log.dirs", "always, outside a test: data below /tmp may be gone after a reboot"},
		{"listeners", "another port, or one address only, such as PLAINTEXT://127.0.0.1:9092"},
		{"advertised.listeners", "clients on other machines: the address by which they reach this one"},
		{"auto.create.topics.enable", "false, so that a misspelt topic is an error"},
		{"num.partitions", "several consumers of a group share a topic that is created without a number of partitions"},
		{"log.retention.hours", "how long records are kept"},
		{"log.retention.bytes", "how much of a partition is kept"},
		{"message.max.bytes", "records above 1 MB; producers need a larger max.request.size too"},
		{"log.flush", "interval or os, if some of the newest records may be lost in a power cut, as with Kafka"},
		{"group.initial.rebalance.delay.ms", "0, so that a new group does not wait for further members before it gets its first record"},
	} {
		value := "unset"
		if k, ok := Lookup(BrokerKind, w.name); ok && k.Default != nil {
			value = "`" + *k.Default + "`"
		}
		fmt.Fprintf(b, "| [%s](#%s) | %s | %s |\n", w.name, strings.ReplaceAll(w.name, ".", ""), value, w.why)
	}
}

func (k *Key) markdown(b *strings.Builder) {
	fmt.Fprintf(b, "\n### %s\n\n%s\n\n", k.Name, k.Documentation())
	facts := []string{"type " + strings.ToLower(k.Type.String())}
	switch {
	case k.Required:
		facts = append(facts, "required")
	case k.Default == nil:
		facts = append(facts, "default unset")
	case *k.Default == "":
		facts = append(facts, "default empty")
	default:
		facts = append(facts, "default `"+*k.Default+"`")
	}
	if k.Valid() != "" {
		facts = append(facts, "valid "+k.Valid())
	}
	if k.Server != "" {
		facts = append(facts, "broker default `"+k.Server+"`")
	}
	facts = append(facts, "importance "+k.Importance.String())
	if k.Kind == BrokerKind {
		facts = append(facts, "update "+k.Update.String())
	}
	if k.NotInKafka {
		facts = append(facts, "not in Kafka")
	}
	b.WriteString(strings.Join(facts, " · ") + "\n")
}
