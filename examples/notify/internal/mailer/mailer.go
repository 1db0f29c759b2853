// Package mailer sends mails by SMTP and says which failures are worth another
// attempt. It decides whether a failure is permanent or temporary. Package delivery
// owns the attempts.
package mailer

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"strconv"
	"time"

	"github.com/wneessen/go-mail"

	"github.com/botehq/bote/examples/notify/message"
)

const sendTimeout = 15 * time.Second

// RefusedError is a failure that another attempt would not change: a server
// answered with 5xx, or the mail cannot be written down.
type RefusedError struct {
	Code int // reply code of the server; 0 if it was not asked
	Err  error
}

func (e *RefusedError) Error() string { return e.Err.Error() }

// Unwrap gives the reason.
func (e *RefusedError) Unwrap() error { return e.Err }

// Permanent reports whether another attempt would not change the failure.
func Permanent(err error) bool {
	_, ok := errors.AsType[*RefusedError](err)
	return ok
}

// Mailer sends through one server, with a connection for each mail. It is safe for
// concurrent use.
type Mailer struct {
	host string
	port int
	auth Auth
}

// Auth is how to log in. The zero value means no login.
type Auth struct {
	User, Password string
}

// New makes a Mailer for a server, "host:port". STARTTLS is used when the server
// offers it, and is required with a login.
func New(server string, auth Auth) (*Mailer, error) {
	host, port, err := net.SplitHostPort(server)
	if err != nil {
		return nil, fmt.Errorf("smtp server: %w", err)
	}
	n, err := strconv.Atoi(port)
	if err != nil || n < 1 || n > 65535 {
		return nil, fmt.Errorf("smtp server: port %q is not between 1 and 65535", port)
	}
	return &Mailer{host: host, port: n, auth: auth}, nil
}

// Send sends a mail. The ID becomes the message ID, so that a receiver can tell that
// two copies are the same mail.
func (m *Mailer) Send(ctx context.Context, id string, e message.Email) error {
	msg, err := compose(id, e)
	if err != nil {
		return &RefusedError{Err: err}
	}
	client, err := mail.NewClient(m.host, m.options()...)
	if err != nil {
		return fmt.Errorf("prepare smtp: %w", err)
	}
	conn, err := client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return judge(fmt.Errorf("connect to the mail server: %w", err))
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	defer func() { _ = conn.Close() }() // in case the server does not answer QUIT
	if err := client.SendWithSMTPClient(conn, msg); err != nil {
		_ = client.CloseWithSMTPClient(conn) // the failure of the mail is what matters
		return judge(fmt.Errorf("send the mail: %w", err))
	}
	_ = client.CloseWithSMTPClient(conn) // the server has the mail, whatever it answers to QUIT
	return nil
}

func (m *Mailer) options() []mail.Option {
	opts := []mail.Option{mail.WithPort(m.port), mail.WithTimeout(sendTimeout), mail.WithTLSPolicy(mail.TLSOpportunistic), mail.WithoutNoop()}
	if m.auth.User == "" {
		return append(opts, mail.WithTLSConfig(&tls.Config{ServerName: m.host, MinVersion: tls.VersionTLS12}))
	}
	return append(opts, mail.WithTLSPolicy(mail.TLSMandatory), mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover),
		mail.WithUsername(m.auth.User), mail.WithPassword(m.auth.Password))
}

func compose(id string, e message.Email) (*mail.Msg, error) {
	msg := mail.NewMsg(mail.WithNoDefaultUserAgent())
	if err := msg.From(e.From); err != nil {
		return nil, fmt.Errorf("address of the sender: %w", err)
	}
	if err := msg.To(e.To); err != nil {
		return nil, fmt.Errorf("address of the receiver: %w", err)
	}
	msg.Subject(e.Subject)
	msg.SetDate()
	msg.SetMessageIDWithValue(id + "@bote-notify")
	msg.SetBodyString(mail.TypeTextPlain, e.Body)
	return msg, nil
}

// judge marks a failure that the server calls permanent.
func judge(err error) error {
	if code := replyCode(err); code >= 500 {
		return &RefusedError{Code: code, Err: err}
	}
	return err
}

// replyCode is the server's code in an error, 0 if there is none.
func replyCode(err error) int {
	if sent, ok := errors.AsType[*mail.SendError](err); ok && sent.ErrorCode() != 0 {
		return sent.ErrorCode()
	}
	if reply, ok := errors.AsType[*textproto.Error](err); ok {
		return reply.Code
	}
	return 0
}
