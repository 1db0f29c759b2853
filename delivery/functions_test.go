package delivery_test

import (
	"context"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/botehq/bote/delivery"
	"github.com/botehq/bote/delivery/deliverytest"
)

// A function of the user that panics, or calls runtime.Goexit, never ends the
// process or the lane. It counts as a failed attempt, or as a default answer.
func TestUserFunctionsPanic(t *testing.T) {
	panics := func(error) bool { panic("ouch") }
	exits := func(error) bool {
		runtime.Goexit()
		return true
	}
	for name, tc := range map[string]struct {
		opts  []delivery.Option
		calls int // of the handler for the bad record
	}{
		"RetryIf":               {[]delivery.Option{delivery.RetryIf(panics)}, 3},
		"RetryIf exits":         {[]delivery.Option{delivery.RetryIf(exits)}, 3},
		"BlockingIf":            {[]delivery.Option{delivery.BlockingIf(panics)}, 1},
		"DeadLetterIf":          {[]delivery.Option{delivery.DeadLetter(delivery.DeadLetterIf("-x", panics))}, 3},
		"OnEvent":               {[]delivery.Option{delivery.OnEvent(func(delivery.Event) { panic("ouch") })}, 3},
		"OnEvent exits":         {[]delivery.Option{delivery.OnEvent(func(delivery.Event) { runtime.Goexit() })}, 3},
		"Filter":                {[]delivery.Option{delivery.Filter(func(m *delivery.Message[[]byte]) bool { return string(m.Value) != "bad" || panics(nil) })}, 0},
		"Filter exits":          {[]delivery.Option{delivery.Filter(func(m *delivery.Message[[]byte]) bool { return string(m.Value) != "bad" || exits(nil) })}, 0},
		"handler exits":         {[]delivery.Option{delivery.Use(exitOnBad)}, 0},
		"handler exits, beside": {[]delivery.Option{delivery.Use(exitOnBad), delivery.Unordered()}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			h, log := logging(t)
			var bad, good atomic.Int64
			l := listen(t, h, "g", func(_ context.Context, m *message) error {
				if m.Value == "bad" {
					bad.Add(1)
					return errBoom
				}
				good.Add(1)
				return nil
			}, append(tc.opts, delivery.BlockingRetry(delivery.Attempts(3), delivery.Fixed(time.Second)))...)
			h.Publish(topic, "k", "bad")
			h.Publish(topic, "k", "good")
			h.Advance(time.Minute)
			require.Equal(t, int64(tc.calls), bad.Load())
			require.Equal(t, int64(1), good.Load())
			h.ExpectDeadLetter("m-dlt", 1)
			require.Zero(t, l.Snapshot()[0].Working)
			if kind, _, _ := strings.Cut(name, " "); !strings.Contains(name, "exits") && kind != "Filter" {
				require.NotEmpty(t, log.with("panicked", "stack="))
			}
			require.NoError(t, h.Stop(l))
		})
	}
}

func exitOnBad(next delivery.Handler) delivery.Handler {
	return func(ctx context.Context, m *delivery.Message[[]byte]) error {
		if string(m.Value) == "bad" {
			runtime.Goexit()
		}
		return next(ctx, m)
	}
}

// OnEvent may call every method of the listener.
func TestOnEventSeeks(t *testing.T) {
	h := deliverytest.New(t)
	var l *delivery.Listener
	var sought atomic.Int64
	var c calls
	sendNumbersTo(t, h, 3)
	l, err := delivery.Listen(h.Client(), topic, "g", func(_ context.Context, m *message) error {
		c.add(m.Value)
		return nil
	}, delivery.OnEvent(func(e delivery.Event) {
		if e.Kind == delivery.EventAssigned && sought.Add(1) == 1 {
			require.NoError(t, l.Seek(context.Background(), delivery.TP{Topic: e.Topic, Partition: e.Partition}, delivery.Offset(2)))
		}
	}))
	require.NoError(t, err)
	h.Start(l)
	require.Equal(t, int64(1), sought.Load())
	require.Equal(t, "2", c.list()[len(c.list())-1])
}

