package delivery

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// stuckAgain is how often a stuck handler is reported again.
const stuckAgain = 30 * time.Second

// watch looks for handlers of a listener that are stuck, and for watermarks
// that do not move. It has one timer for all of them, set to the first moment at
// which one of them may have to be reported.
type watch struct {
	l  *Listener
	at atomic.Int64 // unix ns of the next look, 0 if none is set

	mu     sync.Mutex
	cancel func() bool
	ended  bool
}

// need sets the timer so that look runs once something that begins now has lasted
// StuckAfter.
func (w *watch) need(now time.Time) {
	after := w.l.cfg.stuckAfter
	if after <= 0 {
		return
	}
	due := now.UnixNano() + int64(after)
	if at := w.at.Load(); at != 0 && at <= due {
		return
	}
	w.set(time.Unix(0, due))
}

// set sets the timer, unless it is set to an earlier time.
func (w *watch) set(due time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if at := w.at.Load(); w.ended || at != 0 && at <= due.UnixNano() {
		return
	}
	if w.cancel != nil {
		w.cancel()
	}
	w.at.Store(due.UnixNano())
	w.cancel = w.l.client.clock.AfterFunc(due.Sub(w.l.client.clock.Now()), w.look)
}

// end stops looking.
func (w *watch) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
	if w.cancel != nil {
		w.cancel()
	}
}

// look is what the timer calls.
func (w *watch) look() {
	w.at.Store(0)
	now := w.l.client.clock.Now()
	var next time.Time
	for _, ln := range w.l.client.lanesOf(w.l) {
		if due := ln.inspect(now); !due.IsZero() && (next.IsZero() || due.Before(next)) {
			next = due
		}
	}
	if !next.IsZero() {
		w.set(next)
	}
}

// inspect reports what is stuck in the lane. It returns when to look again, zero
// if nothing is open.
func (ln *lane) inspect(now time.Time) (next time.Time) {
	after := ln.l.cfg.stuckAfter
	sooner := func(due time.Time) {
		if next.IsZero() || due.Before(next) {
			next = due
		}
	}
	var stuck []flight
	ln.mu.Lock()
	for i := range ln.inFlight {
		f := &ln.inFlight[i]
		due := f.since.Add(after)
		if !f.reported.IsZero() {
			due = f.reported.Add(stuckAgain)
		}
		if !now.Before(due) {
			stuck = append(stuck, *f)
			f.reported = now
			due = now.Add(stuckAgain)
		}
		sooner(due)
	}
	stalled := false
	if due, ok := ln.stalledDue(after); ok {
		if stalled = !now.Before(due) && !ln.stalledReported; stalled {
			ln.stalledReported = true
		}
		sooner(latest(due, now.Add(after)))
	}
	since, offset := ln.stalledSince, ln.tracker.watermark()
	ln.mu.Unlock()
	for _, f := range stuck {
		ln.reportStuck(f, now)
	}
	if stalled {
		ln.reportStalled(offset, now.Sub(since))
	}
	return next
}

// stalledDue is when the watermark will have been stalled for too long, if nothing
// moves. It reports false while no record is open, the oldest one is being
// handled, or PauseNow holds. The time counts from the latest of three: the last
// move of the watermark, the end of the last wait, and the ends of the present
// waits. Callers hold mu.
func (ln *lane) stalledDue(after time.Duration) (time.Time, bool) {
	if ln.held == 0 || ln.over || ln.pauses.has(pauseNow) {
		return time.Time{}, false
	}
	oldest := ln.tracker.watermark()
	for _, f := range ln.inFlight {
		if f.it.rec.Offset == oldest {
			return time.Time{}, false
		}
	}
	due := latest(ln.stalledSince, ln.lastWaitEnd)
	for p := range ln.waits {
		due = latest(due, p.until)
	}
	return due.Add(after), true
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func (ln *lane) reportStuck(f flight, now time.Time) {
	if f.reported.IsZero() {
		ln.l.stuck(ln.tp.Topic, 1)
	}
	ln.log.Warn("handler is stuck", slog.Int64("offset", f.it.rec.Offset), slog.Duration("for", now.Sub(f.since)))
	ln.l.emit(Event{Kind: EventStuck, Topic: ln.tp.Topic, Partition: ln.tp.Partition, Offset: f.it.rec.Offset})
}

func (ln *lane) stalledKey() string { return "watermark of " + ln.tp.String() }

func (ln *lane) reportStalled(offset int64, d time.Duration) {
	ln.log.LogAttrs(context.Background(), slog.LevelWarn, "watermark stands", slog.Int64("offset", offset), slog.Duration("for", d))
	ln.l.health.degrade(ln.stalledKey(), "stands, its oldest record is not done")
	ln.l.emit(Event{Kind: EventStanding, Topic: ln.tp.Topic, Partition: ln.tp.Partition, Offset: offset})
}

// stuck counts the handlers that are reported as stuck.
func (l *Listener) stuck(topic string, delta int) {
	n := l.stuckNow.Add(int64(delta))
	l.client.metrics.Gauge(MetricStuckHandlers, l.tags(topic), float64(n))
	if n > 0 {
		l.health.degrade("handlers", "stuck")
	} else {
		l.health.clear("handlers")
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

// beforeFirst multiplies the idle time until the first record has come.
const beforeFirst = 5

func newIdleWatch(l *Listener, role Role) *idleWatch { return &idleWatch{l: l, role: role} }

func (w *idleWatch) start() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.arm()
}

// arm restarts the timer. Callers hold mu.
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
