package delivery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// task takes one record through its deliveries in one lane, until it is done,
// forwarded, or left for the next assignment. A serial lane has one task, and
// uses it for all its records.
type task struct {
	ln *lane
	it *item

	chainAttempt int   // number of the current or next delivery, in the chain
	laneDelivery int   // number of the current or next delivery, in this lane
	slot         bool  // the task holds one of the listener's handler slots
	filterErr    error // the user's filter panicked or called Goexit

	begun  time.Time          // start of the delivery that runs
	ctx    context.Context    //nolint:containedctx // of the delivery that runs; the task outlives the goroutine if that calls Goexit.
	cancel context.CancelFunc // ends ctx; nil if ctx is the lane's
}

// begin gives the task its record.
func (t *task) begin(it *item) {
	*t = task{ln: t.ln, it: it, chainAttempt: readAttempts(it.rec.Headers), laneDelivery: 1}
}

func (t *task) l() *Listener { return t.ln.l }

func (t *task) headers() Headers { return t.it.rec.Headers }

// run delivers the record until nothing is left to do. resumed says that the
// last delivery ended its goroutine by runtime.Goexit.
func (t *task) run(resumed bool) {
	if resumed || t.prepare() {
		t.deliveries(resumed)
	}
	t.release()
}

// prepare does what comes before the first delivery. It reports false if there
// will be no delivery.
func (t *task) prepare() bool {
	if t.skipped() {
		t.ln.finish(t.it)
		return false
	}
	if !t.awaitDue() {
		return false
	}
	if t.expired() {
		t.giveUp(ErrExpired, ReasonExpired)
		return false
	}
	return true
}

func (t *task) deliveries(resumed bool) {
	for {
		var err error
		switch {
		case resumed:
			resumed = false
			err = t.delivered(ErrGoexit)
		case t.admit():
			err = t.delivered(t.deliver())
		default:
			return
		}
		if t.interrupted(err) {
			t.result("interrupted")
			return
		}
		again, wait := t.settle(err) // the task keeps its slot until then: after a Halt no other record may get it
		if !again || !t.park(t.now().Add(wait)) {
			return
		}
		t.laneDelivery++
	}
}

func (t *task) now() time.Time { return t.l().client.clock.Now() }

// skipped reports whether the record needs no delivery: it was done before an
// outage, it belongs to another group, or the user's filter rejects it.
func (t *task) skipped() bool {
	if t.ln.doneBefore(t.it.rec) {
		return true
	}
	l, h := t.l(), t.headers()
	if len(h) > 0 {
		switch {
		case t.ln.role == RoleMain && !l.ours(h, HeaderRedriveGroup):
			t.result("redriven elsewhere")
			return true
		case t.ln.role != RoleMain && !l.ours(h, HeaderOriginGroup):
			l.count(MetricForeignRetry, t.ln.tp.Topic, "")
			t.ln.log.Debug("record of another group skipped", slog.Int64("offset", t.it.rec.Offset))
			return true
		}
	}
	if l.cfg.filter == nil || t.ln.role == RoleDeadLetter {
		return false
	}
	keep, err := t.filter()
	t.filterErr = err // a failed attempt.
	if !keep && err == nil {
		t.result("filtered")
		return true
	}
	return false
}

// filter calls the user's filter.
func (t *task) filter() (keep bool, err error) {
	t.filterErr = ErrGoexit // in case the filter does not return.
	err = guard(func() { keep = t.l().cfg.filter(newMessage(t, 1)) })
	return keep, err
}

// awaitDue waits, on a retry topic, until the record may be handled. It reports
// false when the lane drains first.
func (t *task) awaitDue() bool {
	if t.ln.role != RoleRetry {
		return true
	}
	due, garbage := readDue(t.headers(), t.now(), t.l().chain.maxAhead())
	if garbage {
		t.l().count(MetricGarbageDue, t.ln.tp.Topic, "")
	}
	if !t.park(due) {
		return false
	}
	t.l().client.metrics.Gauge(MetricRetryDueLag, t.l().tags(t.ln.tp.Topic), t.now().Sub(due).Seconds())
	return true
}

