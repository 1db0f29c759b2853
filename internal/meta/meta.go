// Package meta is the contract of a small compare-and-swap store that keeps what
// the brokers of a cluster must agree on: topics, configs, blocks of producer
// IDs. It holds kilobytes per topic, not data.
//
// A transaction is atomic and linearizable: it applies its operations if all its
// conditions hold, or nothing. Revisions only grow. Drivers are localmeta (one
// file, for one broker) and memmeta (for tests); metatest is the suite both pass.
// What the keys mean is package catalog's.
package meta

import (
	"context"
	"errors"
)

// ErrNotFound is returned by Get for a key that is not there.
var ErrNotFound = errors.New("key not found")

// ErrConflict is returned by Txn if a condition did not hold; nothing happened.
var ErrConflict = errors.New("condition does not hold")

// ErrUnclear is wrapped by what Txn returns if the transaction may or may not
// have happened. Read to find out.
var ErrUnclear = errors.New("outcome unclear")

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

// Op writes a value, or deletes the key if Value is nil.
type Op struct {
	Key   string
	Value []byte
}

// Store is what a driver implements. All methods may be called concurrently.
// Slices that it returns are the caller's.
type Store interface {
	Get(ctx context.Context, key string) (Entry, error)
	// List returns up to n entries, all if n is 0, whose key has the prefix and
	// sorts behind after, in order.
	List(ctx context.Context, prefix, after string, n int) ([]Entry, error)
	// Txn returns the new revision. The write is durable when it returns.
	Txn(ctx context.Context, conds []Cond, ops []Op) (int64, error)
	Close() error
}
