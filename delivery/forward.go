package delivery

import (
	"errors"
	"log/slog"
	"math"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// forward sends a failed record to its retry tier. A record that is too large for
// that topic is given up.
func (t *task) forward(err error, s step) {
	h := t.hop(err, "")
	h.retry = t.stamp(s.due)
	pub := t.record(s.tier, h)
	pub.tooLarge = func() {
		t.ln.log.Warn("record is too large for its retry topic", slog.Int64("offset", t.it.rec.Offset), slog.String("to", s.tier))
		t.giveUp(err, ReasonOversize)
	}
	if t.publish(pub) {
		t.l().count(MetricRetries, t.ln.tp.Topic, s.tier)
		t.ln.finish(t.it)
	}
}

// chainTimeout is how long after its original timestamp a record is retried, 0
// for no limit.
func (l *Listener) chainTimeout() time.Duration {
	if l.cfg.tiers != nil {
		return l.cfg.tiers.timeout
	}
	return 0
}

func (t *task) hop(err error, reason Reason) hop {
	return hop{
		family: t.l().cfg.family, group: t.l().group,
		fromMain: t.ln.inChain == posMain, err: err, reason: reason,
	}
}

// stamp makes the retry headers of a record that goes on. They count the attempt
// that was just made.
func (t *task) stamp(due time.Time) *retryStamp {
	return t.stampAs(t.chainAttempt+1, due)
}

func (t *task) stampAs(attempts int, due time.Time) *retryStamp {
	return &retryStamp{
		attempts: min(attempts, math.MaxInt16),
		original: t.originalTime().UnixMilli(),
		due:      due,
	}
}

// record is the copy of the task's record for another topic: the same bytes,
// the same partition, the headers of the hop.
func (t *task) record(topic string, h hop) publication {
	src := t.it.rec
	return publication{topic: topic, partition: src.Partition, offset: src.Offset, build: func(tr trim) *kgo.Record {
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

// notDelivered reports whether the record expired before this delivery.
func notDelivered(err error) bool { return errors.Is(err, ErrExpired) }
