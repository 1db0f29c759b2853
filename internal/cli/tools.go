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

// kafkaTool is one of Kafka's tools, and the line about it in bote's help.
type kafkaTool struct {
	run   tool.Func
	about string
}

// tools lists Kafka's tools by the name of their scripts. A new tool is a function in the package of its family and a line here.
func tools() map[string]kafkaTool {
	return map[string]kafkaTool{
		"kafka-broker-api-versions": {cluster.RunBrokerAPIVersions, "Show the API versions that brokers serve"},
		"kafka-cluster":             {cluster.Run, "Show the cluster's ID or its endpoints"},
		"kafka-features":            {cluster.RunFeatures, "Show or change feature versions"},
		"kafka-configs":             {configs.Run, "Show or change the settings of topics, brokers, groups and others"},
		"kafka-console-consumer":    {console.RunConsumer, "Print the records of topics"},
		"kafka-console-producer":    {console.RunProducer, "Send each line of the input as a record"},
		"kafka-consumer-groups":     {groups.RunConsumerGroups, "List, describe or delete consumer groups, or reset their offsets"},
		"kafka-consumer-perf-test":  {perf.RunConsumer, "Measure how fast records are read"},
		"kafka-producer-perf-test":  {perf.RunProducer, "Measure how fast records are sent"},
		"kafka-delete-records":      {logs.RunDeleteRecords, "Delete the records below an offset"},
		"kafka-dump-log":            {dumplog.Run, "Print the contents of log files"},
		"kafka-get-offsets":         {logs.RunGetOffsets, "Show the offsets of partitions"},
		"kafka-groups":              {groups.Run, "List groups of all types"},
		"kafka-log-dirs":            {logs.RunLogDirs, "Show how much of the disk partitions occupy"},
		"kafka-server-start":        {server.RunStart, "Run the broker, with Kafka's options and exit codes"},
		"kafka-run-class":           {runRunClass, "Run a tool by the name of its Java class"},
		"kafka-server-stop":         {server.RunStop, "Stop the brokers of this machine"},
		"zookeeper-server-start":    {server.RunZookeeperStart, "Does nothing: bote needs no ZooKeeper"},
		"zookeeper-server-stop":     {server.RunZookeeperStop, "Does nothing: bote needs no ZooKeeper"},
		"kafka-storage":             {format.Run, "Format a data directory, or show how it is formatted"},
		"kafka-topics":              {topics.Run, "List, describe, create, change or delete topics"},
	}
}
