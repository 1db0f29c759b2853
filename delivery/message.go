package delivery

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Message is one delivery of one record. The fields are the record's; the
// handler must not keep them after it has returned, nor write to the slices.
//
// A Message made by hand, as in a test of a handler, is a first delivery.
type Message[T any] struct {
	Key       []byte
	Value     T
	Headers   Headers
	Topic     string
	Partition int32
	Offset    int64
	Timestamp time.Time

	delivery *deliveryOf
}

// deliveryOf is what a Message knows about its delivery; nil if the Message was made
// by hand.
type deliveryOf struct {
	rec   *kgo.Record
	ln    *lane
	it    *item
	chain int // number of this delivery in the chain, from the header
	local int // number of this delivery in its lane
}

// Attempt is the number of the attempt in the retry chain: 1 on the main
// topic, 2 on the first retry tier.
func (m *Message[T]) Attempt() int {
	if m.delivery == nil {
		return 1
	}
	return m.delivery.chain
}

// Delivery counts the deliveries of this record in place: 1, and one more for
// each blocking retry. It starts over when the process restarts.
func (m *Message[T]) Delivery() int {
	if m.delivery == nil {
		return 1
	}
	return m.delivery.local
}

// Origin is where the record was first read.
func (m *Message[T]) Origin() Origin { return ReadOrigin(m.Raw()) }

// Failure is why the record was forwarded, nil on a main topic.
func (m *Message[T]) Failure() *Failure { return ReadFailure(m.Headers) }

// Tombstone reports whether the record has no value. Value is then the zero
// value. It is false for a Message made by hand.
func (m *Message[T]) Tombstone() bool {
	return m.delivery != nil && m.delivery.rec.Value == nil
}

// MessageID is the header bote-message-id, which survives retries and redrive;
// "" if the sender set none.
func (m *Message[T]) MessageID() string { return m.Headers.Text(HeaderMessageID) }

// Ack marks the record as done. It may be called from any goroutine, in any
// order, and after the handler has returned. Only listeners with CommitManual or
// CommitNow need it; with others it returns ErrAckUnused. If the assignment of the
// partition has ended, it returns ErrRevoked. With CommitNow it waits for the
// commit and returns its error; even then the record is done, and will be part of
// the next commit.
func (m *Message[T]) Ack(ctx context.Context) error {
	if m.delivery == nil {
		return nil
	}
	return m.delivery.ln.ack(ctx, m.delivery.it)
}

// Raw is the record as it was read. It must not be changed.
func (m *Message[T]) Raw() *kgo.Record {
	if m.delivery != nil {
		return m.delivery.rec
	}
	return &kgo.Record{
		Key: m.Key, Headers: m.Headers, Topic: m.Topic,
		Partition: m.Partition, Offset: m.Offset, Timestamp: m.Timestamp,
	}
}

// newMessage is delivery n of a task's record, undecoded, as middleware sees it.
// Each delivery gets a new one, because handlers may keep messages to Ack them
// later.
func newMessage(t *task, n int) *Message[[]byte] {
	m := newTyped[[]byte](t)
	m.Value, m.delivery.local = t.it.rec.Value, n
	return m
}

// newTyped is the message of the delivery that a task makes now, without its
// value. The message and its attempt are allocated as one object.
func newTyped[T any](t *task) *Message[T] {
	r := t.it.rec
	both := &struct {
		m Message[T]
		a deliveryOf
	}{
		m: Message[T]{
			Key: r.Key, Headers: r.Headers, Topic: r.Topic,
			Partition: r.Partition, Offset: r.Offset, Timestamp: r.Timestamp,
		},
		a: deliveryOf{rec: r, ln: t.ln, it: t.it, chain: t.chainAttempt, local: t.laneDelivery},
	}
	both.m.delivery = &both.a
	return &both.m
}

// withValue is m with a decoded value.
func withValue[T any](m *Message[[]byte], v T) *Message[T] {
	return &Message[T]{
		Key: m.Key, Value: v, Headers: m.Headers, Topic: m.Topic,
		Partition: m.Partition, Offset: m.Offset, Timestamp: m.Timestamp, delivery: m.delivery,
	}
}
