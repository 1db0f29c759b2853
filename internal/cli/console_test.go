package cli

import (
	"bytes"
	"context"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

// consoleTools are the tools that these tests call.
var consoleTools = toolSet{"kafka-console-consumer": runConsoleConsumer, "kafka-console-producer": runConsoleProducer}

func TestProduceAndConsume(t *testing.T) {
	b := broker(t)
	json := `{"from":"sender@naver.com","subject":"제목","body":"내용"}`
	got := consoleTools.call(t, b, "k1\tone\nk2\t"+json+"\n", "kafka-console-producer --topic one --reader-property parse.key=true --timeout 0")
	require.Equal(t, result{}, got)

	got = consoleTools.call(t, b, "", "kafka-console-consumer --topic one --from-beginning --max-messages 2 --formatter-property print.key=true --formatter-property print.partition=true")
	require.Equal(t, result{out: "Partition:0\tk1\tone\nPartition:0\tk2\t" + json + "\n", err: "Processed a total of 2 messages\n"}, got)

	got = consoleTools.call(t, b, "", "kafka-console-consumer --topic one --partition 0 --offset 1 --max-messages 1")
	require.Equal(t, result{out: json + "\n", err: "Processed a total of 1 messages\n"}, got)

	got = consoleTools.call(t, b, "", "kafka-console-consumer --topic one --partition 0 --offset latest --timeout-ms 100")
	require.Equal(t, 0, got.exit)
	require.Empty(t, got.out)
	require.Regexp(t, `^\[.{23}\] ERROR Error processing message, terminating consumer process:  \(org\.apache\.kafka\.tools\.consumer\.ConsoleConsumer\)\norg\.apache\.kafka\.common\.errors\.TimeoutException\nProcessed a total of 0 messages\n$`, got.err)

	got = consoleTools.call(t, b, "a\nno separator\n", "kafka-console-producer --topic one --reader-property parse.key=true --reader-property key.separator=:")
	require.Equal(t, result{exit: 1, err: "org.apache.kafka.common.KafkaException: No key separator found on line number 1: 'a'\n"}, got)
}

// interruptAfter cancels a context when enough lines were written to it.
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
	b := broker(t)
	require.Equal(t, 0, consoleTools.call(t, b, "a\nb\n", "kafka-console-producer --topic one --timeout 0").exit)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out := &interruptAfter{lines: 2, cancel: cancel}
	var errs bytes.Buffer
	code := runConsoleConsumer(ctx, newStreams(strings.NewReader(""), out, &errs), []string{"--bootstrap-server", b, "--topic", "one", "--from-beginning"})
	require.Equal(t, exitInterrupted, code)
	require.Equal(t, "a\nb\n", out.buf.String())
	require.Equal(t, "Processed a total of 2 messages\n", errs.String())
}

func TestConsumerBrokenPipe(t *testing.T) {
	b := broker(t)
	require.Equal(t, 0, consoleTools.call(t, b, "a\n", "kafka-console-producer --topic one --timeout 0").exit)
	r, w := io.Pipe()
	require.NoError(t, r.Close())
	var errs bytes.Buffer
	code := runConsoleConsumer(t.Context(), newStreams(strings.NewReader(""), w, &errs), []string{"--bootstrap-server", b, "--topic", "one", "--from-beginning"})
	require.Equal(t, 0, code)
	require.Equal(t, "Unable to write to standard out, closing consumer.\nProcessed a total of 1 messages\n", errs.String())
}

func TestSerializedSize(t *testing.T) {
	require.Equal(t, 2000088, serializedSize(&kgo.Record{Value: make([]byte, 2_000_000)}))
}
