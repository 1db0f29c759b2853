package api_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/botehq/bote/examples/notify/internal/api"
	"github.com/botehq/bote/examples/notify/internal/text"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newHandler is an API without a cluster. A faulty request is refused before the API
// contacts the cluster.
func newHandler(t *testing.T) http.Handler {
	t.Helper()
	a, err := api.New(api.Config{
		Brokers: []string{"127.0.0.1:1"}, Lang: text.English,
		Logger: slog.New(slog.DiscardHandler), Registry: prometheus.NewRegistry(),
	})
	require.NoError(t, err)
	t.Cleanup(a.Close)
	return a.Handler()
}

func request(t *testing.T, h http.Handler, method, path, body string, header ...string) (*httptest.ResponseRecorder, api.Problem) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	require.Equal(t, "application/problem+json", w.Header().Get("Content-Type"), w.Body.String())
	var p api.Problem
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &p))
	require.Equal(t, w.Code, p.Status)
	require.Len(t, p.TraceID, 32)
	require.NotEmpty(t, p.Title)
	return w, p
}

func pointers(p api.Problem) []string {
	out := []string{}
	for _, e := range p.Errors {
		out = append(out, e.Pointer)
	}
	return out
}

func TestValidation(t *testing.T) {
	t.Parallel()
	h := newHandler(t)
	long := func(n int) string { return strings.Repeat("x", n) }
	for _, c := range []struct {
		path, body string
		want       []string
	}{
		{"/api/emails", `{}`, []string{"/from", "/to", "/subject", "/body"}},
		{"/api/emails", `{"from":null,"to":5,"subject":"","body":[]}`, []string{"/from", "/to", "/subject", "/body"}},
		{"/api/emails", `{"from":"a","to":"b@","subject":"s","body":"b"}`, []string{"/from", "/to"}},
		{"/api/emails", `{"from":"a@x.y","to":"b@x.y, c@x.y","subject":"s","body":"b"}`, []string{"/to"}},
		{"/api/emails", `{"from":"a@x.y\r\nBcc: c@x.y","to":"b@x.y","subject":"s\nX: y","body":"b"}`, []string{"/from", "/subject"}},
		{"/api/emails", `{"from":"a@x.y","to":"b@x.y","subject":"` + long(999) + `","body":"` + long(256<<10+1) + `"}`, []string{"/subject", "/body"}},
		{"/api/emails", `{"from":"a@x.y","to":"b@x.y","subject":"s","body":"b","cc":"c@x.y","a/b~c":1}`, []string{"/a~1b~0c", "/cc"}},
		{"/api/sms/send", `{"from":"12","to":"+12","body":"b"}`, []string{"/from", "/to"}},
		{"/api/orders", `{"userId":"","amount":0,"email":"e"}`, []string{"/userId", "/amount", "/email"}},
		{"/api/orders", `{"userId":"u","amount":1.5,"email":"e@x.y"}`, []string{"/userId", "/amount"}},
		{"/api/orders", `{"userId":1.5,"amount":1,"email":"e@x.y"}`, []string{"/userId"}},
		{"/api/orders", `{"userId":true,"amount":"1","email":"e@x.y"}`, []string{"/userId", "/amount"}},
		{"/publish", `{"message":""}`, []string{"/message"}},
	} {
		_, p := request(t, h, http.MethodPost, c.path, c.body)
		require.Equal(t, http.StatusUnprocessableEntity, p.Status, c.body)
		require.Equal(t, "validation", p.Code)
		require.Equal(t, c.want, pointers(p), c.body)
		require.Equal(t, c.path, p.Instance)
	}
}

