package api

import (
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Markdown returns the table of APIs as a page, docs/protocol.md.
func Markdown() string {
	var out strings.Builder
	out.WriteString("# Protocol\n\nThe APIs of Apache Kafka's protocol that the broker serves, made from `internal/api/table.go`. What is not here is not advertised and closes the\nconnection. The versions are those of Kafka 4.2; message formats are on https://kafka.apache.org/protocol.\n\n")
	out.WriteString("| key | API | versions | listeners | remark |\n|---|---|---|---|---|\n")
	for _, a := range rows() {
		remark := ""
		if a.accepts > a.min {
			remark = fmt.Sprintf("%d-%d are advertised for old clients and closed", a.min, a.accepts-1)
		}
		if a.topicIDs > 0 {
			remark = fmt.Sprintf("%d with `offsets.topic.ids.enable=true`", a.topicIDs)
		}
		listeners := "clients"
		if a.onController {
			listeners = "clients, controllers"
		}
		fmt.Fprintf(&out, "| %d | %s | %d-%d | %s | %s |\n", a.key, kmsg.NameForKey(a.key), a.min, a.max, listeners, remark)
	}
	out.WriteString("\nFeatures: ")
	for i, f := range features {
		if i > 0 {
			out.WriteString(", ")
		}
		fmt.Fprintf(&out, "`%s` %d-%d at %d", f.name, f.min, f.max, f.finalLevel)
	}
	out.WriteString(".\n")
	return out.String()
}
