package server

import (
	"os"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// timerSlack is how late the kernel may end a sleep of this process. A thread of Go's
// scheduler wakes every 20 microseconds to look for long system calls. A broker that is
// always a little busy keeps that thread awake, which is a third of its CPU time at 2,000
// records a second. A larger slack makes the thread wake less often. A thread can set the
// slack only for itself and for the threads that it starts later, so it must be set before
// Go's scheduler starts.
const timerSlack = 500 * time.Microsecond

// usualSlack is the kernel's default.
const usualSlack = 50 * time.Microsecond

// CoarseTimers sets timerSlack and executes the program again in the same process, if the
// program is a broker and its slack is still the kernel's default. If that fails, it does
// nothing.
func CoarseTimers(args []string) {
	called := slices.Clone(args)
	if tool := os.Getenv("BOTE_TOOL"); tool != "" && len(called) > 0 {
		called[0] = tool
	}
	if !(process{args: called}).isServer() {
		return
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	slack, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	if err != nil || time.Duration(slack) != usualSlack {
		return
	}
	program, err := os.Executable()
	if err != nil || unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(timerSlack), 0, 0, 0) != nil {
		return
	}
	_ = unix.Exec(program, args, os.Environ()) // returns only if it fails; then the program simply goes on
}
