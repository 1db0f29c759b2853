// Package app puts the parts of the notification service together in one process:
// all of them, or the API or the worker alone. It owns ports, the order in which
// parts start and stop, and what is left on the disk.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/botehq/bote"
	"github.com/botehq/bote/examples/notify/internal/api"
	"github.com/botehq/bote/examples/notify/internal/mailbox"
	"github.com/botehq/bote/examples/notify/internal/mailer"
	"github.com/botehq/bote/examples/notify/internal/text"
	"github.com/botehq/bote/examples/notify/internal/web"
	"github.com/botehq/bote/examples/notify/internal/worker"
)

// Config says which parts run, and where.
type Config struct {
	API, Worker bool
	// BootstrapServers are the brokers of a cluster. Without them a broker runs in
	// this process.
	BootstrapServers []string
	Host             string // address that all ports are bound to
	KafkaPort        int    // 0 chooses a free port, also for the ports below
	APIPort          int
	WorkerPort       int
	SMTPPort         int
	// Data is the directory of the broker in this process. Ephemeral uses a
	// temporary one instead, which is removed at the end, and InMemory none.
	Data      string
	Ephemeral bool
	InMemory  bool
	// SMTP is the mail server, "host:port". Without it mails go to the mailbox.
	SMTP         string
	SMTPAuth     mailer.Auth
	AlertWebhook string
	RetryDelay   time.Duration // 0 is a second
	PublishByGET bool
	Lang         text.Lang
	Logger       *slog.Logger
}

// App is a process that is open: all ports are bound.
type App struct {
	cfg      Config
	registry *prometheus.Registry
	broker   *bote.Broker
	tempDir  string
	brokers  []string
	watch    *brokerWatch // nil if the broker is in this process
	log      *slog.Logger // of the parts that use the cluster

	apiServer    *web.Server
	workerServer *web.Server
	smtp         *mailbox.SMTP
	api          *api.API
	worker       *worker.Worker
}

// Open binds the ports and recovers the broker's data. What it opened is closed by
// Run, or by Close if Run is not called.
func Open(ctx context.Context, cfg Config) (_ *App, err error) {
	a := &App{cfg: cfg, brokers: cfg.BootstrapServers, registry: prometheus.NewRegistry()}
	a.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Close())
		}
	}()
	for _, step := range []func(context.Context) error{a.bind, a.openBroker, a.openWatch, a.openParts} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// bind binds all ports except the broker's. It runs first, so that a port in use is
// the error that the user sees.
func (a *App) bind(ctx context.Context) error {
	if a.cfg.API {
		ln, err := a.listen(ctx, a.cfg.APIPort, "--api-port")
		if err != nil {
			return err
		}
		a.apiServer = web.NewServer(ln, a.cfg.Logger)
	}
	if !a.cfg.Worker {
		return nil
	}
	ln, err := a.listen(ctx, a.cfg.WorkerPort, "--worker-port")
	if err != nil {
		return err
	}
	a.workerServer = web.NewServer(ln, a.cfg.Logger)
	return nil
}

func (a *App) listen(ctx context.Context, port int, flag string) (net.Listener, error) {
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", net.JoinHostPort(a.cfg.Host, strconv.Itoa(port)))
	if err != nil {
		return nil, portError(err, flag)
	}
	return ln, nil
}

// PortError is a port that cannot be bound.
type PortError struct {
	Flag string // option that changes the port
	Err  error
}

func (e *PortError) Error() string {
	return fmt.Sprintf("%v\nanother program may have this port; choose one with %s (0 takes a free one)", e.Err, e.Flag)
}

// Unwrap gives the reason.
func (e *PortError) Unwrap() error { return e.Err }

func portError(err error, flag string) error {
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "listen" {
		return &PortError{Flag: flag, Err: err}
	}
	return err
}

// openBroker starts the broker in this process, if there is one.
func (a *App) openBroker(ctx context.Context) (err error) {
	if len(a.brokers) > 0 {
		return nil
	}
	data := a.cfg.Data
	if a.cfg.Ephemeral && !a.cfg.InMemory {
		if data, err = os.MkdirTemp("", "bote-notify-"); err != nil {
			return fmt.Errorf("make a temporary directory: %w", err)
		}
		a.tempDir = data
	}
	a.broker, err = bote.Open(ctx, bote.Config{
		DataDir: data, InMemory: a.cfg.InMemory,
		Listen:     net.JoinHostPort(a.cfg.Host, strconv.Itoa(a.cfg.KafkaPort)),
		Properties: map[string]string{"group.initial.rebalance.delay.ms": "0"}, // all members are here already
		Logger:     a.cfg.Logger, Registerer: a.registry,
	})
	if err != nil {
		return fmt.Errorf("open the broker: %w", portError(err, "--kafka-port"))
	}
	a.brokers = []string{a.broker.Addr()}
	return nil
}

