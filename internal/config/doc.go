// Package config owns the one table of Kafka's configuration names, as of Kafka 4.2, for brokers, topics, groups and
// client metrics subscriptions, and what follows from it:
//
//   - Key, Lookup and All: type, default, valid values, importance, whether it may change at run time, and what it is for;
//   - Key.Validate and Key.Canonical: refusing and normalising values, with Kafka's error texts;
//   - Layers: effective values, their sources and synonyms, as DescribeConfigs shows them;
//   - Topic and Server: typed views for the code that acts on them;
//   - ParseProperties and ParseServer: reading server.properties;
//   - Markdown: the reference in docs/config.md.
//
// It does not store anything and knows neither the wire nor the disk. All of it is pure; every value handed out may be
// used from several goroutines as long as nobody writes to it.
package config
