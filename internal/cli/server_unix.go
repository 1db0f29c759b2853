//go:build !windows

package cli

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// detach starts a program that outlives this one and the terminal.
func detach(program string, args []string, out *os.File) error {
	cmd := exec.CommandContext(context.Background(), program, args...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	for _, pair := range os.Environ() {
		if !strings.HasPrefix(pair, "BOTE_TOOL=") {
			cmd.Env = append(cmd.Env, pair)
		}
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the server: %w", err)
	}
	if err := cmd.Process.Release(); err != nil {
		return fmt.Errorf("let go of the server: %w", err)
	}
	return nil
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
