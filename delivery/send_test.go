package delivery_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/botehq/bote/delivery"
	"github.com/botehq/bote/delivery/codec"
	"github.com/botehq/bote/delivery/deliverytest"
)

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
