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

// Interrupted returns the exit code of a command that a signal ended: 128 plus the signal's number, as in shells and Java.
// signal.NotifyContext stores the signal as the context's cause. If there is none, the signal counts as Ctrl-C.
func Interrupted(ctx context.Context) int {
	if cause := context.Cause(ctx); cause != nil && strings.Contains(cause.Error(), syscall.SIGTERM.String()) {
		return ExitTerminated
	}
	return ExitInterrupted
}
