// Package api is the HTTP API of the notification service. It checks what comes in,
// puts it on a topic, and answers questions about it from a view of the topics. It
// sends no mail and keeps no data. Errors are application/problem+json (RFC 9457)
// in English or Korean.
package api

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/botehq/bote/delivery"
	"github.com/botehq/bote/examples/notify/internal/status"
	"github.com/botehq/bote/examples/notify/internal/text"
	"github.com/botehq/bote/examples/notify/message"
)

const (
	publishTimeout = 5 * time.Second // how long a record may take to be acknowledged
	pingTimeout    = 2 * time.Second
)

// Config is what an API is made of. Brokers, Logger and Registry are needed.
type Config struct {
	Brokers []string
	// Lang is for clients that ask for neither English nor Korean.
	Lang text.Lang
	// PublishByGET also lets GET /publish publish.
	PublishByGET bool
	// Draining is closed when streams have to end.
	Draining <-chan struct{}
	Logger   *slog.Logger
	Registry *prometheus.Registry
}

// API answers requests.
type API struct {
	cfg    Config
	log    *slog.Logger
	client *delivery.Client
	view   *status.View
	feed   *status.Feed
	orders orderIDs
}

// New makes an API. It does not contact the cluster; Run does.
func New(cfg Config) (*API, error) {
	client, err := delivery.Dial(cfg.Brokers, delivery.WithLogger(cfg.Logger))
	if err != nil {
		return nil, err
	}
	view := status.NewView()
	return &API{
		cfg: cfg, log: cfg.Logger, client: client, view: view,
		feed: status.NewFeed(view, client, status.AllTopics()),
	}, nil
}

// Run keeps the view until ctx ends, and then closes the connection to the cluster.
func (a *API) Run(ctx context.Context) error { return delivery.Run(ctx, a.feed, a.client) }

// Close frees what New opened, if Run was not called.
func (a *API) Close() { a.client.Close() }

// Ready is closed when the view holds all that was there at the start.
func (a *API) Ready() <-chan struct{} { return a.feed.Ready() }

// Handler is the API's routes.
func (a *API) Handler() http.Handler {
	mux := http.NewServeMux()
	for _, path := range []string{"/api/emails", "/api/emails/send"} {
		mux.HandleFunc("POST "+path, a.postEmail)
	}
	for _, path := range []string{"/api/sms", "/api/sms/send"} {
		mux.HandleFunc("POST "+path, a.postSMS)
	}
	for _, path := range []string{"/api/emails/send", "/api/sms/send"} {
		mux.HandleFunc("GET "+path, a.onlyPOST) // more specific than {id}
	}
	mux.HandleFunc("GET /api/emails/{id}", a.get(message.KindEmail))
	mux.HandleFunc("GET /api/emails", a.list(message.KindEmail))
	mux.HandleFunc("GET /api/sms/{id}", a.get(message.KindSMS))
	mux.HandleFunc("GET /api/sms", a.list(message.KindSMS))
	mux.HandleFunc("GET /api/notifications/stream", a.stream)
	mux.HandleFunc("POST /api/orders", a.postOrder)
	mux.HandleFunc("GET /api/orders/{id}", a.getOrder)
	mux.HandleFunc("POST /publish", a.publish)
	if a.cfg.PublishByGET {
		mux.HandleFunc("GET /publish", a.publish)
	}
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok\n") })
	mux.HandleFunc("GET /readyz", a.readyz)
	mux.Handle("GET /metrics", promhttp.HandlerFor(a.cfg.Registry, promhttp.HandlerOpts{}))
	addDocs(mux)
	return a.problems(mux)
}

// readyz is ok when the view is complete and a broker answers.
func (a *API) readyz(w http.ResponseWriter, r *http.Request) {
	select {
	case <-a.Ready():
	default:
		http.Error(w, "the topics are still being read", http.StatusServiceUnavailable)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), pingTimeout)
	defer cancel()
	if err := a.client.Kgo().Ping(ctx); err != nil {
		http.Error(w, "no broker answers", http.StatusServiceUnavailable)
		return
	}
	_, _ = io.WriteString(w, "ok\n")
}

func (a *API) lang(r *http.Request) text.Lang {
	return text.Accepted(r.Header.Get("Accept-Language"), a.cfg.Lang)
}