func sendNumbersTo(t *testing.T, h *deliverytest.Harness, n int) {
	t.Helper()
	h.CreateTopic("m", 1)
	sendNumbers(t, h, 0, n)
}

// A record that its handler acked is done, whatever the handler returns then. The
// record is not forwarded as well.
func TestAckThenError(t *testing.T) {
	for name, o := range map[string]delivery.Option{"manual": delivery.CommitManual(), "now": delivery.CommitNow()} {
		t.Run(name, func(t *testing.T) {
			h, log := logging(t)
			var c calls
			listen(t, h, "g", func(ctx context.Context, m *message) error {
				c.add(m.Value)
				require.NoError(t, m.Ack(ctx))
				return errBoom
			}, o, delivery.RetryTopics())
			h.Publish(topic, "k", "v")
			h.Advance(time.Minute)
			require.Equal(t, []string{"v"}, c.list())
			h.ExpectRecords("m-retry", 0)
			h.ExpectDeadLetter("m-dlt", 0)
			require.Len(t, log.with("ERROR", "failed after it acked"), 1)
		})
	}
}

// Run with only Clients ends when they are closed.
func TestRunEndsWithTheClient(t *testing.T) {
	h := deliverytest.New(t)
	c, err := delivery.Dial(h.Cluster().ListenAddrs())
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { done <- delivery.Run(context.Background(), c) }()
	c.Close()
	require.NoError(t, <-done)
}

// Each group's dead-letter handler gets the dead letters of its own group.
func TestDeadLetterHandlersOfTwoGroups(t *testing.T) {
	h := deliverytest.New(t)
	alerts := map[string]*calls{"mail": {}, "stats": {}}
	for group, c := range alerts {
		listen(t, h, group, func(_ context.Context, m *message) error {
			if m.Value == group {
				return delivery.Permanent(errBoom)
			}
			return nil
		}, delivery.DeadLetterHandler(func(_ context.Context, m *delivery.Message[[]byte]) error {
			c.add(string(m.Value))
			return nil
		}))
	}
	h.Publish(topic, "k", "mail")
	h.Publish(topic, "k", "stats")
	h.Publish(topic, "k", "nobody")
	require.Equal(t, []string{"mail"}, alerts["mail"].list())
	require.Equal(t, []string{"stats"}, alerts["stats"].list())
}

// Two listeners each read the dead letters of the other. The record goes round a
// few times and is parked.
func TestDeadLetterCircle(t *testing.T) {
	h, log := logging(t)
	var c calls
	fail := func(_ context.Context, m *message) error {
		c.add(m.Topic)
		return delivery.Permanent(errBoom)
	}
	for _, p := range [][2]string{{"a", "b"}, {"b", "a"}} {
		l, err := delivery.Listen(h.Client(), delivery.NewTopic(p[0], topic.Codec()), "g-"+p[0], fail, delivery.DeadLetter(delivery.DeadLetterTopic(p[1])))
		require.NoError(t, err)
		h.Start(l)
	}
	_, err := delivery.NewTopic("a", topic.Codec()).Send(t.Context(), h.Client(), "k", "v")
	require.NoError(t, err)
	require.Eventually(t, func() bool { h.Advance(time.Second); return h.Cluster().TopicInfo("a-parked") != nil }, 20*time.Second, time.Millisecond)
	h.Settle()
	require.Len(t, c.list(), 9)
	parked := h.ExpectDeadLetter("a-parked", 1)[0]
	require.Equal(t, "v", string(parked.Record.Value))
	require.Equal(t, "a", parked.Origin.Topic)
	require.Len(t, log.with("ERROR", "record parked", "to=a-parked"), 1)
	again := delivery.RedriveHeaders(parked.Record.Headers, "id", "", false)
	_, ok := delivery.Headers(again).Get(delivery.HeaderDeadLetterCount)
	require.False(t, ok, "a redrive counts anew")
}

