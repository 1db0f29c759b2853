package delivery

import (
	"errors"
	"log/slog"
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

// publication is a record for a retry or dead-letter topic. build makes it
// anew for each try, smaller if the last one was too large.
type publication struct {
	topic     string
	partition int32
	build     func(trim) *kgo.Record
	tooLarge  func() // instead of waiting when the smallest form is too large
}

// publish writes the record and waits until all in-sync replicas have it. It
// tries without end, with the lane waiting and the handler not run again, and
// reports false only when the assignment ends first. The assignment is checked
// right before each try: what then is under way may become a duplicate.
func (ln *lane) publish(p publication) bool {
	l := ln.c.l
	key := "publish to " + p.topic
	defer l.health.clear(key)
	backOff := publishBackOff()
	size := trimNothing
	var logged time.Time
	for n := 1; ; {
		if ln.over() || ln.ctx.Err() != nil {
			return false
		}
		l.client.at("before publish")
		err := ln.produce(key, p.build(size), p.partition)
		l.client.at("published")
		switch {
		case err == nil:
			return !ln.over()
		case errors.Is(err, kerr.MessageTooLarge) && size < trimOptional:
			size++
			continue
		case errors.Is(err, kerr.MessageTooLarge) && p.tooLarge != nil:
			p.tooLarge()
			return false
		case ln.ctx.Err() != nil:
			return false
		}
		if errors.Is(err, kerr.MessageTooLarge) && size == trimOptional {
			size++ // class oversize from here on.
		}
		l.health.degrade(key, err.Error())
		if now := l.client.clock.Now(); logged.IsZero() || now.Sub(logged) >= publishLogEvery {
			logged = now
			ln.log.Error("publish rejected", slog.String("to", p.topic), slog.Int("try", n), slog.Any("err", err))
		}
		l.createIfMissing(ln.ctx, p.topic, err)
		if !ln.parkUnless(l.client.clock.Now().Add(backOff.backOff(n)), ln.depart) {
			return false
		}
		n++
	}
}

// produce writes one record and waits for the answer, or for the lane's end.
func (ln *lane) produce(key string, rec *kgo.Record, wanted int32) error {
	l := ln.c.l
	stop := l.client.clock.AfterFunc(publishSlow, func() {
		l.health.degrade(key, "no answer yet")
	})
	defer stop()
	type outcome struct {
		partition int32
		err       error
	}
	done := make(chan outcome, 1)
	l.client.forwards.Produce(ln.ctx, rec, func(r *kgo.Record, err error) {
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

// warnPartition says once per topic that records cannot keep their partition.
func (l *Listener) warnPartition(topic string, partition int32) {
	if l.gate.allowOnce("partition " + topic) {
		l.log.Warn("topic has fewer partitions than the main topic, records go by their key",
			slog.String("topic", topic), slog.Int("partition", int(partition)))
	}
}
