package metatest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/internal/meta"
)

// errCut is the reason why an outcome of Unclear is unclear.
var errCut = errors.New("the connection was cut")

// Unclear wraps a store. Some of its transactions return ErrUnclear. Half of these have
// happened.
type Unclear struct {
	meta.Store
	// OneIn makes one of so many transactions unclear, on average; 0 makes none.
	OneIn int

	mu  sync.Mutex // guards the fields below
	rng *rand.Rand
	// lost counts the unclear transactions that did not happen, done those that did.
	lost, done int
}

// NewUnclear wraps a store. Equal seeds make the same transactions unclear.
func NewUnclear(s meta.Store, oneIn int, seed uint64) *Unclear {
	return &Unclear{Store: s, OneIn: oneIn, rng: rand.New(rand.NewPCG(seed, 1))}
}

// Outcomes returns how many unclear transactions did not happen, and how many did.
func (u *Unclear) Outcomes() (lost, done int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.lost, u.done
}

// Txn runs a transaction, or returns ErrUnclear after running it or not.
func (u *Unclear) Txn(ctx context.Context, conds []meta.Cond, ops []meta.Op) (int64, error) {
	u.mu.Lock()
	unclear := u.OneIn > 0 && u.rng.IntN(u.OneIn) == 0
	before := unclear && u.rng.IntN(2) == 0
	if before {
		u.lost++
	}
	u.mu.Unlock()
	if before {
		return 0, fmt.Errorf("%w: %w", meta.ErrUnclear, errCut)
	}
	revision, err := u.Store.Txn(ctx, conds, ops)
	if err != nil || !unclear {
		return revision, err
	}
	u.mu.Lock()
	u.done++
	u.mu.Unlock()
	return 0, fmt.Errorf("%w: %w", meta.ErrUnclear, errCut)
}

// unclear: a worker that resolves unclear outcomes by reading makes each change exactly
// once. The changes append numbers to a list; no two workers add the same one.
func unclear(t *testing.T, under meta.Store) {
	t.Helper()
	s := NewUnclear(under, 3, 7)
	const workers, each = 4, 25
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range each {
				addOnce(t, s, byte(w*each+i))
			}
		})
	}
	wg.Wait()
	e, err := s.Get(t.Context(), "list")
	require.NoError(t, err)
	count := map[byte]int{}
	for _, b := range e.Value {
		count[b]++
	}
	require.Len(t, count, workers*each)
	require.Len(t, e.Value, workers*each, "none is there twice")
	lost, done := s.Outcomes()
	require.Positive(t, lost)
	require.Positive(t, done)
}

func addOnce(t *testing.T, s meta.Store, b byte) {
	t.Helper()
	for {
		e, err := s.Get(t.Context(), "list")
		if err != nil && !errors.Is(err, meta.ErrNotFound) {
			t.Error(err)
			return
		}
		if slices.Contains(e.Value, b) {
			return // an unclear transaction has happened
		}
		_, err = s.Txn(t.Context(), []meta.Cond{{Key: "list", Revision: e.Revision}}, []meta.Op{meta.Put("list", append(e.Value, b))})
		switch {
		case err == nil:
			return
		case errors.Is(err, meta.ErrConflict), errors.Is(err, meta.ErrUnclear):
		default:
			t.Error(err)
			return
		}
	}
}
