// Package meta is the contract of a small compare-and-swap store for the state that
// the brokers of a cluster must agree on: topics, configs, blocks of producer
// IDs. It holds kilobytes per topic, not records.
//
// A transaction is atomic and linearizable: it applies all its operations if all its
// conditions hold, else none. Revisions only grow. Drivers are localmeta (one
// file, for one broker) and memmeta (in memory); both pass the suite in metatest.
// Package catalog defines the keys. [Feed] and [Leases] are shared by drivers that have
// the whole store in their process.
package meta

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrNotFound is returned by Get for a key that is not there.
var ErrNotFound = errors.New("key not found")

// ErrConflict is returned by Txn if a condition did not hold; nothing happened.
var ErrConflict = errors.New("condition does not hold")

// ErrUnclear is wrapped by the error of Txn if the transaction may or may not have
// happened. The caller has to read to find out.
var ErrUnclear = errors.New("outcome unclear")

// ErrLeaseEnded is returned by Txn and KeepAlive for a lease that has ended; nothing
// happened.
var ErrLeaseEnded = errors.New("the lease has ended")

// ErrClosed is returned after the store was closed.
var ErrClosed = errors.New("store is closed")

// Entry is a key with its value. Revision is the revision of the transaction that
// wrote it.
type Entry struct {
	Key      string
	Value    []byte
	Revision int64
}

// Cond is a condition: the key must have this revision, or not exist if Revision is 0.
type Cond struct {
	Key      string
	Revision int64
}

// Op is a change. An Op that has only a Key deletes that key.
type Op struct {
	Key string
	// Value is the value to write; if it is nil, the key is deleted.
	Value []byte
	// Lease is the lease that the key belongs to, 0 for none: the key is deleted when
	// the lease ends. The last write of a key decides.
	Lease LeaseID
	// Prefix says to delete all keys that begin with Key. However many there are, they
	// count as one operation.
	Prefix bool
}

// Put returns an operation that writes a value, which may be empty.
func Put(key string, value []byte) Op {
	if value == nil {
		value = []byte{}
	}
	return Op{Key: key, Value: value}
}

// Delete returns an operation that deletes a key, if it exists.
func Delete(key string) Op { return Op{Key: key} }

// DeletePrefix returns an operation that deletes all keys that begin with a prefix.
func DeletePrefix(prefix string) Op { return Op{Key: prefix, Prefix: true} }

// MaxOps is how many conditions, and how many operations, a transaction may have. It is
// the same in every driver.
const MaxOps = 128

// ErrTooManyOps is returned by Txn for more than MaxOps conditions or operations.
var ErrTooManyOps = fmt.Errorf("a transaction has more than %d conditions or operations", MaxOps)

// CheckSize returns ErrTooManyOps for a transaction that is too large.
func CheckSize(conds []Cond, ops []Op) error {
	if len(conds) > MaxOps || len(ops) > MaxOps {
		return ErrTooManyOps
	}
	return nil
}

// Event is a change of a key, as a watch reports it. Revision is the revision of the
// transaction that made it.
type Event struct {
	Entry
	Deleted bool
}

// Batch has the changes since the previous batch of a watch.
type Batch struct {
	// Events are in the order of their revisions. All of one transaction are in one
	// batch.
	Events []Event
	// Revision is the revision up to which this batch and the earlier ones have every
	// change, if Resync is false. The events after a Resync have larger revisions.
	Revision int64
	// Resync says that the watch has skipped changes, so the caller has to read
	// everything again. The batch has no events.
	Resync bool
}

// Events is a watch, which [Store.Watch] returns. Only one goroutine at a time may use
// it.
type Events interface {
	// Next waits for changes. After Close of the store it returns ErrClosed.
	Next(ctx context.Context) (Batch, error)
	Close()
}

// LeaseID identifies a lease. It is never 0, and not used again while keys belong to it.
type LeaseID int64

// Lease keeps keys alive. If nobody calls KeepAlive within its time to live, the lease
// ends, and the keys that belong to it are deleted.
type Lease interface {
	ID() LeaseID
	// KeepAlive restarts the time to live. It returns ErrLeaseEnded if that is too late.
	KeepAlive(ctx context.Context) error
	// End ends the lease now. Ending one that has ended does nothing.
	End(ctx context.Context) error
}

// Store is the interface that a driver implements. All methods may be called
// concurrently. The caller owns the slices that they return.
type Store interface {
	// Get returns an entry, or ErrNotFound. It is linearizable.
	Get(ctx context.Context, key string) (Entry, error)
	// List returns up to n entries, or all if n is 0, in key order: those whose key has
	// the prefix and sorts after the key after. It also returns the revision of the state
	// that it has read.
	List(ctx context.Context, prefix, after string, n int) ([]Entry, int64, error)
	// Txn applies the operations in order if all conditions hold, and returns the new
	// revision. The write is durable when Txn returns. If an error wraps ErrUnclear, the
	// transaction may have happened; after any other error it has not.
	Txn(ctx context.Context, conds []Cond, ops []Op) (int64, error)
	// Watch reports changes of keys with the prefix, from revision from on. To miss none,
	// from is the revision of List plus one. Reports may come late, and a Resync skips
	// some. So a caller must not decide by them alone: what a decision depends on must be
	// a condition of its transaction.
	Watch(ctx context.Context, prefix string, from int64) (Events, error)
	// Lease begins a lease.
	Lease(ctx context.Context, ttl time.Duration) (Lease, error)
	// Close closes the store. If only this process uses the store, its leases end too.
	Close() error
}
