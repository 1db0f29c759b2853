package api

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"github.com/botehq/bote/examples/notify/internal/text"
)

// Problem is an error as clients see it, RFC 9457.
type Problem struct {
	Type     string       `json:"type"`
	Title    string       `json:"title"`
	Status   int          `json:"status"`
	Detail   string       `json:"detail,omitempty"`
	Instance string       `json:"instance"`
	Code     string       `json:"code"`
	Errors   []FieldError `json:"errors,omitempty"`
	TraceID  string       `json:"traceId"`
}

// FieldError is what is wrong with one field of a body.
type FieldError struct {
	Pointer string `json:"pointer"` // RFC 6901
	Detail  string `json:"detail"`
}

// problem is an error before the language of the answer is known.
type problem struct {
	status int
	code   string
	title  text.Text
	detail text.Text
	fields []fieldProblem
}

type fieldProblem struct {
	field  string
	detail text.Text
}

// The problems.
func badJSON(detail text.Text) problem {
	return problem{
		status: http.StatusBadRequest, code: "malformed-json", title: text.Text{EN: "Malformed JSON", KO: "잘못된 JSON"},
		detail: detail,
	}
}

func readFailed() problem {
	return badParameter(text.Text{EN: "The body cannot be read.", KO: "본문을 읽을 수 없습니다."})
}

func badParameter(detail text.Text) problem {
	return problem{status: http.StatusBadRequest, code: "bad-parameter", title: text.Text{EN: "Bad parameter", KO: "잘못된 매개변수"}, detail: detail}
}

func notFound() problem {
	return problem{
		status: http.StatusNotFound, code: "not-found", title: text.Text{EN: "Not found", KO: "찾을 수 없음"},
		detail: text.Text{EN: "There is nothing under this address.", KO: "요청한 주소를 찾을 수 없습니다."},
	}
}

func methodNotAllowed(path, allow string) problem {
	p := problem{
		status: http.StatusMethodNotAllowed, code: "method-not-allowed", title: text.Text{EN: "Method not allowed", KO: "허용되지 않는 메서드"},
		detail: text.Text{EN: "This address takes " + allow + ".", KO: "이 주소에서 쓸 수 있는 메서드: " + allow},
	}
	switch {
	case path == "/publish":
		p.detail = text.Text{
			EN: "Send it with POST. GET works when the program is run with --publish-get.",
			KO: "이 주소는 POST 요청만 받습니다. GET을 쓰려면 --publish-get 옵션으로 실행해 주세요.",
		}
	case allow == http.MethodPost:
		p.detail = text.Text{EN: "Send it with POST.", KO: "이 주소는 POST 요청만 받습니다(Allow 헤더 참고)."}
	}
	return p
}

// onlyPOST answers a GET for an address that only takes POST, as a browser sends it.
func (a *API) onlyPOST(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Allow", http.MethodPost)
	a.fail(w, r, methodNotAllowed(r.URL.Path, http.MethodPost))
}

func tooLarge() problem {
	return problem{
		status: http.StatusRequestEntityTooLarge, code: "too-large", title: text.Text{EN: "Request too large", KO: "요청이 너무 큼"},
		detail: text.Text{EN: "The message is larger than the broker accepts (max.message.bytes of the topic).", KO: "메시지가 브로커가 받을 수 있는 크기(토픽의 max.message.bytes)를 넘었습니다."},
	}
}

// bodyTooLarge is a body that is longer than this service accepts. size is -1 if the
// client did not say how long it is.
func bodyTooLarge(size int64) problem {
	p := tooLarge()
	p.detail = text.Text{EN: fmt.Sprintf("The body may have at most %d bytes.", maxRequestBytes), KO: fmt.Sprintf("본문은 %d바이트까지 받을 수 있습니다.", maxRequestBytes)}
	if size >= 0 {
		p.detail = text.Text{
			EN: fmt.Sprintf("The body may have at most %d bytes; this one has %d.", maxRequestBytes, size),
			KO: fmt.Sprintf("본문은 %d바이트까지 받을 수 있습니다(보낸 크기: %d).", maxRequestBytes, size),
		}
	}
	return p
}

