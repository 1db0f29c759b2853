package cli

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// logsTools are the tools that these tests call.
var logsTools = toolSet{"kafka-get-offsets": runGetOffsets, "kafka-delete-records": runDeleteRecords, "kafka-log-dirs": runLogDirs, "kafka-console-producer": runConsoleProducer}

func TestOffsetsTools(t *testing.T) {
	b := broker(t)
	require.Equal(t, 0, logsTools.call(t, b, "1\n2\n3\n", "kafka-console-producer --topic one --timeout 0").exit)
	require.Equal(t, result{out: "one:0:3\norders:0:0\norders:1:0\norders:2:0\n"}, logsTools.call(t, b, "", "kafka-get-offsets"))
	require.Equal(t, result{out: "orders:1:0\norders:2:0\n"}, logsTools.call(t, b, "", "kafka-get-offsets --topic-partitions orders:1-,nope"))

	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("d.json", []byte(`{"partitions":[{"topic":"one","partition":0,"offset":2}],"version":1}`), 0o600))
	require.Equal(t, result{out: "Executing records delete operation\nRecords delete operation completed:\npartition: one-0\tlow_watermark: 2\n"}, logsTools.call(t, b, "", "kafka-delete-records --offset-json-file d.json"))
	require.Equal(t, result{out: "one:0:2\n"}, logsTools.call(t, b, "", "kafka-get-offsets --topic one --time earliest"))
}

func TestLogDirsTool(t *testing.T) {
	got := logsTools.call(t, broker(t), "", "kafka-log-dirs --describe --topic-list one")
	require.Regexp(t, `^Querying brokers for log directories information\nReceived log directory information from brokers \d+\n\{"brokers":\[\{"broker":\d+,"logDirs":\[\{"partitions":\[\{"partition":"one-0","size":\d+,"offsetLag":0,"isFuture":false\}\],"error":null,"logDir":".*"\}\]\}\],"version":1\}\n$`, got.out)
}