// With DLTRequeue and a handler that always fails, the dead-letter topic is read
// ever more slowly.
func TestRequeueSlowsDown(t *testing.T) {
	h := deliverytest.New(t)
	n := 0
	listen(t, h, "g", func(context.Context, *message) error { return delivery.Permanent(errBoom) },
		delivery.DeadLetterHandler(func(context.Context, *delivery.Message[[]byte]) error { n++; return errBang }, delivery.DLTRequeue()))
	h.Publish(topic, "k", "v")
	h.Advance(time.Hour)
	require.Greater(t, n, 50)
	require.Less(t, n, 70)
}

// Options of franz-go that the library needs for itself are refused where they are
// given; others are accepted.
func TestOwnedKgoOptions(t *testing.T) {
	h := deliverytest.New(t)
	owned := map[string]kgo.Opt{
		"OnPartitionsAssigned": kgo.OnPartitionsAssigned(func(context.Context, *kgo.Client, map[string][]int32) {}),
		"OnPartitionsRevoked":  kgo.OnPartitionsRevoked(nil),
		"OnPartitionsLost":     kgo.OnPartitionsLost(nil),
		"ConsumerGroup":        kgo.ConsumerGroup("x"),
		"ConsumeTopics":        kgo.ConsumeTopics("x"),
		"ConsumeRegex":         kgo.ConsumeRegex(),
		"ConsumePartitions":    kgo.ConsumePartitions(nil),
		"ConsumeStartOffset":   kgo.ConsumeStartOffset(kgo.NewOffset()),
		"ConsumeResetOffset":   kgo.ConsumeResetOffset(kgo.NewOffset()),
		"AdjustFetchOffsetsFn": kgo.AdjustFetchOffsetsFn(nil),
		"AutoCommitMarks":      kgo.AutoCommitMarks(),
		"GreedyAutoCommit":     kgo.GreedyAutoCommit(),
		"AutoCommitInterval":   kgo.AutoCommitInterval(time.Second),
		"RebalanceTimeout":     kgo.RebalanceTimeout(time.Second),
		"KeepControlRecords":   kgo.KeepControlRecords(),
		"RecordPartitioner":    kgo.RecordPartitioner(kgo.RoundRobinPartitioner()),
		"RequiredAcks":         kgo.RequiredAcks(kgo.LeaderAck()),
		"DisableIdempotent":    kgo.DisableIdempotentWrite(),
		"ManualFlushing":       kgo.ManualFlushing(),
		"TransactionalID":      kgo.TransactionalID("x"),
		"SeedBrokers":          kgo.SeedBrokers("x:1"),
	}
	var ce *delivery.ConfigError
	for name, o := range owned {
		_, err := delivery.Dial([]string{"localhost:1"}, delivery.WithKgo(kgo.FetchMaxWait(time.Second), o))
		require.ErrorAs(t, err, &ce, name)
		require.Contains(t, err.Error(), "kgo."+name)
		_, err = delivery.Listen(h.Client(), topic, "g", func(context.Context, *message) error { return nil }, delivery.Kgo(o))
		require.ErrorAs(t, err, &ce, name)
		require.Contains(t, err.Error(), "kgo."+name)
	}
	_, err := delivery.Listen(h.Client(), topic, "g", func(context.Context, *message) error { return nil },
		delivery.Kgo(kgo.SessionTimeout(time.Second), kgo.Balancers(kgo.RangeBalancer()), kgo.Rack("r"), kgo.DisableFetchSessions()))
	require.NoError(t, err)
}

