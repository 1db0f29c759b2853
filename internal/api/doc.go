// Package api is the Kafka APIs: one file per API, and one table of all.
//
// A handler takes a decoded kmsg request, asks the packages that decide
// (partition, catalog, coordinator) and answers with a kmsg response. What
// depends on the version of an API is here and nowhere else; what a field means
// is not decided here. Handlers run on the connection's reader and must not wait: what
// waits for others answers later, from where it ends, and what may wait for a disk goes
// on aside, on a goroutine of its own ([Broker.aside], mayWait in the table). Only
// Produce writes on the reader, to the page cache: the order of a connection's batches
// is that of its requests.
//
// The table, with the versions that are advertised, is in table.go and, as text,
// in docs/protocol.md.
package api
