package delivery_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/delivery"
	"github.com/botehq/bote/delivery/deliverytest"
)

func TestBlockingRetries(t *testing.T) {
	h := deliverytest.New(t)
	var c calls
	begin := h.Clock().Now()
	var last time.Duration
	listen(t, h, "g", func(_ context.Context, m *message) error {
		c.add(m.Value)
		require.Equal(t, 1, m.Attempt())
		if m.Value == "bad" {
			last = h.Clock().Now().Sub(begin)
			return errBoom
		}
		return nil
	})
	h.Publish(topic, "k", "bad")
	h.Publish(topic, "k", "good")
	require.Equal(t, []string{"bad"}, c.list())
	h.Advance(time.Minute)
	require.Equal(t, append(slices.Repeat([]string{"bad"}, 10), "good"), c.list())
	require.InDelta(t, 23.4, last.Seconds(), 2.2) // 21.3 s and up to 20 % more.
	dead := h.ExpectDeadLetter("m-dlt", 1)[0]
	hs := delivery.Headers(dead.Record.Headers)
	require.Equal(t, "m", hs.Text("kafka_dlt-original-topic"))
	_, ok := hs.Get(delivery.HeaderAttempts)
	require.False(t, ok)
	require.Equal(t, delivery.ReasonExhausted, dead.Failure.Reason)
}

func TestAlternatingErrors(t *testing.T) {
	for name, o := range map[string]delivery.Option{
		"in place": delivery.BlockingRetry(delivery.Attempts(6), delivery.Fixed(time.Second)),
		"tiers":    delivery.RetryTopics(delivery.Attempts(6), delivery.Fixed(time.Second)),
	} {
		t.Run(name, func(t *testing.T) {
			h := deliverytest.New(t)
			var c calls
			listen(t, h, "g", func(_ context.Context, m *message) error {
				if c.add(m.Value)%2 == 0 {
					return errBang
				}
				return errBoom
			}, o)
			h.Publish(topic, "k", "v")
			h.Advance(time.Hour)
			require.Len(t, c.list(), 6)
			h.ExpectDeadLetter("m-dlt", 1)
		})
	}
}

func TestTwoGroups(t *testing.T) {
	h := deliverytest.New(t)
	var a, b calls
	tiers := delivery.RetryTopics(delivery.Attempts(3))
	handler := func(c *calls, fails string) func(context.Context, *message) error {
		return func(_ context.Context, m *message) error {
			c.add(fmt.Sprint(m.Value, m.Attempt()))
			if m.Value == fails {
				return errBoom
			}
			return nil
		}
	}
	listen(t, h, "a", handler(&a, "x"), tiers)
	listen(t, h, "b", handler(&b, "y"), tiers)
	h.Publish(topic, "k", "x")
	h.Publish(topic, "k", "y")
	h.Advance(time.Minute)
	require.ElementsMatch(t, []string{"x1", "y1", "x2", "x3"}, a.list())
	require.ElementsMatch(t, []string{"x1", "y1", "y2", "y3"}, b.list())
	require.Len(t, h.ExpectDeadLetter("m-dlt", 2), 2)
}

// A record that was redriven to the old name of a group belongs to that group.
func TestGroupAliasRedriven(t *testing.T) {
	h := deliverytest.New(t)
	var c calls
	ok := func(_ context.Context, m *message) error {
		c.add(m.Value)
		return nil
	}
	listen(t, h, "new", ok, delivery.GroupAliases("old"))
	h.Publish(topic, "k", "ours", delivery.Header(delivery.HeaderRedriveGroup, []byte("old")))
	h.Publish(topic, "k", "theirs", delivery.Header(delivery.HeaderRedriveGroup, []byte("other")))
	require.Equal(t, []string{"ours"}, c.list())
}

func TestGroupAliases(t *testing.T) {
	h := deliverytest.New(t)
	l := listen(t, h, "old", func(context.Context, *message) error { return errBoom }, delivery.RetryTopics())
	h.Publish(topic, "k", "v")
	require.NoError(t, h.Stop(l))
	var c calls
	listen(t, h, "new", func(_ context.Context, m *message) error {
		c.add(fmt.Sprint(m.Topic, m.Attempt()))
		return nil
	}, delivery.RetryTopics(), delivery.GroupAliases("old"))
	h.Advance(time.Minute)
	require.ElementsMatch(t, []string{"m1", "m-retry2"}, c.list())
}

