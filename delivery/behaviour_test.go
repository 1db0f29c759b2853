package delivery_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/delivery"
	"github.com/botehq/bote/delivery/codec"
	"github.com/botehq/bote/delivery/deliverytest"
)

var (
	errBoom = errors.New("boom")
	errBang = errors.New("bang")
	topic   = delivery.NewTopic("m", codec.Text())
	once    = delivery.BlockingRetry(delivery.Attempts(1))
)

// calls are the deliveries a handler saw.
type calls struct {
	mu  sync.Mutex
	all []string
}

func (c *calls) add(v string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = append(c.all, v)
	return len(c.all)
}

func (c *calls) list() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.all)
}

type message = delivery.Message[string]

func listen(t *testing.T, h *deliverytest.Harness, group string, f func(context.Context, *message) error, opts ...delivery.Option) *delivery.Listener {
	t.Helper()
	l, err := delivery.Listen(h.Client(), topic, group, f, opts...)
	require.NoError(t, err)
	h.Start(l)
	return l
}

func reason(t *testing.T, h *deliverytest.Harness, dlt string) delivery.Reason {
	t.Helper()
	return h.ExpectDeadLetter(dlt, 1)[0].Failure.Reason
}

func committed(t *testing.T, h *deliverytest.Harness, group string) int64 {
	t.Helper()
	os, err := kadm.NewClient(h.Client().Kgo()).FetchOffsets(t.Context(), group)
	if errors.Is(err, kerr.GroupIDNotFound) {
		return -1
	}
	require.NoError(t, err)
	o, ok := os.Lookup("m", 0)
	if !ok {
		return -1
	}
	return o.At
}

// The default: ten deliveries in place over some twenty seconds, in order,
// then the dead-letter topic with the headers of the plain family.
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

// Two errors taking turns stop at Attempts: changing errors reset no counter.
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

// Two groups with default names on one topic: each handles its own retries
// and no others.
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

// A group that was renamed handles what its old name left on retry topics.
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

// The publish to the dead-letter topic is refused a thousand times: the
// handler ran once.
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
			require.Equal(t, int64(2), committed(t, h, "g"))
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

// Halt stops the listener; the record is neither committed nor forwarded.
func TestHalt(t *testing.T) {
	h := deliverytest.New(t)
	l, err := delivery.Listen(h.Client(), topic, "g", func(_ context.Context, m *message) error {
		if m.Value == "stop" {
			return delivery.Halt(errBoom)
		}
		return nil
	})
	require.NoError(t, err)
	h.Start(l)
	h.Publish(topic, "k", "ok")
	h.Publish(topic, "k", "stop")
	err = h.Stop(l)
	var halted *delivery.HaltError
	require.ErrorAs(t, err, &halted)
	require.ErrorIs(t, err, errBoom)
	require.Equal(t, int64(1), committed(t, h, "g"))
	require.Equal(t, delivery.StatusHalted, l.Health().Status)
}

// A panic and a Goexit are failed attempts like any other.
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
				require.Contains(t, stack, "behaviour_test.go")
			}
		})
	}
}

// Decoding happens once, is never retried, and the bytes go on untouched.
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
		require.Equal(t, int64(1), committed(t, h, "g"))
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

// Retry topics with fewer partitions than the main topic: records go by key.
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

// A missing dead-letter topic is created again when it is needed.
func TestDeadLetterTopicDeleted(t *testing.T) {
	h := deliverytest.New(t)
	listen(t, h, "g", func(context.Context, *message) error { return errBoom }, once)
	require.NoError(t, h.Cluster().DeleteTopic("m-dlt"))
	h.Publish(topic, "k", "a")
	h.Advance(time.Minute)
	h.ExpectDeadLetter("m-dlt", 1)
}

// noise is text that does not compress.
func noise(n int, seed uint64) string {
	r := rand.New(rand.NewPCG(seed, 2))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(' ' + r.IntN(95))
	}
	return string(b)
}

