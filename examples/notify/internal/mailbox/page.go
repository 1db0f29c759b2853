package mailbox

import (
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io/fs"
	"mime"
	"net/http"
	"slices"
	"strconv"

	"github.com/botehq/bote/examples/notify/internal/text"
	"github.com/botehq/bote/examples/notify/message"
)

// Path is where the page is mounted.
const Path = "/mailbox"

//go:embed assets
var assets embed.FS

// maxSwitchBytes is the longest body of a switch request.
const maxSwitchBytes = 4 << 10

// Page serves the mailbox under Path. It is for the person who runs the app: there is
// no login.
type Page struct {
	box  *Mailbox
	smtp string // the real server mails go to, or ""
	lang text.Lang
	tmpl *template.Template
	mux  *http.ServeMux
}

// NewPage makes the page. realSMTP is the server that mails go to instead of the
// mailbox, or "". lang is for browsers that ask for neither English nor Korean.
func NewPage(box *Mailbox, realSMTP string, lang text.Lang) (*Page, error) {
	p := &Page{box: box, smtp: realSMTP, lang: lang, mux: http.NewServeMux()}
	var err error
	if p.tmpl, err = template.ParseFS(assets, "assets/mailbox.html"); err != nil {
		return nil, fmt.Errorf("parse the page: %w", err)
	}
	files, err := fs.Sub(assets, "assets")
	if err != nil {
		return nil, err
	}
	static := http.StripPrefix(Path+"/", http.FileServerFS(files))
	p.mux.Handle("GET "+Path+"/mailbox.js", static)
	p.mux.Handle("GET "+Path+"/mailbox.css", static)
	p.mux.HandleFunc("GET "+Path, p.page)
	p.mux.HandleFunc("GET "+Path+"/list", p.list)
	p.mux.HandleFunc("POST "+Path+"/switch", p.form)
	p.mux.HandleFunc("POST "+Path+"/clear", p.clear)
	p.mux.HandleFunc("GET "+Path+"/api/messages", p.messages)
	p.mux.HandleFunc("GET "+Path+"/api/switch", p.getSwitch)
	p.mux.HandleFunc("POST "+Path+"/api/switch", p.setSwitch)
	p.mux.HandleFunc("DELETE "+Path+"/api/messages", p.clear)
	return p, nil
}

// ServeHTTP implements http.Handler. Other sites cannot flip the switches.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	http.NewCrossOriginProtection().Handler(p.mux).ServeHTTP(w, r)
}

// view is what the template shows.
type view struct {
	Lang     text.Lang
	Attempts int // how often a message is tried
	T        map[string]string
	Messages []Message // newest first
	Last     int64
	Switch   Switch
	SMTP     string
}

func (p *Page) view(r *http.Request) view {
	lang := text.Accepted(r.Header.Get("Accept-Language"), p.lang)
	if l, ok := text.Parse(r.URL.Query().Get("lang")); ok {
		lang = l
	}
	v := view{Lang: lang, Attempts: message.Attempts, T: words(lang), Switch: p.box.Faults().Get(), SMTP: p.smtp}
	v.Messages, v.Last = p.box.Messages(0)
	slices.Reverse(v.Messages)
	return v
}

func (p *Page) page(w http.ResponseWriter, r *http.Request) { p.render(w, r, "page") }

// list is the part of the page that changes.
func (p *Page) list(w http.ResponseWriter, r *http.Request) { p.render(w, r, "list") }

func (p *Page) render(w http.ResponseWriter, r *http.Request, name string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if err := p.tmpl.ExecuteTemplate(w, name, p.view(r)); err != nil {
		return // the browser has gone
	}
}

// form sets the switches from a form, for browsers without scripts.
func (p *Page) form(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxSwitchBytes)
	s := Switch{Mode: Mode(r.PostFormValue("mode"))}
	var err error
	if s.FailNext, err = strconv.Atoi(orZero(r.PostFormValue("failNext"))); err == nil {
		s.SlowMS, err = strconv.ParseInt(orZero(r.PostFormValue("slowMs")), 10, 64)
	}
	if err == nil {
		err = p.box.Faults().Set(s)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusUnprocessableEntity)
		return
	}
	back(w, r)
}

func orZero(s string) string {
	if s == "" {
		return "0"
	}
	return s
}

// back shows the page again, in its language.
func back(w http.ResponseWriter, r *http.Request) {
	to := Path
	if l, ok := text.Parse(r.URL.Query().Get("lang")); ok {
		to += "?lang=" + string(l)
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}

func (p *Page) clear(w http.ResponseWriter, r *http.Request) {
	p.box.Clear()
	if r.Method == http.MethodDelete {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	back(w, r)
}

// messages answers scripts with the messages above ?after=n, as
// {"messages": […], "last": n}.
func (p *Page) messages(w http.ResponseWriter, r *http.Request) {
	after, err := strconv.ParseInt(orZero(r.URL.Query().Get("after")), 10, 64)
	if err != nil || after < 0 {
		http.Error(w, "after must be a number from 0", http.StatusBadRequest)
		return
	}
	var out struct {
		Messages []Message `json:"messages"`
		Last     int64     `json:"last"`
	}
	out.Messages, out.Last = p.box.Messages(after)
	if out.Messages == nil {
		out.Messages = []Message{}
	}
	reply(w, out)
}

func (p *Page) getSwitch(w http.ResponseWriter, _ *http.Request) { reply(w, p.box.Faults().Get()) }

// setSwitch changes the switches that the body names, and answers with all of them.
func (p *Page) setSwitch(w http.ResponseWriter, r *http.Request) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		http.Error(w, "Content-Type must be application/json", http.StatusUnsupportedMediaType)
		return
	}
	s := p.box.Faults().Get()
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxSwitchBytes))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&s); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if err := p.box.Faults().Set(s); err != nil {
		http.Error(w, err.Error(), http.StatusUnprocessableEntity)
		return
	}
	reply(w, p.box.Faults().Get())
}

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v) // the client is gone if this fails
}