func TestRulings(t *testing.T) {
	for _, tc := range []struct {
		name  string
		err   error
		dead  int
		calls int
	}{
		{"permanent", delivery.Permanent(errBoom), 1, 1},
		{"drop", delivery.Drop(errBoom), 0, 1},
		{"not in RetryIf", errBang, 1, 1},
		{"retryable", errBoom, 1, 3},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := deliverytest.New(t)
			var c calls
			listen(t, h, "g", func(_ context.Context, m *message) error {
				if m.Value == "next" {
					return nil
				}
				c.add(m.Value)
				return tc.err
			}, delivery.RetryTopics(), delivery.RetryIf(func(err error) bool { return !errors.Is(err, errBang) }))
			h.Publish(topic, "k", "v")
			h.Publish(topic, "k", "next")
			h.Advance(time.Minute)
			require.Len(t, c.list(), tc.calls)
			h.ExpectDeadLetter("m-dlt", tc.dead)
			awaitCommit(t, h, int64(2))
		})
	}
}

func TestRetryAfter(t *testing.T) {
	h := deliverytest.New(t)
	var at []time.Duration
	begin := h.Clock().Now()
	listen(t, h, "g", func(context.Context, *message) error {
		at = append(at, h.Clock().Now().Sub(begin))
		return delivery.RetryAfter(errBoom, 3*time.Second)
	}, delivery.RetryTopics(delivery.Attempts(4), delivery.Exponential(time.Second, 2, time.Minute)))
	h.Publish(topic, "k", "v")
	h.Advance(time.Minute)
	require.Equal(t, []time.Duration{0, 4 * time.Second, 8 * time.Second, 12 * time.Second}, at)
	h.ExpectDeadLetter("m-dlt", 1)
}

// Halt stops the listener at its record. The record is neither committed nor
// forwarded, and no later record is handed out.
func TestHalt(t *testing.T) {
	for name, tc := range map[string]struct {
		err  error
		opts []delivery.Option
	}{
		"by the handler":   {delivery.Halt(errBoom), nil},
		"when exhausted":   {errBoom, []delivery.Option{once, delivery.OnExhausted(delivery.HaltListener)}},
		"side by side":     {delivery.Halt(errBoom), []delivery.Option{delivery.Unordered(), delivery.Concurrency(1)}},
		"as a dead letter": {delivery.Permanent(errBoom), []delivery.Option{delivery.OnExhausted(delivery.HaltListener)}},
	} {
		t.Run(name, func(t *testing.T) {
			h, log := logging(t)
			var k kinds
			h.CreateTopic("m", 1)
			batch := []delivery.Outgoing[string]{{Value: "ok"}, {Value: "stop"}}
			for i := range 200 {
				batch = append(batch, delivery.Outgoing[string]{Value: fmt.Sprint(i)})
			}
			_, err := topic.SendBatch(t.Context(), h.Client(), batch)
			require.NoError(t, err)
			var c calls
			l, err := delivery.Listen(h.Client(), topic, "g", func(_ context.Context, m *message) error {
				c.add(m.Value)
				if m.Value == "stop" {
					return tc.err
				}
				return nil
			}, append(tc.opts, k.option())...)
			require.NoError(t, err)
			err = l.Run(t.Context())
			var halted *delivery.HaltError
			require.ErrorAs(t, err, &halted)
			require.ErrorIs(t, err, errBoom)
			require.Equal(t, []string{"ok", "stop"}, c.list())
			awaitCommit(t, h, 1)
			require.Equal(t, delivery.StatusHalted, l.Health().Status)
			require.Equal(t, "listener halted: record m-0@1: boom", err.Error())
			require.Len(t, log.with("ERROR", "listener halted", "topic=m", "partition=0", "offset=1"), 1)
			e := k.of(delivery.EventHalted)
			require.Len(t, e, 1)
			require.Equal(t, delivery.Event{Kind: delivery.EventHalted, Group: "g", Role: delivery.RoleMain, Topic: "m", Offset: 1, Err: e[0].Err}, e[0])
		})
	}
}

