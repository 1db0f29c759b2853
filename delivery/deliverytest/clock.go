package deliverytest

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// Clock is a clock that stands still until it is moved. It starts at the
// current time, because the broker keeps records according to their timestamps.
type Clock struct {
	mu     sync.Mutex
	now    time.Time
	timers []*timer
}

type timer struct {
	at time.Time
	f  func()
}

// NewClock is a clock standing at the current millisecond.
func NewClock() *Clock { return &Clock{now: time.Now().Truncate(time.Millisecond)} }

// Now implements delivery.Clock.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// AfterFunc implements delivery.Clock. f is called by the goroutine that moves
// the clock.
func (c *Clock) AfterFunc(d time.Duration, f func()) (stop func() bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := &timer{at: c.now.Add(d), f: f}
	c.timers = append(c.timers, t)
	return func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		i := slices.Index(c.timers, t)
		if i >= 0 {
			c.timers = slices.Delete(c.timers, i, i+1)
		}
		return i >= 0
	}
}

// Advance moves the clock by d at once and runs the timers that are due, in
// their order. It does not wait for what they start; Harness.Advance does.
func (c *Clock) Advance(d time.Duration) { c.moveTo(c.Now().Add(d)) }

// moveTo runs all timers up to at, each at its time.
func (c *Clock) moveTo(at time.Time) {
	for {
		t := c.take(at)
		if t == nil {
			return
		}
		t.f()
	}
}

// take removes the next timer due by at and moves the clock to it, or to at if
// there is none.
func (c *Clock) take(at time.Time) *timer {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := c.first()
	if i < 0 || c.timers[i].at.After(at) {
		c.now = latest(c.now, at)
		return nil
	}
	t := c.timers[i]
	c.timers = slices.Delete(c.timers, i, i+1)
	c.now = latest(c.now, t.at)
	return t
}

// next is when the next timer is due.
func (c *Clock) next() (time.Time, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := c.first()
	if i < 0 {
		return time.Time{}, false
	}
	return c.timers[i].at, true
}

// first is the index of the timer due first. Callers hold mu.
func (c *Clock) first() int {
	if len(c.timers) == 0 {
		return -1
	}
	return slices.Index(c.timers, slices.MinFunc(c.timers, func(a, b *timer) int {
		return cmp.Compare(a.at.UnixNano(), b.at.UnixNano())
	}))
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
