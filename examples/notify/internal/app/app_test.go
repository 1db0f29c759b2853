package app_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"github.com/botehq/bote"
	"github.com/botehq/bote/botetest"
	"github.com/botehq/bote/examples/notify/internal/app"
	"github.com/botehq/bote/examples/notify/internal/mailbox"
	"github.com/botehq/bote/examples/notify/internal/text"
	"github.com/botehq/bote/examples/notify/message"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for something that must happen.
const patience = 20 * time.Second

// tick is how often a test looks.
const tick = 10 * time.Millisecond

// process is an app that runs for one test.
type process struct {
	t      testing.TB
	at     app.Addresses
	client *http.Client
	stop   func()
}

// start runs an app on free ports, in memory, with waits of hundredths of a second.
func start(t *testing.T, change func(*app.Config)) *process {
	t.Helper()
	cfg := app.Config{
		API: true, Worker: true, Host: "127.0.0.1", InMemory: true, PublishByGET: true,
		RetryDelay: 20 * time.Millisecond, Lang: text.Korean, Logger: slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(&cfg)
	}
	a, err := app.Open(t.Context(), cfg)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	p := &process{t: t, at: a.Addresses(), client: &http.Client{Transport: &http.Transport{}}}
	stopped := false
	p.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		select {
		case err := <-done:
			require.NoError(t, err)
		case <-time.After(patience):
			t.Fatal("the app does not end")
		}
	}
	t.Cleanup(func() {
		p.client.CloseIdleConnections()
		p.stop()
	})
	ready, end := context.WithTimeout(t.Context(), patience)
	defer end()
	require.True(t, a.AwaitReady(ready), "the app does not get ready")
	return p
}

type answer struct {
	code   int
	header http.Header
	body   string
}

func (p *process) do(method, url, body string, header ...string) answer {
	p.t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, url, strings.NewReader(body))
	require.NoError(p.t, err)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := p.client.Do(req)
	require.NoError(p.t, err)
	defer func() { _ = resp.Body.Close() }()
	data, err := io.ReadAll(resp.Body)
	require.NoError(p.t, err)
	return answer{resp.StatusCode, resp.Header, string(data)}
}

func (p *process) post(path, body string, header ...string) answer {
	p.t.Helper()
	return p.do(http.MethodPost, p.at.API+path, body, header...)
}

func (p *process) get(path string, header ...string) answer {
	p.t.Helper()
	return p.do(http.MethodGet, p.at.API+path, "", header...)
}

// flip sets the switches of the mailbox.
func (p *process) flip(body string) {
	p.t.Helper()
	require.Equal(p.t, http.StatusOK, p.do(http.MethodPost, p.at.Mailbox+"/api/switch", body).code)
}

// messages are the messages of a kind in the mailbox.
func (p *process) messages(kind mailbox.Kind) []mailbox.Message {
	p.t.Helper()
	var page struct{ Messages []mailbox.Message }
	decode(p.t, p.do(http.MethodGet, p.at.Mailbox+"/api/messages", "").body, &page)
	var out []mailbox.Message
	for _, m := range page.Messages {
		if m.Kind == kind {
			out = append(out, m)
		}
	}
	return out
}

// await waits until a resource is in a state, and returns its status.
func (p *process) await(path string, want message.State) message.Status {
	p.t.Helper()
	var s message.Status
	require.Eventually(p.t, func() bool {
		a := p.get(path)
		if a.code != http.StatusOK {
			return false
		}
		decode(p.t, a.body, &s)
		return s.State == want
	}, patience, tick, "%s does not become %s", path, want)
	return s
}

func decode(tb testing.TB, data string, v any) {
	tb.Helper()
	require.NoError(tb, json.Unmarshal([]byte(data), v), data)
}

const tutorialMail = `{
"from": "sender@example.com",
"to": "receiver@example.com",
"subject": "테스트 제목",
"body": "테스트 내용"
}`

