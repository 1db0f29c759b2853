package deliverytest_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/botehq/bote/delivery"
	"github.com/botehq/bote/delivery/codec"
	"github.com/botehq/bote/delivery/deliverytest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Five attempts, 1 s doubling: deliveries at 0, 1, 3, 7 and 15 s, then the
// dead-letter topic, and not a millisecond early.
func TestRetryScheduleOnTheClock(t *testing.T) {
	h := deliverytest.New(t)
	orders := delivery.NewTopic("order-created", codec.JSON[map[string]string]())
	begin := h.Clock().Now()
	var at []time.Duration
	l, err := delivery.Listen(h.Client(), orders, "mail",
		func(_ context.Context, m *delivery.Message[map[string]string]) error {
			require.Equal(t, len(at)+1, m.Attempt())
			at = append(at, h.Clock().Now().Sub(begin))
			return errors.New("smtp is down")
		},
		delivery.RetryTopics(delivery.Attempts(5), delivery.Exponential(time.Second, 2, time.Minute)),
		delivery.DeadLetter(delivery.Suffix(".dlt")))
	require.NoError(t, err)
	h.Start(l)
	h.Publish(orders, "k", map[string]string{"id": "1"})
	require.Equal(t, []time.Duration{0}, at)
	h.Advance(999 * time.Millisecond)
	require.Len(t, at, 1)
	h.Advance(time.Millisecond)
	require.Len(t, at, 2)
	h.ExpectDeadLetter("order-created.dlt", 0)
	h.Advance(14 * time.Second)
	require.Equal(t, []time.Duration{0, time.Second, 3 * time.Second, 7 * time.Second, 15 * time.Second}, at)

	dead := h.ExpectDeadLetter("order-created.dlt", 1)[0]
	attempts, ok := delivery.Headers(dead.Record.Headers).Get(delivery.HeaderAttempts)
	require.True(t, ok)
	require.Equal(t, []byte{0, 0, 0, 6}, attempts)
	require.Equal(t, "order-created", dead.Origin.Topic)
	require.Equal(t, "smtp is down", dead.Failure.Message)
	require.Equal(t, delivery.ReasonExhausted, dead.Failure.Reason)
}
