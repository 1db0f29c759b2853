// Package cli owns the command line: Main picks a command by the name the program was called with, or by its first argument,
// and runs it. Two kinds of commands live here.
//
// Kafka's tools (kafka-topics, kafka-console-producer, ...) behave as those of Apache Kafka 4.2: option names, results,
// error lines, exit codes, and what goes to stdout and what to stderr. Only the descriptions of options are our own, and no
// Java stack is printed. They are ordinary clients of any Kafka-protocol cluster. They read their options with one of two
// parsers, as Kafka's do: optParser (family J, after joptsimple) and argParser (family A, after argparse4j). Each tool is a
// file or a few; tools.go lists them.
//
// bote's own verbs (bote serve, bote version, ...) use cobra, one file per command; verbs.go lists them.
//
// The package knows nothing of brokers from the inside: tools talk the protocol, verbs call the packages that own the thing.
package cli
