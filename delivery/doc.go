// Package delivery consumes and sends Kafka records so that nothing vanishes:
// every record of a topic is handled, is waiting for its retry, or lies in a
// dead-letter topic with the reason. It is for Go what Spring for Apache Kafka
// is for Java, speaks the same retry and dead-letter headers, and works over
// any cluster that speaks Kafka's protocol.
//
// # Sending
//
// A [Client] holds the producers, a [Topic] a name and a codec. [Topic.Send]
// returns once all in-sync replicas have the record. If the context ends while
// the record is on the wire the error wraps [ErrUnknownOutcome]: the record
// may or may not be there.
//
// # Listening
//
// [Listen] makes a [Listener] of one topic in one group, with a typed handler.
// Run joins the group, and returns when its context ends and all handlers have
// finished, or with a HungError that names those that did not. A slow handler
// does not cost the membership. docs/delivery.md helps to choose options.
//
// Partitions run side by side, up to Concurrency handlers at once; within a
// partition records are handed out one by one ([ByPartition], the default) or
// side by side ([Unordered]). A handler is at least once: after a crash, a lost
// partition or a failed commit it sees records again.
//
// # Attempts
//
// A delivery is one call of the handler. An attempt is the n-th delivery of
// the same record; Attempts always counts the first one.
//
// Without options a failed record is delivered again in place, 10 attempts in
// about 21 seconds, while its partition waits: order is kept. With
// [RetryTopics] it is copied to a retry topic (a tier), and the partition goes
// on: order is given up for records that fail. Five attempts with
// Exponential(1s, 2, 1min) happen at 0, 1, 3, 7 and 15 seconds through the
// tiers -retry-1000, -retry-2000, -retry-4000 and -retry-8000. A tier's record
// is never handled before it is due. A tier that is too small for a record is
// passed over.
//
// After the last attempt the record goes to the dead-letter topic <topic>-dlt.
// So does, at once, a record whose value cannot be decoded, and one whose
// handler returns [Permanent]. Errors are judged in this order: [Drop],
// [Halt], [RetryAfter], [Permanent] and decode errors, RetryIf, and all others
// are retried. A panic is a failed attempt. An error after the context was
// cancelled because the partition moves or the listener stops is no attempt.
//
// # What is durable when
//
// A record is done when its handler returned nil, or when the copy in a retry
// or dead-letter topic is acknowledged by all in-sync replicas. Key, value and
// foreign headers are copied byte for byte. If the cluster does not take the
// copy the partition waits and the handler is not run again.
//
// An offset is committed only when all records before it are done, so a record
// that is done may come again after a crash, but none is passed over. Commits
// happen every second or every 1000 records unless a commit option says
// otherwise, and always when a partition moves and when the listener stops.
//
// # Groups and topics
//
// The listener reads retry topics in the group <group>-retry, and dead-letter
// topics, only with a [DeadLetterHandler], in <group>-dlt; [SpringLayout] uses
// one group per topic as Spring does. Missing retry and dead-letter topics are
// created with the main topic's partitions; the main topic never is.
//
// A dead letter is deleted 14 days after it was written, unless retention.ms of
// its topic says otherwise. Retry topics keep records for 7 days or four times
// the longest delay, whichever is longer. Neither has a limit of size, and
// topics that would delete records too early are refused by Run.
//
// Two groups on one topic share the names of retry and dead-letter topics. Each
// skips the other's records by their group header. A group that was renamed must name
// its old name with [GroupAliases], or its records in flight are skipped.
//
// # Time
//
// All waits for a record go through the Clock of the Client, which package deliverytest
// replaces: a test of an hour of retries takes milliseconds.
//
// What this package does not do: batch handlers, transactions, per-key order,
// outbox and inbox.
package delivery
