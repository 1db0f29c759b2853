package cli

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/botehq/bote/internal/cli/tool"
)

// ToolNames lists the Kafka tools in this program, sorted. Each of them gets wrapper scripts.
func ToolNames() []string {
	return slices.Sorted(maps.Keys(tools()))
}

// classTools are the tools by the last part of their Java class's name, for scripts that call kafka-run-class directly.
func classTools() map[string]string {
	return map[string]string{
		"AclCommand":                "kafka-acls",
		"BrokerApiVersionsCommand":  "kafka-broker-api-versions",
		"ClusterTool":               "kafka-cluster",
		"ConfigCommand":             "kafka-configs",
		"ConsoleConsumer":           "kafka-console-consumer",
		"ConsoleProducer":           "kafka-console-producer",
		"ConsumerGroupCommand":      "kafka-consumer-groups",
		"ConsumerPerformance":       "kafka-consumer-perf-test",
		"DeleteRecordsCommand":      "kafka-delete-records",
		"DumpLogSegments":           "kafka-dump-log",
		"FeatureCommand":            "kafka-features",
		"GetOffsetShell":            "kafka-get-offsets",
		"GroupsCommand":             "kafka-groups",
		"Kafka":                     "kafka-server-start",
		"LeaderElectionCommand":     "kafka-leader-election",
		"LogDirsCommand":            "kafka-log-dirs",
		"MetadataQuorumCommand":     "kafka-metadata-quorum",
		"ProducerPerformance":       "kafka-producer-perf-test",
		"ReassignPartitionsCommand": "kafka-reassign-partitions",
		"StorageTool":               "kafka-storage",
		"TopicCommand":              "kafka-topics",
		"TransactionsCommand":       "kafka-transactions",
		"VerifiableConsumer":        "kafka-verifiable-consumer",
		"VerifiableProducer":        "kafka-verifiable-producer",
	}
}

// runRunClass runs the tool behind a Java class's name.
func runRunClass(ctx context.Context, s *tool.Streams, args []string) int {
	daemon := false
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		switch args[0] {
		case "-daemon":
			daemon = true
		case "-name":
			args = args[min(1, len(args)-1):]
		}
		args = args[1:]
	}
	if len(args) == 0 {
		s.Printf("USAGE: bin/kafka-run-class.sh [-daemon] [-name servicename] [-loggc] classname [opts]\n")
		return tool.ExitError
	}
	name := args[0][strings.LastIndexByte(args[0], '.')+1:]
	run, ok := toolNamed(classTools()[name])
	if !ok {
		s.Remark("Error: Could not find or load main class %s\n", args[0])
		return tool.ExitError
	}
	args = args[1:]
	if daemon && classTools()[name] == "kafka-server-start" {
		args = append([]string{"-daemon"}, args...)
	}
	return run(ctx, s, args)
}
