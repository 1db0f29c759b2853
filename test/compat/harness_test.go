package compat

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// broker is a broker in a process of its own, on a port of its own.
type broker struct {
	name string // bote or kafka
	addr string
	data string // its log.dirs
	stop func() // ends it and waits until it has ended
}

// needCompat skips the test unless the suites are switched on.
func needCompat(t *testing.T) {
	t.Helper()
	if os.Getenv("BOTE_COMPAT") != "1" {
		t.Skip("set BOTE_COMPAT=1")
	}
}

// brokers returns the kinds of broker that a suite runs against: bote, and Apache
// Kafka on demand.
func brokers() []string {
	if os.Getenv("BOTE_COMPAT_KAFKA") == "1" {
		return []string{"bote", "kafka"}
	}
	return []string{"bote"}
}

// onEach runs a suite against a fresh broker of each kind, one after the other.
func onEach(t *testing.T, settings []string, suite func(t *testing.T, b broker)) {
	t.Helper()
	for _, name := range brokers() {
		t.Run(name, func(t *testing.T) {
			suite(t, start(t, name, settings...))
		})
	}
}

// start runs a broker until the test ends.
func start(t *testing.T, name string, settings ...string) broker {
	t.Helper()
	if name == "kafka" {
		install(t, "java")
		return startKafka(t, settings)
	}
	return startBote(t, t.TempDir(), settings)
}

// startBote runs the broker as its users do, with a properties file.
func startBote(t *testing.T, dir string, settings []string) broker {
	t.Helper()
	data, port := filepath.Join(dir, "data"), freePort(t)
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	lines := append([]string{
		"listeners=PLAINTEXT://" + addr + ",CONTROLLER://127.0.0.1:" + strconv.Itoa(port+1),
		"log.dirs=" + data, "group.initial.rebalance.delay.ms=0",
	}, settings...)
	file := filepath.Join(dir, "server.properties")
	require.NoError(t, os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o600))
	return broker{name: "bote", addr: addr, data: data, stop: serve(t, addr, boteProgram(t), "serve", "--config", file)}
}

func startKafka(t *testing.T, settings []string) broker {
	t.Helper()
	dir, port := t.TempDir(), freePort(t)
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	command := append([]string{"bash", "kafka.sh", "run", dir, strconv.Itoa(port)}, settings...)
	return broker{name: "kafka", addr: addr, data: filepath.Join(dir, "data"), stop: serve(t, addr, command...)}
}

// serve starts a broker and waits until it accepts connections.
func serve(t *testing.T, addr string, command ...string) (stop func()) {
	t.Helper()
	p := startProcess(t, nil, command...)
	eventually(t, 2*time.Minute, func() (bool, error) {
		if p.hasEnded() {
			return false, fmt.Errorf("the broker ended before it served: %s", p.log.String())
		}
		var d net.Dialer
		conn, err := d.DialContext(t.Context(), "tcp", addr)
		if err != nil {
			return false, nil //nolint:nilerr // it does not listen yet.
		}
		return true, conn.Close()
	})
	return p.stop
}

// eventually calls ask until it returns true. An error ends the test.
func eventually(t *testing.T, limit time.Duration, ask func() (bool, error)) {
	t.Helper()
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		done, err := ask()
		require.NoError(t, err)
		if done {
			return
		}
		select {
		case <-deadline.C:
			t.Fatalf("nothing after %v", limit)
		case <-tick.C:
		}
	}
}

// process is a program that runs beside the test.
type process struct {
	log   *lockedBuffer // what it printed
	stdin io.WriteCloser
	stop  func() // interrupts it and waits
	ended chan struct{}
}

func (p *process) hasEnded() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// startProcess starts a program. If it still runs when the test ends, it is
// interrupted.
func startProcess(t *testing.T, env []string, command ...string) *process {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	c := exec.CommandContext(ctx, command[0], command[1:]...) //nolint:gosec // the pinned programs.
	p := &process{log: &lockedBuffer{}, ended: make(chan struct{})}
	c.Stdout, c.Stderr = p.log, p.log
	c.Env = append(environment(t), env...)
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	c.WaitDelay = 30 * time.Second
	var err error
	p.stdin, err = c.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, c.Start())
	go func() {
		defer close(p.ended)
		_ = c.Wait() // the log shows how it ended
	}()
	p.stop = func() { cancel(); <-p.ended }
	t.Cleanup(func() {
		p.stop()
		if t.Failed() {
			t.Logf("%s said:\n%s", filepath.Base(c.Path), tail(p.log.String(), 25))
		}
	})
	return p
}

// cacheDir returns where the install scripts keep what they download.
func cacheDir(t *testing.T) string {
	t.Helper()
	if dir := os.Getenv("BOTE_COMPAT_CACHE"); dir != "" {
		return dir
	}
	dir, err := os.UserCacheDir()
	require.NoError(t, err)
	return filepath.Join(dir, "bote-compat")
}

// environment returns the programs' environment: with the cache's directory, and
// without what would change Java's behaviour.
func environment(t *testing.T) []string {
	t.Helper()
	env := slices.DeleteFunc(os.Environ(), func(kv string) bool { return strings.HasPrefix(kv, "JAVA_TOOL_OPTIONS=") })
	return append(env, "BOTE_COMPAT_CACHE="+cacheDir(t))
}

