package cli

import (
	"github.com/botehq/bote/internal/cli/cluster"
	"github.com/botehq/bote/internal/cli/configs"
	"github.com/botehq/bote/internal/cli/console"
	"github.com/botehq/bote/internal/cli/dumplog"
	"github.com/botehq/bote/internal/cli/format"
	"github.com/botehq/bote/internal/cli/groups"
	"github.com/botehq/bote/internal/cli/logs"
	"github.com/botehq/bote/internal/cli/perf"
	"github.com/botehq/bote/internal/cli/server"
	"github.com/botehq/bote/internal/cli/tool"
	"github.com/botehq/bote/internal/cli/topics"
)

// tools lists Kafka's tools by the name of their scripts. A new tool is a function in the package of its family and a line here.
func tools() map[string]tool.Func {
	return map[string]tool.Func{
		"kafka-broker-api-versions": cluster.RunBrokerAPIVersions,
		"kafka-cluster":             cluster.Run,
		"kafka-features":            cluster.RunFeatures,
		"kafka-configs":             configs.Run,
		"kafka-console-consumer":    console.RunConsumer,
		"kafka-console-producer":    console.RunProducer,
		"kafka-consumer-groups":     groups.RunConsumerGroups,
		"kafka-consumer-perf-test":  perf.RunConsumer,
		"kafka-producer-perf-test":  perf.RunProducer,
		"kafka-delete-records":      logs.RunDeleteRecords,
		"kafka-dump-log":            dumplog.Run,
		"kafka-get-offsets":         logs.RunGetOffsets,
		"kafka-groups":              groups.Run,
		"kafka-log-dirs":            logs.RunLogDirs,
		"kafka-server-start":        server.RunStart,
		"kafka-run-class":           runRunClass,
		"kafka-server-stop":         server.RunStop,
		"zookeeper-server-start":    server.RunZookeeperStart,
		"zookeeper-server-stop":     server.RunZookeeperStop,
		"kafka-storage":             format.Run,
		"kafka-topics":              topics.Run,
	}
}
