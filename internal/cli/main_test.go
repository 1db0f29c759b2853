package cli

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/internal/cli/clitest"
	"github.com/botehq/bote/internal/cli/tool"
)

func TestMain(m *testing.M) { clitest.VerifyNoLeaks(m) }

// run runs a command.
func run(t *testing.T, stdin string, args ...string) clitest.Result {
	t.Helper()
	var out, errs bytes.Buffer
	code := Main(t.Context(), args, strings.NewReader(stdin), &out, &errs)
	return clitest.Result{Exit: code, Out: out.String(), Err: errs.String()}
}

// call runs a tool against a broker.
func call(t *testing.T, server, stdin, command string) clitest.Result {
	t.Helper()
	args := clitest.Words(command)
	return run(t, stdin, append([]string{args[0], "--bootstrap-server", server}, args[1:]...)...)
}

func TestToolNames(t *testing.T) {
	for _, name := range []string{"kafka-topics", "kafka-topics.sh", "kafka-topics.bat", "KAFKA-TOPICS.EXE"} {
		_, ok := toolNamed(name)
		require.True(t, ok, name)
	}
	_, ok := toolNamed("bote")
	require.False(t, ok)
	require.Equal(t, clitest.Result{Out: "4.2.0\n"}, run(t, "", "bote", "kafka-topics", "--version"))
	require.Equal(t, clitest.Result{Out: "4.2.0\n"}, run(t, "", "/usr/bin/kafka-topics.sh", "--version"))
	t.Setenv("BOTE_TOOL", "kafka-topics")
	require.Equal(t, clitest.Result{Out: "4.2.0\n"}, run(t, "", "whatever", "--version"))
}

func TestVersionVerb(t *testing.T) {
	got := run(t, "", "bote", "version")
	require.Equal(t, 0, got.Exit)
	require.Regexp(t, `^bote \S+, compatible with Apache Kafka 4\.2\.0\n$`, got.Out)
	require.Equal(t, 1, run(t, "", "bote", "nonsense").Exit)
}

func TestUnreachable(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("short.properties", []byte("default.api.timeout.ms=300\nrequest.timeout.ms=100\n"), 0o600))
	got := call(t, "127.0.0.1:1", "", "kafka-topics --list --command-config short.properties")
	require.Equal(t, 1, got.Exit)
	require.Equal(t, "Error while executing topic command : Timed out waiting for a node assignment. Call: listTopics\n", got.Out)
	require.Contains(t, got.Err, "WARN [AdminClient clientId=adminclient-1] Connection to node -1 (127.0.0.1/127.0.0.1:1) could not be established. Node may not be available. (org.apache.kafka.clients.NetworkClient)")
	got = call(t, "127.0.0.1:1", "", "kafka-consumer-groups --list --timeout 200")
	require.Equal(t, 0, got.Exit)
	require.Equal(t, "\nError: Executing consumer group command failed due to java.util.concurrent.ExecutionException: org.apache.kafka.common.KafkaException: Failed to find brokers to send ListGroups\n", got.Out)
}

// TestInterruptedToolsAreSilent: whoever presses Ctrl-C needs no message about it.
func TestInterruptedToolsAreSilent(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, line := range []string{
		"kafka-topics --list --bootstrap-server localhost:1", "kafka-consumer-groups --list --bootstrap-server localhost:1",
		"kafka-get-offsets --topic t --bootstrap-server localhost:1", "kafka-configs --describe --entity-type topics --bootstrap-server localhost:1",
		"kafka-groups --list --bootstrap-server localhost:1", "kafka-log-dirs --describe --bootstrap-server localhost:1",
	} {
		var out, errs bytes.Buffer
		require.Equal(t, tool.ExitInterrupted, Main(ctx, strings.Fields(line), strings.NewReader(""), &out, &errs), line)
		require.NotContains(t, out.String()+errs.String(), "nterrupted", line)
		require.NotContains(t, out.String()+errs.String(), "Error", line)
	}
}
