package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/botehq/bote/examples/notify/internal/text"
	"github.com/botehq/bote/examples/notify/message"
)

// maxRequestBytes is the longest request: a body of 256 KiB in which JSON escapes
// every byte.
const maxRequestBytes = 2 << 20

// body is a JSON object whose members are taken one by one. It collects everything
// that is wrong with them, so that a client learns all of it at once.
type body struct {
	members map[string]json.RawMessage
	taken   []string
	wrong   []fieldProblem
}

// readBody reads the object in a request.
func readBody(w http.ResponseWriter, r *http.Request) (*body, *problem) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		p := wrongType("application/json")
		return nil, &p
	}
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequestBytes))
	if err != nil {
		p := readFailed()
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			p = bodyTooLarge(r.ContentLength)
		}
		return nil, &p
	}
	b := &body{}
	if err := json.Unmarshal(raw, &b.members); err != nil || b.members == nil || !utf8.Valid(raw) {
		p := badJSON(whyNoJSON(raw, err))
		return nil, &p
	}
	return b, nil
}

func (b *body) reject(field string, detail text.Text) {
	b.wrong = append(b.wrong, fieldProblem{field, detail})
}

// take is a member, nil if it is missing or null.
func (b *body) take(name string) json.RawMessage {
	b.taken = append(b.taken, name)
	raw := b.members[name]
	if bytes.Equal(raw, []byte("null")) {
		return nil
	}
	return raw
}

// text is a member that must be text and not empty. It is "" if it was rejected.
func (b *body) text(name string) string {
	raw := b.take(name)
	if raw == nil {
		b.reject(name, text.Text{EN: "is required", KO: "필수 항목입니다"})
		return ""
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		b.reject(name, text.Text{EN: "must be text", KO: "문자열이어야 합니다"})
		return ""
	}
	if s == "" {
		b.reject(name, text.Text{EN: "must not be empty", KO: "비어 있을 수 없습니다"})
	}
	return s
}

// integer is a member that must be an integer of at least least. It is 0 if it was
// rejected.
func (b *body) integer(name string, least int64) int64 {
	raw := b.take(name)
	if raw == nil {
		b.reject(name, text.Text{EN: "is required", KO: "필수 항목입니다"})
		return 0
	}
	n, err := strconv.ParseInt(string(raw), 10, 64)
	if err != nil || n < least {
		low := strconv.FormatInt(least, 10)
		b.reject(name, text.Text{EN: "must be an integer of at least " + low, KO: low + " 이상의 정수여야 합니다"})
		return 0
	}
	return n
}

// identifier is a member that must be an integer, or the text of one.
func (b *body) identifier(name string) message.Identifier {
	raw := b.take(name)
	var id message.Identifier
	switch {
	case raw == nil:
		b.reject(name, text.Text{EN: "is required", KO: "필수 항목입니다"})
	case json.Unmarshal(raw, &id) != nil || !id.Number():
		b.reject(name, text.Text{EN: "must be an integer", KO: "정수여야 합니다"})
	}
	return id
}

// end is the problem with the body, nil if there is none. It refuses members that
// were not taken, because most often they are typing errors.
func (b *body) end() *problem {
	var unknown []string
	for name := range b.members {
		if !slices.Contains(b.taken, name) {
			unknown = append(unknown, name)
		}
	}
	slices.Sort(unknown)
	for _, name := range unknown {
		b.reject(name, text.Text{EN: "is not a known field", KO: "알 수 없는 항목입니다"})
	}
	if len(b.wrong) == 0 {
		return nil
	}
	p := invalid(b.wrong)
	return &p
}
