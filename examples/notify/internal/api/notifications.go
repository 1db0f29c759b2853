package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/botehq/bote/delivery"
	"github.com/botehq/bote/examples/notify/internal/status"
	"github.com/botehq/bote/examples/notify/internal/text"
	"github.com/botehq/bote/examples/notify/message"
)

const (
	defaultLimit = 50
	maxLimit     = 500
	maxWait      = 30 * time.Second // of Prefer: wait
)

// Accepted is the answer to a notification that was accepted.
type Accepted struct {
	ID      string        `json:"id"`
	Status  message.State `json:"status"`
	Message string        `json:"message"`
}

// notification was checked and is about to be put on its topic.
type notification struct {
	kind    message.Kind
	path    string // of its resource, without the ID
	message text.Text
	send    func(ctx context.Context, id string) (delivery.Result, error)
}

func (a *API) postEmail(w http.ResponseWriter, r *http.Request) {
	b, p := readBody(w, r)
	if p != nil {
		a.fail(w, r, *p)
		return
	}
	e := message.Email{From: b.address("from"), To: b.address("to"), Subject: b.subject("subject"), Body: b.content("body")}
	if p := b.end(); p != nil {
		a.fail(w, r, *p)
		return
	}
	a.accept(w, r, notification{
		kind: message.KindEmail, path: "/api/emails/", message: text.Text{EN: "Email accepted", KO: "이메일 발송 요청 완료"},
		send: func(ctx context.Context, id string) (delivery.Result, error) {
			return message.Emails().Send(ctx, a.client, e.To, e, delivery.MessageID(id))
		},
	})
}

func (a *API) postSMS(w http.ResponseWriter, r *http.Request) {
	b, p := readBody(w, r)
	if p != nil {
		a.fail(w, r, *p)
		return
	}
	s := message.SMS{From: b.phone("from"), To: b.phone("to"), Body: b.content("body")}
	if p := b.end(); p != nil {
		a.fail(w, r, *p)
		return
	}
	a.accept(w, r, notification{
		kind: message.KindSMS, path: "/api/sms/", message: text.Text{EN: "SMS accepted", KO: "문자 발송 요청 완료"},
		send: func(ctx context.Context, id string) (delivery.Result, error) {
			return message.Texts().Send(ctx, a.client, s.To, s, delivery.MessageID(id))
		},
	})
}

// accept sends a notification to its topic and answers once it is safe there. If the
// client prefers to wait, it answers once the notification was sent or is dead, or
// the wait is over.
func (a *API) accept(w http.ResponseWriter, r *http.Request, n notification) {
	id := delivery.NewMessageID(time.Now())
	changes := a.view.Subscribe(id)
	defer changes.Close()
	res, ok := a.send(w, r, id, n.send)
	if !ok {
		return
	}
	s := accepted(id, n.kind, res)
	a.view.Accept(s)
	w.Header().Set("Location", n.path+id)
	w.Header().Add("Vary", "Accept, Accept-Language")
	if wait := preferredWait(r); wait > 0 {
		w.Header().Set("Preference-Applied", "wait="+strconv.Itoa(int(wait/time.Second)))
		if s, final := a.await(r.Context(), changes, wait); final {
			writeJSON(w, http.StatusOK, "application/json", resource(s))
			return
		}
	}
	lang := a.lang(r)
	w.Header().Set("Content-Language", string(lang))
	if prefersText(r) {
		writeText(w, http.StatusAccepted, n.message.In(lang))
		return
	}
	writeJSON(w, http.StatusAccepted, "application/json", Accepted{ID: id, Status: message.StateAccepted, Message: n.message.In(lang)})
}

func accepted(id string, kind message.Kind, res delivery.Result) message.Status {
	return message.Status{
		ID: id, Kind: kind, Topic: res.Topic, Partition: res.Partition, Offset: res.Offset,
		AcceptedAt: res.Timestamp.Truncate(time.Millisecond).UTC(),
	}
}

