package delivery

import (
	"context"
	"errors"
	"log/slog"
	"runtime/debug"
)

// guard runs a function of the user that must not end the process. A panic is
// returned as a PanicError; runtime.Goexit is not caught.
func guard(f func()) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = newPanicError(v)
		}
	}()
	f()
	return nil
}

// newPanicError is for a deferred function that recovered v.
func newPanicError(v any) error { return &PanicError{Value: v, Stack: debug.Stack()} }

// isolate runs f in a goroutine of its own, so that a panic or a runtime.Goexit in
// f only becomes an error.
func isolate(f func() error) error {
	done := make(chan error, 1)
	go func() {
		err := ErrGoexit
		defer func() {
			if v := recover(); v != nil {
				err = newPanicError(v)
			}
			done <- err
		}()
		err = f()
	}()
	return <-done
}

// stackOf is the stack of a panic, "" for other errors.
func stackOf(err error) string {
	if pe, ok := errors.AsType[*PanicError](err); ok {
		return string(pe.Stack)
	}
	return ""
}

// ask calls a predicate of the user. If the predicate panics, ask logs that and
// returns fallback.
func (l *Listener) ask(what string, match func(error) bool, err error, fallback bool) (answer bool) {
	failed := isolate(func() error {
		answer = match(err)
		return nil
	})
	if failed == nil {
		return answer
	}
	if ok, _ := l.gate.allow(what + " panicked"); ok {
		l.log.LogAttrs(context.Background(), slog.LevelError, "function of an option panicked", slog.String("option", what),
			slog.Any("err", failed), slog.String("stack", stackOf(failed)))
	}
	return fallback
}