func TestMailArrives(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	a := p.post("/api/emails/send", tutorialMail)
	require.Equal(t, http.StatusAccepted, a.code, a.body)
	var accepted struct{ ID, Status, Message string }
	decode(t, a.body, &accepted)
	require.Equal(t, "accepted", accepted.Status)
	require.Equal(t, "이메일 발송 요청 완료", accepted.Message)
	require.Equal(t, "/api/emails/"+accepted.ID, a.header.Get("Location"))
	require.Equal(t, http.StatusOK, p.get(a.header.Get("Location")).code, "the resource is there at once")

	s := p.await(a.header.Get("Location"), message.StateSent)
	require.Len(t, s.Attempts, 1)
	require.Empty(t, s.Attempts[0].Error)
	require.Equal(t, message.TopicEmails, s.Topic)
	require.EqualValues(t, 0, s.Offset)
	require.Nil(t, s.NextAttemptAt)

	mails := p.messages(mailbox.KindMail)
	require.Len(t, mails, 1)
	require.Equal(t, "테스트 제목", mails[0].Subject)
	require.Equal(t, "테스트 내용", mails[0].Body)
	require.Equal(t, "sender@example.com", mails[0].From)
	require.Equal(t, "receiver@example.com", mails[0].To)
	require.Equal(t, accepted.ID, mails[0].ID)

	page := p.do(http.MethodGet, p.at.Mailbox+"?lang=ko", "").body
	require.Contains(t, page, "테스트 제목")
	require.Contains(t, page, "실패 스위치")
}

func TestAnswerByLanguageAndType(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	require.Contains(t, p.post("/api/emails", tutorialMail, "Accept-Language", "en-US").body, `"message":"Email accepted"`)
	a := p.post("/api/emails", tutorialMail, "Accept", "text/plain")
	require.Equal(t, http.StatusAccepted, a.code)
	require.Equal(t, "이메일 발송 요청 완료", a.body)
	require.NotEmpty(t, a.header.Get("Location"))

	a = p.post("/api/sms", `{"from":"02-123-4567","to":"010-1234-5678","body":"hi"}`, "Prefer", "wait=5")
	require.Equal(t, http.StatusOK, a.code)
	require.Equal(t, "wait=5", a.header.Get("Preference-Applied"))
	var s message.Status
	decode(t, a.body, &s)
	require.Equal(t, message.StateSent, s.State)
	sms := p.messages(mailbox.KindSMS)
	require.Len(t, sms, 1)
	require.Equal(t, "+821012345678", sms[0].To)
	require.Equal(t, "+8221234567", sms[0].From)
}

func TestTemporaryFailureIsTriedFiveTimes(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	p.flip(`{"mode":"4xx"}`)
	s := p.await(p.post("/api/emails", tutorialMail).header.Get("Location"), message.StateDead)
	require.Len(t, s.Attempts, 5)
	for i, a := range s.Attempts {
		require.Equal(t, i+1, a.N)
		require.Contains(t, a.Error, "451")
		if i > 0 {
			require.GreaterOrEqual(t, a.At.Sub(s.Attempts[i-1].At), 20*time.Millisecond<<(i-1)*9/10, "attempt %d came too early", a.N)
		}
	}
	require.Empty(t, p.messages(mailbox.KindMail))
	require.Eventually(t, func() bool { return len(p.messages(mailbox.KindDeadLetter)) == 1 }, patience, tick)
	letter := p.messages(mailbox.KindDeadLetter)[0]
	require.Equal(t, s.ID, letter.ID)
	require.Contains(t, letter.Subject, "email.send.dlt")
	require.Contains(t, letter.Subject, "exhausted")
	require.Len(t, p.messages(mailbox.KindAlert), 1)
}

func TestOneFailureIsOvercome(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	p.flip(`{"failNext":2,"slowMs":1}`)
	s := p.await(p.post("/api/emails", tutorialMail).header.Get("Location"), message.StateSent)
	require.Len(t, s.Attempts, 3)
	require.NotEmpty(t, s.Attempts[1].Error)
	require.Empty(t, s.Attempts[2].Error)
	require.Len(t, p.messages(mailbox.KindMail), 1)
	require.Contains(t, p.do(http.MethodGet, p.at.Mailbox+"/api/switch", "").body, `"failNext":0`)
}

func TestPermanentFailureIsDeadAtOnce(t *testing.T) {
	t.Parallel()
	told := make(chan string, 1)
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		data, _ := io.ReadAll(r.Body)
		told <- string(data)
	}))
	t.Cleanup(hook.Close)
	p := start(t, func(c *app.Config) { c.AlertWebhook = hook.URL })
	p.flip(`{"mode":"5xx"}`)
	a := p.post("/api/emails", tutorialMail, "Prefer", "wait=20")
	require.Equal(t, http.StatusOK, a.code)
	var s message.Status
	decode(t, a.body, &s)
	require.Equal(t, message.StateDead, s.State)
	require.Len(t, s.Attempts, 1)
	require.Contains(t, s.Attempts[0].Error, "550")
	select {
	case body := <-told:
		var slack struct{ Text string }
		decode(t, body, &slack)
		require.Contains(t, slack.Text, s.ID)
		require.Contains(t, slack.Text, "permanent")
	case <-time.After(patience):
		t.Fatal("no alert came")
	}
}