// originalTime is the timestamp that the record had on the main topic.
func (t *task) originalTime() time.Time {
	return time.UnixMilli(readOriginalTimestamp(t.headers(), t.it.rec.Timestamp.UnixMilli()))
}

func (t *task) expired() bool {
	limit := t.l().cfg.expireAfter
	return limit > 0 && t.ln.role != RoleDeadLetter && t.now().Sub(t.originalTime()) > limit
}

// admit waits until the handler may be called, and notes that it runs. It
// reports false when the lane drains or the listener was halted first. A
// record waits for the end of PauseNow without a slot.
func (t *task) admit() bool {
	for t.acquire() {
		t.begun = t.now()
		again, ok := t.ln.enter(t.it, t.begun)
		if ok {
			t.l().watch.need(t.begun)
			return true
		}
		t.release()
		if again == nil {
			return false
		}
		select {
		case <-again:
		case <-t.ln.drain:
			return false
		}
	}
	return false
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

// park waits without a slot.
func (t *task) park(due time.Time) bool {
	t.release()
	return t.ln.park(due)
}

// publish publishes a record without a slot, which another record may use meanwhile.
func (t *task) publish(r publication) bool {
	t.release()
	return t.ln.publish(r)
}

// interrupted reports whether a failed delivery does not count: the assignment is
// over, or a revoke or shutdown cancelled the context of the handler.
func (t *task) interrupted(err error) bool {
	return err != nil && (t.ln.ctx.Err() != nil || t.ln.isOver())
}

// deliver runs the handler once, with its timeout. It does not return if the
// handler calls runtime.Goexit.
func (t *task) deliver() error {
	l := t.l()
	t.ctx, t.cancel = t.ln.ctx, nil
	if d := l.cfg.handlerTimeout; d > 0 {
		t.ctx, t.cancel = withTimeout(t.ctx, l.client.clock, d, ErrHandlerTimeout)
	}
	l.client.at("before handler")
	if t.filterErr != nil {
		err := t.filterErr
		if t.laneDelivery == 1 {
			return err
		}
		var keep bool
		if keep, t.filterErr = t.filter(); t.filterErr != nil || !keep {
			return t.filterErr // nil if the record is filtered after all: it is done.
		}
	}
	return call(t)
}

// delivered cleans up after a delivery, and returns the delivery's error. It
// wraps the error in ErrHandlerTimeout if that ended the context.
func (t *task) delivered(err error) error {
	l := t.l()
	l.client.at("after handler")
	if err != nil || l.cfg.commit.manual() {
		t.ln.leave(t.it) // else finish does it.
	}
	if _, none := l.client.metrics.(noMetrics); !none {
		l.client.metrics.Time(MetricDeliverySeconds, l.tags(t.ln.tp.Topic), t.now().Sub(t.begun))
	}
	if t.cancel != nil {
		if err != nil && errors.Is(context.Cause(t.ctx), ErrHandlerTimeout) && !errors.Is(err, ErrHandlerTimeout) {
			err = fmt.Errorf("%w: %w", ErrHandlerTimeout, err)
		}
		t.cancel()
	}
	return err
}

// call runs the handler. A panic is returned as an error.
func call(t *task) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = newPanicError(v)
		}
	}()
	l := t.l()
	switch {
	case t.ln.role == RoleDeadLetter:
		return l.cfg.dltHandler(t.ctx, newMessage(t, t.laneDelivery))
	case l.direct != nil:
		return l.direct(t.ctx, t)
	default:
		return l.handler(t.ctx, newMessage(t, t.laneDelivery))
	}
}

// step is what comes after a failed delivery.
type step struct {
	inPlace bool
	wait    time.Duration // inPlace: until the next delivery
	tier    string        // the retry topic, "" to give up
	due     time.Time     // of the delivery to come
	reason  Reason        // of giving up
}

