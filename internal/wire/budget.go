package wire

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// budget is a number of bytes that all connections share. There are three: one for Produce
// frames, one for all other frames, and one for answers that are not sent yet. They are
// separate, so that a request or answer that holds one cannot block a request that needs
// another:
//
//   - A Produce request holds memory from the first byte of its frame until its append is
//     answered. Both phases end by themselves: a frame must arrive in a given time, and
//     appends wait for nothing but the disk.
//   - Other requests may hold memory for long: a fetch that waits, a member that joins. If
//     their budget is used up, large requests wait. A small request on a connection with
//     nothing in flight never waits, so that no connection is silenced.
//   - An answer holds memory until its client has read it, or is closed because it does not.
//     If this budget is used up, fetches wait and large descriptions are refused; everything
//     else is answered.
//
// Waiters are served in turn. Usage exceeds the limit by at most one step (see firstRead and
// roomFor) and by small requests, with one exception. A frame that is read in steps holds
// its first bytes while it waits for more, so many of them could wait for each other.
// Therefore one frame at a time may exceed the limit.
type budget struct {
	limit   int64
	used    atomic.Int64
	waiting atomic.Int32 // len(queue)
	waits   prometheus.Counter
	waited  prometheus.Counter // seconds
	episode *episode

	mu       sync.Mutex // guards what follows
	queue    []*waiter
	exceeded bool // one lease has over set
}

// waiter is a request that waits for bytes.
type waiter struct {
	lease     *lease
	n         int64
	holdsSome bool // the lease holds bytes already
	ready     chan struct{}
}

// lease is the part of a budget that one request or answer holds. One goroutine at a time
// may write it; release may be called from any goroutine, and more than once.
type lease struct {
	of        *budget
	n         atomic.Int64
	mayExceed bool // may exceed the limit
}

func (b *budget) init(kind string, limit int64, m *metrics, e *episode) {
	b.limit, b.episode = limit, e
	b.waits, b.waited = m.waits.WithLabelValues(kind), m.waited.WithLabelValues(kind)
}

// add uses n bytes more, or fewer, without waiting.
func (b *budget) add(n int64) {
	if used := b.used.Add(n); n < 0 && used < b.limit && b.waiting.Load() > 0 {
		b.mu.Lock()
		b.serve()
		b.mu.Unlock()
	}
}

// try uses n bytes if the budget is not used up.
func (b *budget) try(n int64) bool {
	for {
		used := b.used.Load()
		if used >= b.limit {
			return false
		}
		if b.used.CompareAndSwap(used, used+n) {
			return true
		}
	}
}

// serve gives bytes to the waiters, in turn; the caller holds mu.
func (b *budget) serve() {
	for len(b.queue) > 0 && b.try(b.queue[0].n) {
		b.grant(0)
	}
	if b.exceeded {
		return
	}
	for i, w := range b.queue {
		if w.holdsSome {
			b.exceeded, w.lease.mayExceed = true, true
			b.used.Add(w.n)
			b.grant(i)
			return
		}
	}
}

// grant gives the i-th waiter its bytes and wakes it; the caller holds mu.
func (b *budget) grant(i int) {
	w := b.queue[i]
	b.queue = slices.Delete(b.queue, i, i+1)
	b.waiting.Store(int32(len(b.queue)))
	w.lease.n.Add(w.n)
	close(w.ready)
}

// acquire waits until the budget is not used up, then adds n bytes to the lease. It returns
// false if done is closed first.
func (b *budget) acquire(done <-chan struct{}, l *lease, n int64) bool {
	if b.waiting.Load() == 0 && b.try(n) {
		l.n.Add(n)
		return true
	}
	if l.mayExceed {
		l.take(n)
		return true
	}
	w := &waiter{lease: l, n: n, holdsSome: l.n.Load() > 0, ready: make(chan struct{})}
	b.mu.Lock()
	b.queue = append(b.queue, w)
	b.waiting.Store(int32(len(b.queue)))
	b.serve() // bytes that were given back before the line above saw no waiter
	b.mu.Unlock()
	select {
	case <-w.ready:
		return true
	default:
	}
	began := time.Now()
	b.waits.Inc()
	b.episode.note()
	defer func() {
		b.waited.Add(time.Since(began).Seconds())
		b.episode.note()
	}()
	select {
	case <-w.ready:
		return true
	case <-done:
		b.forget(w)
		return false
	}
}

// forget removes a waiter from the queue. If the waiter has been granted its bytes
// meanwhile, they are in its lease.
func (b *budget) forget(w *waiter) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if i := slices.Index(b.queue, w); i >= 0 {
		b.queue = slices.Delete(b.queue, i, i+1)
		b.waiting.Store(int32(len(b.queue)))
		b.serve()
	}
}

// step is what a fetch acquires before it begins: the size of a usual batch, so that not too
// many fetches read at a time.
func (b *budget) step() int64 { return min(usualBatch, b.limit/shareOf) }

// share returns how many of the wanted bytes an answer may hold, including the bytes it has
// already: all of them while there is plenty, fewer and fewer as the budget runs out. It
// returns false if nothing is left and the answer has nothing.
func (b *budget) share(has int64, want int) (int, bool) {
	free := b.limit - b.used.Load() + has
	if free <= 0 && has == 0 {
		return 0, false
	}
	return int(min(int64(want), max(free/shareOf, has))), true
}

const (
	shareOf    = 8
	usualBatch = 1 << 20
)

// halfUsed reports whether the budget is more than half used up.
func (b *budget) halfUsed() bool { return b.used.Load() > b.limit/2 }

// take adds n bytes to the lease without waiting.
func (l *lease) take(n int64) {
	l.n.Add(n)
	l.of.add(n)
}

// takeWithin adds n bytes to the lease if nobody waits and the budget has that many left.
func (l *lease) takeWithin(n int64) bool {
	b := l.of
	for b.waiting.Load() == 0 {
		used := b.used.Load()
		if used+n > b.limit {
			return false
		}
		if b.used.CompareAndSwap(used, used+n) {
			l.n.Add(n)
			return true
		}
	}
	return false
}

// set makes the lease hold n bytes, without waiting.
func (l *lease) set(n int64) {
	if d := n - l.n.Swap(n); d != 0 {
		l.of.add(d)
	}
}

// release gives all bytes back. If the lease exceeded the limit, another frame may do so
// now.
func (l *lease) release() {
	switch b := l.of; {
	case b == nil:
	case l.mayExceed:
		b.mu.Lock()
		defer b.mu.Unlock()
		l.mayExceed, b.exceeded = false, false
		b.used.Add(-l.n.Swap(0))
		b.serve()
	default:
		l.set(0)
	}
}
