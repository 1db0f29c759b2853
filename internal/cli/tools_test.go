package cli

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
)

// broker starts an in-process broker and returns its address. Topics: orders with 3 partitions, one with 1.
func broker(t *testing.T) string {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(3, "orders"), kfake.SeedTopics(1, "one"))
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return strings.Join(c.ListenAddrs(), ",")
}

// call runs a tool against a broker.
func call(t *testing.T, server, stdin, command string) result {
	t.Helper()
	args := split(command)
	return run(t, stdin, append([]string{args[0], "--bootstrap-server", server}, args[1:]...)...)
}

func TestTopicsTool(t *testing.T) {
	b := broker(t)
	got := call(t, b, "", "kafka-topics --create --topic email.send --partitions 2 --config retention.ms=1000")
	require.Equal(t, "WARNING: Due to limitations in metric names, topics with a period ('.') or underscore ('_') could collide. To avoid issues it is best to use either, but not both.\nCreated topic email.send.\n", got.out)
	require.Empty(t, got.err)
	require.Equal(t, 0, call(t, b, "", "kafka-topics --create --topic email-send").exit)

	require.Equal(t, result{0, "email-send\nemail.send\none\norders\n", ""}, call(t, b, "", "kafka-topics --list"))
	require.Equal(t, result{0, "orders\n", ""}, call(t, b, "", "kafka-topics --list --topic o.*s"))
	require.Equal(t, result{0, "\n", ""}, call(t, b, "", "kafka-topics --list --topic nothing"))

	got = call(t, b, "", "kafka-topics --describe --topic email.send")
	require.Equal(t, 0, got.exit, got.err)
	require.Regexp(t, `^Topic: email\.send\tTopicId: \S{22}\tPartitionCount: 2\tReplicationFactor: 1\tConfigs: .*retention\.ms=1000.*\n\tTopic: email\.send\tPartition: 0\tLeader: \d+\tReplicas: \d+\tIsr: \d+\tElr: .*\tLastKnownElr: .*\n\tTopic: email\.send\tPartition: 1\t.*\n$`, got.out)

	got = call(t, b, "", "kafka-topics --create --topic one")
	require.Equal(t, 1, got.exit)
	require.True(t, strings.HasPrefix(got.out, "Error while executing topic command : "), got.out)
	require.Regexp(t, `^\[.{23}\] ERROR org\.apache\.kafka\.common\.errors\.TopicExistsException: .*\n \(org\.apache\.kafka\.tools\.TopicCommand\)\n$`, got.err)
	require.Equal(t, result{0, "", ""}, call(t, b, "", "kafka-topics --create --topic one --if-not-exists"))

	require.Equal(t, result{0, "", ""}, call(t, b, "", "kafka-topics --alter --topic one --partitions 2"))
	got = call(t, b, "", "kafka-topics --describe --topic nope")
	require.Equal(t, "Error while executing topic command : Topic 'nope' does not exist as expected\n", got.out)
	require.Equal(t, result{0, "", ""}, call(t, b, "", "kafka-topics --describe --topic nope --if-exists"))

	// A topic of just the name wins over the expression that the name is: email-send stays.
	require.Equal(t, result{0, "", ""}, call(t, b, "", "kafka-topics --delete --topic email.send"))
	require.Equal(t, result{0, "email-send\none\norders\n", ""}, call(t, b, "", "kafka-topics --list"))
	require.Equal(t, result{0, "", ""}, call(t, b, "", "kafka-topics --delete --topic email.send"))
	require.Equal(t, result{0, "one\norders\n", ""}, call(t, b, "", "kafka-topics --list"))
}

