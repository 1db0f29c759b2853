// Package memmeta keeps a meta.Store in memory, for tests and brokers without a
// data directory.
package memmeta

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/botehq/bote/internal/meta"
)

// Store is a store in memory.
type Store struct {
	feed   *meta.Feed
	leases *meta.Leases

	mu       sync.Mutex // guards the fields below
	entries  map[string]meta.Entry
	leased   map[string]meta.LeaseID
	revision int64
	closed   bool
}

// New returns an empty store.
func New() *Store {
	s := &Store{entries: map[string]meta.Entry{}, leased: map[string]meta.LeaseID{}, feed: meta.NewFeed(0)}
	s.leases = meta.NewLeases(0, s.endLease)
	return s
}

func (s *Store) check(ctx context.Context) error {
	if s.closed {
		return meta.ErrClosed
	}
	return ctx.Err()
}

// Get returns one entry.
func (s *Store) Get(ctx context.Context, key string) (meta.Entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.check(ctx); err != nil {
		return meta.Entry{}, err
	}
	e, ok := s.entries[key]
	if !ok {
		return meta.Entry{}, meta.ErrNotFound
	}
	e.Value = slices.Clone(e.Value)
	return e, nil
}

// List returns entries in key order.
func (s *Store) List(ctx context.Context, prefix, after string, n int) ([]meta.Entry, int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.check(ctx); err != nil {
		return nil, 0, err
	}
	var out []meta.Entry
	for _, key := range s.keysLocked(prefix) {
		if key <= after {
			continue
		}
		e := s.entries[key]
		e.Value = slices.Clone(e.Value)
		if out = append(out, e); len(out) == n {
			break
		}
	}
	return out, s.revision, nil
}

// keysLocked returns the keys with a prefix, in order.
func (s *Store) keysLocked(prefix string) []string {
	var keys []string
	for key := range maps.Keys(s.entries) {
		if strings.HasPrefix(key, prefix) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// Txn applies the operations if the conditions hold.
func (s *Store) Txn(ctx context.Context, conds []meta.Cond, ops []meta.Op) (int64, error) {
	if err := meta.CheckSize(conds, ops); err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.check(ctx); err != nil {
		return 0, err
	}
	for _, c := range conds {
		if s.entries[c.Key].Revision != c.Revision {
			return 0, meta.ErrConflict
		}
	}
	for _, op := range ops {
		if op.Lease != 0 && !s.leases.Alive(op.Lease) {
			return 0, meta.ErrLeaseEnded
		}
	}
	return s.applyLocked(ops), nil
}

func (s *Store) applyLocked(ops []meta.Op) int64 {
	s.revision++
	var events []meta.Event
	for _, op := range ops {
		if op.Prefix {
			for _, key := range s.keysLocked(op.Key) {
				events = s.deleteLocked(events, key)
			}
			continue
		}
		if op.Value == nil {
			events = s.deleteLocked(events, op.Key)
			continue
		}
		e := meta.Entry{Key: op.Key, Value: slices.Clone(op.Value), Revision: s.revision}
		s.entries[op.Key] = e
		delete(s.leased, op.Key)
		if op.Lease != 0 {
			s.leased[op.Key] = op.Lease
		}
		events = append(events, meta.Event{Entry: e})
	}
	s.feed.Publish(s.revision, events)
	return s.revision
}

func (s *Store) deleteLocked(events []meta.Event, key string) []meta.Event {
	if _, ok := s.entries[key]; !ok {
		return events
	}
	delete(s.entries, key)
	delete(s.leased, key)
	return append(events, meta.Event{Entry: meta.Entry{Key: key, Revision: s.revision}, Deleted: true})
}

// Watch reports changes.
func (s *Store) Watch(ctx context.Context, prefix string, from int64) (meta.Events, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.feed.Watch(prefix, from), s.check(ctx)
}

// Lease begins a lease.
func (s *Store) Lease(ctx context.Context, ttl time.Duration) (meta.Lease, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return s.leases.Begin(ttl)
}

// endLease deletes the keys that belong to a lease.
func (s *Store) endLease(ctx context.Context, id meta.LeaseID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.check(ctx); err != nil {
		return err
	}
	var ops []meta.Op
	for key, of := range s.leased {
		if of == id {
			ops = append(ops, meta.Delete(key))
		}
	}
	if len(ops) > 0 {
		s.applyLocked(ops)
	}
	return nil
}

// Close closes the store.
func (s *Store) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.leases.Close()
	s.feed.Close()
	return nil
}
