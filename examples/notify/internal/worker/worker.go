// Package worker does what the API accepted: it sends mails and texts, mails
// confirmations of orders, and counts orders. It owns the handlers and the events
// on the status topic. Package delivery owns attempts, waits and dead letters.
package worker

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/botehq/bote/delivery"
	"github.com/botehq/bote/delivery/deliveryprom"
	"github.com/botehq/bote/examples/notify/internal/alert"
	"github.com/botehq/bote/examples/notify/internal/mailbox"
	"github.com/botehq/bote/examples/notify/internal/mailer"
	"github.com/botehq/bote/examples/notify/internal/status"
	"github.com/botehq/bote/examples/notify/internal/text"
	"github.com/botehq/bote/examples/notify/message"
)

const (
	attempts       = message.Attempts
	defaultDelay   = time.Second
	maxDelay       = time.Minute
	handlerTimeout = 60 * time.Second
	drainTimeout   = 8 * time.Second
	parallel       = 8 // how many mails or texts are sent at once
)

// SMSProvider sends texts. An error that is a mailer.RefusedError is permanent.
type SMSProvider interface {
	SendSMS(ctx context.Context, id string, s message.SMS) error
}

// MailSender sends mails. An error that is a mailer.RefusedError is permanent.
type MailSender interface {
	Send(ctx context.Context, id string, e message.Email) error
}

// Config is what a Worker is made of. All fields but RetryDelay are needed.
type Config struct {
	Brokers []string
	Mail    MailSender
	SMS     SMSProvider
	// Mailbox shows dead letters and alerts.
	Mailbox *mailbox.Mailbox
	// AlertWebhook is the URL for alerts about dead letters; empty writes them to the log.
	AlertWebhook string
	// RetryDelay is the wait before the second attempt; it doubles for each
	// further one. The default is a second.
	RetryDelay time.Duration
	Logger     *slog.Logger
	Registry   *prometheus.Registry
}

// Worker runs the listeners.
type Worker struct {
	cfg       Config
	client    *delivery.Client
	feed      *status.Feed
	alerter   *alert.Alerter
	stats     *stats
	listeners []*delivery.Listener
}

// New makes a Worker. It does not contact the cluster; Run does.
func New(cfg Config) (_ *Worker, err error) {
	if cfg.RetryDelay == 0 {
		cfg.RetryDelay = defaultDelay
	}
	w := &Worker{cfg: cfg}
	metrics, err := deliveryprom.New(cfg.Registry)
	if err != nil {
		return nil, fmt.Errorf("register metrics of delivery: %w", err)
	}
	if w.stats, err = newStats(cfg.Registry); err != nil {
		return nil, err
	}
	w.alerter, err = alert.New(alert.Config{
		Webhook: cfg.AlertWebhook, Logger: cfg.Logger, Registerer: cfg.Registry,
		Told: func(t text.Text) { cfg.Mailbox.Add(mailbox.Message{Kind: mailbox.KindAlert, Body: t.EN, Korean: t.KO}) },
	})
	if err != nil {
		return nil, err
	}
	w.client, err = delivery.Dial(cfg.Brokers, delivery.WithLogger(cfg.Logger), delivery.WithMetrics(metrics))
	if err != nil {
		return nil, err
	}
	if err := w.listen(); err != nil {
		w.client.Close()
		return nil, err
	}
	metrics.Watch(w.listeners...)
	return w, nil
}

// listen makes the listeners: three that send, each with retry topics and a
// dead-letter topic, and one that counts.
func (w *Worker) listen() error {
	view := status.NewView()
	w.feed = status.NewFeed(view, w.client, status.EventTopics())
	t := &tracker{client: w.client, view: view, delay: w.delay}
	emails, err := delivery.Listen(w.client, message.Emails(), message.GroupEmails, w.sendEmail, w.options(t.track(message.KindEmail))...)
	if err != nil {
		return err
	}
	texts, err := delivery.Listen(w.client, message.Texts(), message.GroupSMS, w.sendSMS, w.options(t.track(message.KindSMS))...)
	if err != nil {
		return err
	}
	mails, err := delivery.Listen(w.client, message.Orders(), message.GroupMail, w.mailOrder, w.options(t.track(message.KindOrder))...)
	if err != nil {
		return err
	}
	counts, err := delivery.Listen(w.client, message.Orders(), message.GroupStats, w.stats.count,
		delivery.DeadLetter(delivery.DeadLetterTopic(message.TopicOrders+"."+message.GroupStats+message.DeadLetterSuffix)), delivery.DrainTimeout(drainTimeout))
	if err != nil {
		return err
	}
	w.listeners = []*delivery.Listener{emails, texts, mails, counts}
	return nil
}

func (w *Worker) options(track delivery.Middleware) []delivery.Option {
	return []delivery.Option{
		delivery.RetryTopics(delivery.Attempts(attempts), delivery.Exponential(w.cfg.RetryDelay, 2, maxDelay)),
		delivery.DeadLetter(delivery.Suffix(message.DeadLetterSuffix)),
		delivery.RetryIf(func(err error) bool { return !mailer.Permanent(err) }),
		delivery.Use(track),
		delivery.DeadLetterHandler(w.deadLetter),
		delivery.Unordered(), delivery.Concurrency(parallel),
		delivery.HandlerTimeout(handlerTimeout), delivery.DrainTimeout(drainTimeout),
	}
}

// delay is the wait after the n-th attempt.
func (w *Worker) delay(n int) time.Duration {
	return min(w.cfg.RetryDelay<<(n-1), maxDelay)
}

// Run works until ctx ends, finishes what has begun, and closes the connection to the
// cluster.
func (w *Worker) Run(ctx context.Context) error {
	if !message.Provision(ctx, w.client) {
		w.client.Close()
		return nil
	}
	runners := []delivery.Runner{w.feed, w.alerter, w.client}
	for _, l := range w.listeners {
		runners = append(runners, l)
	}
	return delivery.Run(ctx, runners...)
}

// Ready returns an error until the worker has read the earlier events and all its
// listeners are ok. A listener without partitions may be ok, too.
func (w *Worker) Ready() error {
	select {
	case <-w.feed.Ready():
	default:
		return errNotCaughtUp
	}
	for _, l := range w.listeners {
		if h := l.Health(); h.Status != delivery.StatusOK {
			return fmt.Errorf("%s: %s %v", l.Group(), h.Status, h.Reasons)
		}
	}
	return nil
}

// Assigned tells whether every listener has a partition of its main topic. A member
// that waits for others to leave has none, which is not a fault.
func (w *Worker) Assigned() bool {
	for _, l := range w.listeners {
		main := false
		for _, p := range l.Snapshot() {
			main = main || p.Role == delivery.RoleMain
		}
		if !main {
			return false
		}
	}
	return true
}

// Handler serves health, metrics and the counts of orders.
func (w *Worker) Handler() http.Handler { return w.routes() }

// Close frees what New opened, if Run was not called.
func (w *Worker) Close() { w.client.Close() }
