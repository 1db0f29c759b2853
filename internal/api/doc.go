// Package api is the Kafka APIs: one file per API, and one table of all.
//
// A handler takes a decoded kmsg request, asks the packages that decide
// (partition, catalog, coordinator) and answers with a kmsg response. What
// depends on the version of an API is here and nowhere else; what a field means
// is not decided here. Handlers run on the connection's reader and must not wait:
// what takes long answers later, from where it ends.
//
// The table, with the versions that are advertised, is in table.go and, as text,
// in docs/protocol.md.
package api
