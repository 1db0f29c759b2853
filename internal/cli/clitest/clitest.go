// Package clitest runs tools and bote's own commands in tests. It compares nothing: the tests say what they expect.
package clitest

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dlclark/regexp2"
	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"go.uber.org/goleak"

	"github.com/botehq/bote/internal/cli/tool"
	"github.com/botehq/bote/internal/cli/verb"
)

// Result is the exit code and the output of a command.
type Result struct {
	Exit     int
	Out, Err string
}

// Tools are the tools that a test calls, by the names of their scripts.
type Tools map[string]tool.Func

// Run runs a tool. args[0] is its name.
func (ts Tools) Run(t *testing.T, stdin string, args ...string) Result {
	t.Helper()
	require.Contains(t, ts, args[0])
	var out, errs bytes.Buffer
	code := ts[args[0]](t.Context(), NewStreams(strings.NewReader(stdin), &out, &errs), args[1:])
	return Result{code, out.String(), errs.String()}
}

// Call runs a command line against a broker.
func (ts Tools) Call(t *testing.T, server, stdin, command string) Result {
	t.Helper()
	args := Words(command)
	return ts.Run(t, stdin, append([]string{args[0], "--bootstrap-server", server}, args[1:]...)...)
}

// Output runs a tool without input and returns its exit code and output.
func Output(t *testing.T, run tool.Func, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), NewStreams(strings.NewReader(""), &out, &errs), args)
	return code, out.String(), errs.String()
}

// VerbOutput runs one of bote's own commands and returns its exit code and output.
func VerbOutput(ctx context.Context, newCommand func(*tool.Streams) *cobra.Command, args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	s := NewStreams(strings.NewReader(""), &out, &errs)
	code = verb.Run(ctx, s, newCommand(s), args)
	return code, out.String(), errs.String()
}

// NewStreams makes streams with an empty environment.
func NewStreams(in io.Reader, out, err io.Writer) *tool.Streams {
	return &tool.Streams{In: in, Out: out, Err: err, Getenv: func(string) string { return "" }}
}

// Words cuts a command line at blanks outside quotes.
func Words(command string) []string {
	var words []string
	var word strings.Builder
	quote, open := byte(0), false
	for i := range len(command) {
		switch c := command[i]; {
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			word.WriteByte(c)
		case c == '\'' || c == '"':
			quote, open = c, true
		case c == ' ':
			if word.Len() > 0 || open {
				words = append(words, word.String())
			}
			word.Reset()
			open = false
		default:
			word.WriteByte(c)
		}
	}
	if word.Len() > 0 || open {
		words = append(words, word.String())
	}
	return words
}

// Broker starts an in-process broker and returns its address. It has two topics: orders with 3 partitions, and one with 1.
func Broker(t *testing.T) string {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(3, "orders"), kfake.SeedTopics(1, "one"))
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return strings.Join(c.ListenAddrs(), ",")
}

// WriteServerConfig writes a server.properties with free ports and a fresh data directory.
func WriteServerConfig(t *testing.T, extra string) (file, data string) {
	t.Helper()
	dir := t.TempDir()
	data = filepath.Join(dir, "data")
	file = filepath.Join(dir, "server.properties")
	text := "process.roles=broker,controller\nnode.id=1\ncontroller.quorum.bootstrap.servers=localhost:9093\n" +
		"listeners=PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:0\ncontroller.listener.names=CONTROLLER\nlog.dirs=" + filepath.ToSlash(data) + "\n" + extra
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	return file, data
}

// VerifyNoLeaks is the TestMain of every package below cli.
func VerifyNoLeaks(m *testing.M) { goleak.VerifyTestMain(allTests{m}) }

// allTests stops regexp2's clock goroutine after the tests. It would run on for a while and look like a leak.
type allTests struct{ *testing.M }

// Run implements goleak.TestingM.
func (a allTests) Run() int {
	defer regexp2.StopTimeoutClock()
	return a.M.Run()
}
