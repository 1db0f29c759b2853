package delivery

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	// publishSlow is when a publish that waits for a broker degrades health.
	publishSlow = 5 * time.Second
	// publishLogEvery spaces the ERROR lines of one rejected record.
	publishLogEvery = 30 * time.Second
)

// publication is a record for a retry or dead-letter topic. build makes the
// record again for each try, smaller if the last one was too large.
type publication struct {
	topic     string
	partition int32
	offset    int64 // where the record lies now
	build     func(trim) *kgo.Record
	tooLarge  func() // called, instead of waiting, when even the smallest form is too large
}

// publish writes the record and waits until all in-sync replicas have it. It
// tries without end; meanwhile the lane waits, and the handler is not run again.
// It reports false when the assignment ends first, or when it called tooLarge. It
// checks the assignment right before each try: a try that is then under way may
// become a duplicate.
//
// A record that is too large for the common producer is written alone in its
// batch, so that only the topic's own limit applies. A record that is too large
// for that limit is trimmed.
func (ln *lane) publish(p publication) bool {
	l := ln.l
	key := fmt.Sprintf("publish to %s from %s@%d", p.topic, ln.tp, p.offset)
	defer l.health.clear(key)
	backOff := publishBackOff()
	size, producer := trimNothing, l.client.forwards
	var logged time.Time
	for n := 1; ; {
		if ln.isOver() || ln.ctx.Err() != nil {
			return false
		}
		l.client.at("before publish")
		lookups := l.client.forgotten.count(p.topic)
		err := ln.produce(producer, key, p.build(size), p.partition)
		l.client.at("published")
		tooLarge := errors.Is(err, kerr.MessageTooLarge)
		switch {
		case err == nil:
			if l.client.forgotten.taken(p.topic) {
				go l.client.learn(p.topic) // ends with the client
			}
			return !ln.isOver()
		case ln.ctx.Err() != nil:
			return false
		case tooLarge && producer != l.client.largeForwards:
			producer = l.client.largeForwards
			continue
		case tooLarge && size < trimOptional:
			size++
			continue
		case tooLarge && p.tooLarge != nil:
			p.tooLarge()
			return false
		case tooLarge:
			size = trimOptional + 1 // its reason is oversize from here on.
		}
		l.health.degrade(key, err.Error())
		if now := l.client.clock.Now(); logged.IsZero() || now.Sub(logged) >= publishLogEvery {
			logged = now
			ln.log.Error("publish rejected", slog.String("to", p.topic), slog.Int("try", n), slog.Any("err", err))
		}
		l.client.forgetProduced(ln.ctx, p.topic, lookups, err)
		l.createIfMissing(ln.ctx, p.topic, err)
		if !ln.parkUnless(l.client.clock.Now().Add(backOff.backOff(n)), ln.stopped) {
			return false
		}
		n++
	}
}

// produce writes one record and waits for the answer, or for the lane's end.
func (ln *lane) produce(cl *kgo.Client, key string, rec *kgo.Record, wanted int32) error {
	l := ln.l
	defer l.degradeSlow(key)()
	type outcome struct {
		partition int32
		err       error
	}
	done := make(chan outcome, 1)
	cl.Produce(ln.ctx, rec, func(r *kgo.Record, err error) {
		done <- outcome{r.Partition, err}
	})
	select {
	case o := <-done:
		if o.err == nil && o.partition != wanted {
			l.warnPartition(rec.Topic, wanted)
		}
		return o.err
	case <-ln.ctx.Done():
		return ln.ctx.Err()
	}
}

// degradeSlow degrades health if the returned function is not called in time.
// Once that function has returned, health is not degraded any more, even if the
// timer fires at that moment.
func (l *Listener) degradeSlow(key string) (answered func()) {
	var mu sync.Mutex
	over := false
	stop := l.client.clock.AfterFunc(publishSlow, func() {
		mu.Lock()
		defer mu.Unlock()
		if !over {
			l.health.degrade(key, "no answer yet")
		}
	})
	return func() {
		stop()
		mu.Lock()
		defer mu.Unlock()
		over = true
	}
}

// warnPartition says once per topic that records cannot keep their partition.
func (l *Listener) warnPartition(topic string, partition int32) {
	if l.gate.allowOnce("partition " + topic) {
		l.log.Warn("topic has fewer partitions than the main topic, records go by their key",
			slog.String("topic", topic), slog.Int("partition", int(partition)))
	}
}
