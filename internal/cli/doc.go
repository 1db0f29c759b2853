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
//	exception  failures with the names of Java's exceptions
//	jopt       options as joptsimple reads them (family J)
//	argp       options as argparse4j reads them (family A)
//	client     the Kafka client that the tools share
//	javaregex  java.util.regex
//	releases   Kafka's releases and their features
//	verb       what bote's own commands have in common
//
// Kafka's tools behave as those of Apache Kafka 4.2 do: they have the same option names, results, error lines and exit codes,
// and write the same things to stdout and stderr. Two things differ: the descriptions of options are our own, and no Java stack
// trace is printed. The tools are ordinary clients of any cluster that speaks Kafka's protocol. bote's own commands use cobra.
//
// No package here knows the inside of a broker. The tools speak the protocol; bote's own commands call the packages that own
// what they show or change.
package cli