// TestGoodInput gets as far as the broker, which is not there.
func TestGoodInput(t *testing.T) {
	t.Parallel()
	h := newHandler(t)
	for _, c := range [][2]string{
		{"/api/emails", `{"from":"홍길동 <a@x.y>","to":"b@x.y","subject":"` + strings.Repeat("가", 998) + `","body":"b"}`},
		{"/api/sms", `{"from":"1588-1234","to":"+1 (212) 555-0100","body":"b"}`},
		{"/api/orders", `{"userId":12,"amount":9007199254740993,"email":"e@x.y"}`},
		{"/api/orders", `{"userId":"12","amount":1,"email":"e@x.y"}`},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, c[0], strings.NewReader(c[1]))
		r.Header.Set("Content-Type", "application/json")
		ctx, cancel := canceled(r)
		defer cancel()
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r.WithContext(ctx))
		require.Equal(t, http.StatusServiceUnavailable, w.Code, w.Body.String())
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	h := newHandler(t)
	for _, body := range []string{"", "{", "[]", "null", `{"from":"a@x.y"} trailing`, "{\"from\":\"\xff\"}"} {
		_, p := request(t, h, http.MethodPost, "/api/emails", body)
		require.Equal(t, "malformed-json", p.Code, body)
		require.Equal(t, http.StatusBadRequest, p.Status)
	}
	for body, want := range map[string]string{
		"":                                    "empty",
		"\xef\xbb\xbf{}":                      "BOM",
		"\xff\xfe{\x00}\x00":                  "UTF-16",
		"{\n \"from\": \"\xc8\xab\xb1\xe6\"}": "not UTF-8: line 2, character 12",
		`'{"from":"a"}'`:                      "single quote",
		"{\"from\":\"a\",\n\"to\":":           "ends too early: line 2, after character 5",
		"{\"from\":\"a\",\n\"to\" 5}":         "line 2, character 6",
		"[]":                                  "one JSON object",
		`{} {}`:                               "line 1, character 4",
	} {
		_, p := request(t, h, http.MethodPost, "/api/emails", body)
		require.Contains(t, p.Detail, want, body)
	}
	_, p := request(t, h, http.MethodPost, "/api/emails", "x", "Content-Type", "text/plain")
	require.Equal(t, http.StatusUnsupportedMediaType, p.Status)
	_, p = request(t, h, http.MethodPost, "/api/emails", strings.Repeat(" ", 2<<20+1))
	require.Equal(t, http.StatusRequestEntityTooLarge, p.Status)
	require.Equal(t, "The body may have at most 2097152 bytes; this one has 2097153.", p.Detail)
	for _, path := range []string{"/api/emails/send", "/api/sms/send"} {
		w, p := request(t, h, http.MethodGet, path, "")
		require.Equal(t, http.StatusMethodNotAllowed, p.Status)
		require.Equal(t, "POST", w.Header().Get("Allow"))
		require.Equal(t, "Send it with POST.", p.Detail)
	}
	_, p = request(t, h, http.MethodGet, "/nothing", "")
	require.Equal(t, "not-found", p.Code)
	for _, path := range []string{"/api/emails/x", "/api/sms/x", "/api/orders/x"} {
		_, p = request(t, h, http.MethodGet, path, "")
		require.Equal(t, http.StatusNotFound, p.Status)
	}
	w, p := request(t, h, http.MethodDelete, "/api/emails", "")
	require.Equal(t, http.StatusMethodNotAllowed, p.Status)
	require.Equal(t, "GET, HEAD, POST", w.Header().Get("Allow"))
	w, p = request(t, h, http.MethodGet, "/publish?message=x", "")
	require.Equal(t, http.StatusMethodNotAllowed, p.Status, "off unless it is turned on")
	require.Equal(t, "POST", w.Header().Get("Allow"))
}

func TestProblemsSpeakBothLanguages(t *testing.T) {
	t.Parallel()
	h := newHandler(t)
	const trace = "0af7651916cd43dd8448eb211c80319c"
	_, p := request(t, h, http.MethodPost, "/api/emails", `{}`, "Accept-Language", "ko", "Traceparent", "00-"+trace+"-b7ad6b7169203331-01")
	require.Equal(t, "검증 실패", p.Title)
	require.Equal(t, "필수 항목입니다", p.Errors[0].Detail)
	require.Equal(t, trace, p.TraceID)
	_, p = request(t, h, http.MethodPost, "/api/emails", `{}`)
	require.Equal(t, "Validation failed", p.Title)
	require.Equal(t, "is required", p.Errors[0].Detail)
}

// TestOpenAPI checks the description against the routes: each operation in it exists.
func TestOpenAPI(t *testing.T) {
	t.Parallel()
	h := newHandler(t)
	get := func(path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody))
		require.Equal(t, http.StatusOK, w.Code, path)
		return w
	}
	require.Contains(t, get("/docs").Body.String(), "openapi.json")
	require.True(t, json.Valid(get("/asyncapi.json").Body.Bytes()))
	raw := get("/openapi.json").Body.Bytes()
	var doc struct {
		Paths      map[string]map[string]json.RawMessage
		Components struct{ Schemas map[string]json.RawMessage }
	}
	require.NoError(t, json.Unmarshal(raw, &doc))
	for path, operations := range doc.Paths {
		for method := range operations {
			if path == "/publish" && method == "get" || path == "/metrics" || path == "/readyz" || path == "/livez" || strings.HasSuffix(path, "stream") {
				continue
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), strings.ToUpper(method), path, http.NoBody))
			require.NotEqual(t, http.StatusMethodNotAllowed, w.Code, "%s %s", method, path)
			if !strings.Contains(path, "{id}") {
				require.NotEqual(t, http.StatusNotFound, w.Code, "%s %s", method, path)
			}
		}
	}
	for _, ref := range strings.Split(string(raw), `"$ref": "#/components/schemas/`)[1:] {
		name, _, _ := strings.Cut(ref, `"`)
		require.Contains(t, doc.Components.Schemas, name)
	}
}

// canceled is the context of a client that has gone, so that nothing waits for a
// broker.
func canceled(r *http.Request) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(r.Context())
	cancel()
	return ctx, cancel
}