// A record that is too large with its headers loses the stack, then the
// message; one that is too large by itself waits, or is skipped on request.
func TestOversize(t *testing.T) {
	long := noise(900, 1)
	limit := map[string]string{"max.message.bytes": "2000"}
	t.Run("trimmed", func(t *testing.T) {
		h := deliverytest.New(t)
		require.NoError(t, h.Cluster().CreateTopic("m-dlt", 1, limit))
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
		require.Equal(t, int64(1), committed(t, h, "g"))
	})
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

func TestFilterAndMiddleware(t *testing.T) {
	h := deliverytest.New(t)
	var c calls
	wrap := func(name string) delivery.Middleware {
		return func(next delivery.Handler) delivery.Handler {
			return func(ctx context.Context, m *delivery.Message[[]byte]) error {
				c.add(name)
				return next(ctx, m)
			}
		}
	}
	listen(t, h, "g", func(_ context.Context, m *message) error {
		c.add(m.Value)
		return nil
	}, delivery.Use(wrap("outer"), wrap("inner")),
		delivery.Filter(func(m *delivery.Message[[]byte]) bool { return m.Headers.Text("skip") == "" }))
	h.Publish(topic, "k", "a")
	h.Publish(topic, "k", "b", delivery.Header("skip", []byte("yes")))
	require.Equal(t, []string{"outer", "inner", "a"}, c.list())
	h.Advance(time.Minute)
	require.Equal(t, int64(2), committed(t, h, "g"))
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

// Records of one partition side by side, but no more than Concurrency; the
// commit waits for the oldest.
func TestUnordered(t *testing.T) {
	h := deliverytest.New(t)
	release := make(chan struct{})
	var inside, most atomic.Int64
	l := listen(t, h, "g", func(_ context.Context, m *message) error {
		n := inside.Add(1)
		defer inside.Add(-1)
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
		}
		if m.Value == "slow" {
			return errBoom
		}
		<-release
		return nil
	}, delivery.Unordered(), delivery.Concurrency(3), delivery.BlockingRetry(delivery.Attempts(2), delivery.Fixed(time.Minute)))
	batch := []delivery.Outgoing[string]{{Value: "slow"}}
	for range 9 {
		batch = append(batch, delivery.Outgoing[string]{Value: "v"})
	}
	_, err := topic.SendBatch(t.Context(), h.Client(), batch)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return inside.Load() == 3 }, 10*time.Second, time.Millisecond)
	close(release)
	h.Settle()
	require.Equal(t, int64(3), most.Load())
	s := l.Snapshot()[0]
	require.Equal(t, int64(0), s.Watermark)
	require.Equal(t, 1, s.Open)
	h.Advance(2 * time.Minute)
	h.ExpectDeadLetter("m-dlt", 1)
	require.Equal(t, int64(10), l.Snapshot()[0].Watermark)
}

func TestGapLimit(t *testing.T) {
	h := deliverytest.New(t)
	var c calls
	l := listen(t, h, "g", func(_ context.Context, m *message) error {
		if m.Value == "0" {
			return errBoom
		}
		c.add(m.Value)
		return nil
	}, delivery.Unordered(), delivery.Concurrency(1), delivery.GapLimit(5), delivery.BlockingRetry(delivery.Attempts(2), delivery.Fixed(time.Minute)))
	var batch []delivery.Outgoing[string]
	for i := range 20 {
		batch = append(batch, delivery.Outgoing[string]{Value: fmt.Sprint(i)})
	}
	_, err := topic.SendBatch(t.Context(), h.Client(), batch)
	require.NoError(t, err)
	h.Settle()
	require.LessOrEqual(t, len(c.list()), 6, "one more may have been handed out")
	require.Equal(t, []string{"gap"}, l.Snapshot()[0].Paused)
	h.Advance(2 * time.Minute)
	require.Len(t, c.list(), 19)
}

