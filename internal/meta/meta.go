// Package meta is the contract of a small compare-and-swap store that keeps what
// the brokers of a cluster must agree on: topics, configs, blocks of producer
// IDs. It holds kilobytes per topic, not data.
//
// A transaction is atomic and linearizable: it applies its operations if all its
// conditions hold, or nothing. Revisions only grow. Drivers are localmeta (one
// file, for one broker) and memmeta (for tests); metatest is the suite both pass.
// What the keys mean is package catalog's. [Feed] and [Leases] are what drivers
// share that have all of the store in their process.
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

// ErrUnclear is wrapped by what Txn returns if the transaction may or may not
// have happened. Read to find out.
var ErrUnclear = errors.New("outcome unclear")

// ErrLeaseEnded is returned by Txn and KeepAlive for a lease that has ended; nothing
// happened.
var ErrLeaseEnded = errors.New("the lease has ended")

// ErrClosed is returned after Close.
var ErrClosed = errors.New("store is closed")

// Entry is a key with its value. Revision is that of the transaction that wrote
// it.
type Entry struct {
	Key      string
	Value    []byte
	Revision int64
}

// Cond is a condition: the key's revision, 0 for a key that must not be there.
type Cond struct {
	Key      string
	Revision int64
}

// Op is a change. The zero value of its other fields deletes Key.
type Op struct {
	Key string
	// Value is written, unless it is nil.
	Value []byte
	// Lease is what the key lives as long as; 0 is none. A key that is written again
	// belongs to the lease of the last write.
	Lease LeaseID
	// Prefix says that all keys that begin with Key are deleted. It costs one operation,
	// however many there are.
	Prefix bool
}

// Put writes a value, which may be empty.
func Put(key string, value []byte) Op {
	if value == nil {
		value = []byte{}
	}
	return Op{Key: key, Value: value}
}

// Delete deletes a key, if it is there.
func Delete(key string) Op { return Op{Key: key} }

// DeletePrefix deletes all keys that begin with a prefix.
func DeletePrefix(prefix string) Op { return Op{Key: prefix, Prefix: true} }

// MaxOps is how many conditions, and how many operations, a transaction may have in
// every driver.
const MaxOps = 128

// ErrTooManyOps is returned by Txn for more than MaxOps conditions or operations.
var ErrTooManyOps = fmt.Errorf("a transaction has more than %d conditions or operations", MaxOps)

// CheckSize refuses a transaction that is too large.
func CheckSize(conds []Cond, ops []Op) error {
	if len(conds) > MaxOps || len(ops) > MaxOps {
		return ErrTooManyOps
	}
	return nil
}

// Event is a change of a key, as somebody who watches is told of it. Revision is that
// of the transaction.
type Event struct {
	Entry
	Deleted bool
}

// Batch is what has happened since the batch before.
type Batch struct {
	// Events are in the order of their revisions. All of one transaction are in one
	// batch.
	Events []Event
	// Revision is up to where everything has been told, if Resync is false. After a
	// Resync the events that follow are later ones.
	Revision int64
	// Resync says that some changes are not told: whoever watches has to read
	// everything again. There are no events in the batch.
	Resync bool
}

// Events is what [Store.Watch] returns. One goroutine uses it.
type Events interface {
	// Next waits for changes. After Close of the store it returns ErrClosed.
	Next(ctx context.Context) (Batch, error)
	Close()
}

// LeaseID names a lease. It is never 0, and never used again while keys belong to it.
type LeaseID int64

// Lease keeps keys alive. If nobody calls KeepAlive within its time to live it ends,
// and the keys that belong to it are gone.
type Lease interface {
	ID() LeaseID
	// KeepAlive has the time to live begin anew. ErrLeaseEnded says that it is too late.
	KeepAlive(ctx context.Context) error
	// End ends the lease now. Ending one that has ended does nothing.
	End(ctx context.Context) error
}

// Store is what a driver implements. All methods may be called concurrently.
// Slices that it returns are the caller's.
type Store interface {
	// Get is linearizable.
	Get(ctx context.Context, key string) (Entry, error)
	// List returns up to n entries, all if n is 0, whose key has the prefix and
	// sorts behind after, in order, and the revision as of which it has them.
	List(ctx context.Context, prefix, after string, n int) ([]Entry, int64, error)
	// Txn applies the operations in order if all conditions hold, and returns the new
	// revision. The write is durable when it returns. An error that wraps ErrUnclear
	// says that it may have happened; any other, that it has not.
	Txn(ctx context.Context, conds []Cond, ops []Op) (int64, error)
	// Watch tells of changes of keys with the prefix from a revision on: that of List
	// and one more, to miss none. It is a hint that may come late, and may skip changes
	// if it says so; every decision is a condition of a transaction.
	Watch(ctx context.Context, prefix string, from int64) (Events, error)
	// Lease begins a lease.
	Lease(ctx context.Context, ttl time.Duration) (Lease, error)
	// Close ends all leases where they are not shared with others.
	Close() error
}
