// Package alert tells people that a notification was given up. It posts to a
// webhook in the format of Slack, or else writes to the log. It sends one alert per
// class and window, so that a mail server that is away for an hour causes one alert a
// minute and not a thousand.
package alert

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/botehq/bote/examples/notify/internal/text"
)

const (
	defaultWindow = time.Minute
	postTimeout   = 5 * time.Second
)

// Event is a notification that was given up.
type Event struct {
	Topic  string // dead-letter topic
	Class  string // kind of the failure; events of one topic and class share a window
	ID     string // of the notification
	Reason string // error of the last attempt
}

// Config says where alerts go.
type Config struct {
	// Webhook is the URL to post to. Empty writes to the log.
	Webhook string
	// Window is the time in which a class causes one alert. The default is a minute.
	Window time.Duration
	// Told is called with the text of each alert that went out, if not nil.
	Told func(text.Text)
	// Logger gets the alerts without a webhook.
	Logger *slog.Logger
	// Registerer gets the metrics.
	Registerer prometheus.Registerer
}

// Alerter is safe for concurrent use.
type Alerter struct {
	cfg    Config
	client *http.Client
	told   *prometheus.CounterVec

	mu      sync.Mutex
	windows map[string]*window
}

// window is the time after an alert in which its class causes no other.
type window struct {
	until      time.Time
	suppressed int
	last       Event
}

// New makes an Alerter.
func New(cfg Config) (*Alerter, error) {
	if cfg.Window == 0 {
		cfg.Window = defaultWindow
	}
	a := &Alerter{
		cfg: cfg, client: &http.Client{Timeout: postTimeout, Transport: &http.Transport{Proxy: http.ProxyFromEnvironment}},
		windows: map[string]*window{},
		told: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "bote_notify_alerts_total", Help: "Notifications given up, by what became of the alert.",
		}, []string{"result"}),
	}
	if err := cfg.Registerer.Register(a.told); err != nil {
		return nil, fmt.Errorf("register metrics of alerts: %w", err)
	}
	return a, nil
}

// Tell sends an alert, unless the window of the class is open. Then it counts the
// event, and Run sends the count later. An error means that nobody was told, and that
// the caller should try again.
func (a *Alerter) Tell(ctx context.Context, e Event) error {
	w, open := a.enter(e)
	if open {
		a.told.WithLabelValues("suppressed").Inc()
		return nil
	}
	if err := a.send(ctx, sentence(e, 0)); err != nil {
		a.leave(w)
		return err
	}
	return nil
}

// enter opens a window, or counts the event in the one that is open.
func (a *Alerter) enter(e Event) (w *window, open bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	name := e.Topic + " " + e.Class
	w = a.windows[name]
	if w != nil && time.Now().Before(w.until) {
		w.suppressed++
		w.last = e
		return w, true
	}
	w = &window{until: time.Now().Add(a.cfg.Window)}
	a.windows[name] = w
	return w, false
}

func (a *Alerter) leave(w *window) {
	a.mu.Lock()
	defer a.mu.Unlock()
	w.until = time.Time{}
}

// Run sends an alert at the end of each window that held events back, with their
// number.
func (a *Alerter) Run(ctx context.Context) error {
	tick := time.NewTicker(max(a.cfg.Window/10, time.Millisecond))
	defer tick.Stop()
	defer a.client.CloseIdleConnections()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			a.summarise(ctx)
		}
	}
}

func (a *Alerter) summarise(ctx context.Context) {
	for e, n := range a.ended() {
		if err := a.send(ctx, sentence(e, n)); err != nil {
			a.cfg.Logger.Warn("alert not delivered", slog.Int("held_back", n), slog.Any("err", err))
		}
	}
}

// ended removes the windows that are over, and returns how many events each held
// back, by the last of them.
func (a *Alerter) ended() map[Event]int {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := map[Event]int{}
	for name, w := range a.windows {
		if time.Now().Before(w.until) {
			continue
		}
		delete(a.windows, name)
		if w.suppressed > 0 {
			out[w.last] = w.suppressed
			a.windows[name] = &window{until: time.Now().Add(a.cfg.Window)}
		}
	}
	return out
}

func sentence(e Event, more int) text.Text {
	if more > 1 {
		return text.Text{
			EN: fmt.Sprintf("%d more notifications are in %s (%s), the last one %s: %s", more, e.Topic, e.Class, e.ID, e.Reason),
			KO: fmt.Sprintf("메시지 %d건을 더 %s 토픽으로 옮겼습니다 (%s). 마지막 메시지 %s: %s", more, e.Topic, e.Class, e.ID, e.Reason),
		}
	}
	return text.Text{
		EN: fmt.Sprintf("notification %s is in %s (%s): %s", e.ID, e.Topic, e.Class, e.Reason),
		KO: fmt.Sprintf("메시지 %s 처리에 끝내 실패해 %s 토픽으로 옮겼습니다 (%s): %s", e.ID, e.Topic, e.Class, e.Reason),
	}
}

// send sends an alert in English, the language of webhooks and logs.
func (a *Alerter) send(ctx context.Context, t text.Text) error {
	s := t.EN
	if a.cfg.Webhook == "" {
		a.cfg.Logger.Warn("dead letter", slog.String("alert", s))
	} else if err := a.post(ctx, s); err != nil {
		a.told.WithLabelValues("failed").Inc()
		return fmt.Errorf("post the alert: %w", err)
	}
	a.told.WithLabelValues("sent").Inc()
	if a.cfg.Told != nil {
		a.cfg.Told(t)
	}
	return nil
}

// slackMessage is the body of a webhook. The plain text is for notifications and
// for services that do not know blocks.
type slackMessage struct {
	Text   string       `json:"text"`
	Blocks []slackBlock `json:"blocks"`
}

type slackBlock struct {
	Type string    `json:"type"`
	Text slackText `json:"text"`
}

type slackText struct {
	Type string `json:"type"`
	Text string `json:"text"`
}

func (a *Alerter) post(ctx context.Context, s string) error {
	s = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
	body, err := json.Marshal(slackMessage{
		Text:   s,
		Blocks: []slackBlock{{Type: "section", Text: slackText{Type: "mrkdwn", Text: ":envelope_with_arrow: " + s}}},
	})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.cfg.Webhook, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := a.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // so that the connection can be used again
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("webhook answered %s", resp.Status)
	}
	return nil
}
