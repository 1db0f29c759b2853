package delivery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"
)

// stuckAgain is how often a stuck handler is reported anew.
const stuckAgain = 30 * time.Second

// task takes one record through its deliveries in one lane, until it is done,
// forwarded, or left for the next assignment.
type task struct {
	ln      *lane
	it      *item
	attempt int // number in the chain of the delivery to come
	slot    bool
}

func newTask(ln *lane, it *item) *task {
	return &task{ln: ln, it: it, attempt: readAttempts(it.rec.Headers)}
}

func (t *task) l() *Listener { return t.ln.c.l }

func (t *task) headers() Headers { return t.it.rec.Headers }

func (t *task) run() {
	defer t.release()
	if t.skipped() {
		t.ln.finish(t.it)
		return
	}
	if !t.awaitDue() {
		return
	}
	if t.expired() {
		t.giveUp(ErrExpired, ReasonExpired)
		return
	}
	for n := 1; t.acquire(); n++ {
		err := t.deliver(n)
		t.release()
		if t.interrupted(err) {
			t.result("interrupted")
			return
		}
		again, wait := t.settle(err, n)
		if !again || !t.ln.park(t.now().Add(wait)) {
			return
		}
	}
}

func (t *task) now() time.Time { return t.l().client.clock.Now() }

// skipped tells records that are not for this listener.
func (t *task) skipped() bool {
	if t.ln.doneBefore(t.it.rec.Offset) {
		return true
	}
	h := t.headers()
	if t.ln.c.plan.Role == RoleRetry && !t.l().ours(h) {
		t.l().count(MetricForeignRetry, t.ln.tp.Topic, "")
		t.ln.log.Debug("retry record of another group skipped", slog.Int64("offset", t.it.rec.Offset))
		return true
	}
	if t.ln.c.plan.Role == RoleMain {
		if g, ok := h.Get(HeaderRedriveGroup); ok && string(g) != t.l().group {
			t.result("redriven elsewhere")
			return true
		}
	}
	if keep := t.l().cfg.filter; keep != nil && t.ln.c.plan.Role != RoleDeadLetter &&
		!keep(newMessage(t.delivery(1))) {
		t.result("filtered")
		return true
	}
	return false
}

// awaitDue waits on a retry topic until the record may be handled.
func (t *task) awaitDue() bool {
	if t.ln.c.plan.Role != RoleRetry {
		return true
	}
	due, garbage := readDue(t.headers(), t.now())
	if garbage {
		t.l().count(MetricGarbageDue, t.ln.tp.Topic, "")
	}
	t.release()
	if !t.ln.park(due) {
		return false
	}
	t.l().client.metrics.Gauge(MetricRetryDueLag, t.l().tags(t.ln.tp.Topic), t.now().Sub(due).Seconds())
	return true
}

// originalTime is when the record was first read from the main topic.
func (t *task) originalTime() time.Time {
	return time.UnixMilli(readOriginalTimestamp(t.headers(), t.it.rec.Timestamp.UnixMilli()))
}

func (t *task) expired() bool {
	limit := t.l().cfg.expireAfter
	return limit > 0 && t.ln.c.plan.Role != RoleDeadLetter && t.now().Sub(t.originalTime()) > limit
}

// acquire takes one of the listener's handler slots. It reports false when
// the lane drains first.
func (t *task) acquire() bool {
	if t.slot {
		return true
	}
	select {
	case <-t.ln.drain:
		return false
	default:
	}
	select {
	case t.l().slots <- struct{}{}:
		t.slot = true
		return true
	case <-t.ln.drain:
		return false
	}
}

func (t *task) release() {
	if t.slot {
		t.slot = false
		<-t.l().slots
	}
}

// interrupted tells a delivery that does not count: the assignment is over, or
// the handler gave up because its context was cancelled by revoke or shutdown.
func (t *task) interrupted(err error) bool {
	return t.ln.over() || err != nil && t.ln.ctx.Err() != nil
}

func (t *task) delivery(n int) *attempt {
	return &attempt{rec: t.it.rec, chain: t.attempt, local: n, ackNow: func(ctx context.Context) error {
		return t.ln.ack(ctx, t.it)
	}}
}

