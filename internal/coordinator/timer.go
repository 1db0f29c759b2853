package coordinator

import (
	"container/heap"
	"time"
)

// Timer calls a function on a shard's goroutine at some time. The zero value is not
// armed. It belongs to one shard, and is a field, by value, of the object that it serves.
type Timer struct {
	at    time.Time
	fire  func()
	place int // in the heap, counted from 1; 0 if not armed
}

// Armed reports whether the timer will fire.
func (t *Timer) Armed() bool { return t.place != 0 }

// Schedule arms t to call fire on the shard's goroutine after d. It replaces what t was
// armed for.
func (s *Shard) Schedule(t *Timer, d time.Duration, fire func()) {
	t.fire = fire
	s.Restart(t, d)
}

// Restart arms t to call the function of its last Schedule after d.
func (s *Shard) Restart(t *Timer, d time.Duration) {
	t.at = time.Now().Add(d)
	if t.Armed() {
		heap.Fix(&s.timers, t.place-1)
		return
	}
	heap.Push(&s.timers, t)
}

// Cancel disarms t, if it is armed.
func (s *Shard) Cancel(t *Timer) {
	if t.Armed() {
		heap.Remove(&s.timers, t.place-1)
	}
}

// fireDue fires the timers that are due, and returns the time of the next one, if there
// is any. It fires at most as many as were armed at the start, so a timer that keeps
// arming itself for now cannot hold up the shard.
func (s *Shard) fireDue() (next time.Time, ok bool) {
	now := time.Now()
	for range len(s.timers) {
		if s.broken != nil || len(s.timers) == 0 || s.timers[0].at.After(now) {
			break
		}
		t := heap.Pop(&s.timers).(*Timer)
		t.fire()
	}
	if len(s.timers) == 0 {
		return next, false
	}
	return s.timers[0].at, true
}

// timers is a heap by time.
type timers []*Timer

func (h timers) Len() int           { return len(h) }
func (h timers) Less(i, j int) bool { return h[i].at.Before(h[j].at) }

func (h timers) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i+1, j+1
}

// Push is for container/heap.
func (h *timers) Push(x any) {
	t := x.(*Timer)
	*h = append(*h, t)
	t.place = len(*h)
}

// Pop is for container/heap.
func (h *timers) Pop() any {
	last := len(*h) - 1
	t := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	t.place = 0
	return t
}
