package delivery_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/delivery"
	"github.com/botehq/bote/delivery/codec"
	"github.com/botehq/bote/delivery/deliverytest"
)

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
				awaitCommit(t, h, 2)
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
	t.Run("at risk", func(t *testing.T) {
		h, log := logging(t)
		require.NoError(t, h.Cluster().CreateTopic("m-retry", 1, map[string]string{"retention.ms": "3600000", "retention.bytes": "1000000"}))
		require.NoError(t, h.Cluster().CreateTopic("m-dlt", 1, map[string]string{"retention.bytes": "1000000"}))
		listen(t, h, "g", func(context.Context, *message) error { return nil }, tiers)
		require.Len(t, log.with("WARN", "may lose records", "topic=m-retry", "retention.ms=3600000"), 1)
		require.Len(t, log.with("WARN", "may lose records", "topic=m-retry", "retention.bytes=1000000"), 1)
		require.Len(t, log.with("WARN", "may lose records", "topic=m-dlt", "retention.bytes=1000000", "--entity-name m-dlt"), 1)
	})
	t.Run("at risk without a delay", func(t *testing.T) {
		h, log := logging(t)
		require.NoError(t, h.Cluster().CreateTopic("m-retry", 1, map[string]string{"retention.ms": "1000"}))
		listen(t, h, "g", func(context.Context, *message) error { return nil }, delivery.RetryTopics(delivery.Fixed(0)))
		require.Len(t, log.with("WARN", "may lose records", "topic=m-retry", "retention.ms=1000"), 1)
	})
	t.Run("created", func(t *testing.T) {
		h := deliverytest.New(t, deliverytest.Partitions(3))
		listen(t, h, "g", func(context.Context, *message) error { return nil }, tiers)
		require.Len(t, h.Cluster().PartitionInfos("m-retry"), 3)
		require.Len(t, h.Cluster().PartitionInfos("m-dlt"), 3)
		require.Equal(t, "604800000", *h.Cluster().TopicInfo("m-retry").Configs["retention.ms"])
		require.Equal(t, "1209600000", *h.Cluster().TopicInfo("m-dlt").Configs["retention.ms"])
		require.Equal(t, "delete", *h.Cluster().TopicInfo("m-dlt").Configs["cleanup.policy"])
		require.Equal(t, "-1", *h.Cluster().TopicInfo("m-retry").Configs["retention.bytes"])
		require.Equal(t, "-1", *h.Cluster().TopicInfo("m-dlt").Configs["retention.bytes"])
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
	awaitCommit(t, h, int64(1))
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
