package delivery

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/botehq/bote/delivery/codec"
)

// outcomeGrace is how long a send waits, after its context ended, to learn
// whether the record was written.
const outcomeGrace = 100 * time.Millisecond

// Topic is a topic's name with the codec of its values. It holds no
// connection and may be shared.
type Topic[T any] struct {
	name    string
	codec   codec.Codec[T]
	headers []kgo.RecordHeader
}

// NewTopic names a topic and the codec of its values.
func NewTopic[T any](name string, c codec.Codec[T]) Topic[T] {
	return Topic[T]{name: name, codec: c}
}

// WithHeader is a copy of the topic that adds a header to every record it sends.
func (t Topic[T]) WithHeader(name string, value []byte) Topic[T] {
	t.headers = append(slices.Clone(t.headers), kgo.RecordHeader{Key: name, Value: value})
	return t
}

// Name is the topic's name.
func (t Topic[T]) Name() string { return t.name }

// Codec is the codec of the topic's values.
func (t Topic[T]) Codec() codec.Codec[T] { return t.codec }

// Result is where a record was written.
type Result struct {
	Topic     string
	Partition int32
	Offset    int64
	Timestamp time.Time
	MessageID string
	Err       error // only in the results of SendBatch and SendAsync
}

// Outgoing is one record of SendBatch.
type Outgoing[T any] struct {
	Key     string
	Value   T
	Options []SendOption
}

// SendOption changes one record.
type SendOption func(*sendConfig)

type sendConfig struct {
	rec       *kgo.Record
	messageID string
	tombstone bool
}

// Header adds a header.
func Header(name string, value []byte) SendOption {
	return func(c *sendConfig) {
		c.rec.Headers = append(c.rec.Headers, kgo.RecordHeader{Key: name, Value: value})
	}
}

// Partition sends to one partition instead of the key's.
func Partition(p int32) SendOption { return func(c *sendConfig) { c.rec.Partition = p } }

// Timestamp sets the record's timestamp. The default is now.
func Timestamp(at time.Time) SendOption { return func(c *sendConfig) { c.rec.Timestamp = at } }

// KeyBytes sets a key that is not text.
func KeyBytes(key []byte) SendOption { return func(c *sendConfig) { c.rec.Key = key } }

// MessageID sets the header bote-message-id. The default is a new UUIDv7.
func MessageID(id string) SendOption { return func(c *sendConfig) { c.messageID = id } }

// Tombstone sends no value: the record deletes its key in a compacted topic.
func Tombstone() SendOption { return func(c *sendConfig) { c.tombstone = true } }

// Send writes one record and waits until all in-sync replicas have it. An
// empty key means no key. If ctx ends first, the error wraps the error of ctx; it
// also wraps ErrUnknownOutcome if the record may have been written. If the topic
// does not exist, the error wraps ErrTopicMissing; it comes after some seconds,
// because the topic may have been created a moment ago.
func (t Topic[T]) Send(ctx context.Context, c *Client, key string, v T, opts ...SendOption) (Result, error) {
	rec, id, err := t.record(c, key, v, opts)
	if err != nil {
		return Result{}, err
	}
	done := make(chan Result, 1)
	c.produce(ctx, rec, id, func(r Result) { done <- r })
	select {
	case r := <-done:
		return r, r.Err
	case <-ctx.Done():
	}
	late, stop := timerChan(systemClock{}, outcomeGrace) // the network is real, whatever the clock says.
	defer stop()
	select {
	case r := <-done:
		return r, r.Err
	case <-late:
		return Result{}, fmt.Errorf("send to %s: %w: %w", t.name, ErrUnknownOutcome, context.Cause(ctx))
	}
}

// SendAny is Send for a value whose type is only known at run time; a value
// that is not a T is an error.
func (t Topic[T]) SendAny(ctx context.Context, c *Client, key string, v any, opts ...SendOption) (Result, error) {
	typed, ok := v.(T)
	if !ok {
		return Result{}, fmt.Errorf("send to %s: value is a %T", t.name, v)
	}
	return t.Send(ctx, c, key, typed, opts...)
}

// SendAsync writes one record and calls done exactly once with the result, even
// if the value cannot be encoded. done must not block. SendAsync itself blocks
// while the producer's buffer is full.
func (t Topic[T]) SendAsync(ctx context.Context, c *Client, key string, v T, done func(Result), opts ...SendOption) {
	rec, id, err := t.record(c, key, v, opts)
	if err != nil {
		done(Result{Topic: t.name, Err: err})
		return
	}
	c.produce(ctx, rec, id, done)
}

// SendBatch writes records and waits for all. Results are in the order of the
// records. If any failed the error is a BatchError.
func (t Topic[T]) SendBatch(ctx context.Context, c *Client, batch []Outgoing[T]) ([]Result, error) {
	results := make([]Result, len(batch))
	type indexed struct {
		i int
		r Result
	}
	done := make(chan indexed, len(batch))
	for i, o := range batch {
		t.SendAsync(ctx, c, o.Key, o.Value, func(r Result) { done <- indexed{i, r} }, o.Options...)
	}
	for range batch {
		d := <-done
		results[d.i] = d.r
	}
	return results, newBatchError(results)
}

// record encodes v, applies the options, and runs the hooks. The message ID is a
// header of the record, so the record keeps its ID if it is sent a second time.
func (t Topic[T]) record(c *Client, key string, v T, opts []SendOption) (_ *kgo.Record, messageID string, _ error) {
	rec := &kgo.Record{
		Topic: t.name, Partition: anyPartition, Timestamp: c.clock.Now(),
		Headers: append(make([]kgo.RecordHeader, 0, len(t.headers)+1), t.headers...),
	}
	if key != "" {
		rec.Key = []byte(key)
	}
	cfg := sendConfig{rec: rec}
	for i, o := range opts {
		if o == nil {
			return nil, "", fmt.Errorf("send to %s: option %d is nil", t.name, i+1)
		}
		o(&cfg)
	}
	if !cfg.tombstone {
		data, err := t.codec.Encode(v)
		if err != nil {
			return nil, "", fmt.Errorf("send to %s: encode: %w", t.name, err)
		}
		rec.Value = data
	}
	if cfg.messageID == "" {
		cfg.messageID = NewMessageID(c.clock.Now())
	}
	rec.Headers = append(rec.Headers, kgo.RecordHeader{Key: HeaderMessageID, Value: []byte(cfg.messageID)})
	for _, h := range c.hooks {
		if err := h(rec); err != nil {
			return nil, "", fmt.Errorf("send to %s: hook: %w", t.name, err)
		}
	}
	if len(c.hooks) > 0 {
		cfg.messageID = Headers(rec.Headers).Text(HeaderMessageID)
	}
	return rec, cfg.messageID, nil
}

// NewMessageID is a version 7 UUID: 48 bits of milliseconds, then random.
func NewMessageID(now time.Time) string {
	var u [16]byte
	binary.BigEndian.PutUint64(u[:], uint64(now.UnixMilli())<<16)
	_, _ = rand.Read(u[6:]) // never fails.
	u[6] = u[6]&0x0f | 0x70
	u[8] = u[8]&0x3f | 0x80
	s := hex.EncodeToString(u[:])
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}
