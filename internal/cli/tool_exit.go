package cli

import (
	"context"
	"strings"
	"syscall"
)

// Exit codes that every command shares.
const (
	exitOK          = 0
	exitError       = 1
	exitInterrupted = 130
	exitTerminated  = 143
)

// interrupted is the exit code of a command that a signal ended: 128 and the signal's number, as shells and Java have it.
// signal.NotifyContext tells the signal as the context's cause; without one it was Ctrl-C.
func interrupted(ctx context.Context) int {
	if cause := context.Cause(ctx); cause != nil && strings.Contains(cause.Error(), syscall.SIGTERM.String()) {
		return exitTerminated
	}
	return exitInterrupted
}
