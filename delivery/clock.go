package delivery

import (
	"context"
	"time"
)

// Clock gives a Client the time and its timers. The default is package time;
// package deliverytest has one that moves only when a test says so.
type Clock interface {
	// Now is the current time.
	Now() time.Time
	// AfterFunc calls f once, on any goroutine, when d has passed. The
	// returned stop keeps f from being called and reports whether it did.
	AfterFunc(d time.Duration, f func()) (stop func() bool)
}

// systemClock is package time.
type systemClock struct{}

func (systemClock) Now() time.Time { return time.Now() }

func (systemClock) AfterFunc(d time.Duration, f func()) func() bool {
	return time.AfterFunc(d, f).Stop
}

// withTimeout is context.WithTimeoutCause on the given clock.
func withTimeout(ctx context.Context, c Clock, d time.Duration, cause error) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := c.AfterFunc(d, func() { cancel(cause) })
	return ctx, func() {
		stop()
		cancel(context.Canceled)
	}
}

// timerChan returns a channel that is closed after d, and a function that stops
// the timer.
func timerChan(c Clock, d time.Duration) (<-chan struct{}, func() bool) {
	ch := make(chan struct{})
	return ch, c.AfterFunc(d, func() { close(ch) })
}