func TestBackpressure(t *testing.T) {
	h := deliverytest.New(t)
	var c calls
	l := listen(t, h, "g", func(_ context.Context, m *message) error {
		if c.add(m.Value) == 1 {
			return errBoom
		}
		return nil
	}, delivery.QueueLimit(10, 1<<20), delivery.BlockingRetry(delivery.Attempts(2), delivery.Fixed(time.Minute)))
	h.Publish(topic, "k", "first")
	for range 5 {
		batch := make([]delivery.Outgoing[string], 8)
		_, err := topic.SendBatch(t.Context(), h.Client(), batch)
		require.NoError(t, err)
	}
	require.Eventually(t, func() bool { return slices.Contains(l.Snapshot()[0].Paused, "backpressure") }, 10*time.Second, time.Millisecond)
	require.Less(t, l.Snapshot()[0].Open, 21)
	h.Advance(2 * time.Minute)
	require.Len(t, c.list(), 42)
	require.Empty(t, l.Snapshot()[0].Paused)
}

func TestPauseAndResume(t *testing.T) {
	h := deliverytest.New(t)
	var c calls
	var events []delivery.EventKind
	var mu sync.Mutex
	l := listen(t, h, "g", func(_ context.Context, m *message) error {
		c.add(m.Value)
		return nil
	}, delivery.OnEvent(func(e delivery.Event) {
		mu.Lock()
		defer mu.Unlock()
		events = append(events, e.Kind)
	}))
	h.Publish(topic, "k", "a")
	l.Pause()
	h.Publish(topic, "k", "b")
	require.Equal(t, []string{"a"}, c.list())
	require.Equal(t, []string{"user"}, l.Snapshot()[0].Paused)
	l.Resume()
	h.Settle()
	require.Equal(t, []string{"a", "b"}, c.list())
	l.PauseNow(delivery.TP{Topic: "m"})
	require.Equal(t, []string{"user", "user-now"}, l.Snapshot()[0].Paused)
	l.Resume(delivery.TP{Topic: "m"})
	require.Empty(t, l.Snapshot()[0].Paused)
	mu.Lock()
	defer mu.Unlock()
	require.Equal(t, []delivery.EventKind{delivery.EventAssigned, delivery.EventPaused, delivery.EventResumed, delivery.EventPaused, delivery.EventResumed}, events)
}

func TestSeek(t *testing.T) {
	h := deliverytest.New(t)
	var c calls
	l := listen(t, h, "g", func(_ context.Context, m *message) error {
		c.add(m.Value)
		return nil
	})
	for _, v := range []string{"a", "b", "c"} {
		h.Publish(topic, "k", v)
	}
	tp := delivery.TP{Topic: "m"}
	for _, step := range []struct {
		to   delivery.Position
		want []string
	}{
		{delivery.Offset(1), []string{"b", "c"}},
		{delivery.Earliest(), []string{"a", "b", "c"}},
		{delivery.FromEnd(1), []string{"c"}},
		{delivery.Relative(-2), []string{"b", "c"}},
		{delivery.Latest(), nil},
		{delivery.AtTime(time.UnixMilli(0)), []string{"a", "b", "c"}},
	} {
		before := len(c.list())
		require.NoError(t, l.Seek(t.Context(), tp, step.to))
		h.Settle()
		require.Equal(t, step.want, append([]string(nil), c.list()[before:]...))
	}
	require.ErrorIs(t, l.Seek(t.Context(), delivery.TP{Topic: "m", Partition: 7}, delivery.Earliest()), delivery.ErrNotAssigned)
	h.Publish(topic, "k", "d")
	require.Equal(t, "d", c.list()[len(c.list())-1])
}

func TestCommitPolicies(t *testing.T) {
	for name, tc := range map[string]struct {
		opt  delivery.Option
		wait time.Duration // until the commit is due
	}{
		"each":         {delivery.CommitEach(), 0},
		"batch":        {delivery.CommitBatch(), 0},
		"every record": {delivery.CommitEvery(time.Hour, 1), 0},
		"every second": {delivery.CommitEvery(time.Second, 1000), time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			h := deliverytest.New(t)
			listen(t, h, "g", func(context.Context, *message) error { return nil }, tc.opt)
			h.Publish(topic, "k", "a")
			if tc.wait > 0 {
				require.Equal(t, int64(-1), committed(t, h, "g"))
				h.Advance(tc.wait)
			}
			require.Eventually(t, func() bool { return committed(t, h, "g") == 1 }, 10*time.Second, time.Millisecond)
		})
	}
}

