package server

import (
	"bytes"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/internal/cli/clitest"
	"github.com/botehq/bote/internal/cli/tool"
)

func TestMaxHeap(t *testing.T) {
	t.Parallel()
	for opts, want := range map[string]int64{
		"-Xmx400m -Xms400m": 400 << 20, "-Xms1G -Xmx1G": 1 << 30, "-Xmx512M": 512 << 20, "-Xmx2048k": 2 << 20, "-Xmx1g -Xmx2g": 2 << 30, "-Xmx1000": 1000,
	} {
		got, ok := maxHeap(opts)
		require.True(t, ok, opts)
		require.Equal(t, want, got, opts)
	}
	for _, opts := range []string{"", "-Xms1g", "-Xmx", "-Xmxlots", "-Xmx99999999999g", "-Xmx0"} {
		_, ok := maxHeap(opts)
		require.False(t, ok, opts)
	}
}

func TestServerLogLines(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	l := newServerLog(&out, slog.LevelInfo)
	log := slog.New(l).With(slog.String("topic", "a b")).WithGroup("disk")
	log.Info("opened", slog.Int("partition", 3), slog.Any("err", errors.New("no")))
	log.Debug("not shown")
	l.line("INFO", loggerRaft, "[KafkaRaftServer nodeId=%s] Kafka Server started", "1")
	require.Regexp(t, `^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}\] INFO opened topic="a b" disk\.partition=3 disk\.err=no \(bote\)
\[[^]]+\] INFO \[KafkaRaftServer nodeId=1\] Kafka Server started \(kafka\.server\.KafkaRaftServer\)
$`, out.String())
}

func TestServerLogRollsByHour(t *testing.T) {
	t.Parallel()
	now := time.Now()
	path := filepath.Join(t.TempDir(), "logs", "server.log")
	h, err := openHourlyFile(path, func() time.Time { return now })
	require.NoError(t, err)
	first := hourOf(now)
	_, err = h.Write([]byte("one\n"))
	require.NoError(t, err)
	now = now.Add(time.Hour)
	_, err = h.Write([]byte("two\n"))
	require.NoError(t, err)
	require.NoError(t, h.Close())
	require.NoError(t, h.Close())
	old, err := os.ReadFile(path + "." + first)
	require.NoError(t, err)
	require.Equal(t, "one\n", string(old))
	current, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "two\n", string(current))
}

func TestIsServer(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"/opt/bote/bin/bote", "kafka-server-start", "config/server.properties"},
		{`bin\bote.exe`, "kafka-server-start", "x"},
		{"bote", "serve"},
		{"kafka-server-start", "x.properties"},
		{"/usr/bin/bote-1.0", "serve", "--config=x.properties"},
	} {
		require.True(t, process{args: args}.isServer(), "%v", args)
	}
	for _, args := range [][]string{
		{"bote"},
		{"bote", "kafka-server-start", "-daemon", "x"},
		{"bote", "kafka-topics", "--list"},
		{"sh", "bin/kafka-server-start.sh", "x"},
		{"vi", "serve"},
		{"tail", "-f", "kafka-server-start"},
	} {
		require.False(t, process{args: args}.isServer(), "%v", args)
	}
	require.Equal(t, "x.properties", process{args: []string{"bote", "serve", "--config=x.properties"}}.configFile())
}

// TestServerStop uses made-up processes, because the real command stops every broker of the user.
func TestServerStop(t *testing.T) {
	t.Parallel()
	one, _ := clitest.WriteServerConfig(t, "")
	two, _ := clitest.WriteServerConfig(t, "node.id=2\nprocess.roles=broker\n")
	for _, c := range []struct {
		args    []string
		stopped []int
		code    int
		says    string
	}{
		{args: nil, stopped: []int{100001, 100002}},
		{args: []string{"config/server.properties"}, stopped: []int{100001, 100002}}, // as in many service files
		{args: []string{"--node-id=1"}, stopped: []int{100001}},
		{args: []string{"--process-role=broker"}, stopped: []int{100002}},
		{args: []string{"--process-role=broker", "--node-id=1"}, stopped: []int{100001}, says: "the value for node-id will take precedence"},
		{args: []string{"node-id=2"}, stopped: []int{100002}}, // Kafka's script finds the option's name anywhere in a word
		{args: []string{"--node-id=3"}, code: tool.ExitError, says: "No kafka server to stop"},
		{args: []string{"--help"}, says: "kafka-server-stop.sh [--process-role=ROLE] [--node-id=ID]"},
		{args: []string{"-h"}, says: "kafka-server-stop.sh [--process-role=ROLE] [--node-id=ID]"},
		{args: []string{"--node-id=1", "--help"}, says: "kafka-server-stop.sh [--process-role=ROLE] [--node-id=ID]"},
		{args: []string{"--node-idd=1"}, code: tool.ExitError, says: "unknown option --node-idd=1"},
		{args: []string{"--node-id", "1"}, code: tool.ExitError, says: "--node-id=ID"},
		{args: []string{"--node-id="}, code: tool.ExitError, says: "--node-id= has no value"},
		{args: []string{"--process-role="}, code: tool.ExitError, says: "--process-role= has no value"},
		{args: []string{"--version"}, code: tool.ExitError, says: "unknown option --version"},
	} {
		var out bytes.Buffer
		var stopped []int
		s := &tool.Streams{Out: &out, Err: &out, Getenv: func(string) string { return "" }}
		code := stopServers(s, machine{
			processes: func() ([]process, error) {
				return []process{
					{pid: 100001, args: []string{"bote", "kafka-server-start", one}},
					{pid: 100002, args: []string{"bote", "serve", two}},
					{pid: 100003, args: []string{"bote", "kafka-topics", "--list"}},
				}, nil
			},
			stop: func(pid int, _ string) error {
				stopped = append(stopped, pid)
				return nil
			},
		}, c.args)
		require.Equal(t, c.stopped, stopped, c.args)
		require.Equal(t, c.code, code, c.args)
		require.Contains(t, out.String(), c.says, c.args)
	}
}

func TestServerStartRefusals(t *testing.T) {
	t.Parallel()
	file, _ := clitest.WriteServerConfig(t, "")
	var lc net.ListenConfig
	taken, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	for want, args := range map[string][]string{
		"\norg.apache.kafka.common.config.ConfigException: Invalid value abc for configuration num.partitions: Not a number of type INT\n":   {file, "--override", "num.partitions=abc"},
		"\njava.nio.file.NoSuchFileException: none.properties\n":                                                                             {"none.properties"},
		"\norg.apache.kafka.common.KafkaException: Socket server failed to bind to " + taken.Addr().String() + ": Address already in use.\n": {file, "--override", "listeners=PLAINTEXT://" + taken.Addr().String() + ",CONTROLLER://127.0.0.1:0"},
	} {
		code, out, _ := clitest.Output(t, RunStart, args...)
		require.Equal(t, tool.ExitError, code)
		require.Contains(t, out, " ERROR Exiting Kafka due to fatal exception")
		require.Contains(t, out, want)
	}
}
