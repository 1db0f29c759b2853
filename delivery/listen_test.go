package delivery_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

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

// awaitCommit waits until group g has committed want.
func awaitCommit(t *testing.T, h *deliverytest.Harness, want int64) {
	t.Helper()
	require.Eventually(t, func() bool { return committed(t, h, "g") == want }, 10*time.Second, time.Millisecond)
}
