package delivery_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/delivery"
	"github.com/botehq/bote/delivery/codec"
	"github.com/botehq/bote/delivery/deliverytest"
)

func TestRecovererFails(t *testing.T) {
	h := deliverytest.New(t)
	var c calls
	listen(t, h, "g", func(_ context.Context, m *message) error {
		c.add(m.Value)
		return delivery.Permanent(errBoom)
	})
	fault := h.Cluster().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: "m-dlt", Err: kerr.TopicAuthorizationFailed, Count: 1000})
	h.Publish(topic, "k", "v")
	h.Advance(9 * time.Hour)
	require.Equal(t, []string{"v"}, c.list())
	require.Equal(t, 1000, fault.Hits())
	h.ExpectDeadLetter("m-dlt", 1)
}

func TestDecodeFailure(t *testing.T) {
	h := deliverytest.New(t)
	typed := delivery.NewTopic("m", codec.JSON[int]())
	l, err := delivery.Listen(h.Client(), typed, "g", func(context.Context, *delivery.Message[int]) error { return nil }, delivery.RetryTopics())
	require.NoError(t, err)
	h.Start(l)
	h.Publish(topic, "k", "{oops", delivery.Header("own", []byte{0xff, 0}))
	h.Publish(topic, "k", "", delivery.Tombstone())
	dead := h.ExpectDeadLetter("m-dlt", 1)[0]
	require.Equal(t, "{oops", string(dead.Record.Value))
	require.Equal(t, delivery.ReasonDecode, dead.Failure.Reason)
	require.Equal(t, "github.com/botehq/bote/delivery.DecodeError", dead.Failure.Class)
	own, _ := delivery.Headers(dead.Record.Headers).Get("own")
	require.Equal(t, []byte{0xff, 0}, own)
	require.Equal(t, int32(2), int32(delivery.Headers(dead.Record.Headers).Text(delivery.HeaderAttempts)[3]))
}

func TestTombstone(t *testing.T) {
	h := deliverytest.New(t)
	var tombstones, values int
	listen(t, h, "g", func(_ context.Context, m *message) error {
		if m.Tombstone() {
			tombstones++
			return errBoom
		}
		values++
		return nil
	}, once)
	h.Publish(topic, "k", "", delivery.Tombstone())
	h.Publish(topic, "k", "")
	require.Equal(t, 1, tombstones)
	require.Equal(t, 1, values)
	require.Nil(t, h.ExpectDeadLetter("m-dlt", 1)[0].Record.Value)
}

func TestRoutingByError(t *testing.T) {
	h := deliverytest.New(t)
	listen(t, h, "g", func(_ context.Context, m *message) error {
		if m.Value == "schema" {
			return fmt.Errorf("validate: %w", errBang)
		}
		return errBoom
	}, once, delivery.DeadLetter(delivery.Suffix(".dead"), delivery.DeadLetterIf("-schema", func(err error) bool { return errors.Is(err, errBang) })))
	h.Publish(topic, "k", "schema")
	h.Publish(topic, "k", "other")
	require.Equal(t, "schema", string(h.ExpectDeadLetter("m-schema.dead", 1)[0].Record.Value))
	require.Equal(t, "other", string(h.ExpectDeadLetter("m.dead", 1)[0].Record.Value))
}

func TestExhaustedActions(t *testing.T) {
	t.Run("skip", func(t *testing.T) {
		h := deliverytest.New(t)
		var c calls
		listen(t, h, "g", func(_ context.Context, m *message) error {
			c.add(m.Value)
			return errBoom
		}, once, delivery.NoDLT())
		h.Publish(topic, "k", "a")
		h.Publish(topic, "k", "b")
		require.Equal(t, []string{"a", "b"}, c.list())
		require.Nil(t, h.Cluster().TopicInfo("m-dlt"))
	})
	t.Run("custom", func(t *testing.T) {
		h := deliverytest.New(t)
		var c calls
		listen(t, h, "g", func(context.Context, *message) error { return errBoom }, once,
			delivery.OnExhaustedFunc(func(_ context.Context, m *delivery.Message[[]byte], err error) error {
				require.ErrorIs(t, err, errBoom)
				if c.add(string(m.Value)) < 3 {
					return errBang
				}
				return nil
			}))
		h.Publish(topic, "k", "a")
		h.Advance(time.Minute)
		require.Equal(t, []string{"a", "a", "a"}, c.list())
		awaitCommit(t, h, int64(1))
		h.ExpectDeadLetter("m-dlt", 0)
	})
	t.Run("halt", func(t *testing.T) {
		h := deliverytest.New(t)
		l := listen(t, h, "g", func(context.Context, *message) error { return errBoom }, once, delivery.OnExhausted(delivery.HaltListener))
		h.Publish(topic, "k", "a")
		var halted *delivery.HaltError
		require.ErrorAs(t, h.Stop(l), &halted)
	})
}

