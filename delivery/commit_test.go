package delivery_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/delivery"
	"github.com/botehq/bote/delivery/deliverytest"
)

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
			awaitCommit(t, h, 1)
		})
	}
}

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
