package topics

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/internal/cli/clitest"
)

// tools are the tools that these tests call.
var tools = clitest.Tools{"kafka-topics": Run}

func TestTopicsTool(t *testing.T) {
	b := clitest.Broker(t)
	got := tools.Call(t, b, "", "kafka-topics --create --topic email.send --partitions 2 --config retention.ms=1000")
	require.Equal(t, "WARNING: Due to limitations in metric names, topics with a period ('.') or underscore ('_') could collide. To avoid issues it is best to use either, but not both.\nCreated topic email.send.\n", got.Out)
	require.Empty(t, got.Err)
	require.Equal(t, 0, tools.Call(t, b, "", "kafka-topics --create --topic email-send").Exit)

	require.Equal(t, clitest.Result{Out: "email-send\nemail.send\none\norders\n"}, tools.Call(t, b, "", "kafka-topics --list"))
	require.Equal(t, clitest.Result{Out: "orders\n"}, tools.Call(t, b, "", "kafka-topics --list --topic o.*s"))
	require.Equal(t, clitest.Result{Out: "\n"}, tools.Call(t, b, "", "kafka-topics --list --topic nothing"))

	got = tools.Call(t, b, "", "kafka-topics --describe --topic email.send")
	require.Equal(t, 0, got.Exit, got.Err)
	require.Regexp(t, `^Topic: email\.send\tTopicId: \S{22}\tPartitionCount: 2\tReplicationFactor: 1\tConfigs: .*retention\.ms=1000.*\n\tTopic: email\.send\tPartition: 0\tLeader: \d+\tReplicas: \d+\tIsr: \d+\tElr: .*\tLastKnownElr: .*\n\tTopic: email\.send\tPartition: 1\t.*\n$`, got.Out)

	got = tools.Call(t, b, "", "kafka-topics --create --topic one")
	require.Equal(t, 1, got.Exit)
	require.True(t, strings.HasPrefix(got.Out, "Error while executing topic command : "), got.Out)
	require.Regexp(t, `^\[.{23}\] ERROR org\.apache\.kafka\.common\.errors\.TopicExistsException: .*\n \(org\.apache\.kafka\.tools\.TopicCommand\)\n$`, got.Err)
	require.Equal(t, clitest.Result{}, tools.Call(t, b, "", "kafka-topics --create --topic one --if-not-exists"))

	require.Equal(t, clitest.Result{}, tools.Call(t, b, "", "kafka-topics --alter --topic one --partitions 2"))
	got = tools.Call(t, b, "", "kafka-topics --describe --topic nope")
	require.Equal(t, "Error while executing topic command : Topic 'nope' does not exist as expected\n", got.Out)
	require.Equal(t, clitest.Result{}, tools.Call(t, b, "", "kafka-topics --describe --topic nope --if-exists"))

	// The pattern is the exact name of one topic, so it is not a regular expression: email-send stays.
	require.Equal(t, clitest.Result{}, tools.Call(t, b, "", "kafka-topics --delete --topic email.send"))
	require.Equal(t, clitest.Result{Out: "email-send\none\norders\n"}, tools.Call(t, b, "", "kafka-topics --list"))
	require.Equal(t, clitest.Result{}, tools.Call(t, b, "", "kafka-topics --delete --topic email.send"))
	require.Equal(t, clitest.Result{Out: "one\norders\n"}, tools.Call(t, b, "", "kafka-topics --list"))
}

func TestTableIsPadded(t *testing.T) {
	var b strings.Builder
	parser().WriteTable(&b)
	lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	require.Greater(t, len(lines), 20)
	for _, line := range lines {
		require.Len(t, line, len(lines[0]), line)
		require.LessOrEqual(t, len(line), 80)
	}
}
