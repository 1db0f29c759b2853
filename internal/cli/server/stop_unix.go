//go:build !windows

package server

import (
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// detached lets the program run on after this one and its terminal end.
func detached(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
}

// stopProcess sends a process the signal, TERM by default.
func stopProcess(pid int, name string) error {
	sig := syscall.SIGTERM
	if n, err := strconv.Atoi(name); err == nil {
		sig = syscall.Signal(n)
	} else if name != "" {
		if sig = unix.SignalNum("SIG" + strings.TrimPrefix(strings.ToUpper(name), "SIG")); sig == 0 {
			return fmt.Errorf("SIGNAL=%s is not a signal", name)
		}
	}
	if err := syscall.Kill(pid, sig); err != nil {
		return fmt.Errorf("signal process %d: %w", pid, err)
	}
	return nil
}
