//go:build unix

package tutorial

import (
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/test/disttree"
)

// patience is the limit for a command; a command takes that long only if something is
// wrong.
const patience = time.Minute

// shell types commands in the root of an unpacked tree.
type shell struct {
	t    *testing.T
	root string
	data string
	env  []string
}

// unpack builds the tree with a fresh data directory, and checks that no other broker is in
// the way.
func unpack(t *testing.T) *shell {
	t.Helper()
	if os.Getenv("BOTE_TUTORIAL") != "1" && os.Getenv("BOTE_COMPAT") != "1" {
		t.Skip("BOTE_TUTORIAL=1 switches this on")
	}
	disttree.Needs(t, "bash", "tail")
	for _, port := range []string{"9092", "9093"} {
		var lc net.ListenConfig
		l, err := lc.Listen(t.Context(), "tcp", ":"+port)
		require.NoError(t, err, "the tutorials' port %s is taken", port)
		require.NoError(t, l.Close())
	}
	others, err := filepath.Glob("/proc/[0-9]*/cmdline")
	require.NoError(t, err)
	for _, name := range others {
		line, _ := os.ReadFile(name) // processes come and go
		require.NotContains(t, string(line), "\x00kafka-server-start\x00", "another broker runs, and kafka-server-stop would end it")
	}
	s := &shell{t: t, root: disttree.Build(t, ""), data: filepath.Join(t.TempDir(), "kraft-combined-logs")}
	config := filepath.Join(s.root, "config", "server.properties")
	text, err := os.ReadFile(config)
	require.NoError(t, err)
	fresh := strings.Replace(string(text), "\nlog.dirs=/tmp/kraft-combined-logs\n", "\nlog.dirs="+s.data+"\n", 1)
	require.NotEqual(t, string(text), fresh)
	require.NoError(t, os.WriteFile(config, []byte(fresh), 0o600))
	s.env = append(os.Environ(), `KAFKA_HEAP_OPTS=-Xmx400m -Xms400m`, "LC_ALL=C.UTF-8")
	t.Cleanup(func() { s.stopBroker() })
	return s
}

// stopBroker stops the broker, if there is one, when the test ends, and waits until the
// broker no longer answers.
func (s *shell) stopBroker() {
	cmd := exec.CommandContext(context.WithoutCancel(s.t.Context()), "bash", "-c", "bin/kafka-server-stop.sh; while bin/bote health >/dev/null 2>&1; do :; done")
	cmd.Dir = s.root
	_ = cmd.Run() // there may be no broker
}

// set exports a variable for later commands.
func (s *shell) set(name, value string) { s.env = append(s.env, name+"="+value) }

func (s *shell) command(line string) *exec.Cmd {
	cmd := exec.CommandContext(s.t.Context(), "bash", "-c", line)
	cmd.Dir, cmd.Env = s.root, s.env
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = patience
	return cmd
}

// typed runs a command to its end.
func (s *shell) typed(line string, stdin ...string) (code int, stdout, stderr string) {
	s.t.Helper()
	cmd := s.command(line)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.Stdin = strings.NewReader(strings.Join(stdin, ""))
	timer := time.AfterFunc(patience, func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	defer timer.Stop()
	err := cmd.Run()
	if _, ok := err.(*exec.ExitError); !ok { //nolint:errorlint // never wrapped
		require.NoError(s.t, err, line)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// prints runs a command that must succeed and must print exactly this.
func (s *shell) prints(want, line string, stdin ...string) {
	s.t.Helper()
	code, out, errs := s.typed(line, stdin...)
	require.Equal(s.t, want, out, "%s: %s", line, errs)
	require.Equal(s.t, 0, code, "%s: %s", line, errs)
}

// running is a command that runs until Ctrl-C.
type running struct {
	s    *shell
	line string
	cmd  *exec.Cmd

	mu     sync.Mutex // guards what follows
	out    bytes.Buffer
	errs   bytes.Buffer
	wanted string
	seen   chan struct{}
}

// starts begins a command that keeps running.
func (s *shell) starts(line string) *running {
	s.t.Helper()
	r := &running{s: s, line: line, cmd: s.command(line)}
	r.cmd.Stdout, r.cmd.Stderr = output{r, &r.out}, output{r, &r.errs}
	require.NoError(s.t, r.cmd.Start(), line)
	s.t.Cleanup(func() { _ = syscall.Kill(-r.cmd.Process.Pid, syscall.SIGKILL) }) // if it still runs
	return r
}

// output collects what a command prints, and wakes the test that waits for a text.
type output struct {
	r  *running
	to *bytes.Buffer
}

func (o output) Write(p []byte) (int, error) {
	o.r.mu.Lock()
	defer o.r.mu.Unlock()
	n, err := o.to.Write(p)
	if o.r.seen != nil && strings.Contains(o.r.out.String(), o.r.wanted) {
		close(o.r.seen)
		o.r.seen = nil
	}
	return n, err
}

// until waits until the command has printed a text on stdout.
func (r *running) until(text string) {
	r.s.t.Helper()
	r.mu.Lock()
	if strings.Contains(r.out.String(), text) {
		r.mu.Unlock()
		return
	}
	seen := make(chan struct{})
	r.wanted, r.seen = text, seen
	r.mu.Unlock()
	select {
	case <-seen:
	case <-time.After(patience):
		r.mu.Lock()
		defer r.mu.Unlock()
		require.Fail(r.s.t, "waited in vain", "%s: no %q in %q, %q", r.line, text, r.out.String(), r.errs.String())
	}
}

// interrupted presses Ctrl-C and returns everything that the command printed.
func (r *running) interrupted() (code int, stdout, stderr string) {
	r.s.t.Helper()
	require.NoError(r.s.t, syscall.Kill(-r.cmd.Process.Pid, syscall.SIGINT))
	return r.ended()
}

// ended waits for the command.
func (r *running) ended() (code int, stdout, stderr string) {
	timer := time.AfterFunc(patience, func() { _ = syscall.Kill(-r.cmd.Process.Pid, syscall.SIGKILL) })
	defer timer.Stop()
	_ = r.cmd.Wait() // the exit code shows it
	return r.cmd.ProcessState.ExitCode(), r.out.String(), r.errs.String()
}
