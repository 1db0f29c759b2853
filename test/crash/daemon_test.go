package crash_test

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// daemon is the broker as a process.
type daemon struct {
	config, addr, log string
	command           []string
	cmd               *exec.Cmd
	ended             chan struct{} // closed when the process is gone
}

// newDaemon builds the broker and writes its configuration.
func newDaemon(t *testing.T, data string) *daemon {
	t.Helper()
	dir := t.TempDir()
	d := &daemon{config: filepath.Join(dir, "server.properties"), log: filepath.Join(dir, "output"), addr: fmt.Sprintf("127.0.0.1:%d", freePort(t))}
	d.command = []string{build(t), "serve", "--config", d.config}
	controller := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	text := strings.Join([]string{
		"process.roles=broker,controller", "node.id=1",
		"listeners=PLAINTEXT://" + d.addr + ",CONTROLLER://" + controller,
		"advertised.listeners=PLAINTEXT://" + d.addr, "controller.listener.names=CONTROLLER",
		"controller.quorum.voters=1@" + controller, "log.dirs=" + filepath.ToSlash(data),
		// Small and quick, so that rare events happen in every round.
		"log.segment.bytes=1048576", "log.flush.offset.checkpoint.interval.ms=500", "log.cleaner.backoff.ms=500",
		"offsets.topic.num.partitions=4", "offsets.topic.segment.bytes=1048576", "group.initial.rebalance.delay.ms=0",
	}, "\n")
	require.NoError(t, os.WriteFile(d.config, []byte(text+"\n"), 0o600))
	t.Cleanup(func() {
		d.kill()
		if t.Failed() {
			t.Logf("the broker's last words:\n%s", d.output(4000))
		}
	})
	return d
}

// built is the binary, made once for all tests of a run.
var built struct {
	once sync.Once
	path string
	err  error
}

func build(t *testing.T) string {
	t.Helper()
	built.once.Do(func() { built.path, built.err = compile() })
	require.NoError(t, built.err)
	return built.path
}

func compile() (string, error) {
	dir, err := os.MkdirTemp("", "bote-crash-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "bote")
	if runtime.GOOS == "windows" {
		path += ".exe"
	}
	if out, err := exec.Command("go", "build", "-o", path, "github.com/botehq/bote/cmd/bote").CombinedOutput(); err != nil {
		return path, fmt.Errorf("build the broker: %w: %s", err, out)
	}
	return path, nil
}

func TestMain(m *testing.M) {
	code := m.Run()
	if built.path != "" {
		_ = os.RemoveAll(filepath.Dir(built.path)) // it is in the system's temporary directory
	}
	os.Exit(code)
}

// freePort finds a port below those that the system gives to outgoing connections.
// Otherwise a client that reconnects while the broker is down could connect to
// itself.
func freePort(t *testing.T) int {
	t.Helper()
	ports.Lock()
	defer ports.Unlock()
	for range 100 {
		port := 19600 + (os.Getpid()+ports.next)%100 // another run uses others
		ports.next++
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			require.NoError(t, l.Close())
			return port
		}
	}
	t.Fatal("no free port from 19600 to 19699")
	return 0
}

var ports struct {
	sync.Mutex
	next int
}

// start starts the broker and returns how long it took to answer.
func (d *daemon) start(t *testing.T) time.Duration {
	t.Helper()
	began := time.Now()
	d.launch(t)
	d.await(t)
	return time.Since(began)
}

// launch starts the process.
func (d *daemon) launch(t *testing.T) {
	t.Helper()
	out, err := os.OpenFile(d.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	require.NoError(t, err)
	defer func() { require.NoError(t, out.Close()) }()
	cmd, ended := exec.Command(d.command[0], d.command[1:]...), make(chan struct{})
	cmd.Stdout, cmd.Stderr = out, out
	require.NoError(t, cmd.Start())
	d.cmd, d.ended = cmd, ended
	go func() {
		defer close(ended)
		_ = cmd.Wait() // it was killed, or its output says why
	}()
}

// await waits until the broker answers.
func (d *daemon) await(t *testing.T) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !d.answers() {
		select {
		case <-d.ended:
			t.Fatalf("the broker ended at its start:\n%s", d.output(4000))
		case <-deadline.C:
			t.Fatalf("the broker does not answer:\n%s", d.output(4000))
		case <-tick.C:
		}
	}
}

func (d *daemon) answers() bool {
	c, err := net.Dial("tcp", d.addr)
	if err != nil {
		return false
	}
	defer func() { _ = c.Close() }() // it has served its purpose
	// A Metadata request of version 1 for no topics.
	if _, err = c.Write([]byte{0, 0, 0, 15, 0, 3, 0, 1, 0, 0, 0, 1, 0, 1, 'x', 0, 0, 0, 0}); err != nil {
		return false
	}
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
	_, err = c.Read(make([]byte, 4))
	return err == nil
}

// kill ends the process with kill -9, if there is one.
func (d *daemon) kill() {
	if d.cmd != nil {
		_ = d.cmd.Process.Kill() // it may have ended already
		<-d.ended
	}
}

// running reports whether the process still runs.
func (d *daemon) running() bool {
	select {
	case <-d.ended:
		return false
	default:
		return true
	}
}

// output returns the end of what the broker printed.
func (d *daemon) output(n int) string {
	text, err := os.ReadFile(d.log)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-n):])
}

// panicked reports whether any of the broker's processes printed a panic.
func (d *daemon) panicked(t *testing.T) bool {
	t.Helper()
	text, err := os.ReadFile(d.log)
	require.NoError(t, err)
	return bytes.Contains(text, []byte("panic:")) || bytes.Contains(text, []byte("fatal error:"))
}
