package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/botehq/bote/delivery"
	"github.com/botehq/bote/examples/notify/internal/mailer"
	"github.com/botehq/bote/examples/notify/internal/status"
	"github.com/botehq/bote/examples/notify/message"
)

const (
	eventTimeout = 5 * time.Second
	maxAttempts  = 50 // attempts that a status lists; a notification may be redriven for ever
)

// tracker writes an event before and after each delivery. Its view, which reads the
// events of all workers, has the results of earlier attempts.
//
// An event that cannot be written is logged and not tried again: a notification
// must not go out twice because its status could not be written.
type tracker struct {
	client *delivery.Client
	view   *status.View
	delay  func(attempt int) time.Duration
}

// track is the middleware that tracks deliveries of one kind.
func (t *tracker) track(kind message.Kind) delivery.Middleware {
	return func(next delivery.Handler) delivery.Handler {
		return func(ctx context.Context, m *delivery.Message[[]byte]) error {
			s := t.begin(ctx, kind, m)
			defer func() {
				if p := recover(); p != nil {
					t.end(ctx, m, s, fmt.Errorf("panic: %v", p))
					panic(p)
				}
			}()
			err := next(ctx, m)
			if err != nil && interrupted(ctx) {
				return err
			}
			t.end(ctx, m, s, err)
			return err
		}
	}
}

// interrupted reports whether a delivery does not count because it comes again: the
// worker stops, or the partition moves.
func interrupted(ctx context.Context) bool {
	return ctx.Err() != nil && !errors.Is(context.Cause(ctx), delivery.ErrHandlerTimeout)
}

// begin writes the event that a delivery begins. It does not wait for it.
func (t *tracker) begin(ctx context.Context, kind message.Kind, m *delivery.Message[[]byte]) message.Status {
	o := m.Origin()
	s := message.Status{
		ID: message.ID(m.Raw()), Kind: kind, Topic: o.Topic, Partition: o.Partition, Offset: o.Offset,
		AcceptedAt: o.Timestamp.Truncate(time.Millisecond).UTC(), Version: 2 * (m.Attempt() - 1),
	}
	if before, known := t.view.Get(s.ID); known {
		s.Attempts, s.Version = slices.Clone(before.Attempts), max(s.Version, before.Version)
	}
	s.State = message.StateSending
	s.Version++
	t.view.Apply(s)
	message.Statuses().SendAsync(context.WithoutCancel(ctx), t.client, s.ID, s, func(r delivery.Result) { t.report(s, r.Err) })
	return s
}

// end writes the event with the result of a delivery, and waits for it.
func (t *tracker) end(ctx context.Context, m *delivery.Message[[]byte], s message.Status, err error) {
	s.Version++
	done := message.Attempt{N: m.Attempt(), At: time.Now().UTC()}
	if n := len(s.Attempts); n > 0 {
		done.N = s.Attempts[n-1].N + 1
	}
	s.State = message.StateSent
	if err != nil {
		done.Error = err.Error()
		s.State = message.StateDead
		if m.Attempt() < attempts && retryable(err) {
			s.State = message.StateRetrying
			at := done.At.Add(t.delay(m.Attempt()))
			s.NextAttemptAt = &at
		}
	}
	s.Attempts = append(slices.Clone(s.Attempts), done)
	s.Attempts = s.Attempts[max(0, len(s.Attempts)-maxAttempts):]
	t.view.Apply(s)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), eventTimeout)
	defer cancel()
	_, sendErr := message.Statuses().Send(ctx, t.client, s.ID, s)
	t.report(s, sendErr)
}

// retryable reports whether package delivery tries again after a failure.
func retryable(err error) bool {
	_, undecodable := errors.AsType[*delivery.DecodeError](err)
	return !undecodable && !mailer.Permanent(err)
}

func (t *tracker) report(s message.Status, err error) {
	if err != nil {
		t.client.Logger().Warn("status event not written", slog.String("id", s.ID), slog.String("status", string(s.State)), slog.Any("err", err))
	}
}
