// Package partition holds the rules of one live partition: in which order batches
// enter its log, which of them an idempotent producer has sent before, how far
// readers may see, and which of them wait for more.
//
// A [Partition] sits on a storage.Log and keeps four offsets:
//
//	LogStartOffset <= LastStableOffset <= HighWatermark <= LogEndOffset
//
// The log end moves when a batch is appended, the high watermark when the log
// says that the batch is durable. Only then is the producer answered and are
// readers woken, so nobody ever sees a batch that a crash can take back. There are
// no transactions yet: the last stable offset is the high watermark.
//
// Appends take turns. The turn is a token in a one-slot channel, because it is
// held across a write; a mutex guards everything else, and nobody waits while holding
// it. A partition owns no goroutine: answers and wake-ups run on the goroutine that
// caused them, the log's flusher or an appender.
//
// The package does not know topics' names, API versions or clients; package api
// does. Errors that a client may see are kerr values.
package partition