func wrongType(want string) problem {
	return problem{
		status: http.StatusUnsupportedMediaType, code: "unsupported-media-type", title: text.Text{EN: "Unsupported media type", KO: "지원하지 않는 미디어 형식"},
		detail: text.Text{EN: "Content-Type must be " + want + ".", KO: "지원하는 Content-Type: " + want + "."},
	}
}

func invalid(fields []fieldProblem) problem {
	return problem{
		status: http.StatusUnprocessableEntity, code: "validation", title: text.Text{EN: "Validation failed", KO: "검증 실패"},
		detail: text.Text{EN: "Nothing was accepted; correct the fields in errors.", KO: "접수되지 않았습니다. errors의 항목을 고쳐 주세요."}, fields: fields,
	}
}

func unavailable(unknown bool) problem {
	p := problem{
		status: http.StatusServiceUnavailable, code: "broker-unavailable", title: text.Text{EN: "Broker not available", KO: "브로커를 사용할 수 없음"},
		detail: text.Text{EN: "Nothing was accepted; send it again later.", KO: "접수되지 않았습니다. 나중에 다시 보내 주세요."},
	}
	if unknown {
		p.detail = text.Text{
			EN: "The broker did not confirm in time, so it may have been accepted or not; sending it again may deliver it twice.",
			KO: "브로커가 제때 확인하지 않아 접수 여부를 알 수 없습니다. 다시 보내면 두 번 전달될 수 있습니다.",
		}
	}
	return p
}

func internal() problem {
	return problem{status: http.StatusInternalServerError, code: "internal", title: text.Text{EN: "Internal error", KO: "내부 오류"}}
}

// fail answers a problem in the language of the request.
func (a *API) fail(w http.ResponseWriter, r *http.Request, p problem) {
	lang := a.lang(r)
	out := Problem{
		Type: "about:blank", Title: p.title.In(lang), Status: p.status, Detail: p.detail.In(lang),
		Instance: r.URL.EscapedPath(), Code: p.code, TraceID: traceID(r),
	}
	for _, f := range p.fields {
		out.Errors = append(out.Errors, FieldError{Pointer: pointer(f.field), Detail: f.detail.In(lang)})
	}
	if p.status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "5")
	}
	w.Header().Set("Content-Language", string(lang))
	writeJSON(w, p.status, "application/problem+json", out)
}

// pointer is the JSON pointer of a member of the body, or of the body itself.
func pointer(field string) string {
	if field == "" {
		return ""
	}
	return "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(field)
}

// traceID is the trace of the request by the header traceparent, or a new one.
func traceID(r *http.Request) string {
	if parts := strings.Split(r.Header.Get("Traceparent"), "-"); len(parts) == 4 && len(parts[1]) == 32 {
		if _, err := hex.DecodeString(parts[1]); err == nil {
			return parts[1]
		}
	}
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	return hex.EncodeToString(id[:])
}

func writeJSON(w http.ResponseWriter, code int, kind string, v any) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_, _ = w.Write(buf.Bytes()) // the client is gone if this fails
}

// problems also answers requests without a route, and panics, with a Problem.
func (a *API) problems(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if p := recover(); p != nil && p != http.ErrAbortHandler { //nolint:errorlint // a panic value is no error chain
				a.log.Error("request panicked", slog.String("path", r.URL.Path), slog.Any("err", p))
				a.fail(w, r, internal())
			}
		}()
		h, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		refusal := &refusalWriter{header: http.Header{}}
		h.ServeHTTP(refusal, r)
		if refusal.code == http.StatusMethodNotAllowed {
			w.Header().Set("Allow", refusal.header.Get("Allow"))
			a.fail(w, r, methodNotAllowed(r.URL.Path, refusal.header.Get("Allow")))
			return
		}
		a.fail(w, r, notFound())
	})
}

// refusalWriter keeps the answer of a ServeMux to a request without a route.
type refusalWriter struct {
	header http.Header
	code   int
}

// Header implements http.ResponseWriter.
func (w *refusalWriter) Header() http.Header { return w.header }

// Write implements http.ResponseWriter.
func (w *refusalWriter) Write(p []byte) (int, error) { return len(p), nil }

// WriteHeader implements http.ResponseWriter.
func (w *refusalWriter) WriteHeader(code int) { w.code = code }
