package metatest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/internal/meta"
)

func txn(t *testing.T, s meta.Store, ops ...meta.Op) int64 {
	t.Helper()
	rev, err := s.Txn(t.Context(), nil, ops)
	require.NoError(t, err)
	return rev
}

func listRevision(t *testing.T, s meta.Store) {
	t.Helper()
	for range 3 {
		want := put(t, s, "a", "1")
		_, rev, err := s.List(t.Context(), "none", "", 0)
		require.NoError(t, err)
		require.Equal(t, want, rev)
	}
}

func deletesPrefix(t *testing.T, s meta.Store) {
	t.Helper()
	for i := range 2 {
		ops := make([]meta.Op, 0, meta.MaxOps)
		for k := range meta.MaxOps {
			ops = append(ops, meta.Put(fmt.Sprintf("j/1/%d-%d", i, k), nil))
		}
		txn(t, s, ops...)
	}
	put(t, s, "j/10", "x")
	rev := txn(t, s, meta.DeletePrefix("j/1/"), meta.Put("j/1/new", []byte("y")))
	entries, _, err := s.List(t.Context(), "", "", 0)
	require.NoError(t, err)
	require.Len(t, entries, 2)
	require.Equal(t, meta.Entry{Key: "j/1/new", Value: []byte("y"), Revision: rev}, entries[0])
	require.Equal(t, "j/10", entries[1].Key)
}

func tooMany(t *testing.T, s meta.Store) {
	t.Helper()
	ops := make([]meta.Op, meta.MaxOps+1)
	conds := make([]meta.Cond, meta.MaxOps+1)
	for i := range ops {
		ops[i], conds[i] = meta.Put(fmt.Sprint(i), nil), meta.Cond{Key: fmt.Sprint(i)}
	}
	_, err := s.Txn(t.Context(), conds, nil)
	require.ErrorIs(t, err, meta.ErrTooManyOps)
	_, err = s.Txn(t.Context(), nil, ops)
	require.ErrorIs(t, err, meta.ErrTooManyOps)
	_, err = s.Txn(t.Context(), conds[1:], ops[1:])
	require.NoError(t, err)
}

func watch(t *testing.T, s meta.Store, prefix string, from int64) meta.Events {
	t.Helper()
	events, err := s.Watch(t.Context(), prefix, from)
	require.NoError(t, err)
	t.Cleanup(events.Close)
	return events
}

func next(t *testing.T, events meta.Events) meta.Batch {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	b, err := events.Next(ctx)
	require.NoError(t, err)
	return b
}

// watches: from the given revision on, every change of a key with the prefix is reported
// once, in order.
func watches(t *testing.T, s meta.Store) {
	t.Helper()
	put(t, s, "t/z", "x")
	_, rev, err := s.List(t.Context(), "t/", "", 0)
	require.NoError(t, err)
	events := watch(t, s, "t/", rev+1)
	first := txn(t, s, meta.Put("t/a", []byte("1")), meta.Put("u", nil), meta.Put("t/b", []byte("2")))
	second := txn(t, s, meta.Delete("t/a"), meta.Delete("t/none"))
	third := txn(t, s, meta.DeletePrefix("t/b"))
	want := []meta.Event{
		{Entry: meta.Entry{Key: "t/a", Value: []byte("1"), Revision: first}},
		{Entry: meta.Entry{Key: "t/b", Value: []byte("2"), Revision: first}},
		{Entry: meta.Entry{Key: "t/a", Revision: second}, Deleted: true},
		{Entry: meta.Entry{Key: "t/b", Revision: third}, Deleted: true},
	}
	var got []meta.Event
	for len(got) < len(want) {
		b := next(t, events)
		require.False(t, b.Resync)
		got = append(got, b.Events...)
		require.GreaterOrEqual(t, b.Revision, got[len(got)-1].Revision)
	}
	for i := range want {
		require.Equal(t, want[i].Key, got[i].Key)
		require.Equal(t, want[i].Revision, got[i].Revision)
		require.Equal(t, want[i].Deleted, got[i].Deleted)
		require.Equal(t, string(want[i].Value), string(got[i].Value))
	}
	require.Len(t, got, len(want))
}

func watchWaits(t *testing.T, s meta.Store) {
	t.Helper()
	_, rev, err := s.List(t.Context(), "", "", 0)
	require.NoError(t, err)
	events := watch(t, s, "t/", rev+1)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err = events.Next(ctx)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	put(t, s, "u", "not asked for")
	told := make(chan meta.Batch, 1)
	go func() {
		b, _ := events.Next(t.Context()) // the batch is checked below
		told <- b
	}()
	put(t, s, "t/a", "1")
	b := <-told
	require.Len(t, b.Events, 1)
	require.Equal(t, "t/a", b.Events[0].Key)
}

