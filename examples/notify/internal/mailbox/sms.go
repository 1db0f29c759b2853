package mailbox

import (
	"context"
	"errors"
	"fmt"

	"github.com/botehq/bote/examples/notify/internal/mailer"
	"github.com/botehq/bote/examples/notify/message"
)

// errSwitch is the failure that the switches cause.
var errSwitch = errors.New("mailbox switch")

// SendSMS is an SMS provider that puts texts into the mailbox and obeys its
// switches.
func (m *Mailbox) SendSMS(ctx context.Context, id string, s message.SMS) error {
	mode, err := m.faults.next(ctx)
	switch {
	case err != nil:
		return err
	case mode == ModeTemporary:
		return fmt.Errorf("%w: temporary error 451", errSwitch)
	case mode == ModePermanent:
		return &mailer.RefusedError{Code: 550, Err: fmt.Errorf("%w: permanent error 550", errSwitch)}
	}
	m.Add(Message{Kind: KindSMS, ID: id, From: s.From, To: s.To, Body: s.Body})
	return nil
}
