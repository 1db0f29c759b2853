//go:build linux

package windows

import (
	"bytes"
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

const (
	patience = 2 * time.Minute
	warning  = "WARNING: Due to limitations in metric names, topics with a period ('.') or underscore ('_') could collide. To avoid issues it is best to use either, but not both.\n"
	mail     = `{"from":"sender@naver.com","to":"receiver@naver.om","subject":"제목","body":"내용"}`
	ready    = "Kafka Server started (kafka.server.KafkaRaftServer)"
)

// console is a Windows command line in the root of the unpacked tree.
type console struct {
	t    *testing.T
	root string
	env  []string
}

func open(t *testing.T) *console {
	t.Helper()
	if os.Getenv("BOTE_WINE") != "1" {
		t.Skip("BOTE_WINE=1 switches this on")
	}
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", ":9092")
	require.NoError(t, err, "the tutorials' port is taken")
	require.NoError(t, l.Close())
	prefix := filepath.Join(t.TempDir(), "wine")
	out, err := exec.CommandContext(t.Context(), "bash", "install.sh", prefix).CombinedOutput()
	require.NoError(t, err, "%s", out)
	c := &console{t: t, root: disttree.Build(t, "windows")}
	c.env = append(os.Environ(), "WINEPREFIX="+prefix, "WINEDEBUG=-all", "LC_ALL=C.UTF-8")
	config := filepath.Join(c.root, "config", "server.properties")
	text, err := os.ReadFile(config)
	require.NoError(t, err)
	fresh := strings.Replace(string(text), "\nlog.dirs=/tmp/kraft-combined-logs\n", "\nlog.dirs=data\n", 1)
	require.NotEqual(t, string(text), fresh)
	require.NoError(t, os.WriteFile(config, []byte(fresh), 0o600))
	t.Cleanup(func() {
		cmd := exec.Command("wineserver", "-k")
		if _, err := exec.LookPath("wineserver"); err != nil {
			cmd = exec.Command("/usr/lib/wine/wineserver", "-k")
		}
		cmd.Env = c.env
		_ = cmd.Run() // nothing may be running
	})
	return c
}

func (c *console) command(line string) *exec.Cmd {
	cmd := exec.CommandContext(c.t.Context(), "wine", "cmd", "/c", line)
	cmd.Dir, cmd.Env = c.root, c.env
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

// typed runs a command to its end and returns its output with Unix line ends.
func (c *console) typed(line string, stdin ...string) (code int, stdout, stderr string) {
	c.t.Helper()
	cmd := c.command(line)
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(strings.Join(stdin, "")), &out, &errs
	timer := time.AfterFunc(patience, func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	defer timer.Stop()
	_ = cmd.Run() // the exit code shows it
	return cmd.ProcessState.ExitCode(), strings.ReplaceAll(out.String(), "\r\n", "\n"), strings.ReplaceAll(errs.String(), "\r\n", "\n")
}

func (c *console) prints(want, line string, stdin ...string) {
	c.t.Helper()
	code, out, errs := c.typed(line, stdin...)
	require.Equal(c.t, want, out, "%s: %s", line, errs)
	require.Equal(c.t, 0, code, "%s: %s", line, errs)
}

// watch is a command that keeps running; seen is closed when it has printed a text.
type watch struct {
	cmd *exec.Cmd

	mu   sync.Mutex // guards what follows
	out  bytes.Buffer
	want string
	seen chan struct{}
}

func (w *watch) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n, err := w.out.Write(p)
	if w.seen != nil && strings.Contains(w.out.String(), w.want) {
		close(w.seen)
		w.seen = nil
	}
	return n, err
}

// until starts a command and waits until it has printed a text.
func (c *console) until(line, want string) *watch {
	c.t.Helper()
	seen := make(chan struct{})
	w := &watch{cmd: c.command(line), want: want, seen: seen}
	w.cmd.Stdout, w.cmd.Stderr = w, w
	require.NoError(c.t, w.cmd.Start())
	c.t.Cleanup(w.kill)
	select {
	case <-seen:
	case <-time.After(patience):
		w.mu.Lock()
		defer w.mu.Unlock()
		require.Fail(c.t, "waited in vain", "%s: no %q in %q", line, want, w.out.String())
	}
	return w
}

func (w *watch) kill() {
	_ = syscall.Kill(-w.cmd.Process.Pid, syscall.SIGKILL) // it may have ended
	_ = w.cmd.Wait()
}

// removeDeleted removes what is left of the deleted topic: under Wine 8 Go cannot remove directory trees.
func (c *console) removeDeleted() {
	c.t.Helper()
	left, err := filepath.Glob(filepath.Join(c.root, "data", "*-delete"))
	require.NoError(c.t, err)
	for _, dir := range left {
		require.NoError(c.t, os.RemoveAll(dir))
	}
}

// TestBatchFiles types the Windows commands of the tutorials.
func TestBatchFiles(t *testing.T) {
	c := open(t)
	c.prints("4.2.0\n", `.\bin\windows\kafka-topics.bat --version`)
	code, _, errs := c.typed(`.\bin\windows\kafka-storage.bat nope`)
	require.Equal(t, 1, code)
	require.Contains(t, errs, "invalid   choice:   'nope'")
	c.prints("ZooKeeper is not needed: bote stores its metadata itself. Continue with kafka-server-start.\n",
		`.\bin\windows\zookeeper-server-start.bat .\config\zookeeper.properties`)
	broker := c.until(`.\bin\windows\kafka-server-start.bat .\config\server.properties`, ready)

	const at = ` --bootstrap-server localhost:9092 `
	c.prints("\n", `.\bin\windows\kafka-topics.bat`+at+`--list `)
	c.prints(warning+"Created topic email.send.\n", `.\bin\windows\kafka-topics.bat`+at+`--create --topic email.send --partitions 1 --replication-factor 1`)
	_, out, _ := c.typed(`.\bin\windows\kafka-topics.bat` + at + `--describe --topic email.send`)
	require.Contains(t, out, "\tTopic: email.send\tPartition: 0\tLeader: 1\tReplicas: 1\tIsr: 1\tElr: \tLastKnownElr: \n")
	c.prints("", `.\bin\windows\kafka-topics.bat`+at+`--delete --topic email.send`)
	c.prints(warning+"Created topic email.send.\n", `.\bin\windows\kafka-topics.bat`+at+`--create --topic email.send`)

	code, _, errs = c.typed(`.\bin\windows\kafka-console-producer.bat`+at+`--topic email.send`, "hello\n", "hello1\n", "hello2\n", mail+"\n")
	require.Equal(t, 0, code, errs)
	c.until(`.\bin\windows\kafka-console-consumer.bat`+at+`--topic email.send --from-beginning`, mail).kill()
	_, out, errs = c.typed(`.\bin\windows\kafka-console-consumer.bat` + at + `--topic email.send --from-beginning --group email-send-group --max-messages 4`)
	require.Equal(t, "hello\nhello1\nhello2\n"+mail+"\n", out, errs)
	_, out, _ = c.typed(`.\bin\windows\kafka-consumer-groups.bat` + at + `--list`)
	require.Contains(t, out, "email-send-group\n")
	_, out, errs = c.typed(`.\bin\windows\kafka-consumer-groups.bat` + at + `--group email-send-group --describe`)
	require.Contains(t, out, "email-send-group email.send      0          4               4               0               -")
	require.Contains(t, errs, "Consumer group 'email-send-group' has no active members.")

	c.prints("", `.\bin\windows\kafka-server-stop.bat`)
	_ = broker.cmd.Wait() // ended by force, as Kafka's script does
	c.removeDeleted()
	c.until(`.\bin\windows\kafka-server-start.bat .\config\server.properties`, ready)
	c.prints("__consumer_offsets\nemail.send\n", `.\bin\windows\kafka-topics.bat`+at+`--list`)
}