func TestProduceAndConsume(t *testing.T) {
	b := broker(t)
	json := `{"from":"sender@naver.com","subject":"제목","body":"내용"}`
	got := call(t, b, "k1\tone\nk2\t"+json+"\n", "kafka-console-producer --topic one --reader-property parse.key=true --timeout 0")
	require.Equal(t, result{0, "", ""}, got)

	got = call(t, b, "", "kafka-console-consumer --topic one --from-beginning --max-messages 2 --formatter-property print.key=true --formatter-property print.partition=true")
	require.Equal(t, result{0, "Partition:0\tk1\tone\nPartition:0\tk2\t" + json + "\n", "Processed a total of 2 messages\n"}, got)

	got = call(t, b, "", "kafka-console-consumer --topic one --partition 0 --offset 1 --max-messages 1")
	require.Equal(t, result{0, json + "\n", "Processed a total of 1 messages\n"}, got)

	got = call(t, b, "", "kafka-console-consumer --topic one --partition 0 --offset latest --timeout-ms 100")
	require.Equal(t, 0, got.exit)
	require.Empty(t, got.out)
	require.Regexp(t, `^\[.{23}\] ERROR Error processing message, terminating consumer process:  \(org\.apache\.kafka\.tools\.consumer\.ConsoleConsumer\)\norg\.apache\.kafka\.common\.errors\.TimeoutException\nProcessed a total of 0 messages\n$`, got.err)

	got = call(t, b, "a\nno separator\n", "kafka-console-producer --topic one --reader-property parse.key=true --reader-property key.separator=:")
	require.Equal(t, result{1, "", "org.apache.kafka.common.KafkaException: No key separator found on line number 1: 'a'\n"}, got)
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
	require.Equal(t, 0, call(t, b, "a\nb\n", "kafka-console-producer --topic one --timeout 0").exit)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out := &interruptAfter{lines: 2, cancel: cancel}
	var errs bytes.Buffer
	code := Main(ctx, []string{"kafka-console-consumer", "--bootstrap-server", b, "--topic", "one", "--from-beginning"}, strings.NewReader(""), out, &errs)
	require.Equal(t, exitInterrupted, code)
	require.Equal(t, "a\nb\n", out.buf.String())
	require.Equal(t, "Processed a total of 2 messages\n", errs.String())
}

func TestInterruptedBySignal(t *testing.T) {
	for want, cause := range map[int]error{exitInterrupted: context.Canceled, exitTerminated: errors.New("terminated signal received")} {
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(cause)
		require.Equal(t, want, interrupted(ctx))
	}
}

func TestConsumerBrokenPipe(t *testing.T) {
	b := broker(t)
	require.Equal(t, 0, call(t, b, "a\n", "kafka-console-producer --topic one --timeout 0").exit)
	r, w := io.Pipe()
	require.NoError(t, r.Close())
	var errs bytes.Buffer
	code := Main(t.Context(), []string{"kafka-console-consumer", "--bootstrap-server", b, "--topic", "one", "--from-beginning"}, strings.NewReader(""), w, &errs)
	require.Equal(t, 0, code)
	require.Equal(t, "Unable to write to standard out, closing consumer.\nProcessed a total of 1 messages\n", errs.String())
}