func TestOrders(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	a := p.post("/api/orders", `{"userId":7,"amount":15000,"email":"buyer@example.com"}`)
	require.Equal(t, http.StatusCreated, a.code, a.body)
	var placed struct{ OrderID json.Number }
	decode(t, a.body, &placed)
	require.Equal(t, "/api/orders/"+placed.OrderID.String(), a.header.Get("Location"))
	var view struct {
		OrderID, UserID json.Number
		Email           string
		Amount          int64
		Mail            message.Status
	}
	require.Eventually(t, func() bool {
		decode(t, p.get(a.header.Get("Location")).body, &view)
		return view.Mail.State == message.StateSent
	}, patience, tick)
	require.Equal(t, placed.OrderID, view.OrderID)
	require.Equal(t, "7", view.UserID.String())
	require.EqualValues(t, 15000, view.Amount)
	require.Equal(t, "buyer@example.com", p.messages(mailbox.KindMail)[0].To)
	require.Eventually(t, func() bool {
		return strings.TrimSpace(p.do(http.MethodGet, p.at.Worker+"/stats", "").body) == `{"orders":1,"amount":15000}`
	}, patience, tick, "stats-service sees the order too")
}

// A Spring service can read our orders into its own type, with Long IDs. An order that
// it writes, without any header of ours, is confirmed and counted.
func TestOrdersOfSpring(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	cl, err := kgo.NewClient(kgo.SeedBrokers(p.at.Kafka), kgo.ConsumeTopics(message.TopicOrders))
	require.NoError(t, err)
	defer cl.Close()
	spring := &kgo.Record{
		Topic: message.TopicOrders, Value: []byte(`{"orderId":1,"userId":1,"amount":15000,"email":"buyer@example.com"}`),
		Headers: []kgo.RecordHeader{{Key: "__TypeId__", Value: []byte("com.example.order.OrderCreatedEvent")}},
	}
	require.NoError(t, cl.ProduceSync(t.Context(), spring).FirstErr())
	require.Eventually(t, func() bool { return len(p.messages(mailbox.KindMail)) == 1 }, patience, tick)
	require.Equal(t, "주문 확인 / Order 1", p.messages(mailbox.KindMail)[0].Subject)
	require.Contains(t, p.get("/api/orders/1").body, `"orderId":1,"userId":1,"amount":15000`)

	require.Equal(t, http.StatusCreated, p.post("/api/orders", `{"userId":"7","amount":1,"email":"buyer@example.com"}`).code)
	var ours struct{ OrderID, UserID, Amount int64 } // as Java's Long: text would be refused
	for ours.UserID != 7 {
		cl.PollFetches(t.Context()).EachRecord(func(r *kgo.Record) { decode(t, string(r.Value), &ours) })
	}
	require.Positive(t, ours.OrderID)
	require.Less(t, ours.OrderID, int64(1)<<53)
}

// A topic is deleted and created again while the app runs, as the tutorials do.
func TestTopicCreatedAnew(t *testing.T) {
	t.Parallel()
	var log lines
	p := start(t, func(c *app.Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	send := func() int {
		return p.post("/api/emails/send", `{"from":"a@example.com","to":"b@example.com","subject":"s","body":"b"}`).code
	}
	require.Equal(t, http.StatusAccepted, send())
	require.Eventually(t, func() bool { return len(p.messages(mailbox.KindMail)) == 1 }, patience, tick)
	cl, err := kgo.NewClient(kgo.SeedBrokers(p.at.Kafka))
	require.NoError(t, err)
	defer cl.Close()
	adm := kadm.NewClient(cl)
	_, err = adm.DeleteTopic(t.Context(), message.TopicEmails)
	require.NoError(t, err)
	_, err = adm.CreateTopic(t.Context(), 1, 1, nil, message.TopicEmails)
	require.NoError(t, err)
	accepted := 0
	require.Eventually(t, func() bool {
		if send() == http.StatusAccepted {
			accepted++
		}
		return accepted == 3
	}, 3*patience, tick)
	require.Eventually(t, func() bool { return len(p.messages(mailbox.KindMail)) >= 1+accepted }, 3*patience, tick)
	require.LessOrEqual(t, log.count("level=WARN", message.TopicEmails), 2, "one of the API and one of the worker: "+log.text())
}

// lines collects a log.
type lines struct {
	mu  sync.Mutex
	all []string
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, string(p))
	return len(p), nil
}

// count is the number of lines that have all parts.
func (l *lines) count(parts ...string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range l.all {
		has := true
		for _, part := range parts {
			has = has && strings.Contains(line, part)
		}
		if has {
			n++
		}
	}
	return n
}

func (l *lines) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.all, "")
}

