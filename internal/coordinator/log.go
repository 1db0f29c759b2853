package coordinator

import (
	"context"

	"github.com/botehq/bote/internal/record"
)

// Log is one partition of the internal topic, open for one incarnation. A log
// that failed stays failed; the runtime opens it again.
type Log interface {
	// Append adds one record batch, which has base offset 0 and leader epoch 0
	// and belongs to the log from here on; the log assigns the offsets. Their
	// order is fixed when Append returns: base is the offset of the first
	// record. done is called once, from any goroutine, possibly before Append
	// returns: with nil when the high watermark has passed the batch, else with
	// what made the log fail. done does not block and does not call the log.
	//
	// If err is not nil nothing was appended and done is never called. An error
	// that is kerr.MessageTooLarge or kerr.RecordListTooLarge refuses this
	// batch only; after any other the log is taken as failed.
	Append(batch []byte, done func(error)) (base int64, err error)
	// ReadAt returns whole batches below the high watermark, the first one being
	// the one that holds offset, or the next one where compaction left none.
	// At least one batch is returned even if it is larger than maxBytes; no
	// bytes means that there is none left. The bytes are valid until the next
	// call.
	ReadAt(ctx context.Context, offset int64, maxBytes int) ([]byte, error)
	// Bounds are the log start offset and the high watermark, the first offset that is
	// not durable yet.
	Bounds() (start, high int64, err error)
}

// Logs opens the partitions of the internal topic.
type Logs interface {
	// Partitions is the number of partitions of the topic, or the number that it
	// will be created with. It never changes.
	Partitions() int32
	// Exists reports whether the topic exists; until then every shard is empty.
	Exists() bool
	// Here reports whether this broker leads a partition of the topic. The shards of
	// the others are another broker's.
	Here(partition int32) bool
	// Open returns a recovered log, whose high watermark is its end, and creates
	// the topic where it does not exist. It is called again after a log failed.
	// If the error is a kerr, clients get that, else COORDINATOR_NOT_AVAILABLE.
	Open(ctx context.Context, partition int32) (Log, error)
}

// KeyValue is a record to append; nil is null.
type KeyValue = record.KeyValue

// Record is a record to apply. Key and Value are valid during Apply only; nil is null.
type Record struct {
	Offset     int64
	ProducerID int64 // of the transaction, record.NoProducer outside of one
	Key, Value []byte
}

// Transactional reports whether the record waits for the end of a transaction.
func (r Record) Transactional() bool { return r.ProducerID != record.NoProducer }

// Machine is the state of one shard. All its methods are called by the shard's
// goroutine.
type Machine interface {
	// Apply changes the durable state, in replay and after an append alike.
	// Record types that it does not know are skipped. An error means a record
	// that cannot be read, and that nothing was changed: replay goes on without
	// it, an append that leads to it gives up the shard.
	Apply(r Record) error
	// EndTransaction settles the transactional records of a producer that were
	// applied since its last transaction ended.
	EndTransaction(producerID int64, commit bool)
	// Loaded is called when replay is complete, before the first operation.
	Loaded()
	// Unloaded is called once when the machine is given up, also in the middle of
	// replay, with the reason as a kerr. Whoever is parked in it has to be
	// answered; timers need no care.
	Unloaded(err error)
}