func TestConsumerGroupsTool(t *testing.T) {
	b := broker(t)
	require.Equal(t, 0, call(t, b, "1\n2\n3\n", "kafka-console-producer --topic one --timeout 0").exit)
	require.Equal(t, 0, call(t, b, "", "kafka-console-consumer --topic one --group email-send-group --from-beginning --max-messages 2").exit)
	require.Equal(t, result{0, "email-send-group\n", ""}, call(t, b, "", "kafka-consumer-groups --list"))
	require.Equal(t, "GROUP                      STATE               \nemail-send-group           Empty               \n", call(t, b, "", "kafka-consumer-groups --list --state").out)

	const head = "\nGROUP            TOPIC           PARTITION  CURRENT-OFFSET  LOG-END-OFFSET  LAG             CONSUMER-ID     HOST            CLIENT-ID\n"
	require.Equal(t, result{
		0, head + "email-send-group one             0          2               3               1               -               -               -\n",
		"\nConsumer group 'email-send-group' has no active members.\n",
	}, call(t, b, "", "kafka-consumer-groups --describe --group email-send-group"))

	const plan = "\nGROUP            TOPIC           PARTITION  NEW-OFFSET\nemail-send-group one             0          "
	require.Equal(t, result{0, plan + "0\n", ""}, call(t, b, "", "kafka-consumer-groups --reset-offsets --group email-send-group --topic one --to-earliest --dry-run"))
	got := call(t, b, "", "kafka-consumer-groups --reset-offsets --group email-send-group --all-topics --to-offset 99 --execute")
	require.Equal(t, plan+"3\n", got.out)
	require.Contains(t, got.err, "WARN New offset (99) is higher than latest offset for topic partition one-0. Value will be set to 3 (org.apache.kafka.tools.OffsetsUtils)")
	require.Equal(t, plan+"1\n", call(t, b, "", "kafka-consumer-groups --reset-offsets --group email-send-group --topic one:0 --shift-by -2 --execute").out)
	require.Equal(t, "one,0,1\n\n", call(t, b, "", "kafka-consumer-groups --reset-offsets --group email-send-group --topic one --to-current --export --dry-run").out)

	require.Equal(t, "\nTOPIC           PARTITION  STATUS         \none             0          Successful     \n",
		strings.TrimPrefix(call(t, b, "", "kafka-consumer-groups --delete-offsets --group email-send-group --topic one").out, "Request succeeded for deleting offsets from group email-send-group.\n"))
	require.Equal(t, "Deletion of requested consumer groups ('email-send-group') was successful.\n", call(t, b, "", "kafka-consumer-groups --delete --group email-send-group").out)
	got = call(t, b, "", "kafka-consumer-groups --delete --group nope")
	require.Equal(t, result{0, "\nError: Deletion of some consumer groups failed:\n* Group 'nope' could not be deleted due to: org.apache.kafka.common.errors.GroupIdNotFoundException: The group id does not exist.\n", ""}, got)
}

func TestOffsetsTools(t *testing.T) {
	b := broker(t)
	require.Equal(t, 0, call(t, b, "1\n2\n3\n", "kafka-console-producer --topic one --timeout 0").exit)
	require.Equal(t, result{0, "one:0:3\norders:0:0\norders:1:0\norders:2:0\n", ""}, call(t, b, "", "kafka-get-offsets"))
	require.Equal(t, result{0, "orders:1:0\norders:2:0\n", ""}, call(t, b, "", "kafka-get-offsets --topic-partitions orders:1-,nope"))

	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("d.json", []byte(`{"partitions":[{"topic":"one","partition":0,"offset":2}],"version":1}`), 0o600))
	require.Equal(t, result{0, "Executing records delete operation\nRecords delete operation completed:\npartition: one-0\tlow_watermark: 2\n", ""}, call(t, b, "", "kafka-delete-records --offset-json-file d.json"))
	require.Equal(t, result{0, "one:0:2\n", ""}, call(t, b, "", "kafka-get-offsets --topic one --time earliest"))
}

func TestConfigsTool(t *testing.T) {
	b := broker(t)
	require.Equal(t, result{0, "Completed updating config for topic one.\n", ""}, call(t, b, "", "kafka-configs --alter --topic one --add-config retention.ms=1000,cleanup.policy=[compact,delete]"))
	got := call(t, b, "", "kafka-configs --describe --topic one")
	require.Equal(t, 0, got.exit, got.err)
	require.Regexp(t, `^Dynamic configs for topic one are:\n  cleanup\.policy=compact,delete sensitive=false synonyms=\{.*DEFAULT_CONFIG:cleanup\.policy=delete\}\n  retention\.ms=1000 sensitive=false .*\n$`, got.out)
	require.Equal(t, result{1, "", "Invalid config(s): flush.ms\n"}, call(t, b, "", "kafka-configs --alter --topic one --delete-config flush.ms"))
	require.Equal(t, result{0, "Completed updating config for topic one.\n", ""}, call(t, b, "", "kafka-configs --alter --topic one --delete-config retention.ms"))
	require.Equal(t, result{0, "The topic 'nope' doesn't exist and doesn't have dynamic config.\n", ""}, call(t, b, "", "kafka-configs --describe --topic nope"))
	require.Equal(t, result{0, "Completed updating config for user alice.\n", ""}, call(t, b, "", "kafka-configs --alter --user alice --add-config producer_byte_rate=1024"))
	require.Equal(t, result{0, "Quota configs for user-principal 'alice' are producer_byte_rate=1024.0\n", ""}, call(t, b, "", "kafka-configs --describe --user alice"))
}

