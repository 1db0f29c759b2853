package mailbox

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"strings"
	"time"

	"github.com/emersion/go-smtp"
)

const (
	smtpMaxBytes = 4 << 20
	smtpTimeout  = 60 * time.Second
	smtpDrain    = 2 * time.Second
)

// Senders that always fail, whatever the switches say.
const (
	BusySender    = "busy@example.com"    // with 4xx
	RefusedSender = "refused@example.com" // with 5xx
)

// SMTP is the server that puts mails into a mailbox.
type SMTP struct {
	box  *Mailbox
	ln   net.Listener
	srv  *smtp.Server
	ctx  context.Context //nolint:containedctx // go-smtp calls sessions without one; it is the server's life
	stop context.CancelFunc
}

// NewSMTP makes a server on a listener. The server owns the listener from now on.
func NewSMTP(ln net.Listener, box *Mailbox, log *slog.Logger) *SMTP {
	s := &SMTP{box: box, ln: ln}
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.srv = smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &session{server: s}, nil }))
	s.srv.Domain = "bote-notify"
	s.srv.MaxMessageBytes, s.srv.MaxRecipients = smtpMaxBytes, 100
	s.srv.ReadTimeout, s.srv.WriteTimeout = smtpTimeout, smtpTimeout
	s.srv.EnableSMTPUTF8 = true
	s.srv.ErrorLog = slog.NewLogLogger(log.Handler(), slog.LevelDebug)
	return s
}

// Addr is the bound address.
func (s *SMTP) Addr() string { return s.ln.Addr().String() }

// Close frees the address of a server that will not run.
func (s *SMTP) Close() error {
	s.stop()
	if err := s.ln.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// Run serves until ctx ends.
func (s *SMTP) Run(ctx context.Context) error {
	defer s.stop()
	served := make(chan error, 1)
	go func() { served <- s.srv.Serve(s.ln) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve smtp: %w", err)
	case <-ctx.Done():
	}
	s.stop()
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), smtpDrain)
	defer cancel()
	if err := s.srv.Shutdown(limit); err != nil {
		_ = s.srv.Close() // clients that do not say goodbye are cut off
	}
	if err := <-served; err != nil && !errors.Is(err, smtp.ErrServerClosed) {
		return fmt.Errorf("serve smtp: %w", err)
	}
	return nil
}

// session is one conversation with a client.
type session struct {
	server *SMTP
	from   string
	to     []string
}

// Reset implements smtp.Session.
func (s *session) Reset() { s.from, s.to = "", nil }

// Logout implements smtp.Session.
func (s *session) Logout() error { return nil }

// Mail implements smtp.Session.
func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	s.from = from
	return nil
}

// Rcpt implements smtp.Session.
func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.to = append(s.to, to)
	return nil
}

// Data implements smtp.Session. It checks the switches once the mail is read, which
// is when a server that is full, or refuses the mail, would say so.
func (s *session) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	mode, err := s.server.box.faults.next(s.server.ctx)
	switch s.from {
	case BusySender:
		mode = ModeTemporary
	case RefusedSender:
		mode = ModePermanent
	}
	switch {
	case err != nil:
		return &smtp.SMTPError{Code: 421, EnhancedCode: smtp.EnhancedCode{4, 3, 2}, Message: "server shuts down"}
	case mode == ModeTemporary:
		return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "mailbox full, by switch or sender"}
	case mode == ModePermanent:
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "mailbox unavailable, by switch or sender"}
	}
	s.server.box.Add(parseMail(string(raw), s.from, s.to))
	return nil
}

// parseMail decodes a mail for display. A mail that cannot be read is shown as it is.
func parseMail(raw, from string, to []string) Message {
	out := Message{Kind: KindMail, From: from, To: strings.Join(to, ", "), Body: raw}
	m, err := mail.ReadMessage(strings.NewReader(raw))
	if err != nil {
		return out
	}
	words := mime.WordDecoder{}
	if subject, err := words.DecodeHeader(m.Header.Get("Subject")); err == nil {
		out.Subject = subject
	}
	for header, field := range map[string]*string{"From": &out.From, "To": &out.To} {
		if v, err := words.DecodeHeader(m.Header.Get(header)); err == nil && v != "" {
			*field = strings.TrimSuffix(strings.TrimPrefix(v, "<"), ">")
		}
	}
	out.ID, _, _ = strings.Cut(strings.Trim(m.Header.Get("Message-Id"), "<>"), "@")
	if body, err := io.ReadAll(decoder(m)); err == nil {
		out.Body = strings.TrimSuffix(strings.ReplaceAll(string(body), "\r\n", "\n"), "\n")
	}
	return out
}

// decoder undoes the transfer encoding of a mail's body.
func decoder(m *mail.Message) io.Reader {
	switch strings.ToLower(m.Header.Get("Content-Transfer-Encoding")) {
	case "quoted-printable":
		return quotedprintable.NewReader(m.Body)
	case "base64":
		return base64.NewDecoder(base64.StdEncoding, m.Body)
	default:
		return m.Body
	}
}
