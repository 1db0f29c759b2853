package delivery_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/delivery"
	"github.com/botehq/bote/delivery/codec"
	"github.com/botehq/bote/delivery/deliverytest"
)

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
	awaitCommit(t, h, int64(2))
}

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

// In an ordered partition it is a late Ack that ends the gap.
func TestGapLimitOfManualAcks(t *testing.T) {
	h := deliverytest.New(t)
	var c calls
	var first atomic.Pointer[message]
	l := listen(t, h, "g", func(ctx context.Context, m *message) error {
		c.add(m.Value)
		if m.Value == "0" {
			first.Store(m)
			return nil
		}
		return m.Ack(ctx)
	}, delivery.CommitManual(), delivery.GapLimit(3))
	var batch []delivery.Outgoing[string]
	for i := range 10 {
		batch = append(batch, delivery.Outgoing[string]{Value: fmt.Sprint(i)})
	}
	_, err := topic.SendBatch(t.Context(), h.Client(), batch)
	require.NoError(t, err)
	h.Settle()
	require.Equal(t, []string{"0", "1", "2", "3"}, c.list())
	require.Equal(t, []string{"gap"}, l.Snapshot()[0].Paused)
	require.NoError(t, first.Load().Ack(t.Context()))
	h.Settle()
	require.Len(t, c.list(), 10)
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
	held := l.Snapshot()[0].Open
	require.Less(t, held, 42)
	_, err := topic.Send(t.Context(), h.Client(), "k", "last")
	require.NoError(t, err)
	h.Settle()
	require.Equal(t, held, l.Snapshot()[0].Open, "nothing more is taken while the lane is full")
	h.Advance(2 * time.Minute)
	require.Len(t, c.list(), 43)
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
	require.Equal(t, delivery.Health{Status: delivery.StatusOK}, l.Health())
	l.Pause()
	require.Equal(t, delivery.Health{Status: delivery.StatusOK, Reasons: []string{"paused by the program"}}, l.Health())
	h.Publish(topic, "k", "b")
	require.Equal(t, []string{"a"}, c.list())
	require.Equal(t, []string{"user"}, l.Snapshot()[0].Paused)
	l.Resume()
	h.Settle()
	require.Equal(t, []string{"a", "b"}, c.list())
	require.Empty(t, l.Health().Reasons)
	l.PauseNow(delivery.TP{Topic: "m"})
	require.Equal(t, delivery.Health{Status: delivery.StatusOK, Reasons: []string{"paused by the program: m-0"}}, l.Health())
	require.Equal(t, []string{"user", "user-now"}, l.Snapshot()[0].Paused)
	h.Publish(topic, "k", "c")
	require.Equal(t, []string{"a", "b"}, c.list())
	l.Resume(delivery.TP{Topic: "m"})
	require.Empty(t, l.Snapshot()[0].Paused)
	h.Settle()
	require.Equal(t, []string{"a", "b", "c"}, c.list())
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

// PauseNow holds back records that are already fetched. Resume of a partition does not
// end a pause of all partitions, and no event says that it does.
func TestPauseNowHoldsTheQueue(t *testing.T) {
	h := deliverytest.New(t)
	var c calls
	var k kinds
	var l *delivery.Listener
	l = listen(t, h, "g", func(_ context.Context, m *message) error {
		if c.add(m.Value) == 1 && m.Value == "a" {
			l.PauseNow()
		}
		return nil
	}, k.option())
	_, err := topic.SendBatch(t.Context(), h.Client(), []delivery.Outgoing[string]{{Value: "a"}, {Value: "b"}, {Value: "c"}})
	require.NoError(t, err)
	h.Settle()
	require.Equal(t, []string{"a"}, c.list())
	require.Equal(t, 2, l.Snapshot()[0].Queued)
	l.Resume(delivery.TP{Topic: "m"})
	h.Settle()
	require.Equal(t, []string{"a"}, c.list())
	require.Equal(t, []string{"user", "user-now"}, l.Snapshot()[0].Paused)
	require.Empty(t, k.of(delivery.EventResumed))
	l.Resume()
	h.Settle()
	require.Equal(t, []string{"a", "b", "c"}, c.list())
	require.Len(t, k.of(delivery.EventResumed), 1)
}

// OldestDue is about the retry that has been due for the longest time, whether it was
// handed out, or waits behind records that are due later.
func TestOldestDue(t *testing.T) {
	h := deliverytest.New(t)
	l := listen(t, h, "g", func(context.Context, *message) error { return nil },
		delivery.RetryTopics(delivery.Attempts(2), delivery.Fixed(time.Hour)))
	retries := delivery.NewTopic("m-retry", codec.Text())
	dueIn := func(d time.Duration) {
		due := binary.BigEndian.AppendUint64(nil, uint64(h.Clock().Now().Add(d).UnixMilli()))
		h.Publish(retries, "k", "v", delivery.Header(delivery.HeaderBackOffTimestamp, due))
	}
	oldest := func() time.Duration {
		lag, err := l.Lag(t.Context())
		require.NoError(t, err)
		return lag.OldestDue.Round(time.Minute)
	}
	dueIn(10 * time.Minute)
	require.Zero(t, oldest())
	l.PauseNow()
	h.Advance(30 * time.Minute)
	require.Equal(t, 20*time.Minute, oldest())
	l.Resume()
	h.Settle()
	require.Zero(t, oldest())
	dueIn(50 * time.Minute)
	dueIn(20 * time.Minute)
	dueIn(10 * time.Minute)
	h.Advance(30 * time.Minute)
	require.Equal(t, 20*time.Minute, oldest())
	h.Advance(20 * time.Minute)
	require.Zero(t, oldest())
}
