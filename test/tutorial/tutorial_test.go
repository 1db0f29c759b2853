//go:build unix

package tutorial

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	warning = "WARNING: Due to limitations in metric names, topics with a period ('.') or underscore ('_') could collide. To avoid issues it is best to use either, but not both.\n"
	mail    = `{"from":"sender@naver.com","to":"receiver@naver.om","subject":"제목","body":"내용"}`
	ready   = "[KafkaRaftServer nodeId=1] Kafka Server started (kafka.server.KafkaRaftServer)\n"

	started = `bin/kafka-server-start.sh config/server.properties`
	list    = `bin/kafka-topics.sh --bootstrap-server localhost:9092 --list`
	groups  = `bin/kafka-consumer-groups.sh --bootstrap-server localhost:9092 --list`
)

// TestTutorials goes through the tutorials in order.
func TestTutorials(t *testing.T) {
	s := unpack(t)
	for _, chapter := range []struct {
		name string
		run  func(*testing.T, *shell)
	}{
		{"format", format},
		{"start and stop", startAndStop},
		{"topics", topics},
		{"produce and consume", produceAndConsume},
		{"groups", consumerGroups},
		{"dead letters", deadLetters},
		{"stop", stop},
	} {
		require.True(t, t.Run(chapter.name, func(t *testing.T) {
			inner := *s
			inner.t = t
			chapter.run(t, &inner)
			s.env = inner.env
		}))
	}
}

func format(t *testing.T, s *shell) {
	const line = `bin/kafka-storage.sh format --standalone -t $KAFKA_CLUSTER_ID -c config/server.properties`
	formatted := "Formatting dynamic metadata voter directory " + s.data + " with metadata.version 4.2-IV1.\n"

	code, out, errs := s.typed(`KAFKA_CLUSTER_ID="$(bin/kafka-storage.sh random-uuid)"; echo "$KAFKA_CLUSTER_ID"`)
	require.Equal(t, 0, code)
	require.Empty(t, errs)
	require.Regexp(t, `^[A-Za-z0-9_-]{22}\n$`, out)
	id := strings.TrimSpace(out)
	s.set("KAFKA_CLUSTER_ID", id)
	code, out, errs = s.typed(line)
	require.Equal(t, 0, code, errs)
	require.True(t, strings.HasPrefix(out, "Bootstrap metadata: ") && strings.HasSuffix(out, "\n"+formatted), out)

	code, _, errs = s.typed(line)
	require.Equal(t, 1, code)
	require.Equal(t, "Log directory "+s.data+" is already formatted. Use --ignore-formatted to ignore this directory and format the others.\n", errs)
	s.set("KAFKA_CLUSTER_ID", "MkU3OEVBNTcwNTJENDM2Qg")
	code, _, errs = s.typed("bin/kafka-storage.sh format --standalone -t $KAFKA_CLUSTER_ID \\\n-c config/server.properties")
	require.Equal(t, 1, code)
	require.Contains(t, errs, "Invalid cluster.id in: "+filepath.Join(s.data, "meta.properties")+". Expected MkU3OEVBNTcwNTJENDM2Qg, but read "+id)

	t.Log("the misplaced bracket of one post")
	require.NoError(t, os.RemoveAll(s.data))
	code, out, errs = s.typed(`KAFKA_CLUSTER_ID="$(bin)/kafka-storage.sh random-uuid"` + "\n" + line)
	require.Equal(t, 0, code, errs)
	require.Contains(t, out, formatted)
	require.Contains(t, errs, "A new cluster ID takes its place: ")
}

func startAndStop(t *testing.T, s *shell) {
	const notice = "ZooKeeper is not needed: bote stores its metadata itself. Continue with kafka-server-start.\n"
	s.prints(notice, `bin/zookeeper-server-start.sh config/zookeeper.properties`)
	code, out, _ := s.typed(`bin/kafka-server-stop.sh`)
	require.Equal(t, 1, code)
	require.Equal(t, "No kafka server to stop\n", out)

	t.Log("in the foreground")
	broker := s.starts(started)
	broker.until(ready)
	s.prints("", `bin/kafka-server-stop.sh`)
	code, out, _ = broker.ended()
	require.Equal(t, 143, code)
	require.Contains(t, out, "[BrokerServer id=1] shut down completed (kafka.server.BrokerServer)\n")
	broker = s.starts(started)
	broker.until(ready)
	code, _, _ = broker.interrupted()
	require.Equal(t, 130, code)

	t.Log("as a daemon, on a directory that nobody formatted")
	require.NoError(t, os.RemoveAll(s.data))
	s.prints("", `bin/kafka-server-start.sh -daemon config/server.properties`)
	conn, err := net.Dial("tcp", "localhost:9092")
	require.NoError(t, err, "the port is open when the command returns")
	require.NoError(t, conn.Close())
	output := filepath.Join(s.root, "logs", "kafkaServer.out")
	before, err := os.ReadFile(output)
	require.NoError(t, err)
	code, _, errs := s.typed(`bin/kafka-server-start.sh -daemon config/server.properties`)
	require.Equal(t, 1, code, "a second one cannot start")
	require.Contains(t, errs, "the server did not start")
	require.Contains(t, errs, "Address already in use")
	after, err := os.ReadFile(output)
	require.NoError(t, err)
	require.True(t, bytes.HasPrefix(after, before), "the first one's output is whole")
	log := s.starts(`tail -n +1 -f  logs/kafkaServer.out`)
	log.until(ready)
	log.interrupted()
	if _, err := exec.LookPath("lsof"); err == nil {
		code, out, _ = s.typed(`lsof -i:9092`)
		require.Equal(t, 0, code)
		require.Contains(t, out, "bote")
	}
}

