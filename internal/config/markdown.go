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
	if k.Own {
		facts = append(facts, "not in Kafka")
	}
	b.WriteString(strings.Join(facts, " · ") + "\n")
}
