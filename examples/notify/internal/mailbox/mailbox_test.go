package mailbox_test

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/botehq/bote/examples/notify/internal/mailbox"
	"github.com/botehq/bote/examples/notify/internal/mailer"
	"github.com/botehq/bote/examples/notify/internal/text"
	"github.com/botehq/bote/examples/notify/message"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve runs the SMTP server of a mailbox, and gives a mailer for it.
func serve(t *testing.T, box *mailbox.Mailbox) (m *mailer.Mailer, stop func()) {
	t.Helper()
	var lc net.ListenConfig
	ln, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	srv := mailbox.NewSMTP(ln, box, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- srv.Run(ctx) }()
	stop = func() {
		if cancel != nil {
			cancel()
			cancel = nil
			require.NoError(t, <-done)
		}
	}
	t.Cleanup(stop)
	m, err = mailer.New(srv.Addr(), mailer.Auth{})
	require.NoError(t, err)
	return m, stop
}

func TestMailsAreDecoded(t *testing.T) {
	t.Parallel()
	box := mailbox.New()
	m, _ := serve(t, box)
	for _, e := range []message.Email{
		{From: "a@example.com", To: "b@example.com", Subject: "테스트 제목", Body: "테스트 내용"},
		{From: "홍길동 <a@example.com>", To: "b@example.com", Subject: strings.Repeat("긴 제목 ", 100) + ".", Body: "first\n.\n..dots\n" + strings.Repeat("줄 ", 2000) + "."},
		{From: "a@example.com", To: "b@example.com", Subject: "plain", Body: "<b>&amp;</b> = =3D"},
	} {
		require.NoError(t, m.Send(t.Context(), "id", e))
		got, _ := box.Messages(0)
		last := got[len(got)-1]
		require.Equal(t, e.Subject, last.Subject)
		require.Equal(t, e.Body, last.Body)
		require.Contains(t, last.From, "a@example.com")
	}
}

func TestSwitches(t *testing.T) {
	t.Parallel()
	box := mailbox.New()
	m, _ := serve(t, box)
	mail := message.Email{From: "a@example.com", To: "b@example.com", Subject: "s", Body: "b"}
	set := func(s mailbox.Switch) { require.NoError(t, box.Faults().Set(s)) }
	try := func() []error {
		return []error{m.Send(t.Context(), "id", mail), box.SendSMS(t.Context(), "id", message.SMS{Body: "b"})}
	}
	set(mailbox.Switch{Mode: mailbox.ModeTemporary})
	for _, err := range try() {
		require.Error(t, err)
		require.False(t, mailer.Permanent(err), err)
	}
	set(mailbox.Switch{Mode: mailbox.ModePermanent})
	for _, err := range try() {
		require.True(t, mailer.Permanent(err), err)
	}
	set(mailbox.Switch{Mode: mailbox.ModeOK, FailNext: 2})
	for _, err := range try() {
		require.Error(t, err)
	}
	set(mailbox.Switch{Mode: mailbox.ModeOK, SlowMS: 30})
	begun := time.Now()
	for _, err := range try() {
		require.NoError(t, err)
	}
	require.GreaterOrEqual(t, time.Since(begun), 60*time.Millisecond)
	mail.From = mailbox.RefusedSender
	require.True(t, mailer.Permanent(m.Send(t.Context(), "id", mail)))
	mail.From = mailbox.BusySender
	err := m.Send(t.Context(), "id", mail)
	require.Error(t, err)
	require.False(t, mailer.Permanent(err))
	for _, bad := range []mailbox.Switch{{}, {Mode: "x"}, {Mode: mailbox.ModeOK, FailNext: -1}, {Mode: mailbox.ModeOK, SlowMS: 30001}} {
		require.Error(t, box.Faults().Set(bad))
	}
	require.Equal(t, mailbox.Switch{Mode: mailbox.ModeOK, SlowMS: 30}, box.Faults().Get())
}

// TestStopEndsSlowMails stops the server while it is slow on purpose.
func TestStopEndsSlowMails(t *testing.T) {
	t.Parallel()
	box := mailbox.New()
	m, stop := serve(t, box)
	require.NoError(t, box.Faults().Set(mailbox.Switch{Mode: mailbox.ModeOK, FailNext: 1, SlowMS: 30000}))
	sent := make(chan error, 1)
	go func() {
		sent <- m.Send(context.Background(), "id", message.Email{From: "a@example.com", To: "b@example.com", Subject: "s", Body: "b"})
	}()
	require.Eventually(t, func() bool { return box.Faults().Get().FailNext == 0 }, 10*time.Second, time.Millisecond)
	begun := time.Now()
	stop()
	require.Less(t, time.Since(begun), 10*time.Second)
	err := <-sent
	require.Error(t, err)
	require.False(t, mailer.Permanent(err))
}