// send writes a record and reports whether it is safe. If not, send has answered the
// request.
func (a *API) send(w http.ResponseWriter, r *http.Request, id string, f func(context.Context, string) (delivery.Result, error)) (delivery.Result, bool) {
	ctx, cancel := context.WithTimeout(r.Context(), publishTimeout)
	defer cancel()
	res, err := f(ctx, id)
	switch {
	case err == nil:
		return res, true
	case errors.Is(err, kerr.MessageTooLarge):
		a.fail(w, r, tooLarge())
	default:
		a.log.Warn("record not sent", slog.String("id", id), slog.Any("err", err))
		a.fail(w, r, unavailable(errors.Is(err, delivery.ErrUnknownOutcome)))
	}
	return res, false
}

// await waits until a notification is in a final state. It reports false if the limit
// or the request ends first.
func (a *API) await(ctx context.Context, changes *status.Subscription, limit time.Duration) (message.Status, bool) {
	end := time.NewTimer(limit)
	defer end.Stop()
	for {
		select {
		case s := <-changes.C():
			if s.State.Final() {
				return s, true
			}
		case <-end.C:
			return message.Status{}, false
		case <-ctx.Done():
			return message.Status{}, false
		case <-a.cfg.Draining:
			return message.Status{}, false
		}
	}
}

// preferredWait is the wait that Prefer asks for (RFC 7240), 0 for none.
func preferredWait(r *http.Request) time.Duration {
	for _, header := range r.Header.Values("Prefer") {
		for p := range strings.FieldsFuncSeq(header, func(c rune) bool { return c == ',' || c == ';' }) {
			name, value, _ := strings.Cut(strings.TrimSpace(p), "=")
			if n, err := strconv.Atoi(strings.TrimSpace(value)); strings.EqualFold(strings.TrimSpace(name), "wait") && err == nil && n > 0 {
				return time.Duration(min(n, int(maxWait/time.Second))) * time.Second
			}
		}
	}
	return 0
}

// prefersText reports whether a client asks for plain text and not for JSON.
func prefersText(r *http.Request) bool {
	accept := r.Header.Get("Accept")
	return strings.Contains(accept, "text/plain") && !strings.Contains(accept, "json")
}

func writeText(w http.ResponseWriter, code int, line string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_, _ = w.Write([]byte(line)) // the client is gone if this fails
}

// resource is a status as clients see it: the list of attempts is never null.
func resource(s message.Status) message.Status {
	if s.Attempts == nil {
		s.Attempts = []message.Attempt{}
	}
	return s
}

func (a *API) get(kind message.Kind) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s, known := a.view.Get(r.PathValue("id"))
		if !known || s.Kind != kind {
			a.fail(w, r, notFound())
			return
		}
		writeJSON(w, http.StatusOK, "application/json", resource(s))
	}
}

// Page is a part of a list, the newest first. Next is the cursor of the next part,
// null at the end.
type Page struct {
	Items []message.Status `json:"items"`
	Next  *string          `json:"next"`
}

func (a *API) list(kind message.Kind) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		limit, state := defaultLimit, message.State(q.Get("status"))
		if v := q.Get("limit"); v != "" {
			n, err := strconv.Atoi(v)
			if err != nil || n < 1 || n > maxLimit {
				a.fail(w, r, badParameter(text.Text{EN: "limit must be between 1 and 500.", KO: "limit은 1에서 500 사이여야 합니다."}))
				return
			}
			limit = n
		}
		if state != "" && !slices.Contains(message.States(), state) {
			a.fail(w, r, badParameter(text.Text{EN: "status is not one of the known ones.", KO: "알 수 없는 status입니다."}))
			return
		}
		items, next, err := a.view.List(kind, state, q.Get("cursor"), limit)
		if err != nil {
			a.fail(w, r, badParameter(text.Text{EN: "cursor must be the next of an earlier page.", KO: "cursor는 이전 페이지의 next여야 합니다."}))
			return
		}
		page := Page{Items: []message.Status{}}
		for _, s := range items {
			page.Items = append(page.Items, resource(s))
		}
		if next != "" {
			page.Next = &next
		}
		writeJSON(w, http.StatusOK, "application/json", page)
	}
}
