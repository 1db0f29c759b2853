package cli

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
)

// result is what a command leaves behind.
type result struct {
	exit     int
	out, err string
}

// toolSet has the tools that a test calls, by the names of their scripts.
type toolSet map[string]tool

// run runs a tool. args begin with its name.
func (ts toolSet) run(t *testing.T, stdin string, args ...string) result {
	t.Helper()
	require.Contains(t, ts, args[0])
	var out, errs bytes.Buffer
	code := ts[args[0]](t.Context(), newStreams(strings.NewReader(stdin), &out, &errs), args[1:])
	return result{code, out.String(), errs.String()}
}

// call runs a command line against a broker.
func (ts toolSet) call(t *testing.T, server, stdin, command string) result {
	t.Helper()
	args := split(command)
	return ts.run(t, stdin, append([]string{args[0], "--bootstrap-server", server}, args[1:]...)...)
}

// output runs a tool without input and returns the exit code and what it printed.
func output(t *testing.T, run tool, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), newStreams(strings.NewReader(""), &out, &errs), args)
	return code, out.String(), errs.String()
}

// verbOutput runs one of bote's own commands and returns the exit code and what it printed.
func verbOutput(ctx context.Context, newCommand func(*streams) *cobra.Command, args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	s := newStreams(strings.NewReader(""), &out, &errs)
	code = runVerb(ctx, s, newCommand(s), args)
	return code, out.String(), errs.String()
}

// newStreams are streams in an empty environment.
func newStreams(in io.Reader, out, err io.Writer) *streams {
	return &streams{in: in, out: out, err: err, getenv: func(string) string { return "" }}
}

// split cuts a command line at blanks outside quotes.
func split(command string) []string {
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

// broker starts an in-process broker and returns its address. Topics: orders with 3 partitions, one with 1.
func broker(t *testing.T) string {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(3, "orders"), kfake.SeedTopics(1, "one"))
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return strings.Join(c.ListenAddrs(), ",")
}

// writeServerConfig writes a server.properties on free ports and a data directory of its own.
func writeServerConfig(t *testing.T, extra string) (file, data string) {
	t.Helper()
	dir := t.TempDir()
	data = filepath.Join(dir, "data")
	file = filepath.Join(dir, "server.properties")
	text := "process.roles=broker,controller\nnode.id=1\ncontroller.quorum.bootstrap.servers=localhost:9093\n" +
		"listeners=PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:0\ncontroller.listener.names=CONTROLLER\nlog.dirs=" + filepath.ToSlash(data) + "\n" + extra
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	return file, data
}

// verifyNoLeaks is the TestMain of every package below cli.
func verifyNoLeaks(m *testing.M) { goleak.VerifyTestMain(allTests{m}) }

// allTests are followed by the end of regexp2's clock, which would go on for a while.
type allTests struct{ *testing.M }

// Run implements goleak.TestingM.
func (a allTests) Run() int {
	defer regexp2.StopTimeoutClock()
	return a.M.Run()
}
