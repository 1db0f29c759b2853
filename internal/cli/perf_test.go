package cli

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// perfTools are the tools that these tests call.
var perfTools = toolSet{"kafka-producer-perf-test": runProducerPerf, "kafka-consumer-perf-test": runConsumerPerf}

func TestPerfTools(t *testing.T) {
	b := broker(t)
	got := perfTools.run(t, "", "kafka-producer-perf-test", "--topic", "one", "--num-records", "100", "--record-size", "10", "--throughput", "-1", "--bootstrap-server", b)
	require.Equal(t, 0, got.exit, got.err)
	require.Regexp(t, `^100 records sent, [\d.]+ records/sec \([\d.]+ MB/sec\), [\d.]+ ms avg latency, [\d.]+ ms max latency, \d+ ms 50th, \d+ ms 95th, \d+ ms 99th, \d+ ms 99\.9th\.\n$`, got.out)
	got = perfTools.call(t, b, "", "kafka-consumer-perf-test --topic one --num-records 100")
	require.Equal(t, 0, got.exit, got.err)
	require.Regexp(t, `^start\.time, end\.time, data\.consumed\.in\.MB, MB\.sec, data\.consumed\.in\.nMsg, nMsg\.sec, rebalance\.time\.ms, fetch\.time\.ms, fetch\.MB\.sec, fetch\.nMsg\.sec\n\d{4}-\d\d-\d\d \d\d:\d\d:\d\d:\d{3}, .{23}, 0\.0010, [\d.]+, 100, [\d.]+, \d+, -?\d+, [\d.]+, [\d.]+\n$`, got.out)
}

func TestFormatTime(t *testing.T) {
	at := time.Date(2026, 2, 1, 3, 4, 5, 67_000_000, time.UTC)
	require.Equal(t, "2026-02-01 03:04:05:067", formatTime(at, "yyyy-MM-dd HH:mm:ss:SSS"))
	require.Equal(t, "01/02/26 03.04", formatTime(at, "dd/MM/yy HH.mm"))
}