func topics(t *testing.T, s *shell) {
	const create = `bin/kafka-topics.sh --bootstrap-server localhost:9092 --create --topic email.send`
	s.prints("\n", list)
	s.prints(warning+"Created topic email.send.\n", create+` --partitions 1 --replication-factor 1`)
	code, out, errs := s.typed(create + ` --partitions 1 --replication-factor 1`)
	require.Equal(t, 1, code, errs)
	require.Equal(t, warning+"Error while executing topic command : Topic 'email.send' already exists.\n", out)
	for _, line := range []string{
		`bin/kafka-topics.sh --bootstrap-server localhost:9092 --describe --topic email.send`,
		"bin/kafka-topics.sh --bootstrap-server localhost:9092 \\\n--describe --topic email.send",
	} {
		code, out, errs = s.typed(line)
		require.Equal(t, 0, code, errs)
		require.Regexp(t, "^Topic: email\\.send\tTopicId: [A-Za-z0-9_-]{22}\tPartitionCount: 1\tReplicationFactor: 1\tConfigs: [^\n]*\n"+
			"\tTopic: email\\.send\tPartition: 0\tLeader: 1\tReplicas: 1\tIsr: 1\tElr: \tLastKnownElr: \n$", out)
	}
	s.prints("", `bin/kafka-topics.sh --bootstrap-server localhost:9092 --delete --topic email.send`)
	s.prints("\n", list)
	s.prints(warning+"Created topic email.send.\n", create)
	s.prints("", "bin/kafka-topics.sh --bootstrap-server localhost:9092 \\\n--delete --topic email.send")
	s.prints(warning+"Created topic email.send.\n", "bin/kafka-topics.sh --bootstrap-server localhost:9092 \\\n--create --topic email.send")
	s.prints(warning+"Created topic sms.send.\n", "bin/kafka-topics.sh --bootstrap-server localhost:9092 \\\n--create --topic sms.send")
	s.prints("email.send\nsms.send\n", list)
}

func produceAndConsume(t *testing.T, s *shell) {
	const produce = `bin/kafka-console-producer.sh --bootstrap-server localhost:9092 --topic email.send`
	code, _, errs := s.typed(produce, "hello\n", "hello1\n", "hello2\n")
	require.Equal(t, 0, code, errs)
	for _, line := range []string{
		"bin/kafka-console-consumer.sh --bootstrap-server localhost:9092 \\\n--topic email.send --from-beginning",
		"bin/kafka-console-consumer.sh --bootstrap-server localhost:9092 --topic email.send --from-beginning",
	} {
		consumed(t, s, line, "hello\nhello1\nhello2\n", "Processed a total of 3 messages")
	}

	t.Log("a consumer without --from-beginning sees what comes after it")
	live := s.starts(`bin/kafka-console-consumer.sh --bootstrap-server localhost:9092 --topic email.send --group latest`)
	placed := regexp.MustCompile(`email\.send +0 +3 `) // the group has a committed offset at the end
	for {
		_, out, _ := s.typed(`bin/kafka-consumer-groups.sh --bootstrap-server localhost:9092 --group latest --describe`)
		if placed.MatchString(out) {
			break
		}
	}
	code, _, errs = s.typed("bin/kafka-console-producer.sh --bootstrap-server localhost:9092 \\\n--topic email.send", mail+"\n")
	require.Equal(t, 0, code, errs)
	live.until(mail + "\n")
	code, out, errs := live.interrupted()
	require.Equal(t, 130, code)
	require.Equal(t, mail+"\n", out) //nolint:testifylint // byte for byte
	require.Contains(t, errs, "Processed a total of 1 messages")
	s.prints("Deletion of requested consumer groups ('latest') was successful.\n", `bin/kafka-consumer-groups.sh --bootstrap-server localhost:9092 --delete --group latest`)
}