// watchFallsBehind: a watch that falls far behind reports all changes, or a Resync.
func watchFallsBehind(t *testing.T, s meta.Store) {
	t.Helper()
	_, rev, err := s.List(t.Context(), "", "", 0)
	require.NoError(t, err)
	events := watch(t, s, "t/", rev+1)
	for i := range 100 {
		ops := make([]meta.Op, 0, meta.MaxOps)
		for k := range meta.MaxOps {
			ops = append(ops, meta.Put(fmt.Sprintf("t/%d-%d", i, k), []byte("x")))
		}
		txn(t, s, ops...)
	}
	known := map[string]bool{}
	for len(known) < 100*meta.MaxOps {
		b := next(t, events)
		for _, e := range b.Events {
			known[e.Key] = true
		}
		if !b.Resync {
			continue
		}
		require.Empty(t, b.Events)
		entries, _, err := s.List(t.Context(), "t/", "", 0)
		require.NoError(t, err)
		for _, e := range entries {
			known[e.Key] = true
		}
	}
	last := put(t, s, "t/after", "x")
	b := next(t, events)
	require.Len(t, b.Events, 1)
	require.Equal(t, last, b.Events[0].Revision)
}

func watchEnds(t *testing.T, s meta.Store) {
	t.Helper()
	events := watch(t, s, "", 1)
	ended := make(chan error, 1)
	go func() {
		_, err := events.Next(t.Context())
		ended <- err
	}()
	require.NoError(t, s.Close())
	require.ErrorIs(t, <-ended, meta.ErrClosed)
}

// long is a time to live that is longer than every test.
const long = time.Hour

func lease(t *testing.T, s meta.Store, ttl time.Duration) meta.Lease {
	t.Helper()
	l, err := s.Lease(t.Context(), ttl)
	require.NoError(t, err)
	require.NotZero(t, l.ID())
	return l
}

func leased(key string, l meta.Lease) meta.Op {
	op := meta.Put(key, []byte("x"))
	op.Lease = l.ID()
	return op
}

func keysOf(t *testing.T, s meta.Store) (keys []string) {
	t.Helper()
	entries, _, err := s.List(t.Context(), "", "", 0)
	require.NoError(t, err)
	for _, e := range entries {
		keys = append(keys, e.Key)
	}
	return keys
}

func leaseEnds(t *testing.T, s meta.Store) {
	t.Helper()
	l, other := lease(t, s, long), lease(t, s, long)
	require.NotEqual(t, l.ID(), other.ID())
	rev := txn(t, s, leased("a", l), leased("b", other), leased("c", l), meta.Put("d", nil))
	events := watch(t, s, "", rev+1)
	require.NoError(t, l.KeepAlive(t.Context()))
	require.NoError(t, l.End(t.Context()))
	require.Equal(t, []string{"b", "d"}, keysOf(t, s))
	gone := map[string]bool{}
	for len(gone) < 2 {
		for _, e := range next(t, events).Events {
			require.True(t, e.Deleted)
			gone[e.Key] = true
		}
	}
	require.Equal(t, map[string]bool{"a": true, "c": true}, gone)
	require.NoError(t, l.End(t.Context()))
	require.ErrorIs(t, l.KeepAlive(t.Context()), meta.ErrLeaseEnded)
	_, err := s.Txn(t.Context(), nil, []meta.Op{meta.Put("e", nil), leased("f", l)})
	require.ErrorIs(t, err, meta.ErrLeaseEnded)
	require.Equal(t, []string{"b", "d"}, keysOf(t, s))
}

func leaseExpires(t *testing.T, s meta.Store) {
	t.Helper()
	l := lease(t, s, 50*time.Millisecond)
	rev := txn(t, s, leased("a", l))
	b := next(t, watch(t, s, "", rev+1))
	require.Len(t, b.Events, 1)
	require.True(t, b.Events[0].Deleted)
	require.Empty(t, keysOf(t, s))
	require.ErrorIs(t, l.KeepAlive(t.Context()), meta.ErrLeaseEnded)
}

// leaseEndFails: if End fails, the lease's keys are deleted later.
func leaseEndFails(t *testing.T, s meta.Store) {
	t.Helper()
	l := lease(t, s, time.Minute)
	rev := txn(t, s, leased("a", l))
	over, cancel := context.WithCancel(t.Context())
	cancel()
	require.Error(t, l.End(over))
	require.ErrorIs(t, l.KeepAlive(t.Context()), meta.ErrLeaseEnded)
	require.True(t, next(t, watch(t, s, "", rev+1)).Events[0].Deleted)
	require.Empty(t, keysOf(t, s))
}

func leaseKept(t *testing.T, s meta.Store) {
	t.Helper()
	const ttl = 2 * time.Second
	kept, left := lease(t, s, ttl), lease(t, s, ttl)
	rev := txn(t, s, leased("kept", kept), leased("left", left))
	events := watch(t, s, "", rev+1)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for ctx.Err() == nil {
		wait, stop := context.WithTimeout(ctx, ttl/20)
		b, err := events.Next(wait)
		stop()
		require.NoError(t, kept.KeepAlive(t.Context()))
		if err == nil {
			require.Len(t, b.Events, 1)
			break
		}
	}
	require.Equal(t, []string{"kept"}, keysOf(t, s))
}

func leaseMoves(t *testing.T, s meta.Store) {
	t.Helper()
	l, other := lease(t, s, long), lease(t, s, long)
	txn(t, s, leased("a", l), leased("b", l), leased("c", l))
	txn(t, s, meta.Put("a", nil), leased("b", other), meta.Delete("c"))
	txn(t, s, meta.Put("c", nil))
	require.NoError(t, l.End(t.Context()))
	require.Equal(t, []string{"a", "b", "c"}, keysOf(t, s))
	require.NoError(t, other.End(t.Context()))
	require.Equal(t, []string{"a", "c"}, keysOf(t, s))
}
