package api

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/botehq/bote/delivery"
	"github.com/botehq/bote/examples/notify/internal/text"
	"github.com/botehq/bote/examples/notify/message"
)

const published = "Message published successfully"

// publish puts a text on TopicPublish and answers when all in-sync replicas have it.
// The text is the parameter "message" of the URL or of a form, or a JSON member of
// that name, or a body of plain text.
func (a *API) publish(w http.ResponseWriter, r *http.Request) {
	msg, p := publishText(w, r)
	if p != nil {
		a.fail(w, r, *p)
		return
	}
	_, ok := a.send(w, r, delivery.NewMessageID(time.Now()), func(ctx context.Context, id string) (delivery.Result, error) {
		return message.Published().Send(ctx, a.client, "", msg, delivery.MessageID(id))
	})
	if ok {
		writeText(w, http.StatusOK, published)
	}
}

func publishText(w http.ResponseWriter, r *http.Request) (string, *problem) {
	if q := r.URL.Query(); q.Has("message") {
		return checkPublished(q.Get("message"))
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case r.Method == http.MethodGet:
		return checkPublished("")
	case err == nil && kind == "application/json":
		b, p := readBody(w, r)
		if p != nil {
			return "", p
		}
		msg := b.text("message")
		return msg, b.end()
	case err == nil && kind == "application/x-www-form-urlencoded":
		r.Body = http.MaxBytesReader(w, r.Body, maxRequestBytes)
		if err := r.ParseForm(); err != nil {
			return "", readProblem(r, err)
		}
		return checkPublished(r.PostForm.Get("message"))
	case err == nil && kind == "text/plain":
		raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequestBytes))
		if err != nil {
			return "", readProblem(r, err)
		}
		return checkPublished(string(raw))
	default:
		p := wrongType("application/json, application/x-www-form-urlencoded, text/plain")
		return "", &p
	}
}

func readProblem(r *http.Request, err error) *problem {
	p := readFailed()
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		p = bodyTooLarge(r.ContentLength)
	}
	return &p
}

func checkPublished(msg string) (string, *problem) {
	if msg == "" || !utf8.ValidString(msg) {
		p := badParameter(text.Text{EN: "message must be a text that is not empty.", KO: "message는 비어 있지 않은 문자열이어야 합니다."})
		return "", &p
	}
	return msg, nil
}