// PauseNow holds back records that wait for a retry, in place or on a retry topic,
// even if their time comes meanwhile.
func TestPauseNowHoldsBackOff(t *testing.T) {
	for name, retry := range map[string]delivery.Option{
		"in place": delivery.BlockingRetry(delivery.Attempts(3), delivery.Fixed(time.Second)),
		"tier":     delivery.RetryTopics(delivery.Attempts(3), delivery.Fixed(time.Second)),
		"recoverer": delivery.OnExhaustedFunc(func(context.Context, *delivery.Message[[]byte], error) error {
			return errBang
		}),
	} {
		t.Run(name, func(t *testing.T) {
			h := deliverytest.New(t)
			var c calls
			l := listen(t, h, "g", func(_ context.Context, m *message) error {
				c.add(m.Value)
				return errBoom
			}, retry)
			h.Publish(topic, "k", "v")
			require.Len(t, c.list(), 1)
			l.PauseNow()
			h.Advance(time.Minute)
			require.Len(t, c.list(), 1)
			l.Resume()
			h.Settle()
			require.Len(t, c.list(), 2)
		})
	}
}

// A delay of more than a day is kept, with its jitter, even on a topic of an earlier
// configuration.
func TestLongDelays(t *testing.T) {
	for name, retry := range map[string][]delivery.RetryOption{
		"fixed":  {delivery.Attempts(2), delivery.Fixed(25 * time.Hour)},
		"jitter": {delivery.Attempts(2), delivery.Fixed(24 * time.Hour), delivery.Jitter(1)},
		"weeks":  {delivery.Attempts(2), delivery.Fixed(21 * 24 * time.Hour)},
	} {
		t.Run(name, func(t *testing.T) {
			h := deliverytest.New(t)
			var at []time.Duration
			begin := h.Clock().Now()
			fails := func(context.Context, *message) error {
				at = append(at, h.Clock().Now().Sub(begin))
				return errBoom
			}
			listen(t, h, "g", fails, delivery.RetryTopics(retry...))
			h.Publish(topic, "k", "v")
			h.Advance(24*time.Hour - time.Second)
			require.Equal(t, []time.Duration{0}, at)
			h.Advance(30 * 24 * time.Hour)
			require.Len(t, at, 2)
			require.GreaterOrEqual(t, at[1], 24*time.Hour)
		})
	}
	t.Run("drained", func(t *testing.T) {
		h := deliverytest.New(t)
		long := delivery.RetryTopics(delivery.Attempts(3), delivery.Exponential(24*time.Hour, 3, 72*time.Hour))
		n := 0
		fails := func(context.Context, *message) error { n++; return errBoom }
		l := listen(t, h, "g", fails, long)
		h.Publish(topic, "k", "v")
		h.Advance(25 * time.Hour)
		require.Equal(t, 2, n)
		require.NoError(t, h.Stop(l))
		listen(t, h, "g", fails, delivery.RetryTopics(delivery.Attempts(3), delivery.Fixed(time.Second), delivery.AlsoDrain("-retry-86400000", "-retry-259200000")))
		h.Advance(70 * time.Hour)
		require.Equal(t, 2, n)
		h.Advance(10 * time.Hour)
		require.Equal(t, 3, n)
	})
}

func TestPanicAndGoexit(t *testing.T) {
	for name, f := range map[string]func(){
		"panic":  func() { panic("ouch") },
		"goexit": func() { runtime.Goexit() },
	} {
		t.Run(name, func(t *testing.T) {
			h := deliverytest.New(t)
			var c calls
			listen(t, h, "g", func(_ context.Context, m *message) error {
				c.add(m.Value)
				if m.Value == "bad" {
					f()
				}
				return nil
			}, delivery.BlockingRetry(delivery.Attempts(2), delivery.Fixed(time.Second)))
			h.Publish(topic, "k", "bad")
			h.Publish(topic, "k", "good")
			h.Advance(time.Minute)
			require.Equal(t, []string{"bad", "bad", "good"}, c.list())
			require.Equal(t, delivery.ReasonPanic, reason(t, h, "m-dlt"))
			if name == "panic" {
				stack := h.ExpectDeadLetter("m-dlt", 1)[0].Failure.Stack
				require.Contains(t, stack, "handler panicked: ouch")
				require.Contains(t, stack, "retry_test.go")
			}
		})
	}
}

