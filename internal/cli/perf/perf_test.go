package perf

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/internal/cli/clitest"
)

// tools are the tools that these tests call.
var tools = clitest.Tools{"kafka-producer-perf-test": RunProducer, "kafka-consumer-perf-test": RunConsumer}

func TestPerfTools(t *testing.T) {
	b := clitest.Broker(t)
	got := tools.Run(t, "", "kafka-producer-perf-test", "--topic", "one", "--num-records", "100", "--record-size", "10", "--throughput", "-1", "--bootstrap-server", b)
	require.Equal(t, 0, got.Exit, got.Err)
	require.Regexp(t, `^100 records sent, [\d.]+ records/sec \([\d.]+ MB/sec\), [\d.]+ ms avg latency, [\d.]+ ms max latency, \d+ ms 50th, \d+ ms 95th, \d+ ms 99th, \d+ ms 99\.9th\.\n$`, got.Out)
	got = tools.Call(t, b, "", "kafka-consumer-perf-test --topic one --num-records 100")
	require.Equal(t, 0, got.Exit, got.Err)
	require.Regexp(t, `^start\.time, end\.time, data\.consumed\.in\.MB, MB\.sec, data\.consumed\.in\.nMsg, nMsg\.sec, rebalance\.time\.ms, fetch\.time\.ms, fetch\.MB\.sec, fetch\.nMsg\.sec\n\d{4}-\d\d-\d\d \d\d:\d\d:\d\d:\d{3}, .{23}, 0\.0010, [\d.]+, 100, [\d.]+, \d+, -?\d+, [\d.]+, [\d.]+\n$`, got.Out)
}

func TestFormatTime(t *testing.T) {
	at := time.Date(2026, 2, 1, 3, 4, 5, 67_000_000, time.UTC)
	require.Equal(t, "2026-02-01 03:04:05:067", formatTime(at, "yyyy-MM-dd HH:mm:ss:SSS"))
	require.Equal(t, "01/02/26 03.04", formatTime(at, "dd/MM/yy HH.mm"))
}
