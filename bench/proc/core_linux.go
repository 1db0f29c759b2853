package proc

import (
	"errors"
	"fmt"
	"os/exec"
	"runtime"

	"golang.org/x/sys/unix"
)

// Cores returns the cores that this process may use, in ascending order.
func Cores() ([]int, error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return nil, fmt.Errorf("read the cores of this process: %w", err)
	}
	cores := make([]int, 0, set.Count())
	for core := 0; len(cores) < set.Count(); core++ {
		if set.IsSet(core) {
			cores = append(cores, core)
		}
	}
	return cores, nil
}

// StartOn starts a command that may use only one core, from its exec on. So a virtual
// machine, or a Go program, sees a machine with one core. A process inherits the
// cores of the thread that starts it, so the thread is restricted for that time.
func StartOn(command *exec.Cmd, core int) (err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return fmt.Errorf("read the cores of this thread: %w", err)
	}
	one.Set(core)
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return fmt.Errorf("restrict to core %d: %w", core, err)
	}
	defer func() {
		if failed := unix.SchedSetaffinity(0, &before); failed != nil {
			err = errors.Join(err, fmt.Errorf("give the cores back: %w", failed))
		}
	}()
	return command.Start() //nolint:wrapcheck // the caller says what it starts
}
