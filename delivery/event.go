package delivery

import (
	"log/slog"
	"sync"
	"time"
)

// Event is something a listener tells its owner through OnEvent. Fields that
// make no sense for a kind are zero.
type Event struct {
	Kind            EventKind
	Group           string // the listener's main group
	Role            Role
	Topic           string
	Partition       int32
	Offset          int64
	DeadLetterTopic string
	Reason          Reason
	Err             error
	Text            string
}

// EventKind says what happened.
type EventKind string

// The kinds.
const (
	EventAssigned     EventKind = "assigned"
	EventRevoked      EventKind = "revoked"
	EventLost         EventKind = "lost"
	EventPaused       EventKind = "paused"
	EventResumed      EventKind = "resumed"
	EventIdle         EventKind = "idle"
	EventNoLongerIdle EventKind = "no-longer-idle"
	EventStuck        EventKind = "stuck"
	EventStanding     EventKind = "standing"     // a watermark does not move; Offset is its oldest record's
	EventOffsetReset  EventKind = "offset-reset" // Offset is the new position
	EventDeadLettered EventKind = "dead-lettered"
	EventHalted       EventKind = "halted"
	EventDegraded     EventKind = "degraded"
	EventHealthy      EventKind = "healthy"
)

const (
	// maxEvents is how many events wait for a slow OnEvent function.
	maxEvents = 4096
	// eventsFlush is how long the end of Run waits for that function.
	eventsFlush = time.Second
)

// events calls the user's function for one event after the other. Code that emits
// an event may hold locks or block a rebalance, so it does not wait for the
// function. A goroutine exists only while events are waiting.
type events struct {
	f    func(Event)
	log  *slog.Logger
	gate *logGate

	mu      sync.Mutex
	waiting []Event       // the first one is being handled
	idle    chan struct{} // closed when nothing waits any more; nil while nothing does
}

func (q *events) add(e Event) {
	q.mu.Lock()
	full := len(q.waiting) >= maxEvents
	if !full {
		q.waiting = append(q.waiting, e)
		if q.idle == nil {
			q.idle = make(chan struct{})
			go q.run() // ends when nothing waits.
		}
	}
	q.mu.Unlock()
	if !full {
		return
	}
	if ok, suppressed := q.gate.allow("events dropped"); ok {
		q.log.Warn("event dropped, OnEvent is too slow", slog.String("event", string(e.Kind)), slog.Int("suppressed", suppressed))
	}
}

func (q *events) run() {
	returned := false
	defer func() {
		if returned {
			return
		}
		if _, more := q.next(); more { // the function called runtime.Goexit.
			go q.run() // ends when nothing waits.
		}
	}()
	for e, ok := q.first(); ok; e, ok = q.next() {
		if err := guard(func() { q.f(e) }); err != nil {
			q.log.Error("OnEvent panicked", slog.String("event", string(e.Kind)), slog.Any("err", err), slog.String("stack", stackOf(err)))
		}
	}
	returned = true
}

func (q *events) first() (Event, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.waiting[0], true
}

// next removes the event that was handled.
func (q *events) next() (Event, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = q.waiting[1:]
	if len(q.waiting) > 0 {
		return q.waiting[0], true
	}
	q.waiting = nil
	close(q.idle)
	q.idle = nil
	return Event{}, false
}

func (q *events) pending() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting)
}

// flush waits for the events so far, but not for a function that hangs.
func (q *events) flush() {
	q.mu.Lock()
	idle := q.idle
	q.mu.Unlock()
	if idle == nil {
		return
	}
	late, stop := timerChan(systemClock{}, eventsFlush)
	defer stop()
	select {
	case <-idle:
	case <-late:
	}
}
