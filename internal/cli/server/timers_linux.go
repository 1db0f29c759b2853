package server

import (
	"os"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// A thread of Go's scheduler looks every 20 microseconds whether a system call
// takes long. A broker that is a little busy all the time keeps it awake: that is
// a third of what it costs at 2,000 records a second. The kernel may be told that
// sleeps need not end to the microsecond, but for its own thread only, and for
// those that it starts: so it is said before the scheduler begins.
const timerSlack = 500 * time.Microsecond

// usualSlack is what a process has that nobody told otherwise.
const usualSlack = 50 * time.Microsecond

// CoarseTimers starts the program anew, in the same process, with coarser timers,
// if it is a broker and has not been. Where that is not possible it does nothing.
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
	_ = unix.Exec(program, args, os.Environ()) // returns only if it fails, and then all is as before
}
