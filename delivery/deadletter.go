package delivery

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// ExhaustedAction is what becomes of a record whose attempts are used up.
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

// forward sends a failed record to its next retry tier, or gives it up.
func (t *task) forward(err error, v verdict) {
	l := t.l()
	if limit := l.chainTimeout(); limit > 0 && t.now().Sub(t.originalTime()) > limit {
		t.giveUp(err, ReasonExpired)
		return
	}
	to, ok := l.chain.next(t.ln.pos, t.attempt, v.after)
	if !ok {
		t.giveUp(err, v.reason)
		return
	}
	delay := l.cfg.tiers.jittered(to.delay, l.client.random())
	h := t.hop(err, "")
	h.retry = t.stamp(t.now().Add(delay))
	if t.ln.publish(t.record(to.topic, h)) {
		l.count(MetricRetries, t.ln.tp.Topic, to.topic)
		t.ln.finish(t.it)
	}
}

// chainTimeout is how long after its first timestamp a record is retried, 0
// for any time.
func (l *Listener) chainTimeout() time.Duration {
	if l.cfg.tiers != nil {
		return l.cfg.tiers.timeout
	}
	return 0
}

// giveUp ends the retries of a record as OnExhausted says.
func (t *task) giveUp(err error, reason Reason) {
	t.recover(t.l().cfg.exhausted, err, reason)
}

func (t *task) recover(a ExhaustedAction, err error, reason Reason) {
	switch a {
	case DeadLetterAction:
		t.deadLetter(err, reason)
	case LogAndSkip:
		t.l().count(MetricSkipped, t.ln.tp.Topic, string(reason))
		t.logFailure(slog.LevelError, "record skipped", err, reason)
		t.ln.finish(t.it)
	case HaltListener:
		t.l().halt(fmt.Errorf("record %s@%d: %w", t.ln.tp, t.it.rec.Offset, err))
	case customAction:
		t.recoverCustom(err)
	}
}

// recoverCustom calls the user's function until it succeeds.
func (t *task) recoverCustom(failure error) {
	p := publishBackOff()
	f := func(ctx context.Context, m *Message[[]byte]) error {
		return t.l().cfg.onExhausted(ctx, m, failure)
	}
	for n := 1; ; n++ {
		err := call(t.ln.ctx, f, newMessage(t.delivery(1)))
		if t.interrupted(err) {
			return
		}
		if err == nil {
			t.ln.finish(t.it)
			return
		}
		t.logFailure(slog.LevelError, "recoverer failed", err, failureReason(err))
		if !t.ln.park(t.now().Add(p.backOff(n))) {
			return
		}
	}
}

// deadLetter publishes the record to the dead-letter topic of its error. The
// record is done once all in-sync replicas have it there.
func (t *task) deadLetter(err error, reason Reason) {
	l := t.l()
	topic := l.chain.deadLetterFor(err)
	h := t.hop(err, reason)
	if len(l.chain.tiers) > 0 || l.cfg.tiers != nil {
		h.retry = t.stamp(t.now())
	}
	if len(l.chain.tiers) > 0 {
		h.firstTier = l.chain.tiers[0].topic
	}
	if reason == ReasonExpired && t.ln.pos != posDLT && h.retry != nil && t.notDelivered(err) {
		h.retry.attempts--
	}
	pub := t.record(topic, h)
	pub.tooLarge = t.tooLargeForDeadLetter(err)
	if !t.ln.publish(pub) {
		return
	}
	l.count(MetricDeadLetters, t.ln.tp.Topic, string(reason))
	t.logFailure(slog.LevelError, "record dead-lettered", err, reason)
	rec := t.it.rec
	l.emit(Event{
		Kind: EventDeadLettered, Topic: rec.Topic, Partition: rec.Partition, Offset: rec.Offset,
		DeadLetterTopic: topic, Reason: reason, Err: err,
	})
	t.ln.finish(t.it)
}

// notDelivered tells a record that expired before this delivery.
func (t *task) notDelivered(err error) bool {
	return err == ErrExpired //nolint:errorlint // the value itself, as set by run.
}

// tooLargeForDeadLetter is what OnRecoveryFailure asks for, nil to wait.
func (t *task) tooLargeForDeadLetter(err error) func() {
	a := t.l().cfg.recoveryFailed
	if a == DeadLetterAction {
		return nil
	}
	return func() { t.recover(a, err, ReasonOversize) }
}

// deadLetterFailed decides after a failed delivery on a dead-letter topic. The
// record stays where it is, whatever happens.
func (t *task) deadLetterFailed(err error, v verdict, n int) (again bool, wait time.Duration) {
	l := t.l()
	switch {
	case v.kind == verdictPermanent || l.cfg.dltFailure == dltSkip:
		t.logFailure(slog.LevelError, "dead-letter handler gave up", err, v.reason)
		t.ln.finish(t.it)
		return false, 0
	case l.cfg.dltFailure == dltRequeue:
		h := t.hop(err, v.reason)
		h.retry = t.stamp(t.now())
		h.firstTier = t.headers().Text(HeaderFirstTier)
		if t.ln.publish(t.record(t.ln.tp.Topic, h)) {
			t.ln.finish(t.it)
		}
		return false, 0
	case v.after > 0:
		return true, v.after
	}
	p := deadLetterBackOff()
	return true, p.backOff(n)
}

func (t *task) hop(err error, reason Reason) hop {
	return hop{
		family: t.l().cfg.family, group: t.l().group,
		fromMain: t.ln.pos == posMain, err: err, reason: reason,
	}
}

// stamp counts the attempt that was just made.
func (t *task) stamp(due time.Time) *retryStamp {
	return &retryStamp{
		attempts: min(t.attempt+1, 1<<15-1),
		original: t.originalTime().UnixMilli(),
		due:      due,
	}
}

// record is the copy of the task's record for another topic: the same bytes,
// the same partition, the headers of the hop.
func (t *task) record(topic string, h hop) publication {
	src := t.it.rec
	return publication{topic: topic, partition: src.Partition, build: func(tr trim) *kgo.Record {
		h.trim = tr
		if tr > trimOptional {
			h.reason = ReasonOversize
		}
		return &kgo.Record{
			Topic: topic, Partition: src.Partition, Key: src.Key, Value: src.Value,
			Headers: h.headers(src), Timestamp: t.now(),
		}
	}}
}