func TestFewerRetryPartitions(t *testing.T) {
	h := deliverytest.New(t, deliverytest.Partitions(3))
	h.CreateTopic("m-retry", 1)
	var c calls
	listen(t, h, "g", func(_ context.Context, m *message) error {
		c.add(fmt.Sprintf("%s-%d", m.Topic, m.Partition))
		return errBoom
	}, delivery.RetryTopics(delivery.Attempts(2)))
	h.Publish(topic, "k", "a", delivery.Partition(2))
	h.Advance(time.Minute)
	require.Equal(t, []string{"m-2", "m-retry-0"}, c.list())
	require.Equal(t, int32(2), h.ExpectDeadLetter("m-dlt", 1)[0].Origin.Partition)
}

func TestExpiry(t *testing.T) {
	t.Run("before handling", func(t *testing.T) {
		h := deliverytest.New(t)
		var c calls
		listen(t, h, "g", func(_ context.Context, m *message) error {
			c.add(m.Value)
			return nil
		}, delivery.ExpireAfter(time.Hour))
		h.Publish(topic, "k", "old", delivery.Timestamp(h.Clock().Now().Add(-2*time.Hour)))
		h.Publish(topic, "k", "new")
		require.Equal(t, []string{"new"}, c.list())
		require.Equal(t, delivery.ReasonExpired, reason(t, h, "m-dlt"))
	})
	t.Run("at a failure", func(t *testing.T) {
		h := deliverytest.New(t)
		var c calls
		listen(t, h, "g", func(_ context.Context, m *message) error {
			c.add(m.Value)
			return errBoom
		}, delivery.RetryTopics(delivery.Attempts(9), delivery.Fixed(time.Second), delivery.RetryTimeout(2500*time.Millisecond)))
		h.Publish(topic, "k", "v")
		h.Advance(time.Minute)
		require.Len(t, c.list(), 4)
		require.Equal(t, delivery.ReasonExpired, reason(t, h, "m-dlt"))
	})
}

func TestSpringLayoutGroups(t *testing.T) {
	h := deliverytest.New(t)
	opts := []delivery.Option{
		delivery.RetryTopics(delivery.Attempts(3), delivery.Exponential(time.Second, 2, time.Minute)),
		delivery.DeadLetter(delivery.DeadLetterIf("-schema", func(error) bool { return false })),
		delivery.DeadLetterHandler(func(context.Context, *delivery.Message[[]byte]) error { return nil }),
	}
	groups := func(opts ...delivery.Option) (out []string) {
		l, err := delivery.Listen(h.Client(), topic, "g", func(context.Context, *message) error { return errBoom }, opts...)
		require.NoError(t, err)
		for _, m := range l.Memberships() {
			out = append(out, m.Group+"="+strings.Join(m.Topics, ","))
		}
		return out
	}
	require.Equal(t, []string{"g=m", "g-retry=m-retry-1000,m-retry-2000", "g-dlt=m-dlt,m-schema-dlt"}, groups(opts...))
	require.Equal(t, []string{"g=m", "g-retry-1000=m-retry-1000", "g-retry-2000=m-retry-2000", "g-dlt=m-dlt", "g-schema-dlt=m-schema-dlt"},
		groups(append(opts, delivery.SpringLayout())...))
	require.Equal(t, []string{"g=m"}, groups())

	var c calls
	listen(t, h, "g", func(_ context.Context, m *message) error {
		c.add(m.Topic)
		return errBoom
	}, append(opts, delivery.SpringLayout())...)
	h.Publish(topic, "k", "v")
	h.Advance(time.Minute)
	require.Equal(t, []string{"m", "m-retry-1000", "m-retry-2000"}, c.list())
}
