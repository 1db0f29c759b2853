package bote_test

import (
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/botehq/bote"
	"github.com/botehq/bote/botetest"
)

// get reads a page of a broker's console listener.
func get(t *testing.T, b *bote.Broker, path string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+b.ConsoleAddrs()[0]+path, http.NoBody)
	require.NoError(t, err)
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(body)
}

// TestConsoleListeners: a broker to which records were produced shows them in its
// metrics, which follow Prometheus' rules, and is ready.
func TestConsoleListeners(t *testing.T) {
	t.Parallel()
	b := botetest.New(t, botetest.WithProperty("console.listeners", "127.0.0.1:0"), botetest.WithDataDir(t.TempDir()),
		botetest.WithProperty("queued.max.response.bytes", "123456789"))
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.AllowAutoTopicCreation(), kgo.DefaultProduceTopic("t"))
	require.NoError(t, err)
	defer client.Close()
	require.NoError(t, client.ProduceSync(t.Context(), kgo.StringRecord("x")).FirstErr())
	code, body := get(t, b, "/readyz?verbose")
	require.Equal(t, http.StatusOK, code, body)
	require.Equal(t, "[+] log recovered\n[+] listeners up\n[+] disk writable\nready\n", body)
	_, body = get(t, b, "/metrics")
	for _, line := range []string{
		`bote_requests_total{api="Produce"} 1`, `bote_request_duration_seconds_count{api="Produce"} 1`, `bote_memory_limit_bytes{kind="answers"} 1.23456789e+08`,
		"bote_build_info{", "bote_log_sync_seconds_count", "go_goroutines",
	} {
		require.Contains(t, body, line)
	}
	require.NotContains(t, body, "bote_disk_free_bytes 0\n")
	problems, err := promlint.New(strings.NewReader(body)).Lint()
	require.NoError(t, err)
	for _, p := range problems {
		require.False(t, strings.HasPrefix(p.Metric, "bote_"), "%s: %s", p.Metric, p.Text)
	}
}

// unreadable registers metrics but cannot gather them.
type unreadable struct{ prometheus.Registerer }

func TestConsoleNeedsAGatherer(t *testing.T) {
	t.Parallel()
	_, err := bote.Open(t.Context(), bote.Config{
		InMemory: true, Listen: "127.0.0.1:0", Registerer: unreadable{prometheus.NewRegistry()},
		Properties: map[string]string{"console.listeners": "127.0.0.1:0"}, Logger: slog.New(slog.DiscardHandler),
	})
	require.ErrorContains(t, err, "console.listeners needs a Registerer that gathers")
}

// TestConnectionsOfAnAddress: max.connections.per.ip and its exceptions are enforced.
func TestConnectionsOfAnAddress(t *testing.T) {
	t.Parallel()
	none := botetest.New(t, botetest.WithProperty("max.connections.per.ip", "0"), botetest.WithProperty("max.connections.per.ip.overrides", "10.9.8.7:5"))
	some := botetest.New(t, botetest.WithProperty("max.connections.per.ip", "0"), botetest.WithProperty("max.connections.per.ip.overrides", "127.0.0.1:5"))
	for b, works := range map[*bote.Broker]bool{none: false, some: true} {
		client, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.RequestRetries(0), kgo.RetryTimeout(1))
		require.NoError(t, err)
		err = client.Ping(t.Context())
		client.Close()
		require.Equal(t, works, err == nil, "%v", err)
	}
}