// Acks in any order: the commit stops at the oldest record that is not acked.
func TestManualAcks(t *testing.T) {
	h := deliverytest.New(t)
	held := map[string]*message{}
	l := listen(t, h, "g", func(_ context.Context, m *message) error {
		held[m.Value] = m
		return nil
	}, delivery.CommitManual())
	for _, v := range []string{"a", "b", "c"} {
		h.Publish(topic, "k", v)
	}
	require.NoError(t, held["b"].Ack(t.Context()))
	require.NoError(t, held["c"].Ack(t.Context()))
	require.NoError(t, held["c"].Ack(t.Context()))
	h.Advance(time.Minute)
	require.LessOrEqual(t, committed(t, h, "g"), int64(0))
	require.NoError(t, held["a"].Ack(t.Context()))
	require.Equal(t, int64(3), l.Snapshot()[0].Watermark)
	h.Advance(time.Minute)
	require.Eventually(t, func() bool { return committed(t, h, "g") == 3 }, 10*time.Second, time.Millisecond)
}

func TestCommitNow(t *testing.T) {
	h := deliverytest.New(t)
	var seen int64
	listen(t, h, "g", func(ctx context.Context, m *message) error {
		if err := m.Ack(ctx); err != nil {
			return err
		}
		seen = committed(t, h, "g")
		return nil
	}, delivery.CommitNow())
	h.Publish(topic, "k", "a")
	require.Equal(t, int64(1), seen)
	m := &message{Value: "by hand"}
	require.NoError(t, m.Ack(t.Context()))
	require.Equal(t, 1, m.Attempt())
	require.Equal(t, 1, m.Delivery())
	require.False(t, m.Tombstone())
	require.Nil(t, m.Failure())
}

func TestStartPositions(t *testing.T) {
	for name, tc := range map[string]struct {
		at   delivery.Position
		want []string
	}{
		"earliest": {delivery.Earliest(), []string{"a", "b", "c"}},
		"latest":   {delivery.Latest(), []string{"c"}},
		"offset":   {delivery.Offset(1), []string{"b", "c"}},
		"from end": {delivery.FromEnd(1), []string{"b", "c"}},
	} {
		t.Run(name, func(t *testing.T) {
			h := deliverytest.New(t)
			h.Publish(topic, "k", "a")
			h.Publish(topic, "k", "b")
			var c calls
			l, err := delivery.Listen(h.Client(), topic, "g", func(_ context.Context, m *message) error {
				c.add(m.Value)
				return nil
			}, delivery.StartAt(tc.at))
			require.NoError(t, err)
			if name == "latest" {
				go func() { _ = l.Run(context.Background()) }()
				// A quiet group keeps its place: the start is committed.
				require.Eventually(t, func() bool { return committed(t, h, "g") == 2 }, 10*time.Second, time.Millisecond)
				_, err := topic.Send(t.Context(), h.Client(), "k", "c")
				require.NoError(t, err)
				require.Eventually(t, func() bool { return len(c.list()) == 1 }, 10*time.Second, time.Millisecond)
				require.NoError(t, l.Stop(t.Context()))
			} else {
				h.Start(l)
				h.Publish(topic, "k", "c")
			}
			require.Equal(t, tc.want, c.list())
		})
	}
}