func TestOnlyTheNewestAreKept(t *testing.T) {
	t.Parallel()
	box := mailbox.New()
	for range 600 {
		box.Add(mailbox.Message{Kind: mailbox.KindSMS})
	}
	got, last := box.Messages(0)
	require.Len(t, got, 500)
	require.EqualValues(t, 600, last)
	require.EqualValues(t, 101, got[0].Seq)
	got, _ = box.Messages(598)
	require.Len(t, got, 2)
	got, _ = box.Messages(700)
	require.Empty(t, got)
}

func TestPage(t *testing.T) {
	t.Parallel()
	box := mailbox.New()
	page, err := mailbox.NewPage(box, "smtp.example.com:25", text.English)
	require.NoError(t, err)
	ask := func(method, path, body string, header ...string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		w := httptest.NewRecorder()
		page.ServeHTTP(w, r)
		return w
	}
	const form = "application/x-www-form-urlencoded"
	require.Contains(t, ask(http.MethodGet, "/mailbox", "").Body.String(), "Nothing has arrived yet.")
	box.Add(mailbox.Message{Kind: mailbox.KindMail, Subject: "<script>alert(1)</script>", Body: "본문"})
	body := ask(http.MethodGet, "/mailbox", "", "Accept-Language", "ko").Body.String()
	require.Contains(t, body, "실패 스위치")
	require.Contains(t, body, "일시 오류 451 (재시도함)")
	require.Contains(t, body, `data-confirm="메일함의`)
	require.Contains(t, body, `data-max="5"`)
	require.Contains(t, body, "&lt;script&gt;alert(1)")
	require.Contains(t, body, "smtp.example.com:25")
	require.NotContains(t, body, "http://", "nothing is asked of other sites")
	require.Contains(t, ask(http.MethodGet, "/mailbox/list?lang=ko", "").Body.String(), "메일")
	for path, kind := range map[string]string{"/mailbox/mailbox.js": "javascript", "/mailbox/mailbox.css": "css"} {
		w := ask(http.MethodGet, path, "")
		require.Equal(t, http.StatusOK, w.Code)
		require.Contains(t, w.Header().Get("Content-Type"), kind)
		require.Contains(t, w.Header().Get("Content-Security-Policy"), "default-src 'self'")
	}

	w := ask(http.MethodPost, "/mailbox/switch?lang=ko", url.Values{"mode": {"5xx"}, "failNext": {"3"}, "slowMs": {""}}.Encode(), "Content-Type", form)
	require.Equal(t, http.StatusSeeOther, w.Code)
	require.Equal(t, "/mailbox?lang=ko", w.Header().Get("Location"))
	require.Equal(t, mailbox.Switch{Mode: mailbox.ModePermanent, FailNext: 3}, box.Faults().Get())
	require.Equal(t, http.StatusUnprocessableEntity, ask(http.MethodPost, "/mailbox/switch", "mode=x", "Content-Type", form).Code)
	require.Equal(t, http.StatusForbidden, ask(http.MethodPost, "/mailbox/switch", "mode=ok", "Content-Type", form, "Sec-Fetch-Site", "cross-site").Code)

	require.JSONEq(t, `{"mode":"5xx","failNext":3,"slowMs":10}`, ask(http.MethodPost, "/mailbox/api/switch", `{"slowMs":10}`, "Content-Type", "application/json").Body.String())
	require.Equal(t, http.StatusUnsupportedMediaType, ask(http.MethodPost, "/mailbox/api/switch", `{}`, "Content-Type", "text/plain").Code)
	require.Equal(t, http.StatusBadRequest, ask(http.MethodPost, "/mailbox/api/switch", `{"no":1}`, "Content-Type", "application/json").Code)
	require.Equal(t, http.StatusUnprocessableEntity, ask(http.MethodPost, "/mailbox/api/switch", `{"failNext":-1}`, "Content-Type", "application/json").Code)
	require.Equal(t, http.StatusBadRequest, ask(http.MethodGet, "/mailbox/api/messages?after=x", "").Code)
	require.Contains(t, ask(http.MethodGet, "/mailbox/api/messages", "").Body.String(), `"last":1`)
	require.Equal(t, http.StatusNoContent, ask(http.MethodDelete, "/mailbox/api/messages", "").Code)
	require.Contains(t, ask(http.MethodGet, "/mailbox/api/messages?after=1", "").Body.String(), `{"messages":[],"last":1}`)
}

// TestAlertsInTheLanguageOfThePage: alerts are Korean on the Korean page.
func TestAlertsInTheLanguageOfThePage(t *testing.T) {
	t.Parallel()
	box := mailbox.New()
	box.Add(mailbox.Message{Kind: mailbox.KindAlert, Body: "it was given up", Korean: "끝내 실패했습니다"})
	page, err := mailbox.NewPage(box, "", text.English)
	require.NoError(t, err)
	for lang, says := range map[string]string{"en": "it was given up", "ko": "끝내 실패했습니다"} {
		w := httptest.NewRecorder()
		page.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/mailbox/list?lang="+lang, nil))
		require.Contains(t, w.Body.String(), "<pre>"+says+"</pre>")
	}
}
