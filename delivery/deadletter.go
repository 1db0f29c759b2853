package delivery

import (
	"fmt"
	"log/slog"
	"strconv"
	"time"
)

// ExhaustedAction is what happens to a record whose attempts are used up.
type ExhaustedAction int

// The actions.
const (
	// DeadLetterAction publishes it to the dead-letter topic.
	DeadLetterAction ExhaustedAction = iota
	// LogAndSkip logs it as an ERROR and goes on. The record is gone.
	LogAndSkip
	// HaltListener stops the listener; the record is not committed.
	HaltListener

	customAction
)

// maxDeadLetters is how often a record may be dead-lettered without a redrive
// in between. After that it is parked, because listeners pass it round in a
// circle: each reads the dead letters of another.
const maxDeadLetters = 8

// parkedSuffix, after the name of the main topic, names the topic of records that
// went round in a circle. No listener reads that topic unless it is made for it.
const parkedSuffix = "-parked"

// giveUp ends the retries of a record as OnExhausted says.
func (t *task) giveUp(err error, reason Reason) {
	t.recover(t.l().cfg.exhausted, err, reason)
}

// halt stops the listener at the record.
func (t *task) halt(err error) {
	r := t.it.rec
	t.l().halt(Event{Role: t.ln.c.plan.Role, Topic: r.Topic, Partition: r.Partition, Offset: r.Offset},
		fmt.Errorf("record %s@%d: %w", t.ln.tp, r.Offset, err))
}

func (t *task) recover(a ExhaustedAction, err error, reason Reason) {
	switch a {
	case DeadLetterAction:
		t.deadLetter(err, reason)
	case LogAndSkip:
		t.l().count(MetricSkipped, t.ln.tp.Topic, string(reason))
		t.logFailure(slog.LevelError, "record skipped", err, slog.String("reason", string(reason)))
		t.ln.finish(t.it)
	case HaltListener:
		t.halt(err)
	case customAction:
		t.recoverCustom(err)
	}
}

// recoverCustom calls the user's function until it succeeds. The function counts
// as a handler: the gate may hold it back, and a HungError names it.
func (t *task) recoverCustom(failure error) {
	p := publishBackOff()
	for n := 1; t.admit(); n++ {
		m := newMessage(t, 1)
		err := isolate(func() error { return t.l().cfg.onExhausted(t.ln.ctx, m, failure) })
		t.ln.leave(t.it)
		if t.interrupted(err) {
			return
		}
		if err == nil {
			t.ln.finish(t.it)
			return
		}
		t.logFailure(slog.LevelError, "recoverer failed", err)
		if !t.park(t.now().Add(p.backOff(n))) {
			return
		}
	}
}

// deadLetter publishes the record to the dead-letter topic of its error. The
// record is done once all in-sync replicas have it there.
func (t *task) deadLetter(err error, reason Reason) {
	l := t.l()
	h := t.hop(err, reason)
	if l.cfg.tiers != nil {
		h.retry = t.stamp(t.now())
		if reason == ReasonExpired && notDelivered(err) {
			h.retry = t.stampAs(t.chainAttempt, t.now())
		}
	}
	if len(l.chain.tiers) > 0 {
		h.firstTier = l.chain.tiers[0].topic
	}
	h.deadLetters = deadLetterCount(t.headers()) + 1
	topic := l.chain.deadLetterFor(err)
	if parked := l.chain.parkingTopic(); h.deadLetters > maxDeadLetters && validTopic(parked) {
		topic = parked
	}
	pub := t.record(topic, h)
	pub.tooLarge = t.tooLargeForDeadLetter(err)
	if !t.publish(pub) {
		return
	}
	t.reportDeadLetter(topic, err, reason)
	t.ln.finish(t.it)
}

func (t *task) reportDeadLetter(topic string, err error, reason Reason) {
	l, rec := t.l(), t.it.rec
	l.count(MetricDeadLetters, t.ln.tp.Topic, string(reason))
	msg := "record dead-lettered"
	if topic == l.chain.parkingTopic() {
		msg = "record parked, listeners pass it round in a circle"
	}
	o := ReadOrigin(rec)
	t.logFailure(slog.LevelError, msg, err, slog.String("reason", string(reason)), slog.String("to", topic),
		slog.String("origin", fmt.Sprintf("%s@%d", TP{o.Topic, o.Partition}, o.Offset)))
	l.emit(Event{
		Kind: EventDeadLettered, Topic: rec.Topic, Partition: rec.Partition, Offset: rec.Offset,
		DeadLetterTopic: topic, Reason: reason, Err: err,
	})
}

// tooLargeForDeadLetter does what OnRecoveryFailure asks for. It is nil by default:
// then the partition waits.
func (t *task) tooLargeForDeadLetter(err error) func() {
	a := t.l().cfg.recoveryFailed
	if a == DeadLetterAction {
		return nil
	}
	return func() { t.recover(a, err, ReasonOversize) }
}

// deadLetterFailed decides what follows a failed delivery on a dead-letter topic.
// The record never moves to another topic.
func (t *task) deadLetterFailed(err error, v verdict) (again bool, wait time.Duration) {
	l := t.l()
	switch {
	case v.kind == verdictPermanent || l.cfg.dltFailure == dltSkip:
		t.logFailure(slog.LevelError, "dead-letter handler gave up", err, slog.String("reason", string(v.reason)))
		t.ln.finish(t.it)
		return false, 0
	case l.cfg.dltFailure == dltRequeue:
		t.requeue(err, v)
		return false, 0
	case v.after > 0:
		wait = v.after
	default:
		p := deadLetterBackOff()
		wait = p.backOff(t.laneDelivery)
	}
	t.noteFailure(err, step{inPlace: true, wait: wait, due: t.now().Add(wait)})
	return true, wait
}

// requeue puts the dead letter at the end of its topic, after a wait that grows
// each time. Without the wait, a topic in which every record fails would be read
// in a tight loop.
func (t *task) requeue(err error, v verdict) {
	h := t.hop(err, v.reason)
	h.deadLetters = deadLetterCount(t.headers())
	h.requeues = headerCount(t.headers(), HeaderRequeueCount) + 1
	p := requeueBackOff()
	wait := p.backOff(h.requeues)
	due := t.now().Add(wait)
	t.noteFailure(err, step{tier: t.ln.tp.Topic, due: due})
	if !t.park(due) {
		return
	}
	h.retry = t.stamp(t.now())
	h.firstTier = t.headers().Text(HeaderFirstTier)
	if t.publish(t.record(t.ln.tp.Topic, h)) {
		t.ln.finish(t.it)
	}
}

// deadLetterCount is how often a record was dead-lettered since its last
// redrive. It is 0 for a dead letter of Spring or of an earlier version, which has
// no count.
func deadLetterCount(h Headers) int { return headerCount(h, HeaderDeadLetterCount) }

// headerCount reads a decimal count of a header, 0 unless it is a sensible one.
func headerCount(h Headers, name string) int {
	n, err := strconv.Atoi(h.Text(name))
	if err != nil || n < 0 || n > 1<<20 {
		return 0
	}
	return n
}