func TestDeadLetterHandler(t *testing.T) {
	fail := func(context.Context, *message) error { return delivery.Permanent(errBoom) }
	t.Run("blocks until it succeeds", func(t *testing.T) {
		h := deliverytest.New(t)
		var at []time.Duration
		begin := h.Clock().Now()
		listen(t, h, "g", fail, delivery.DeadLetterHandler(func(_ context.Context, m *delivery.Message[[]byte]) error {
			at = append(at, h.Clock().Now().Sub(begin))
			require.Equal(t, "boom", m.Failure().Message)
			require.Equal(t, "m", m.Origin().Topic)
			if len(at) < 4 {
				return errBang
			}
			return nil
		}))
		h.Publish(topic, "k", "a")
		h.Advance(time.Hour)
		require.Equal(t, []time.Duration{0, time.Second, 3 * time.Second, 7 * time.Second}, at)
		h.ExpectDeadLetter("m-dlt", 1)
	})
	t.Run("requeue", func(t *testing.T) {
		h := deliverytest.New(t)
		n := 0
		listen(t, h, "g", fail, delivery.RetryTopics(), delivery.DeadLetterHandler(func(context.Context, *delivery.Message[[]byte]) error {
			if n++; n < 3 {
				return errBang
			}
			return nil
		}, delivery.DLTRequeue()))
		h.Publish(topic, "k", "a")
		h.ExpectDeadLetter("m-dlt", 1)
		h.Advance(time.Second)
		h.ExpectDeadLetter("m-dlt", 2)
		h.Advance(time.Second)
		h.ExpectDeadLetter("m-dlt", 2)
		h.Advance(time.Second)
		dead := h.ExpectDeadLetter("m-dlt", 3)
		for i, d := range dead {
			require.Equal(t, byte(i+2), delivery.Headers(d.Record.Headers).Text(delivery.HeaderAttempts)[3])
		}
		require.Equal(t, "m", dead[2].Origin.Topic)
	})
	t.Run("skip", func(t *testing.T) {
		h := deliverytest.New(t)
		var c calls
		listen(t, h, "g", fail, delivery.DeadLetterHandler(func(_ context.Context, m *delivery.Message[[]byte]) error {
			c.add(string(m.Value))
			return errBang
		}, delivery.DLTSkip()))
		h.Publish(topic, "k", "a")
		h.Publish(topic, "k", "b")
		require.Equal(t, []string{"a", "b"}, c.list())
	})
}

func TestDeadLetterTopicDeleted(t *testing.T) {
	h := deliverytest.New(t)
	listen(t, h, "g", func(context.Context, *message) error { return errBoom }, once)
	require.NoError(t, h.Cluster().DeleteTopic("m-dlt"))
	h.Publish(topic, "k", "a")
	h.Advance(time.Minute)
	h.ExpectDeadLetter("m-dlt", 1)
}

func noise(n int, seed uint64) string {
	r := rand.New(rand.NewPCG(seed, 2))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(' ' + r.IntN(95))
	}
	return string(b)
}

func TestOversize(t *testing.T) {
	long := noise(900, 1)
	limit := map[string]string{"max.message.bytes": "2000"}
	t.Run("trimmed", func(t *testing.T) {
		h := deliverytest.New(t)
		require.NoError(t, h.Cluster().CreateTopic("m-dlt", 1, map[string]string{"max.message.bytes": "1500"}))
		listen(t, h, "g", func(context.Context, *message) error { return errors.New(long) }, once)
		h.Publish(topic, "k", "v"+noise(800, 2))
		dead := h.ExpectDeadLetter("m-dlt", 1)[0]
		require.Len(t, dead.Record.Value, 801)
		f := dead.Failure
		require.Empty(t, f.Stack)
		require.Empty(t, f.Message)
		require.Equal(t, "errors.errorString", f.Class)
	})
	t.Run("waits", func(t *testing.T) {
		h := deliverytest.New(t)
		require.NoError(t, h.Cluster().CreateTopic("m-dlt", 1, limit))
		var c calls
		l := listen(t, h, "g", func(_ context.Context, m *message) error {
			c.add(m.Value[:1])
			return errBoom
		}, once)
		h.Publish(topic, "k", "v"+noise(3000, 3))
		h.Advance(time.Hour)
		require.Equal(t, []string{"v"}, c.list())
		require.Equal(t, delivery.StatusDegraded, l.Health().Status)
		h.ExpectDeadLetter("m-dlt", 0)
	})
	t.Run("skipped on request", func(t *testing.T) {
		h := deliverytest.New(t)
		require.NoError(t, h.Cluster().CreateTopic("m-dlt", 1, limit))
		listen(t, h, "g", func(context.Context, *message) error { return errBoom }, once, delivery.OnRecoveryFailure(delivery.LogAndSkip))
		h.Publish(topic, "k", "v"+noise(3000, 3))
		h.Advance(time.Minute)
		awaitCommit(t, h, int64(1))
	})
}
