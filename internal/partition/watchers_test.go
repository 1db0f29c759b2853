package partition_test

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestWatchersComeAndGo: few or many, in any order, each watcher is told once of every
// change while it watches, and of nothing else.
func TestWatchersComeAndGo(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	rng := rand.New(rand.NewPCG(1, 2))
	size := int64(len(b.batch("x")))
	type member struct {
		*watcher
		want int64
	}
	var here, gone []*member
	for step := range 3000 {
		grows := step/500%2 == 0 // to hundreds, and back to none
		switch at := rng.IntN(100); {
		case at < 2:
			_, err := b.put(t, b.batch("x"))
			require.NoError(t, err)
			for _, m := range here {
				m.want += size
				<-m.moved
			}
		case at < 70 == grows:
			m := &member{watcher: newWatcher()}
			b.Watch(m.watcher)
			here = append(here, m)
		case len(here) > 0:
			i := rng.IntN(len(here))
			b.Unwatch(here[i].watcher)
			b.Unwatch(here[i].watcher) // does nothing
			gone = append(gone, here[i])
			here[i] = here[len(here)-1]
			here = here[:len(here)-1]
		}
	}
	require.NotEmpty(t, gone)
	for _, m := range append(here, gone...) {
		require.Equal(t, m.want, m.bytes.Load())
		require.Empty(t, m.moved)
	}
}

// TestWatchersLeaveWhileTheyAreTold: a watcher that stays is told of each append, while
// others join and leave.
func TestWatchersLeaveWhileTheyAreTold(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	stays := newWatcher()
	stop := make(chan struct{})
	var others sync.WaitGroup
	for range 4 {
		others.Go(func() {
			for {
				var crowd [30]*watcher
				for i := range crowd {
					crowd[i] = newWatcher()
					b.Watch(crowd[i])
				}
				for _, w := range crowd {
					b.Unwatch(w)
				}
				select {
				case <-stop:
					return
				default:
				}
			}
		})
	}
	b.Watch(stays)
	const appends = 50
	for range appends {
		_, err := b.put(t, b.batch("x"))
		require.NoError(t, err)
		<-stays.moved
	}
	close(stop)
	others.Wait()
	require.Equal(t, appends*int64(len(b.batch("x"))), stays.bytes.Load())
}

// silent is a watcher that ignores what it is told.
type silent struct{ _ int }

func (*silent) Notify(int64) {}
func (*silent) Wake()        {}

// TestManyWatchers: the memory that n watchers allocate when they join and leave, with
// appends meanwhile, grows with n, not with its square.
func TestManyWatchers(t *testing.T) { // not parallel: it measures allocations
	b := newBench(t)
	all := make([]silent, 20_000)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for i := range all {
		b.Watch(&all[i])
	}
	for i := range all {
		if i%1000 == 0 {
			_, err := b.put(t, b.batch("x"))
			require.NoError(t, err)
		}
		b.Unwatch(&all[len(all)-1-i])
	}
	runtime.ReadMemStats(&after)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(32<<20))
}

// BenchmarkWatch measures one watcher that joins and leaves a crowd.
func BenchmarkWatch(b *testing.B) {
	p := newBench(b)
	crowd := make([]silent, 10_000)
	for i := range crowd {
		p.Watch(&crowd[i])
	}
	b.ReportAllocs()
	for b.Loop() {
		p.Unwatch(&crowd[5000])
		p.Watch(&crowd[5000])
	}
}
