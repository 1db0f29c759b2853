// Package cli owns the command line: Main picks a command by the name the program was called with, or by its first argument,
// and runs it. tools.go lists Kafka's tools, verbs.go bote's own commands. What they do is in the packages below, by family:
//
//	topics    kafka-topics
//	configs   kafka-configs
//	groups    kafka-groups, kafka-consumer-groups
//	console   kafka-console-consumer, kafka-console-producer
//	perf      kafka-consumer-perf-test, kafka-producer-perf-test
//	logs      kafka-get-offsets, kafka-delete-records, kafka-log-dirs
//	dumplog   kafka-dump-log
//	cluster   kafka-cluster, kafka-features, kafka-broker-api-versions
//	format    kafka-storage
//	server    kafka-server-start, kafka-server-stop, zookeeper-server-*; bote serve, bote health
//	dlt       bote dlt
//	check     bote check
//
// and what they share is in packages of its own:
//
//	tool       streams, exit codes, properties
//	exception  failures with the names that Java shows
//	jopt       options after joptsimple (family J)
//	argp       options after argparse4j (family A)
//	client     the client of a cluster
//	javaregex  java.util.regex
//	releases   Kafka's releases and their features
//	verb       what bote's own commands have in common
//
// Kafka's tools behave as those of Apache Kafka 4.2: option names, results, error lines, exit codes, and what goes to stdout and
// what to stderr. Only the descriptions of options are our own, and no Java stack is printed. They are ordinary clients of any
// Kafka-protocol cluster. bote's own commands use cobra.
//
// The packages know nothing of brokers from the inside: tools talk the protocol, verbs call the packages that own the thing.
package cli
