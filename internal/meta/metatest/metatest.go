// Package metatest is the suite that every driver of meta.Store passes.
package metatest

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/internal/meta"
)

// Run checks a driver. Open returns a new, empty store.
func Run(t *testing.T, open func(t *testing.T) meta.Store) {
	t.Helper()
	for name, test := range map[string]func(t *testing.T, s meta.Store){
		"get what was put": getPut, "delete": deletes, "list": lists, "conditions": conditions,
		"revisions grow": revisions, "atomic": atomic, "concurrent increments": concurrent, "closed": closed,
		"values are copies": copies, "list says its revision": listRevision, "delete by prefix": deletesPrefix, "too many operations": tooMany,
		"watch": watches, "watch waits": watchWaits, "watch falls behind": watchFallsBehind, "watch ends": watchEnds,
		"lease ends": leaseEnds, "lease expires": leaseExpires, "lease whose end fails": leaseEndFails, "lease is kept": leaseKept, "lease of the last write": leaseMoves,
		"unclear outcomes are resolved": unclear,
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			t.Cleanup(func() { _ = s.Close() })
			test(t, s)
		})
	}
}

func put(t *testing.T, s meta.Store, key, value string) int64 {
	t.Helper()
	rev, err := s.Txn(t.Context(), nil, []meta.Op{{Key: key, Value: []byte(value)}})
	require.NoError(t, err)
	return rev
}

func getPut(t *testing.T, s meta.Store) {
	t.Helper()
	_, err := s.Get(t.Context(), "a")
	require.ErrorIs(t, err, meta.ErrNotFound)
	rev := put(t, s, "a", "1")
	e, err := s.Get(t.Context(), "a")
	require.NoError(t, err)
	require.Equal(t, meta.Entry{Key: "a", Value: []byte("1"), Revision: rev}, e)
	put(t, s, "empty", "")
	e, err = s.Get(t.Context(), "empty")
	require.NoError(t, err)
	require.Empty(t, e.Value)
}

func deletes(t *testing.T, s meta.Store) {
	t.Helper()
	put(t, s, "a", "1")
	_, err := s.Txn(t.Context(), nil, []meta.Op{{Key: "a"}, {Key: "never there"}})
	require.NoError(t, err)
	_, err = s.Get(t.Context(), "a")
	require.ErrorIs(t, err, meta.ErrNotFound)
}

func lists(t *testing.T, s meta.Store) {
	t.Helper()
	for i := range 5 {
		put(t, s, fmt.Sprintf("t/%d", i), "x")
	}
	put(t, s, "s/9", "x")
	put(t, s, "u", "x")
	keys := func(after string, n int) (out []string) {
		entries, _, err := s.List(t.Context(), "t/", after, n)
		require.NoError(t, err)
		for _, e := range entries {
			out = append(out, e.Key)
		}
		return out
	}
	require.Equal(t, []string{"t/0", "t/1", "t/2", "t/3", "t/4"}, keys("", 0))
	require.Equal(t, []string{"t/0", "t/1"}, keys("", 2))
	require.Equal(t, []string{"t/3", "t/4"}, keys("t/2", 0))
	require.Empty(t, keys("t/9", 0))
}

func conditions(t *testing.T, s meta.Store) {
	t.Helper()
	rev, err := s.Txn(t.Context(), []meta.Cond{{Key: "a"}}, []meta.Op{{Key: "a", Value: []byte("1")}})
	require.NoError(t, err)
	_, err = s.Txn(t.Context(), []meta.Cond{{Key: "a"}}, []meta.Op{{Key: "a", Value: []byte("2")}})
	require.ErrorIs(t, err, meta.ErrConflict)
	_, err = s.Txn(t.Context(), []meta.Cond{{Key: "a", Revision: rev + 1}}, []meta.Op{{Key: "a", Value: []byte("2")}})
	require.ErrorIs(t, err, meta.ErrConflict)
	_, err = s.Txn(t.Context(), []meta.Cond{{Key: "a", Revision: rev}}, []meta.Op{{Key: "a", Value: []byte("2")}})
	require.NoError(t, err)
}

func revisions(t *testing.T, s meta.Store) {
	t.Helper()
	last := int64(0)
	for range 10 {
		rev := put(t, s, "a", "x")
		require.Greater(t, rev, last)
		last = rev
	}
}

func atomic(t *testing.T, s meta.Store) {
	t.Helper()
	put(t, s, "b", "1")
	_, err := s.Txn(t.Context(), []meta.Cond{{Key: "b"}}, []meta.Op{{Key: "c", Value: []byte("1")}, {Key: "d", Value: []byte("1")}})
	require.ErrorIs(t, err, meta.ErrConflict)
	entries, _, err := s.List(t.Context(), "", "", 0)
	require.NoError(t, err)
	require.Len(t, entries, 1)
}

func concurrent(t *testing.T, s meta.Store) {
	t.Helper()
	const workers, each = 4, 10
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for done := 0; done < each; {
				e, err := s.Get(t.Context(), "n")
				if err != nil {
					e = meta.Entry{}
				}
				_, err = s.Txn(t.Context(), []meta.Cond{{Key: "n", Revision: e.Revision}}, []meta.Op{{Key: "n", Value: append(e.Value, 'x')}})
				if err == nil {
					done++
				}
			}
		})
	}
	wg.Wait()
	e, err := s.Get(t.Context(), "n")
	require.NoError(t, err)
	require.Len(t, e.Value, workers*each)
}

func closed(t *testing.T, s meta.Store) {
	t.Helper()
	require.NoError(t, s.Close())
	_, err := s.Get(t.Context(), "a")
	require.ErrorIs(t, err, meta.ErrClosed)
	_, err = s.Txn(t.Context(), nil, nil)
	require.ErrorIs(t, err, meta.ErrClosed)
}

func copies(t *testing.T, s meta.Store) {
	t.Helper()
	put(t, s, "a", "1")
	e, err := s.Get(t.Context(), "a")
	require.NoError(t, err)
	e.Value[0] = '2'
	e, err = s.Get(t.Context(), "a")
	require.NoError(t, err)
	require.Equal(t, "1", string(e.Value))
}
