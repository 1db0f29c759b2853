package console

import (
	"bytes"
	"context"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/botehq/bote/internal/cli/clitest"
	"github.com/botehq/bote/internal/cli/tool"
)

// tools are the tools that these tests call.
var tools = clitest.Tools{"kafka-console-consumer": RunConsumer, "kafka-console-producer": RunProducer}

func TestProduceAndConsume(t *testing.T) {
	b := clitest.Broker(t)
	json := `{"from":"sender@naver.com","subject":"제목","body":"내용"}`
	got := tools.Call(t, b, "k1\tone\nk2\t"+json+"\n", "kafka-console-producer --topic one --reader-property parse.key=true --timeout 0")
	require.Equal(t, clitest.Result{}, got)

	got = tools.Call(t, b, "", "kafka-console-consumer --topic one --from-beginning --max-messages 2 --formatter-property print.key=true --formatter-property print.partition=true")
	require.Equal(t, clitest.Result{Out: "Partition:0\tk1\tone\nPartition:0\tk2\t" + json + "\n", Err: "Processed a total of 2 messages\n"}, got)

	got = tools.Call(t, b, "", "kafka-console-consumer --topic one --partition 0 --offset 1 --max-messages 1")
	require.Equal(t, clitest.Result{Out: json + "\n", Err: "Processed a total of 1 messages\n"}, got)

	got = tools.Call(t, b, "", "kafka-console-consumer --topic one --partition 0 --offset latest --timeout-ms 100")
	require.Equal(t, 0, got.Exit)
	require.Empty(t, got.Out)
	require.Regexp(t, `^\[.{23}\] ERROR Error processing message, terminating consumer process:  \(org\.apache\.kafka\.tools\.consumer\.ConsoleConsumer\)\norg\.apache\.kafka\.common\.errors\.TimeoutException\nProcessed a total of 0 messages\n$`, got.Err)

	got = tools.Call(t, b, "a\nno separator\n", "kafka-console-producer --topic one --reader-property parse.key=true --reader-property key.separator=:")
	require.Equal(t, clitest.Result{Exit: 1, Err: "org.apache.kafka.common.KafkaException: No key separator found on line number 1: 'a'\n"}, got)
}

// interruptAfter is a writer that cancels a context after a number of lines.
type interruptAfter struct {
	mu     sync.Mutex
	buf    bytes.Buffer
	lines  int
	cancel context.CancelFunc
}

func (w *interruptAfter) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.buf.Write(b)
	if bytes.Count(w.buf.Bytes(), []byte("\n")) >= w.lines {
		w.cancel()
	}
	return len(b), nil
}

func TestConsumerInterrupted(t *testing.T) {
	b := clitest.Broker(t)
	require.Equal(t, 0, tools.Call(t, b, "a\nb\n", "kafka-console-producer --topic one --timeout 0").Exit)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out := &interruptAfter{lines: 2, cancel: cancel}
	var errs bytes.Buffer
	code := RunConsumer(ctx, clitest.NewStreams(strings.NewReader(""), out, &errs), []string{"--bootstrap-server", b, "--topic", "one", "--from-beginning"})
	require.Equal(t, tool.ExitInterrupted, code)
	require.Equal(t, "a\nb\n", out.buf.String())
	require.Equal(t, "Processed a total of 2 messages\n", errs.String())
}

func TestConsumerBrokenPipe(t *testing.T) {
	b := clitest.Broker(t)
	require.Equal(t, 0, tools.Call(t, b, "a\n", "kafka-console-producer --topic one --timeout 0").Exit)
	r, w := io.Pipe()
	require.NoError(t, r.Close())
	var errs bytes.Buffer
	code := RunConsumer(t.Context(), clitest.NewStreams(strings.NewReader(""), w, &errs), []string{"--bootstrap-server", b, "--topic", "one", "--from-beginning"})
	require.Equal(t, 0, code)
	require.Equal(t, "Unable to write to standard out, closing consumer.\nProcessed a total of 1 messages\n", errs.String())
}

func TestSerializedSize(t *testing.T) {
	require.Equal(t, 2000088, serializedSize(&kgo.Record{Value: make([]byte, 2_000_000)}))
}
