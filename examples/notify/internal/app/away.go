package app

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	pingEvery   = time.Second
	pingTimeout = 2 * time.Second
)

// brokerWatch logs once when no broker answers, and once when one answers
// again. Meanwhile the warnings of everything that uses the cluster are held
// back, because they all say the same.
type brokerWatch struct {
	brokers []string
	log     *slog.Logger
	client  *kgo.Client
	away    atomic.Bool
}

// newBrokerWatch makes the watch of a cluster elsewhere. The cluster counts as away
// until a broker has answered.
func newBrokerWatch(brokers []string, log *slog.Logger) (*brokerWatch, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.RetryTimeout(pingTimeout))
	if err != nil {
		return nil, fmt.Errorf("watch the brokers: %w", err)
	}
	w := &brokerWatch{brokers: brokers, log: log, client: client}
	w.away.Store(true)
	return w, nil
}

// Run implements delivery.Runner.
func (w *brokerWatch) Run(ctx context.Context) error {
	defer w.client.Close()
	tick := time.NewTicker(pingEvery)
	defer tick.Stop()
	for told := false; ; {
		err := w.ping(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && !told:
			w.away.Store(true)
			told = true
			w.log.Warn("no broker answers; everything waits for one", slog.String("brokers", strings.Join(w.brokers, ",")), slog.Any("err", err))
		case err == nil:
			w.away.Store(false)
			if told {
				told = false
				w.log.Warn("a broker answers again", slog.String("brokers", strings.Join(w.brokers, ",")))
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func (w *brokerWatch) ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	return w.client.Ping(ctx)
}

// BrokerAway tells whether no broker answers.
func (a *App) BrokerAway() bool { return a.watch != nil && a.watch.away.Load() }

// quiet is the logger of the parts that use the cluster. It lowers two kinds of lines
// to DEBUG: what the Kafka client says about its connections and, while no broker
// answers, everything below ERROR.
func quiet(log *slog.Logger, away *atomic.Bool) *slog.Logger {
	return slog.New(quietHandler{log.Handler(), away})
}

type quietHandler struct {
	slog.Handler
	away *atomic.Bool
}

// Handle implements slog.Handler.
func (h quietHandler) Handle(ctx context.Context, r slog.Record) error {
	if r.Level < slog.LevelError && (r.Message == "kafka client" || h.away.Load()) {
		r.Level = slog.LevelDebug
		if !h.Enabled(ctx, r.Level) {
			return nil
		}
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h quietHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return quietHandler{h.Handler.WithAttrs(attrs), h.away}
}

// WithGroup implements slog.Handler.
func (h quietHandler) WithGroup(name string) slog.Handler {
	return quietHandler{h.Handler.WithGroup(name), h.away}
}
