package delivery_test

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/botehq/bote/delivery"
	"github.com/botehq/bote/delivery/codec"
	"github.com/botehq/bote/delivery/deliverytest"
)

func randomBytes(n int) []byte {
	r := rand.NewChaCha8([32]byte{1})
	b := make([]byte, n)
	_, _ = r.Read(b)
	return b
}

// sendLarge writes one record with a batch limit of its own.
func sendLarge(t *testing.T, h *deliverytest.Harness, value []byte) {
	t.Helper()
	cl, err := h.Client().NewKgo(kgo.ProducerBatchMaxBytes(64<<20), kgo.ProducerBatchCompression(kgo.ZstdCompression()))
	require.NoError(t, err)
	defer cl.Close()
	require.NoError(t, cl.ProduceSync(t.Context(), &kgo.Record{Topic: "m", Value: value}).FirstErr())
}

// Records up to the limit of the main topic reach the retry and dead-letter
// topics that are created for them, whatever the limit is.
func TestLargeRecords(t *testing.T) {
	for name, tc := range map[string]struct {
		limit string
		value []byte
	}{
		"default limit":    {"1048588", randomBytes(1_048_500)},
		"raised limit":     {"5000000", randomBytes(4_999_000)},
		"compresses well":  {"1048588", make([]byte, 20<<20)},
		"franz-go's limit": {"1048588", randomBytes(1_000_000)},
	} {
		t.Run(name, func(t *testing.T) {
			h := deliverytest.New(t)
			require.NoError(t, h.Cluster().CreateTopic("m", 1, map[string]string{"max.message.bytes": tc.limit}))
			behind := 0
			l, err := delivery.Listen(h.Client(), delivery.NewTopic("m", codec.Raw()), "g", func(_ context.Context, m *delivery.Message[[]byte]) error {
				if string(m.Value) == "behind" {
					behind++
					return nil
				}
				return errBoom
			}, delivery.RetryTopics(delivery.Attempts(2)))
			require.NoError(t, err)
			h.Start(l)
			sendLarge(t, h, tc.value)
			h.Publish(topic, "k", "behind")
			h.Advance(2 * time.Second)
			require.Equal(t, 1, behind)
			dead := h.ExpectDeadLetter("m-dlt", 1)[0]
			require.Equal(t, delivery.ReasonExhausted, dead.Failure.Reason)
			require.Len(t, dead.Record.Value, len(tc.value))
		})
	}
}

// A record that is too large for its retry topic goes to the dead-letter topic.
func TestTierIsTooSmall(t *testing.T) {
	h, log := logging(t)
	require.NoError(t, h.Cluster().CreateTopic("m-retry", 1, map[string]string{"max.message.bytes": "2000"}))
	var c calls
	listen(t, h, "g", func(_ context.Context, m *message) error {
		c.add(m.Value[:1])
		return errBoom
	}, delivery.RetryTopics())
	h.Publish(topic, "k", "v"+noise(3000, 3))
	require.Equal(t, delivery.ReasonOversize, h.ExpectDeadLetter("m-dlt", 1)[0].Failure.Reason)
	require.Len(t, c.list(), 1)
	require.Len(t, log.with("WARN", "too large for its retry topic"), 1)
}
