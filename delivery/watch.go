package delivery

import (
	"log/slog"
	"sync"
	"time"
)

// watch reports one running handler as stuck, first after StuckAfter and then
// every 30 s, until the handler returns.
type watch struct {
	t     *task
	begun time.Time

	mu      sync.Mutex
	cancel  func() bool
	stopped bool
	stuck   bool
}

func (w *watch) arm(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.stopped {
		w.cancel = w.t.l().client.clock.AfterFunc(d, w.report)
	}
}

func (w *watch) report() {
	w.mu.Lock()
	if w.stopped {
		w.mu.Unlock()
		return
	}
	first := !w.stuck
	w.stuck = true
	w.mu.Unlock()

	l, tp, rec := w.t.l(), w.t.ln.tp, w.t.it.rec
	if first {
		l.stuck(tp.Topic, 1)
	}
	w.t.ln.log.Warn("handler is stuck", slog.Int64("offset", rec.Offset),
		slog.Duration("for", l.client.clock.Now().Sub(w.begun)))
	l.emit(Event{Kind: EventStuck, Topic: tp.Topic, Partition: tp.Partition, Offset: rec.Offset})
	w.arm(stuckAgain)
}

func (w *watch) stop() {
	w.mu.Lock()
	w.stopped = true
	cancel, stuck := w.cancel, w.stuck
	w.mu.Unlock()
	if cancel != nil {
		cancel()
	}
	if stuck {
		w.t.l().stuck(w.t.ln.tp.Topic, -1)
	}
}

// idleWatch emits one event when a consumer has seen no record for a while,
// and one when records come again.
type idleWatch struct {
	l    *Listener
	role Role

	mu      sync.Mutex
	cancel  func() bool
	seen    bool
	idle    bool
	stopped bool
}

// beforeFirst lengthens the idle time until the first record came.
const beforeFirst = 5

func newIdleWatch(l *Listener, role Role) *idleWatch { return &idleWatch{l: l, role: role} }

func (w *idleWatch) start() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.arm()
}

// arm starts the time anew. Callers hold mu.
func (w *idleWatch) arm() {
	d := w.l.cfg.idleAfter
	if d <= 0 || w.stopped {
		return
	}
	if w.cancel != nil {
		w.cancel()
	}
	if !w.seen {
		d *= beforeFirst
	}
	w.cancel = w.l.client.clock.AfterFunc(d, w.expire)
}

func (w *idleWatch) expire() {
	w.mu.Lock()
	quiet := w.stopped || w.idle
	w.idle = true
	w.mu.Unlock()
	if !quiet {
		w.l.emit(Event{Kind: EventIdle, Role: w.role})
	}
}

// touch notes that records came.
func (w *idleWatch) touch() {
	w.mu.Lock()
	was := w.idle
	w.idle, w.seen = false, true
	w.arm()
	w.mu.Unlock()
	if was {
		w.l.emit(Event{Kind: EventNoLongerIdle, Role: w.role})
	}
}

func (w *idleWatch) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stopped = true
	if w.cancel != nil {
		w.cancel()
	}
}
