package cli

// tools lists Kafka's tools by the name of their scripts. A new tool is a file with a run function and a line here.
func tools() map[string]tool {
	return map[string]tool{
		"kafka-broker-api-versions": runBrokerAPIVersions,
		"kafka-cluster":             runCluster,
		"kafka-features":            runFeatures,
		"kafka-configs":             runConfigs,
		"kafka-console-consumer":    runConsoleConsumer,
		"kafka-console-producer":    runConsoleProducer,
		"kafka-consumer-groups":     runConsumerGroups,
		"kafka-consumer-perf-test":  runConsumerPerf,
		"kafka-producer-perf-test":  runProducerPerf,
		"kafka-delete-records":      runDeleteRecords,
		"kafka-dump-log":            runDumpLog,
		"kafka-get-offsets":         runGetOffsets,
		"kafka-groups":              runGroups,
		"kafka-log-dirs":            runLogDirs,
		"kafka-server-start":        runServerStart,
		"kafka-run-class":           runRunClass,
		"kafka-server-stop":         runServerStop,
		"zookeeper-server-start":    runZookeeperStart,
		"zookeeper-server-stop":     runZookeeperStop,
		"kafka-storage":             runStorage,
		"kafka-topics":              runTopics,
	}
}
