package deliveryprom_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/botehq/bote/delivery"
	"github.com/botehq/bote/delivery/codec"
	"github.com/botehq/bote/delivery/deliveryprom"
	"github.com/botehq/bote/delivery/deliverytest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMetrics(t *testing.T) {
	reg := prometheus.NewRegistry()
	m, err := deliveryprom.New(reg)
	require.NoError(t, err)
	_, err = deliveryprom.New(reg)
	require.Error(t, err, "registered twice")

	h := deliverytest.New(t, deliverytest.ClientOptions(delivery.WithMetrics(m)))
	topic := delivery.NewTopic("m", codec.Text())
	l, err := delivery.Listen(h.Client(), topic, "g", func(_ context.Context, m *delivery.Message[string]) error {
		if m.Value == "bad" {
			return errors.New("boom")
		}
		return nil
	}, delivery.RetryTopics(delivery.Attempts(2)))
	require.NoError(t, err)
	m.Watch(l)
	h.Start(l)
	h.Publish(topic, "k", "ok")
	h.Publish(topic, "k", "bad")
	require.Equal(t, []string{
		`bote_delivery_queue_records{group="g",partition="0",topic="m"} 0`,
		`bote_delivery_queue_records{group="g",partition="0",topic="m-retry"} 1`,
	}, scrape(t, reg, "queue_records"))
	h.Advance(time.Second)
	l.Pause()
	require.Equal(t, []string{
		`bote_delivery_dead_letters_total{class="exhausted",group="g",topic="m-retry"} 1`,
		`bote_delivery_deliveries_total{group="g",result="failed",topic="m"} 1`,
		`bote_delivery_deliveries_total{group="g",result="failed",topic="m-retry"} 1`,
		`bote_delivery_deliveries_total{group="g",result="ok",topic="m"} 1`,
		`bote_delivery_paused{group="g",reason="user"} 2`,
		`bote_delivery_retries_total{group="g",tier="m-retry",topic="m"} 1`,
	}, scrape(t, reg, "dead_letters_total", "deliveries_total", "paused", "retries_total"))
	require.Equal(t, []string{
		`bote_delivery_delivery_seconds_count{group="g",topic="m"} 2`,
		`bote_delivery_delivery_seconds_count{group="g",topic="m-retry"} 1`,
	}, scrape(t, reg, "delivery_seconds_count"))
}

// scrape returns the lines of some metrics.
func scrape(t *testing.T, reg *prometheus.Registry, names ...string) []string {
	t.Helper()
	w := httptest.NewRecorder()
	promhttp.HandlerFor(reg, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	require.Equal(t, http.StatusOK, w.Code)
	var out []string
	for line := range strings.Lines(w.Body.String()) {
		for _, name := range names {
			if strings.HasPrefix(line, "bote_delivery_"+name+"{") {
				out = append(out, strings.TrimSuffix(line, "\n"))
			}
		}
	}
	return out
}
