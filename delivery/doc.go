// Package delivery consumes and sends Kafka records so that no record is lost:
// each one is handled, waits for its retry, or lies in a dead-letter topic with
// the reason why it failed. The package is to Go what Spring for Apache Kafka is
// to Java. It uses the same retry and dead-letter headers, and works with any
// cluster that speaks Kafka's protocol.
//
// # Sending
//
// A [Client] holds the producers; a [Topic] is a name with a codec. [Topic.Send]
// returns once all in-sync replicas have the record. If the context ends while
// the record is on the wire, the error wraps [ErrUnknownOutcome]: the record may
// or may not have been written.
//
// # Listening
//
// [Listen] makes a [Listener], which reads one topic in one group and calls a
// typed handler. [Listener.Run] joins the group. It returns when its context has
// ended and all handlers have finished, or with a [HungError] that names the
// handlers that did not return. A slow handler does not cost the listener its
// membership. docs/delivery.md helps to choose options.
//
// Partitions run in parallel, with up to [Concurrency] handlers at once. Within a
// partition, records are handled one by one ([ByPartition], the default) or in
// parallel ([Unordered]). Delivery is at least once: after a crash, a lost
// partition or a failed commit, the handler may see a record again.
//
// # Attempts
//
// A delivery is one call of the handler. An attempt is the n-th delivery of
// the same record; [Attempts] always counts the first one.
//
// Without options, a failed record is delivered again in place: 10 attempts in
// about 21 seconds, while its partition waits. Order is kept. With [RetryTopics]
// the record is copied to a retry topic (a tier), and its partition goes on.
// Order is given up for records that fail. For example, five attempts with
// Exponential(1s, 2, 1min) happen at 0, 1, 3, 7 and 15 seconds, through the
// tiers -retry-1000, -retry-2000, -retry-4000 and -retry-8000. A record on a
// tier is never handled before it is due. A record that is too large for its
// tier goes to the dead-letter topic instead.
//
// After the last attempt the record goes to the dead-letter topic <topic>-dlt.
// A record whose value cannot be decoded goes there at once, and so does one
// whose handler returns [Permanent]. Errors are judged in this order: [Drop],
// [Halt], [RetryAfter], [Permanent] and decode errors, then [RetryIf]. All other
// errors are retried. A panic is a failed attempt. An error does not count as an
// attempt if the context was cancelled because the partition moves or the
// listener stops.
//
// # What is durable when
//
// A record is done when its handler has returned nil, or when all in-sync
// replicas have its copy in a retry or dead-letter topic. Key, value and foreign
// headers are copied byte for byte. While the cluster does not accept the copy,
// the partition waits, and the handler is not run again.
//
// An offset is committed only when all records before it are done. So a record
// that is done may come again after a crash, but no record is skipped. Commits
// happen every second or every 1000 records unless a commit option says
// otherwise, and always when a partition moves and when the listener stops.
//
// # Groups and topics
//
// The listener reads retry topics in the group <group>-retry. It reads
// dead-letter topics only with a [DeadLetterHandler], in the group <group>-dlt.
// [SpringLayout] uses one group per topic, as Spring does. Run creates missing
// retry and dead-letter topics with as many partitions as the main topic has. It
// never creates the main topic.
//
// A dead letter is deleted 14 days after it was written, unless retention.ms of
// its topic says otherwise. Retry topics keep records for 7 days or four times
// the longest delay, whichever is longer. Neither has a size limit. Run refuses
// a retry topic that would delete records before they are due, and any topic of
// the chain that is compacted.
//
// Two groups that read one topic share its retry and dead-letter topics. Each
// group knows its own records by a header, and skips the others. When a group is
// renamed, [GroupAliases] must list its old name, or records that still wait for
// a retry are skipped.
//
// # Time
//
// All waits for a record use the [Clock] of the Client. Package deliverytest
// replaces that clock, so a test of an hour of retries takes milliseconds.
//
// This package has no batch handlers, transactions, per-key order, outbox or
// inbox.
package delivery
