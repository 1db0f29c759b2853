package wire

import (
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func newBudget(limit int64) *budget {
	b := &budget{}
	b.init("records", limit, newMetrics(), &episode{begins: func(...any) {}, ends: func(...any) {}})
	return b
}

// waits runs an acquire and, once it is queued, returns a channel for its result.
func waits(t *testing.T, b *budget, done chan struct{}, l *lease, n int64) <-chan bool {
	t.Helper()
	before := b.waiting.Load()
	got := make(chan bool, 1)
	go func() { got <- b.acquire(done, l, n) }()
	for b.waiting.Load() == before {
		select {
		case <-got:
			t.Fatal("it did not wait")
		default:
		}
	}
	return got
}

func TestBudgetServesInTurn(t *testing.T) {
	t.Parallel()
	b := newBudget(100)
	first, second, third := &lease{of: b}, &lease{of: b}, &lease{of: b}
	require.True(t, b.acquire(nil, first, 150), "a single step may exceed the rest")
	a := waits(t, b, nil, second, 150)
	c := waits(t, b, nil, third, 1)
	first.release()
	require.True(t, <-a, "the first to wait is the first served, however small the second is")
	require.Equal(t, int64(150), b.used.Load())
	second.release()
	require.True(t, <-c)
	third.release()
	third.release()
	require.Zero(t, b.used.Load())
}

func TestBudgetForgetsWhoLeft(t *testing.T) {
	t.Parallel()
	b := newBudget(100)
	holder, gone, last := &lease{of: b}, &lease{of: b}, &lease{of: b}
	require.True(t, b.acquire(nil, holder, 100))
	done := make(chan struct{})
	left := waits(t, b, done, gone, 50)
	close(done)
	require.False(t, <-left)
	got := waits(t, b, nil, last, 50)
	holder.release()
	require.True(t, <-got)
	gone.release()
	last.release()
	require.Zero(t, b.used.Load())
}

// TestBudgetOverdraft: of several frames that hold memory and wait for more, one goes
// on; when it has ended, the next one does.
func TestBudgetOverdraft(t *testing.T) {
	t.Parallel()
	b := newBudget(100)
	first, second := &lease{of: b}, &lease{of: b}
	require.True(t, b.acquire(nil, first, 60))
	require.True(t, b.acquire(nil, second, 60))
	require.True(t, b.acquire(nil, first, 60), "it holds some already, and nobody else exceeds the budget")
	got := waits(t, b, nil, second, 60)
	require.True(t, b.acquire(nil, first, 60))
	require.Equal(t, int64(240), b.used.Load())
	first.release()
	require.True(t, <-got)
	second.release()
	require.Zero(t, b.used.Load())
	require.False(t, b.exceeded)
}

// TestBudgetNeverStops: whatever the order, every waiter is served in the end, and
// all bytes are given back.
func TestBudgetNeverStops(t *testing.T) {
	t.Parallel()
	b := newBudget(1000)
	var all sync.WaitGroup
	for w := range 16 {
		all.Go(func() {
			rng := rand.New(rand.NewPCG(1, uint64(w)))
			for range 500 {
				l := &lease{of: b}
				for range 1 + rng.IntN(4) {
					if !b.acquire(nil, l, rng.Int64N(600)) {
						t.Error("refused")
					}
				}
				l.release()
			}
		})
	}
	all.Wait()
	require.Zero(t, b.used.Load())
	require.Zero(t, b.waiting.Load())
	require.False(t, b.exceeded)
}

func TestShareShrinks(t *testing.T) {
	t.Parallel()
	b := newBudget(1 << 20)
	n, ok := b.share(0, 1000)
	require.True(t, ok)
	require.Equal(t, 1000, n)
	n, _ = b.share(0, 1<<30)
	require.Equal(t, 1<<17, n)
	b.add(1<<20 - 80<<10)
	n, _ = b.share(0, 1<<30)
	require.Equal(t, 10<<10, n)
	n, _ = b.share(16<<10, 1<<30)
	require.Equal(t, 16<<10, n, "what it has stays")
	b.add(80 << 10)
	_, ok = b.share(0, 1)
	require.False(t, ok)
	n, ok = b.share(1<<10, 1<<30)
	require.True(t, ok)
	require.Equal(t, 1<<10, n)
}

func TestDefaultBudget(t *testing.T) {
	t.Parallel()
	require.GreaterOrEqual(t, defaultBudget(), int64(leastBudget))
	require.LessOrEqual(t, defaultBudget(), int64(mostBudget))
}