func TestProvisioning(t *testing.T) {
	run := func(t *testing.T, h *deliverytest.Harness, opts ...delivery.Option) error {
		t.Helper()
		l, err := delivery.Listen(h.Client(), topic, "g", func(context.Context, *message) error { return nil }, opts...)
		require.NoError(t, err)
		return l.Run(t.Context())
	}
	tiers := delivery.RetryTopics(delivery.Fixed(time.Hour))
	for name, tc := range map[string]struct {
		create map[string]map[string]string
		opts   []delivery.Option
		want   error
	}{
		"main topic missing":  {nil, []delivery.Option{delivery.RequireTopics()}, delivery.ErrTopicMissing},
		"chain topic missing": {map[string]map[string]string{"m": nil}, []delivery.Option{delivery.AutoCreate(false)}, delivery.ErrTopicMissing},
		"compacted": {
			map[string]map[string]string{"m": nil, "m-dlt": {"cleanup.policy": "compact"}},
			nil,
			delivery.ErrTopicCompacted,
		},
		"retention too short": {
			map[string]map[string]string{"m": nil, "m-retry": {"retention.ms": "60000"}},
			nil,
			delivery.ErrRetentionTooShort,
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := deliverytest.New(t)
			for topic, configs := range tc.create {
				require.NoError(t, h.Cluster().CreateTopic(topic, 1, configs))
			}
			err := run(t, h, append(tc.opts, tiers)...)
			require.ErrorIs(t, err, tc.want)
			var te *delivery.TopicError
			require.ErrorAs(t, err, &te)
		})
	}
	t.Run("created", func(t *testing.T) {
		h := deliverytest.New(t, deliverytest.Partitions(3))
		listen(t, h, "g", func(context.Context, *message) error { return nil }, tiers)
		require.Len(t, h.Cluster().PartitionInfos("m-retry"), 3)
		require.Len(t, h.Cluster().PartitionInfos("m-dlt"), 3)
		require.Equal(t, "604800000", *h.Cluster().TopicInfo("m-retry").Configs["retention.ms"])
		require.Equal(t, "1209600000", *h.Cluster().TopicInfo("m-dlt").Configs["retention.ms"])
		require.Equal(t, "delete", *h.Cluster().TopicInfo("m-dlt").Configs["cleanup.policy"])
	})
	t.Run("options", func(t *testing.T) {
		h := deliverytest.New(t)
		_, err := delivery.Listen(h.Client(), topic, "", func(context.Context, *message) error { return nil }, delivery.Concurrency(0))
		var ce *delivery.ConfigError
		require.ErrorAs(t, err, &ce)
		require.Len(t, ce.Problems, 2)
		_, err = delivery.Listen[string](h.Client(), topic, "g", nil)
		require.Error(t, err)
	})
}

func TestIdleEvents(t *testing.T) {
	h := deliverytest.New(t)
	var idle, back atomic.Int64
	listen(t, h, "g", func(context.Context, *message) error { return nil }, delivery.IdleAfter(time.Minute),
		delivery.OnEvent(func(e delivery.Event) {
			switch e.Kind {
			case delivery.EventIdle:
				idle.Add(1)
			case delivery.EventNoLongerIdle:
				back.Add(1)
			default:
			}
		}))
	h.Advance(4 * time.Minute)
	require.Equal(t, int64(0), idle.Load())
	h.Advance(time.Minute)
	require.Equal(t, int64(1), idle.Load())
	h.Publish(topic, "k", "v")
	require.Equal(t, int64(1), back.Load())
	h.Advance(time.Minute)
	require.Equal(t, int64(2), idle.Load())
}

func TestLag(t *testing.T) {
	h := deliverytest.New(t)
	l := listen(t, h, "g", func(_ context.Context, m *message) error {
		if m.Value == "bad" {
			return delivery.Permanent(errBoom)
		}
		return errBoom
	}, delivery.RetryTopics(delivery.Fixed(time.Hour)))
	h.Publish(topic, "k", "bad")
	h.Publish(topic, "k", "later")
	lag, err := l.Lag(t.Context())
	require.NoError(t, err)
	require.Equal(t, int64(2), lag.Total(), "nothing is committed yet")
	require.Equal(t, int64(1), lag.Retry)
	require.Equal(t, int64(1), lag.DeadLetters)
	h.Advance(time.Minute)
	require.Eventually(t, func() bool {
		lag, err := l.Lag(t.Context())
		return err == nil && lag.Total() == 0
	}, 10*time.Second, time.Millisecond)
}