// The first address that everybody types, "/", shows a page.
func TestRootIsAPage(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	for _, at := range []string{p.at.API, p.at.Worker} {
		a := p.do(http.MethodGet, at+"/", "")
		require.Equal(t, http.StatusOK, a.code)
		require.Contains(t, a.body, "<h1>")
		require.Contains(t, p.do(http.MethodGet, at+"/?lang=en", "", "Accept-Language", "ko").body, "<h1>Mailbox")
		require.Equal(t, http.StatusNotFound, p.do(http.MethodGet, at+"/nothing", "").code)
	}
}

func TestListPages(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	var last string
	for range 3 {
		last = p.post("/api/emails", tutorialMail).header.Get("Location")
	}
	p.await(last, message.StateSent)
	var seen []string
	path := "/api/emails?limit=2"
	for path != "" {
		var page struct {
			Items []message.Status
			Next  *string
		}
		decode(t, p.get(path).body, &page)
		require.LessOrEqual(t, len(page.Items), 2)
		for _, s := range page.Items {
			seen = append(seen, "/api/emails/"+s.ID)
		}
		path = ""
		if page.Next != nil {
			path = "/api/emails?limit=2&cursor=" + *page.Next
		}
	}
	require.Len(t, seen, 3)
	require.Contains(t, seen, last)
	require.Contains(t, p.get("/api/emails?status=dead").body, `"items":[]`)
	for _, bad := range []string{"limit=0", "limit=501", "limit=x", "status=gone", "cursor=!"} {
		require.Equal(t, http.StatusBadRequest, p.get("/api/emails?"+bad).code, bad)
	}
}

func TestPublish(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	a := p.get("/publish?message=hello")
	require.Equal(t, http.StatusOK, a.code)
	require.Equal(t, "Message published successfully", a.body)
	require.Equal(t, "no-store", a.header.Get("Cache-Control"))
	require.Equal(t, http.StatusOK, p.post("/publish", `{"message":"hello"}`).code)
	require.Equal(t, http.StatusOK, p.post("/publish", "message=hello", "Content-Type", "application/x-www-form-urlencoded").code)
	require.Equal(t, http.StatusOK, p.post("/publish", "hello", "Content-Type", "text/plain").code)
	require.Equal(t, http.StatusBadRequest, p.get("/publish").code)
	require.Equal(t, http.StatusBadRequest, p.get("/publish?message=").code)
	require.Equal(t, http.StatusUnsupportedMediaType, p.post("/publish", "x", "Content-Type", "image/png").code)
}

func TestStream(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	p.flip(`{"failNext":1}`)
	location := p.post("/api/emails", tutorialMail).header.Get("Location")
	id := strings.TrimPrefix(location, "/api/emails/")
	require.Equal(t, http.StatusNotFound, p.get("/api/notifications/stream?id=nobody").code)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.at.API+"/api/notifications/stream?id="+id, http.NoBody)
	require.NoError(t, err)
	resp, err := p.client.Do(req)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	require.Equal(t, "text/event-stream", resp.Header.Get("Content-Type"))
	var last message.Status
	for lines := bufio.NewScanner(resp.Body); last.State != message.StateSent && lines.Scan(); {
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			var s message.Status
			decode(t, data, &s)
			require.Equal(t, id, s.ID)
			require.Greater(t, s.Version+1, last.Version)
			last = s
		}
	}
	require.Equal(t, message.StateSent, last.State)
	require.Len(t, last.Attempts, 2)
}

// TestStreamEndsWithTheApp holds a stream open while the app stops.
func TestStreamEndsWithTheApp(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.at.API+"/api/notifications/stream", http.NoBody)
	require.NoError(t, err)
	resp, err := p.client.Do(req)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	p.stop()
	_, err = io.ReadAll(resp.Body)
	require.NoError(t, err)
}

