// Package api serves the Kafka APIs: one file per API, and one table of all APIs.
//
// A handler takes a decoded kmsg request, calls the packages that decide (partition,
// catalog, coordinator) and answers with a kmsg response. Everything that depends on an
// API's version is in this package and nowhere else; what a field means is decided
// elsewhere. Handlers run on the connection's reader and must not wait. An API that
// waits for other clients answers later, from the goroutine that ends the wait. An API
// that may wait for a disk continues on a goroutine of its own ([Broker.offReader], mayWait
// in the table). Only Produce writes on the reader, to the page cache: so the batches
// of a connection are appended in the order of its requests.
//
// The table of APIs and of the versions that are advertised is in table.go and, as
// text, in docs/protocol.md.
package api
