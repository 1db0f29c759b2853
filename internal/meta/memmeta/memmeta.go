// Package memmeta keeps a meta.Store in memory, for tests and brokers without a
// data directory.
package memmeta

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/botehq/bote/internal/meta"
)

// Store is the store in memory.
type Store struct {
	mu       sync.Mutex // guards what follows
	entries  map[string]meta.Entry
	revision int64
	closed   bool
}

// New returns an empty store.
func New() *Store { return &Store{entries: map[string]meta.Entry{}} }

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
func (s *Store) List(ctx context.Context, prefix, after string, n int) ([]meta.Entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.check(ctx); err != nil {
		return nil, err
	}
	var out []meta.Entry
	for _, key := range slices.Sorted(maps.Keys(s.entries)) {
		if !strings.HasPrefix(key, prefix) || key <= after {
			continue
		}
		e := s.entries[key]
		e.Value = slices.Clone(e.Value)
		if out = append(out, e); len(out) == n {
			break
		}
	}
	return out, nil
}

// Txn applies the operations if the conditions hold.
func (s *Store) Txn(ctx context.Context, conds []meta.Cond, ops []meta.Op) (int64, error) {
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
	s.revision++
	for _, op := range ops {
		if op.Value == nil {
			delete(s.entries, op.Key)
			continue
		}
		s.entries[op.Key] = meta.Entry{Key: op.Key, Value: slices.Clone(op.Value), Revision: s.revision}
	}
	return s.revision, nil
}

// Close ends the store.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return nil
}