// TestApart runs the API and the worker as two processes would, with only the broker
// in common.
func TestApart(t *testing.T) {
	t.Parallel()
	b := botetest.New(t)
	front := start(t, func(c *app.Config) { c.Worker, c.BootstrapServers = false, []string{b.Addr()} })
	back := start(t, func(c *app.Config) { c.API, c.BootstrapServers = false, []string{b.Addr()} })
	require.Empty(t, front.at.Mailbox)
	require.Equal(t, back.at.Worker+"/mailbox", back.at.Mailbox)
	location := front.post("/api/emails", tutorialMail).header.Get("Location")
	front.await(location, message.StateSent)
	require.Len(t, back.messages(mailbox.KindMail), 1)

	other := start(t, func(c *app.Config) { c.Worker, c.BootstrapServers = false, []string{b.Addr()} })
	require.Equal(t, front.get(location).body, other.get(location).body, "another API sees the same")
	for _, url := range []string{front.at.API + "/readyz", front.at.API + "/livez", back.at.Worker + "/readyz", back.at.Worker + "/livez"} {
		require.Equal(t, http.StatusOK, back.do(http.MethodGet, url, "").code, url)
	}
	require.Contains(t, back.do(http.MethodGet, back.at.Worker+"/metrics", "").body, `bote_delivery_deliveries_total{`)
	require.Contains(t, front.get("/metrics").body, `bote_notify_http_requests_total{code="202",route="POST /api/emails"} 1`)
}

// TestNoBroker answers 503 while no broker is there.
func TestNoBroker(t *testing.T) {
	t.Parallel()
	cfg := app.Config{API: true, Host: "127.0.0.1", BootstrapServers: []string{"127.0.0.1:1"}, Lang: text.English, Logger: slog.New(slog.DiscardHandler)}
	a, err := app.Open(t.Context(), cfg)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	p := &process{t: t, at: a.Addresses(), client: &http.Client{Transport: &http.Transport{}}}
	require.Equal(t, http.StatusServiceUnavailable, p.get("/readyz").code)
	require.Equal(t, http.StatusOK, p.get("/livez").code)
	got := p.post("/api/emails", tutorialMail)
	require.Equal(t, http.StatusServiceUnavailable, got.code, got.body)
	require.NotEmpty(t, got.header.Get("Retry-After"))
	require.Contains(t, got.body, `"code":"broker-unavailable"`)
	p.client.CloseIdleConnections()
	cancel()
	require.NoError(t, <-done)
}

// The broker is away at the start, and comes later. The log says each of these once.
func TestBrokerComesLater(t *testing.T) {
	t.Parallel()
	var lc net.ListenConfig
	ln, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := ln.Addr().String()
	require.NoError(t, ln.Close())
	var log lines
	cfg := app.Config{
		API: true, Worker: true, Host: "127.0.0.1", BootstrapServers: []string{addr}, Lang: text.English,
		Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
	a, err := app.Open(t.Context(), cfg)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	p := &process{t: t, at: a.Addresses(), client: &http.Client{Transport: &http.Transport{}}}
	require.Eventually(t, func() bool { return log.count("no broker answers") == 1 }, patience, tick)
	require.True(t, a.BrokerAway())
	require.Equal(t, http.StatusServiceUnavailable, p.post("/api/emails", tutorialMail).code)

	b, err := bote.Open(t.Context(), bote.Config{
		InMemory: true, Listen: addr, Logger: slog.New(slog.DiscardHandler),
		Properties: map[string]string{"group.initial.rebalance.delay.ms": "0"},
	})
	require.NoError(t, err)
	defer func() { require.NoError(t, b.Close()) }()
	serving, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- b.Serve(serving) }()
	require.Eventually(t, func() bool { return p.post("/api/emails", tutorialMail).code == http.StatusAccepted }, patience, tick)
	require.Eventually(t, func() bool { return log.count("answers again") == 1 && !a.BrokerAway() }, patience, tick)
	require.LessOrEqual(t, log.count("level=WARN"), 3, log.text())
	p.client.CloseIdleConnections()
	cancel()
	require.NoError(t, <-done)
	stop()
	require.NoError(t, <-served)
}

// TestDrain stops the app while a mail is being sent: the mail arrives, and only
// once.
func TestDrain(t *testing.T) {
	t.Parallel()
	b := botetest.New(t)
	join := func(c *app.Config) { c.BootstrapServers = []string{b.Addr()} }
	p := start(t, join)
	p.flip(`{"slowMs":300}`)
	location := p.post("/api/emails", tutorialMail).header.Get("Location")
	p.await(location, message.StateSending)
	p.stop()

	again := start(t, join)
	s := again.await(location, message.StateSent)
	require.Len(t, s.Attempts, 1)
	require.Empty(t, again.messages(mailbox.KindMail), "it was sent by the first process")
}
