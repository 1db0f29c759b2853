package logs

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/internal/cli/clitest"
	"github.com/botehq/bote/internal/cli/console"
)

// tools are the tools that these tests call.
var tools = clitest.Tools{"kafka-get-offsets": RunGetOffsets, "kafka-delete-records": RunDeleteRecords, "kafka-log-dirs": RunLogDirs, "kafka-console-producer": console.RunProducer}

func TestOffsetsTools(t *testing.T) {
	b := clitest.Broker(t)
	require.Equal(t, 0, tools.Call(t, b, "1\n2\n3\n", "kafka-console-producer --topic one --timeout 0").Exit)
	require.Equal(t, clitest.Result{Out: "one:0:3\norders:0:0\norders:1:0\norders:2:0\n"}, tools.Call(t, b, "", "kafka-get-offsets"))
	require.Equal(t, clitest.Result{Out: "orders:1:0\norders:2:0\n"}, tools.Call(t, b, "", "kafka-get-offsets --topic-partitions orders:1-,nope"))

	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("d.json", []byte(`{"partitions":[{"topic":"one","partition":0,"offset":2}],"version":1}`), 0o600))
	require.Equal(t, clitest.Result{Out: "Executing records delete operation\nRecords delete operation completed:\npartition: one-0\tlow_watermark: 2\n"}, tools.Call(t, b, "", "kafka-delete-records --offset-json-file d.json"))
	require.Equal(t, clitest.Result{Out: "one:0:2\n"}, tools.Call(t, b, "", "kafka-get-offsets --topic one --time earliest"))
}

func TestLogDirsTool(t *testing.T) {
	got := tools.Call(t, clitest.Broker(t), "", "kafka-log-dirs --describe --topic-list one")
	require.Regexp(t, `^Querying brokers for log directories information\nReceived log directory information from brokers \d+\n\{"brokers":\[\{"broker":\d+,"logDirs":\[\{"partitions":\[\{"partition":"one-0","size":\d+,"offsetLag":0,"isFuture":false\}\],"error":null,"logDir":".*"\}\]\}\],"version":1\}\n$`, got.Out)
}