// The text of a ConfigError is the same on each run.
func TestConfigErrorIsStable(t *testing.T) {
	h := deliverytest.New(t)
	first := ""
	for range 20 {
		_, err := delivery.Listen(h.Client(), topic, "g", func(context.Context, *message) error { return nil },
			delivery.HandlerTimeout(-1), delivery.StuckAfter(-1), delivery.ExpireAfter(-1), delivery.RevokeWait(-1),
			delivery.DrainTimeout(-1), delivery.KillGrace(-1), delivery.IdleAfter(-1), delivery.SessionTimeout(-1))
		require.Error(t, err)
		if first == "" {
			first = err.Error()
		}
		require.Equal(t, first, err.Error())
	}
	_, err := delivery.Listen(h.Client(), topic, "g", func(context.Context, *message) error { return nil }, delivery.RetryTopics(delivery.Fixed(9000*time.Hour)))
	require.ErrorContains(t, err, "365 days")
}

// Options that would have no effect, and options that are nil, are refused in plain
// words.
func TestContradictingOptions(t *testing.T) {
	h := deliverytest.New(t)
	handler := func(context.Context, *delivery.Message[[]byte]) error { return nil }
	for want, opts := range map[string][]delivery.Option{
		"are for RetryTopics only":                     {delivery.BlockingRetry(delivery.Suffix("x"), delivery.MultipleTopics())},
		"session timeout must be positive":             {delivery.SessionTimeout(0)},
		"option 2 is nil":                              {delivery.NoDLT(), nil},
		"RetryTopics: option 1 is nil":                 {delivery.RetryTopics(nil)},
		"DeadLetter: option 1 is nil":                  {delivery.DeadLetter(nil)},
		"DeadLetterHandler: option 1 is nil":           {delivery.DeadLetterHandler(handler, nil)},
		"DeadLetterHandler needs a function":           {delivery.DeadLetterHandler(nil)},
		"DeadLetterIf needs a function":                {delivery.DeadLetter(delivery.DeadLetterIf("-x", nil))},
		"OnEvent needs a function":                     {delivery.OnEvent(nil)},
		"Use needs a function":                         {delivery.Use(nil)},
		"options: dead-letter suffix must not be emp":  {delivery.DeadLetter(delivery.Suffix(""))},
		"m-dlt would be a retry topic and a dead-lett": {delivery.RetryTopics(delivery.Suffix("-dlt"))},
		"Relative is for Seek only":                    {delivery.StartAt(delivery.Relative(2))},
		"offset must not be negative":                  {delivery.StartAt(delivery.Offset(-1))},
		"number must not be negative":                  {delivery.StartAt(delivery.FromEnd(-1))},
	} {
		_, err := delivery.Listen(h.Client(), topic, "g", func(context.Context, *message) error { return nil }, opts...)
		var ce *delivery.ConfigError
		require.ErrorAs(t, err, &ce, want)
		require.ErrorContains(t, err, want)
		require.Len(t, ce.Problems, 1, want)
	}
	_, err := topic.Send(t.Context(), h.Client(), "k", "v", nil)
	require.ErrorContains(t, err, "option 1 is nil")
}

// Dial refuses addresses that can never work, and accepts all others.
func TestDialAddresses(t *testing.T) {
	var ce *delivery.ConfigError
	for _, addr := range []string{"::::", "", " ", "a b:9092", "host:", "host:port", "host:0", "host:70000", "http://host:9092", "a:1,b:2", "[::1", "a:b:c"} {
		_, err := delivery.Dial([]string{"localhost:9092", addr})
		require.ErrorAs(t, err, &ce, addr)
		require.Len(t, ce.Problems, 1)
	}
	for _, addr := range []string{"host", "host:9092", "1.2.3.4:9092", "1.2.3.4", "::1", "[::1]", "[::1]:9092", "fe80::1%eth0", "[fe80::1%eth0]:9092", ":9092", "under_score.example.:1"} {
		c, err := delivery.Dial([]string{addr})
		require.NoError(t, err, addr)
		c.Close()
	}
	_, err := delivery.Dial([]string{"localhost:9092"}, nil)
	require.ErrorAs(t, err, &ce)
}
