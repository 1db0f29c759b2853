package ops_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/botehq/bote/internal/ops"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// page requests a path from a handler.
func page(h http.Handler, path string) (code int, body string) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, http.NoBody))
	return w.Code, w.Body.String()
}

func TestHealth(t *testing.T) {
	t.Parallel()
	var broken atomic.Bool
	h := ops.Handler(ops.Config{Gatherer: prometheus.NewRegistry(), Checks: []ops.Check{
		{Name: "log", Run: func(context.Context) error { return nil }},
		{Name: "disk", Run: func(context.Context) error {
			if broken.Load() {
				return errors.New("no space left")
			}
			return nil
		}},
	}}, false)
	for _, path := range []string{"/livez", "/healthz"} {
		code, body := page(h, path)
		require.Equal(t, http.StatusOK, code, path)
		require.Equal(t, "ok\n", body)
	}
	code, body := page(h, "/readyz")
	require.Equal(t, http.StatusOK, code)
	require.Equal(t, "ready\n", body)
	_, body = page(h, "/readyz?verbose")
	require.Equal(t, "[+] log\n[+] disk\nready\n", body)
	broken.Store(true)
	code, body = page(h, "/readyz")
	require.Equal(t, http.StatusServiceUnavailable, code)
	require.Equal(t, "[-] disk: no space left\nnot ready\n", body)
	code, _ = page(h, "/livez")
	require.Equal(t, http.StatusOK, code, "a full disk is no reason to kill the process")
	code, _ = page(h, "/debug/pprof/")
	require.Equal(t, http.StatusNotFound, code)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/readyz", http.NoBody))
	require.Equal(t, http.StatusMethodNotAllowed, w.Code)
}

// TestSeriesAreCapped: a family with far too many series is cut, the others stay
// whole.
func TestSeriesAreCapped(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	flood := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "bote_flood_bytes", Help: "Many."}, []string{"topic"})
	few := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "bote_few_bytes", Help: "Few."}, []string{"topic"})
	reg.MustRegister(flood, few)
	for i := range 1000 {
		flood.WithLabelValues(fmt.Sprint(i)).Set(1)
	}
	for i := range 10 {
		few.WithLabelValues(fmt.Sprint(i)).Set(1)
	}
	count := func(most int) (flooded, kept int, body string) {
		_, body = page(ops.Handler(ops.Config{Gatherer: reg, MaxSeries: most}, false), "/metrics")
		return strings.Count(body, "bote_flood_bytes{"), strings.Count(body, "bote_few_bytes{"), body
	}
	flooded, kept, body := count(100)
	require.Equal(t, 90, flooded)
	require.Equal(t, 10, kept)
	require.Contains(t, body, "bote_metrics_dropped_series 910\n")
	flooded, kept, body = count(0)
	require.Equal(t, 1000, flooded)
	require.Equal(t, 10, kept)
	require.Contains(t, body, "bote_metrics_dropped_series 0\n")
	problems, err := promlint.New(strings.NewReader(body)).Lint()
	require.NoError(t, err)
	require.Empty(t, problems)
}

func TestServer(t *testing.T) {
	t.Parallel()
	s, err := ops.Listen(t.Context(), "127.0.0.1:0", ops.Config{Gatherer: prometheus.NewRegistry()}, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	get := func(path string) (int, string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.Addr()+path, http.NoBody)
		require.NoError(t, err)
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		defer func() { _ = resp.Body.Close() }()
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return resp.StatusCode, string(body)
	}
	code, body := get("/metrics")
	require.Equal(t, http.StatusOK, code)
	require.Contains(t, body, "bote_metrics_dropped_series 0")
	code, body = get("/debug/pprof/goroutine?debug=1")
	require.Equal(t, http.StatusOK, code, "loopback")
	require.Contains(t, body, "goroutine profile")
	_, err = ops.Listen(t.Context(), s.Addr(), ops.Config{}, slog.New(slog.DiscardHandler))
	require.ErrorContains(t, err, "console listener")
	http.DefaultClient.CloseIdleConnections()
	s.Close()
	s.Close()
}
