package tool

import (
	"context"
	"strings"
	"syscall"
)

// Exit codes that every command shares.
const (
	ExitOK          = 0
	ExitError       = 1
	ExitInterrupted = 130
	ExitTerminated  = 143
)

// Interrupted is the exit code of a command that a signal ended: 128 and the signal's number, as shells and Java have it.
// signal.NotifyContext tells the signal as the context's cause; without one it was Ctrl-C.
func Interrupted(ctx context.Context) int {
	if cause := context.Cause(ctx); cause != nil && strings.Contains(cause.Error(), syscall.SIGTERM.String()) {
		return ExitTerminated
	}
	return ExitInterrupted
}
