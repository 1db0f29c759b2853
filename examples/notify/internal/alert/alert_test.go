package alert_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/botehq/bote/examples/notify/internal/alert"
	"github.com/botehq/bote/examples/notify/internal/text"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// hook is a webhook that keeps what it gets.
type hook struct {
	*httptest.Server
	status chan int
	texts  chan string
}

func newHook(t *testing.T) *hook {
	t.Helper()
	h := &hook{status: make(chan int, 10), texts: make(chan string, 10)}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body struct {
			Text   string
			Blocks []struct {
				Type string
				Text struct{ Type, Text string }
			}
		}
		if json.NewDecoder(r.Body).Decode(&body) != nil || len(body.Blocks) != 1 || body.Blocks[0].Text.Type != "mrkdwn" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		h.texts <- body.Text
		select {
		case code := <-h.status:
			w.WriteHeader(code)
		default:
		}
	}))
	t.Cleanup(h.Close)
	return h
}

func newAlerter(t *testing.T, cfg alert.Config) *alert.Alerter {
	t.Helper()
	cfg.Registerer = prometheus.NewRegistry()
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	a, err := alert.New(cfg)
	require.NoError(t, err)
	return a
}

// run runs an alerter until the test ends.
func run(t *testing.T, a *alert.Alerter) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
}

func event(class, id string) alert.Event {
	return alert.Event{Topic: "email.send.dlt", Class: class, ID: id, Reason: "550 <no> & never"}
}

func TestOneAlertPerClassAndWindow(t *testing.T) {
	t.Parallel()
	h := newHook(t)
	a := newAlerter(t, alert.Config{Webhook: h.URL, Window: time.Hour})
	run(t, a)
	for _, e := range []alert.Event{event("permanent", "1"), event("permanent", "2"), event("exhausted", "3"), event("permanent", "4")} {
		require.NoError(t, a.Tell(t.Context(), e))
	}
	require.Equal(t, "notification 1 is in email.send.dlt (permanent): 550 &lt;no&gt; &amp; never", <-h.texts)
	require.Contains(t, <-h.texts, "notification 3")
	require.Empty(t, h.texts)
}

func TestHeldBackIsSummedUp(t *testing.T) {
	t.Parallel()
	h := newHook(t)
	a := newAlerter(t, alert.Config{Webhook: h.URL, Window: 100 * time.Millisecond})
	for _, id := range []string{"1", "2", "3"} {
		require.NoError(t, a.Tell(t.Context(), event("permanent", id)))
	}
	require.Contains(t, <-h.texts, "notification 1")
	run(t, a)
	require.Contains(t, <-h.texts, "2 more notifications are in email.send.dlt (permanent), the last one 3")
}

// TestFailureIsReported: after an alert failed, the caller tries again. Then the window
// must not be open.
func TestFailureIsReported(t *testing.T) {
	t.Parallel()
	h := newHook(t)
	h.status <- http.StatusInternalServerError
	a := newAlerter(t, alert.Config{Webhook: h.URL, Window: time.Hour})
	run(t, a)
	require.ErrorContains(t, a.Tell(t.Context(), event("permanent", "1")), "500")
	require.NoError(t, a.Tell(t.Context(), event("permanent", "1")))
	require.Len(t, h.texts, 2)
}

func TestWithoutWebhook(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	var told []text.Text
	a := newAlerter(t, alert.Config{
		Logger: slog.New(slog.NewTextHandler(&log, nil)),
		Told:   func(t text.Text) { told = append(told, t) },
	})
	require.NoError(t, a.Tell(t.Context(), event("permanent", "1")))
	require.Contains(t, log.String(), "level=WARN msg=\"dead letter\"")
	require.Len(t, told, 1)
	require.Contains(t, log.String(), told[0].EN)
	require.Contains(t, told[0].KO, "옮겼습니다")
}
