package coordinator

import (
	"context"

	"github.com/botehq/bote/internal/record"
)

// Log is one incarnation of a partition of the internal topic: what one Logs.Open
// returned. A log that failed stays failed; the runtime opens it again.
type Log interface {
	// Append adds one record batch, which has base offset 0 and leader epoch 0. The
	// batch then belongs to the log, which assigns the offsets. Their order is fixed
	// when Append returns: base is the offset of the first record. done is called
	// once, from any goroutine, possibly before Append returns: with nil when the
	// high watermark has passed the batch, else with the reason why the log failed.
	// done does not block and does not call the log.
	//
	// If err is not nil nothing was appended and done is never called. An error
	// that is kerr.MessageTooLarge or kerr.RecordListTooLarge refuses this
	// batch only; any other means that the log has failed.
	Append(batch []byte, done func(error)) (base int64, err error)
	// ReadAt returns whole batches below the high watermark. The first is the batch
	// that holds offset, or the next one if compaction removed it. At least one
	// batch is returned even if it is larger than maxBytes; no bytes means that there
	// is none left. The bytes are valid until the next call.
	ReadAt(ctx context.Context, offset int64, maxBytes int) ([]byte, error)
	// Bounds returns the log start offset and the high watermark, which is the first
	// offset that is not durable yet.
	Bounds() (start, high int64, err error)
}

// Logs opens the partitions of the internal topic.
type Logs interface {
	// Partitions returns the number of partitions of the topic, or the number that it
	// will be created with. It never changes.
	Partitions() int32
	// Exists reports whether the topic exists. While it does not, every shard is empty.
	Exists() bool
	// Here reports whether this broker leads the partition. If not, the shard is
	// another broker's.
	Here(partition int32) bool
	// Open returns a recovered log, whose high watermark is its end. It creates the
	// topic if it does not exist. It is called again after a log failed.
	//
	// If the error is a kerr, the waiting clients get it, and the next operation tries
	// again. After any other error they get COORDINATOR_NOT_AVAILABLE, and the runtime
	// tries again by itself.
	Open(ctx context.Context, partition int32) (Log, error)
}

// KeyValue is a record to append; nil is null.
type KeyValue = record.KeyValue

// Record is a record to apply. Key and Value are valid during Apply only; nil is null.
type Record struct {
	Offset     int64
	ProducerID int64 // of the transaction; record.NoProducer if there is none
	Key, Value []byte
}

// Transactional reports whether the record takes effect only when its transaction ends.
func (r Record) Transactional() bool { return r.ProducerID != record.NoProducer }

// Machine is the state of one shard. All its methods are called by the shard's
// goroutine.
type Machine interface {
	// Apply changes the durable state, both in replay and after an append. It skips
	// record types that it does not know. An error means that the record cannot be
	// read and that nothing was changed. Replay then skips the record; after an
	// append the shard is given up.
	Apply(r Record) error
	// EndTransaction commits or discards the transactional records of a producer that
	// were applied since its last transaction ended.
	EndTransaction(producerID int64, commit bool)
	// Loaded is called when replay is complete, before the first operation.
	Loaded()
	// Unloaded is called once when the machine is given up, possibly in the middle of
	// replay, with the reason as a kerr. The machine must answer all requests that are
	// parked in it. The runtime cancels its timers.
	Unloaded(err error)
}