func TestSends(t *testing.T) {
	h := deliverytest.New(t, deliverytest.ClientOptions(delivery.WithSendHook(func(r *kgo.Record) error {
		if string(r.Key) == "no" {
			return errBoom
		}
		return nil
	})))
	h.CreateTopic("m", 2)
	tagged := topic.WithHeader("app", []byte("test"))
	r, err := tagged.Send(t.Context(), h.Client(), "k", "v", delivery.Header("own", []byte("x")), delivery.Partition(1))
	require.NoError(t, err)
	require.Equal(t, int32(1), r.Partition)
	require.Regexp(t, `^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`, r.MessageID)
	rec := h.ExpectRecords("m", 1)[0]
	require.Equal(t, "test", delivery.Headers(rec.Headers).Text("app"))
	require.Equal(t, "x", delivery.Headers(rec.Headers).Text("own"))
	require.Equal(t, r.MessageID, delivery.Headers(rec.Headers).Text(delivery.HeaderMessageID))

	_, err = topic.Send(t.Context(), h.Client(), "no", "v")
	require.ErrorIs(t, err, errBoom)
	_, err = topic.Send(t.Context(), h.Client(), "k", "v", delivery.Partition(9))
	require.Error(t, err)
	bad := delivery.NewTopic("m", codec.JSON[func()]())
	_, err = bad.Send(t.Context(), h.Client(), "k", func() {})
	require.Error(t, err)
	called := 0
	bad.SendAsync(t.Context(), h.Client(), "k", func() {}, func(r delivery.Result) {
		called++
		require.Error(t, r.Err)
	})
	require.Equal(t, 1, called)
	rs, err := topic.SendBatch(t.Context(), h.Client(), []delivery.Outgoing[string]{{Key: "a", Value: "1"}, {Key: "no"}, {Key: "b", Value: "2", Options: []delivery.SendOption{delivery.MessageID("mine")}}})
	require.ErrorIs(t, err, errBoom)
	require.NoError(t, rs[0].Err)
	require.Error(t, rs[1].Err)
	require.Equal(t, "mine", rs[2].MessageID)
	_, err = topic.SendAny(t.Context(), h.Client(), "k", 7)
	require.Error(t, err)
}

// Run starts all, stops all when one fails, and stops clients last.
func TestRun(t *testing.T) {
	h := deliverytest.New(t)
	h.CreateTopic("m", 1)
	c, err := delivery.Dial(h.Cluster().ListenAddrs())
	require.NoError(t, err)
	handled := make(chan struct{})
	l, err := delivery.Listen(c, topic, "g", func(context.Context, *message) error {
		close(handled)
		return nil
	})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- delivery.Run(ctx, c, l) }()
	_, err = topic.Send(t.Context(), c, "k", "v")
	require.NoError(t, err)
	<-handled
	cancel()
	require.NoError(t, <-done)
	require.Equal(t, int64(1), committed(t, h, "g"))
	_, err = topic.Send(t.Context(), c, "k", "v")
	require.Error(t, err, "the client is closed")
	require.ErrorIs(t, l.Run(t.Context()), delivery.ErrStarted)
	require.NoError(t, l.Stop(t.Context()))

	c2, err := delivery.Dial(h.Cluster().ListenAddrs())
	require.NoError(t, err)
	failing, err := delivery.Listen(c2, delivery.NewTopic("nowhere", codec.Text()), "g", func(context.Context, *message) error { return nil }, delivery.RequireTopics())
	require.NoError(t, err)
	require.ErrorIs(t, delivery.Run(t.Context(), c2, failing), delivery.ErrTopicMissing)
	never, err := delivery.Listen(h.Client(), topic, "g2", func(context.Context, *message) error { return nil })
	require.NoError(t, err)
	require.NoError(t, never.Stop(t.Context()))
	require.NoError(t, never.Run(t.Context()))
}