func TestClusterTools(t *testing.T) {
	b := broker(t)
	require.Regexp(t, `^Cluster ID: \S+\n$`, run(t, "", "kafka-cluster", "cluster-id", "-b", b).out)
	require.Regexp(t, `^ID +HOST +PORT +RACK +STATE +ENDPOINT_TYPE  \n\d+ +127\.0\.0\.1 \d+ +\S+ +unfenced   broker         \n$`, run(t, "", "kafka-cluster", "list-endpoints", "--bootstrap-server="+b).out)
	got := call(t, b, "", "kafka-broker-api-versions")
	require.Regexp(t, `^127\.0\.0\.1:\d+ \(id: \d+ rack: \S+ isFenced: false\) -> \(\n\tProduce\(0\): \d+ to \d+ \[usable: \d+\],\n`, got.out)
	require.Contains(t, got.out, "\tAddRaftVoter(80): UNSUPPORTED")
	got = call(t, b, "", "kafka-log-dirs --describe --topic-list one")
	require.Regexp(t, `^Querying brokers for log directories information\nReceived log directory information from brokers \d+\n\{"brokers":\[\{"broker":\d+,"logDirs":\[\{"partitions":\[\{"partition":"one-0","size":\d+,"offsetLag":0,"isFuture":false\}\],"error":null,"logDir":".*"\}\]\}\],"version":1\}\n$`, got.out)
}

func TestPerfTools(t *testing.T) {
	b := broker(t)
	got := run(t, "", "kafka-producer-perf-test", "--topic", "one", "--num-records", "100", "--record-size", "10", "--throughput", "-1", "--bootstrap-server", b)
	require.Equal(t, 0, got.exit, got.err)
	require.Regexp(t, `^100 records sent, [\d.]+ records/sec \([\d.]+ MB/sec\), [\d.]+ ms avg latency, [\d.]+ ms max latency, \d+ ms 50th, \d+ ms 95th, \d+ ms 99th, \d+ ms 99\.9th\.\n$`, got.out)
	got = call(t, b, "", "kafka-consumer-perf-test --topic one --num-records 100")
	require.Equal(t, 0, got.exit, got.err)
	require.Regexp(t, `^start\.time, end\.time, data\.consumed\.in\.MB, MB\.sec, data\.consumed\.in\.nMsg, nMsg\.sec, rebalance\.time\.ms, fetch\.time\.ms, fetch\.MB\.sec, fetch\.nMsg\.sec\n\d{4}-\d\d-\d\d \d\d:\d\d:\d\d:\d{3}, .{23}, 0\.0010, [\d.]+, 100, [\d.]+, \d+, -?\d+, [\d.]+, [\d.]+\n$`, got.out)
}

func TestUnreachable(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("short.properties", []byte("default.api.timeout.ms=300\nrequest.timeout.ms=100\n"), 0o600))
	got := call(t, "127.0.0.1:1", "", "kafka-topics --list --command-config short.properties")
	require.Equal(t, 1, got.exit)
	require.Equal(t, "Error while executing topic command : Timed out waiting for a node assignment. Call: listTopics\n", got.out)
	require.Contains(t, got.err, "WARN [AdminClient clientId=adminclient-1] Connection to node -1 (127.0.0.1/127.0.0.1:1) could not be established. Node may not be available. (org.apache.kafka.clients.NetworkClient)")
	got = call(t, "127.0.0.1:1", "", "kafka-consumer-groups --list --timeout 200")
	require.Equal(t, 0, got.exit)
	require.Equal(t, "\nError: Executing consumer group command failed due to java.util.concurrent.ExecutionException: org.apache.kafka.common.KafkaException: Failed to find brokers to send ListGroups\n", got.out)
}