// deliver runs the handler once, with its timeout and the watch for handlers
// that are stuck.
func (t *task) deliver(n int) error {
	ctx := t.ln.ctx
	l := t.l()
	if d := l.cfg.handlerTimeout; d > 0 {
		var cancel context.CancelFunc
		ctx, cancel = withTimeout(ctx, l.client.clock, d, ErrHandlerTimeout)
		defer cancel()
	}
	begun := t.now()
	t.ln.enter(t.it, begun)
	stopWatch := t.watch(begun)
	l.client.at("before handler")
	err := call(ctx, t.handler(), newMessage(t.delivery(n)))
	l.client.at("after handler")
	stopWatch()
	t.ln.leave(t.it)
	l.client.metrics.Time(MetricDeliverySeconds, l.tags(t.ln.tp.Topic), t.now().Sub(begun))
	if err != nil && errors.Is(context.Cause(ctx), ErrHandlerTimeout) && !errors.Is(err, ErrHandlerTimeout) {
		err = fmt.Errorf("%w: %w", ErrHandlerTimeout, err)
	}
	return err
}

func (t *task) handler() Handler {
	if t.ln.c.plan.Role == RoleDeadLetter {
		return t.l().cfg.dltHandler
	}
	return t.l().handler
}

// call runs h in a goroutine of its own, which a handler may panic in or end
// with runtime.Goexit without harm to the lane.
func call(ctx context.Context, h Handler, m *Message[[]byte]) error {
	done := make(chan error, 1)
	go func() {
		err := ErrGoexit
		defer func() {
			if v := recover(); v != nil {
				err = &PanicError{Value: v, Stack: debug.Stack()}
			}
			done <- err
		}()
		err = h(ctx, m)
	}()
	return <-done
}

// watch reports the handler as stuck after a while, and again.
func (t *task) watch(begun time.Time) (stop func()) {
	after := t.l().cfg.stuckAfter
	if after <= 0 {
		return func() {}
	}
	w := &watch{t: t, begun: begun}
	w.arm(after)
	return w.stop
}

// settle decides after a delivery: again in place after a wait, or over.
func (t *task) settle(err error, n int) (again bool, wait time.Duration) {
	v := t.l().cfg.classify(err)
	switch v.kind {
	case verdictDone:
		t.result("ok")
		if !t.l().cfg.commit.manual() {
			t.ln.finish(t.it)
		}
		return false, 0
	case verdictDrop:
		t.result("dropped")
		t.logFailure(slog.LevelError, "record dropped", err, ReasonPermanent)
		t.ln.finish(t.it)
		return false, 0
	case verdictHalt:
		t.result("halted")
		t.l().halt(err)
		return false, 0
	case verdictPermanent, verdictRetry:
	}
	t.result("failed")
	t.noteFailure(err, v.reason, n)
	if t.ln.c.plan.Role == RoleDeadLetter {
		return t.deadLetterFailed(err, v, n)
	}
	if v.kind == verdictPermanent {
		t.giveUp(err, v.reason)
		return false, 0
	}
	if t.retriesInPlace(err, n) {
		return true, t.delayInPlace(v, n)
	}
	t.forward(err, v)
	return false, 0
}

// retriesInPlace tells whether delivery n+1 happens in this lane.
func (t *task) retriesInPlace(err error, n int) bool {
	cfg := t.l().cfg
	if n >= cfg.blocking.attempts || cfg.blockingIf != nil && !cfg.blockingIf(err) {
		return false
	}
	return cfg.blocking.timeout == 0 || t.now().Sub(t.originalTime()) <= cfg.blocking.timeout
}

func (t *task) delayInPlace(v verdict, n int) time.Duration {
	if v.after > 0 {
		return v.after
	}
	p := &t.l().cfg.blocking
	return p.jittered(p.backOff(n), t.l().client.random())
}

// noteFailure logs the first failure of a record louder than the others.
func (t *task) noteFailure(err error, reason Reason, n int) {
	level := slog.LevelDebug
	if n == 1 && t.attempt == 1 {
		level = slog.LevelWarn
	}
	t.logFailure(level, "delivery failed", err, reason)
}

func (t *task) result(r string) { t.l().count(MetricDeliveries, t.ln.tp.Topic, r) }
