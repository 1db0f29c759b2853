// Package config owns the one table of Kafka's configuration names, as of Kafka 4.2, for brokers, topics, groups and
// client metrics subscriptions, and everything that is derived from it:
//
//   - Key, Lookup and All: type, default, valid values, importance, purpose, and whether a value may change at run
//     time;
//   - Key.Validate and Key.Canonical: to refuse and to normalise values, with Kafka's error texts;
//   - Layers: effective values, their sources and synonyms, as DescribeConfigs shows them;
//   - Topic and Server: typed views for the code that acts on them;
//   - ParseProperties and ParseServer: to read server.properties;
//   - Markdown: the reference in docs/config.md.
//
// It stores nothing, keeps no state, and knows neither the wire nor the disk. Several goroutines may read a value that
// this package returned, as long as nobody writes to it.
package config