// consumed runs a console consumer until it has printed the text, and presses Ctrl-C.
func consumed(t *testing.T, s *shell, line, want, remark string) {
	t.Helper()
	c := s.starts(line)
	c.until(want)
	code, out, errs := c.interrupted()
	require.Equal(t, 130, code, errs)
	require.Equal(t, want, out)
	require.Contains(t, errs, remark)
}

func consumerGroups(t *testing.T, s *shell) {
	const (
		consume  = "bin/kafka-console-consumer.sh --bootstrap-server localhost:9092 \\\n--topic email.send --from-beginning --group email-send-group"
		describe = "bin/kafka-consumer-groups.sh --bootstrap-server localhost:9092 \\\n--group email-send-group --describe"
		head     = "\nGROUP            TOPIC           PARTITION  CURRENT-OFFSET  LOG-END-OFFSET  LAG             CONSUMER-ID     HOST            CLIENT-ID\n"
		idle     = "Consumer group 'email-send-group' has no active members."
	)
	row := func(current, end, lag string) string {
		return head + "email-send-group email.send      0          " + current + "               " + end + "               " + lag + "               -               -               -\n"
	}
	consumed(t, s, consume, "hello\nhello1\nhello2\n"+mail+"\n", "Processed a total of 4 messages")
	code, out, errs := s.typed(groups)
	require.Equal(t, 0, code, errs)
	require.Regexp(t, `(?m)^email-send-group$`, out)
	require.Regexp(t, `^(console-consumer-\d+\n)*email-send-group\n$`, out)
	s.prints(row("4", "4", "0"), describe)
	_, _, errs = s.typed(`bin/kafka-consumer-groups.sh --bootstrap-server localhost:9092 --group email-send-group --describe`)
	require.Contains(t, errs, idle)

	code, _, errs = s.typed(`bin/kafka-console-producer.sh --bootstrap-server localhost:9092 --topic email.send`, "hi\n")
	require.Equal(t, 0, code, errs)
	s.prints(row("4", "5", "1"), describe)
	consumed(t, s, `bin/kafka-console-consumer.sh --bootstrap-server localhost:9092 --topic email.send --from-beginning --group email-send-group`, "hi\n", "Processed a total of 1 messages")
	s.prints(row("5", "5", "0"), describe)

	t.Log("while a consumer runs")
	c := s.starts(consume)
	for {
		_, out, errs = s.typed(describe)
		if strings.Contains(out, "console-consumer-") {
			break
		}
	}
	require.NotContains(t, errs, idle)
	require.Regexp(t, `email-send-group email\.send +0 +5 +5 +0 +console-consumer-[0-9a-f-]{36} /127\.0\.0\.1 +console-consumer\n$`, out)
	c.interrupted()
}

func deadLetters(t *testing.T, s *shell) {
	names := []string{"email.send-retry-1000", "email.send-retry-2000", "email.send-retry-4000", "email.send-retry-8000", "email.send.dlt"}
	for _, name := range names {
		s.prints(warning+"Created topic "+name+".\n", `bin/kafka-topics.sh --bootstrap-server localhost:9092 --create --topic `+name)
	}
	s.prints("", `bin/kafka-topics.sh --bootstrap-server localhost:9092 --delete --topic sms.send`)
	s.prints("__consumer_offsets\nemail.send\n"+strings.Join(names, "\n")+"\n", list)
	code, _, errs := s.typed(`bin/kafka-console-producer.sh --bootstrap-server localhost:9092 --topic email.send.dlt`, mail+"\n")
	require.Equal(t, 0, code, errs)
	for _, line := range []string{
		"bin/kafka-console-consumer.sh --bootstrap-server localhost:9092 \\\n--topic email.send.dlt --from-beginning",
		"bin/kafka-console-consumer.sh --bootstrap-server localhost:9092 --topic email.send.dlt --from-beginning",
	} {
		consumed(t, s, line, mail+"\n", "Processed a total of 1 messages")
	}
}

func stop(t *testing.T, s *shell) {
	log := s.starts(`tail -n +1 -f  logs/kafkaServer.out`)
	s.prints("", `bin/kafka-server-stop.sh`)
	log.until("shut down completed (kafka.server.BrokerServer)\n")
	log.interrupted()
	code, out, _ := s.typed(`while ! bin/kafka-server-stop.sh; do exit 1; done`)
	if code == 0 { // the old process was still stopping
		return
	}
	require.Equal(t, "No kafka server to stop\n", out)
}