// settle decides what follows a delivery. If again is true, the record is
// delivered again in place after wait. Otherwise it is done, forwarded, given up
// or left to Ack.
func (t *task) settle(err error) (again bool, wait time.Duration) {
	if err == nil {
		if t.l().cfg.commit.manual() || t.ln.finish(t.it) {
			t.result("ok")
		} else {
			t.result("interrupted")
		}
		return false, 0
	}
	if t.l().cfg.commit.manual() && t.ln.wasDone(t.it) {
		t.result("failed after ack")
		t.logFailure(slog.LevelError, "handler failed after it acked, the record stays done", err)
		return false, 0
	}
	v := t.l().cfg.classify(err)
	switch v.kind {
	case verdictDrop:
		t.result("dropped")
		t.logFailure(slog.LevelError, "record dropped", err)
		t.ln.finish(t.it)
		return false, 0
	case verdictHalt:
		t.result("halted")
		t.halt(err)
		return false, 0
	case verdictDone, verdictPermanent, verdictRetry:
	}
	t.result("failed")
	if t.ln.role == RoleDeadLetter {
		return t.deadLetterFailed(err, v)
	}
	s := t.next(err, v)
	t.noteFailure(err, s)
	switch {
	case s.inPlace:
		return true, s.wait
	case s.tier != "":
		t.forward(err, s)
	default:
		t.giveUp(err, s.reason)
	}
	return false, 0
}

// next decides what comes after a failure that may be retried.
func (t *task) next(err error, v verdict) step {
	l := t.l()
	if v.kind == verdictPermanent {
		return step{reason: v.reason}
	}
	if t.retriesInPlace(err) {
		wait := t.delayInPlace(v)
		return step{inPlace: true, wait: wait, due: t.now().Add(wait)}
	}
	if limit := l.chainTimeout(); limit > 0 && t.now().Sub(t.originalTime()) > limit {
		return step{reason: ReasonExpired}
	}
	to, ok := l.chain.next(t.ln.inChain, t.chainAttempt, v.after)
	if !ok {
		return step{reason: v.reason}
	}
	delay := l.cfg.tiers.jittered(to.delay, l.client.random())
	return step{tier: to.topic, due: t.now().Add(delay)}
}

// retriesInPlace tells whether the next delivery happens in this lane.
func (t *task) retriesInPlace(err error) bool {
	cfg := t.l().cfg
	if t.laneDelivery >= cfg.blocking.attempts {
		return false
	}
	if cfg.blockingIf != nil && !cfg.blockingIf(err) {
		return false
	}
	return cfg.blocking.timeout == 0 || t.now().Sub(t.originalTime()) <= cfg.blocking.timeout
}

func (t *task) delayInPlace(v verdict) time.Duration {
	if v.after > 0 {
		return v.after
	}
	p := &t.l().cfg.blocking
	return p.jittered(p.backOff(t.laneDelivery), t.l().client.random())
}

// noteFailure logs a failure and what comes next: the first failure of a record
// as WARN, later ones as DEBUG.
func (t *task) noteFailure(err error, s step) {
	level := slog.LevelDebug
	if t.laneDelivery == 1 && t.chainAttempt == 1 {
		level = slog.LevelWarn
	}
	var attrs []slog.Attr
	switch {
	case s.inPlace:
		attrs = append(attrs, slog.String("next", "in place"), slog.Time("due", s.due))
	case s.tier != "":
		attrs = append(attrs, slog.String("next", s.tier), slog.Time("due", s.due))
	default:
		attrs = append(attrs, slog.String("next", t.l().lastStep(err)), slog.String("reason", string(s.reason)))
	}
	t.logFailure(level, "delivery failed", err, attrs...)
}

// lastStep says what happens to a record that is given up.
func (l *Listener) lastStep(err error) string {
	switch l.cfg.exhausted {
	case DeadLetterAction:
		return l.chain.deadLetterFor(err)
	case LogAndSkip:
		return "skip"
	case HaltListener:
		return "halt"
	case customAction:
	}
	return "OnExhaustedFunc"
}

func (t *task) result(r string) { t.l().count(MetricDeliveries, t.ln.tp.Topic, r) }