// openWatch watches a cluster elsewhere.
func (a *App) openWatch(context.Context) (err error) {
	if a.broker != nil {
		a.log = quiet(a.cfg.Logger, new(atomic.Bool))
		return nil
	}
	if a.watch, err = newBrokerWatch(a.brokers, a.cfg.Logger); err != nil {
		return err
	}
	a.log = quiet(a.cfg.Logger, &a.watch.away)
	return nil
}

func (a *App) openParts(ctx context.Context) error {
	metrics, err := web.NewMetrics(a.registry)
	if err != nil {
		return fmt.Errorf("register metrics of http: %w", err)
	}
	var page *mailbox.Page
	if a.cfg.Worker {
		if page, err = a.openWorker(ctx, metrics); err != nil {
			return err
		}
	}
	if !a.cfg.API {
		return nil
	}
	a.api, err = api.New(api.Config{
		Brokers: a.brokers, Lang: a.cfg.Lang, PublishByGET: a.cfg.PublishByGET,
		Draining: a.apiServer.Draining(), Logger: a.log, Registry: a.registry,
	})
	if err != nil {
		return err
	}
	a.apiServer.Handle(metrics.Around(withPages(a.api.Handler(), page)))
	return nil
}

// openWorker makes the worker and its mailbox, which is shown at the worker's port
// and, if the API runs here too, also at the API's.
func (a *App) openWorker(ctx context.Context, metrics *web.Metrics) (*mailbox.Page, error) {
	box := mailbox.New()
	server := a.cfg.SMTP
	if server == "" {
		ln, err := a.listen(ctx, a.cfg.SMTPPort, "--smtp-port")
		if err != nil {
			return nil, err
		}
		a.smtp = mailbox.NewSMTP(ln, box, a.cfg.Logger)
		server = reachable(a.smtp.Addr())
	}
	mails, err := mailer.New(server, a.cfg.SMTPAuth)
	if err != nil {
		return nil, err
	}
	a.worker, err = worker.New(worker.Config{
		Brokers: a.brokers, Mail: mails, SMS: box, Mailbox: box, AlertWebhook: a.cfg.AlertWebhook,
		RetryDelay: a.cfg.RetryDelay, Logger: a.log, Registry: a.registry,
	})
	if err != nil {
		return nil, err
	}
	page, err := mailbox.NewPage(box, a.cfg.SMTP, a.cfg.Lang)
	if err != nil {
		return nil, err
	}
	a.workerServer.Handle(metrics.Around(withPages(a.worker.Handler(), page)))
	return page, nil
}

// withPages adds the mailbox to the routes of h, and redirects "/", the first address
// that people type, to a page: the mailbox or, without one, the description of the
// API.
func withPages(h http.Handler, page *mailbox.Page) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", h)
	if page == nil {
		mux.Handle("GET /{$}", redirect("/docs"))
		return mux
	}
	mux.Handle("GET /{$}", redirect(mailbox.Path))
	mux.Handle(mailbox.Path, page)
	mux.Handle(mailbox.Path+"/", page)
	return mux
}

// redirect sends a browser to a page. It keeps the query, which may name a language.
func redirect(to string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		at := url.URL{Path: to, RawQuery: r.URL.RawQuery}
		http.Redirect(w, r, at.String(), http.StatusFound)
	}
}

// Close frees what Open opened. It is for an App that does not run.
func (a *App) Close() error {
	var errs []error
	if a.apiServer != nil {
		errs = append(errs, a.apiServer.Close())
	}
	if a.workerServer != nil {
		errs = append(errs, a.workerServer.Close())
	}
	if a.smtp != nil {
		errs = append(errs, a.smtp.Close())
	}
	if a.api != nil {
		a.api.Close()
	}
	if a.worker != nil {
		a.worker.Close()
	}
	if a.watch != nil {
		a.watch.client.Close()
	}
	return errors.Join(append(errs, a.closeBroker())...)
}

func (a *App) closeBroker() error {
	var errs []error
	if a.broker != nil {
		errs = append(errs, a.broker.Close())
	}
	if a.tempDir != "" {
		errs = append(errs, os.RemoveAll(a.tempDir))
	}
	return errors.Join(errs...)
}