// install runs the install script of a suite. A tool that cannot be installed fails
// the test: once the suites are switched on, nothing is skipped.
func install(t *testing.T, suite string) {
	t.Helper()
	c := exec.CommandContext(t.Context(), "bash", filepath.Join(suite, "install.sh")) //nolint:gosec // a suite of ours.
	c.Env = environment(t)
	out, err := c.CombinedOutput()
	require.NoError(t, err, "install %s: %s", suite, out)
}

// program is how a suite's program is called.
type program struct {
	args  []string
	stdin string
	env   []string
}

// result is what a program printed and how it ended.
type result struct {
	out, err string
	code     int
}

// run runs a program to its end, for four minutes at most.
func run(t *testing.T, p program) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, p.args[0], p.args[1:]...) //nolint:gosec // the pinned tools.
	c.Env = append(environment(t), p.env...)
	c.Stdin = strings.NewReader(p.stdin)
	var out, err bytes.Buffer
	c.Stdout, c.Stderr = &out, &err
	fail := c.Run()
	require.NoError(t, ctx.Err(), "%s took too long: %s%s", p.args[0], tail(out.String(), 40), tail(err.String(), 40))
	if c.ProcessState == nil {
		require.NoError(t, fail)
	}
	return result{out: out.String(), err: err.String(), code: c.ProcessState.ExitCode()}
}

// notYet lists checks of what bote does not support yet. They hold on Kafka. A
// check that begins to hold on bote must leave this list.
var notYet = map[string]string{
	"group-consumer-read-all":             "the group protocol of KIP-848",
	"group-consumer-resumes":              "the group protocol of KIP-848",
	"group-consumer-pattern":              "the group protocol of KIP-848",
	"rebalance-consumer-protocol-uniform": "the group protocol of KIP-848",
	"rebalance-consumer-protocol-range":   "the group protocol of KIP-848",
	"admin-describe-features":             "the feature group.version",
	"admin-list-transactions":             "transactions",
}

// checks runs a program that prints a line for each of its checks, "ok NAME" or
// "FAIL NAME why", and reports each. It fails if there are fewer than the least
// number.
func checks(t *testing.T, on broker, least int, p program) {
	t.Helper()
	r := run(t, p)
	ok, failed, missing := 0, 0, 0
	scan := bufio.NewScanner(strings.NewReader(r.out))
	for scan.Scan() {
		verdict, rest, _ := strings.Cut(scan.Text(), " ")
		name, why, _ := strings.Cut(rest, " ")
		lacks, late := notYet[name]
		late = late && on.name == "bote"
		switch {
		case verdict == "ok" && late:
			failed++
			t.Run(name, func(t *testing.T) { t.Error("it holds now: take it off the list notYet") })
		case verdict == "ok":
			ok++
			t.Run(name, func(*testing.T) {})
		case verdict == "FAIL" && late:
			missing++
			t.Logf("%s: not yet, %s", name, lacks)
		case verdict == "FAIL":
			failed++
			t.Run(name, func(t *testing.T) { t.Error(why) })
		default:
			t.Log(scan.Text())
		}
	}
	t.Logf("%s: %d ok, %d failed, %d not yet", on.name, ok, failed, missing)
	if failed > 0 || r.code != 0 && missing == 0 {
		t.Errorf("exit code %d: %s", r.code, tail(r.err, 30))
	}
	require.GreaterOrEqual(t, ok+failed+missing, least, "checks that never ran: %s", tail(r.err, 30))
}

// boteProgram builds the program under test, once for the package.
func boteProgram(t *testing.T) string {
	t.Helper()
	path, err := buildBote()
	require.NoError(t, err)
	return path
}

// buildDir is the directory from TestMain in which the program is built.
var buildDir string

// buildBote is not part of any one test, so it has no context.
var buildBote = sync.OnceValues(func() (string, error) {
	path := filepath.Join(buildDir, "bote")
	out, err := exec.Command("go", "build", "-o", path, "github.com/botehq/bote/cmd/bote").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build bote: %w: %s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	os.Exit(withBuildDir(m))
}

func withBuildDir(m *testing.M) int {
	dir, err := os.MkdirTemp("", "bote-compat-")
	if err != nil {
		_, _ = io.WriteString(os.Stderr, err.Error()+"\n")
		return 1
	}
	buildDir = dir
	defer os.RemoveAll(dir)
	return m.Run()
}

// freePort returns a port that was free a moment ago, as was the next one.
func freePort(t *testing.T) int {
	t.Helper()
	var listen net.ListenConfig
	for range 100 {
		l, err := listen.Listen(t.Context(), "tcp", "127.0.0.1:0")
		require.NoError(t, err)
		port := l.Addr().(*net.TCPAddr).Port //nolint:forcetypeassert // a TCP listener's.
		next, err := listen.Listen(t.Context(), "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port+1)))
		require.NoError(t, l.Close())
		if err == nil {
			require.NoError(t, next.Close())
			return port
		}
	}
	t.Fatal("no two free ports side by side")
	return 0
}

func tail(s string, lines int) string {
	all := strings.Split(strings.TrimRight(s, "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// lockedBuffer collects what a process prints while the test may read it.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
