package compat

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// classes are the Java classes behind Kafka's scripts.
var classes = map[string]string{
	"kafka-broker-api-versions": "org.apache.kafka.tools.BrokerApiVersionsCommand",
	"kafka-configs":             "kafka.admin.ConfigCommand",
	"kafka-console-consumer":    "org.apache.kafka.tools.consumer.ConsoleConsumer",
	"kafka-console-producer":    "org.apache.kafka.tools.ConsoleProducer",
	"kafka-consumer-groups":     "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
	"kafka-delete-records":      "org.apache.kafka.tools.DeleteRecordsCommand",
	"kafka-dump-log":            "kafka.tools.DumpLogSegments",
	"kafka-get-offsets":         "org.apache.kafka.tools.GetOffsetShell",
	"kafka-log-dirs":            "org.apache.kafka.tools.LogDirsCommand",
	"kafka-topics":              "org.apache.kafka.tools.TopicCommand",
}

// toolSteps is a session that is run twice on the same broker, with Kafka's tools
// and with bote's. A word that begins with % becomes a different name for each:
// %orders is j-orders and b-orders. What follows < is the standard input.
const toolSteps = `
kafka-topics --create --topic %orders --partitions 1 --config retention.ms=86400000
kafka-topics --create --topic %orders --partitions 1
kafka-topics --create --topic %orders --partitions 1 --if-not-exists
kafka-topics --create --topic %wide --replication-factor 3
kafka-topics --create --topic %compact_ed.x --config cleanup.policy=compact
kafka-topics --describe --topic %orders
kafka-topics --describe --topic %orders --topics-with-overrides
kafka-topics --describe --topic %none
kafka-console-producer --topic %orders --reader-property parse.key=true --reader-property key.separator=: --reader-property parse.headers=true < h1:v1	a:1\nh2:v2	b:2\nh3:v3	c:3\n
kafka-topics --create --topic %pla_in.x
kafka-console-producer --topic %pla_in.x --compression-codec zstd < one\ntwo\n\nfour\n
kafka-console-consumer --topic %pla_in.x --from-beginning --max-messages 4 --timeout-ms 20000
kafka-console-consumer --topic %pla_in.x --partition 0 --offset 1 --max-messages 2 --timeout-ms 20000 --formatter-property print.offset=true --formatter-property print.partition=true
kafka-console-consumer --topic %orders --from-beginning --max-messages 3 --timeout-ms 20000 --group %readers --formatter-property print.key=true --formatter-property print.headers=true
kafka-console-consumer --topic %orders --from-beginning --timeout-ms 2500 --group %readers
kafka-consumer-groups --describe --group %readers
kafka-consumer-groups --describe --group %readers --state
kafka-consumer-groups --describe --group %readers --members
kafka-consumer-groups --describe --group %none
kafka-consumer-groups --reset-offsets --group %readers --topic %orders --to-earliest --dry-run
kafka-consumer-groups --reset-offsets --group %readers --topic %orders --to-earliest --execute
kafka-consumer-groups --describe --group %readers --offsets
kafka-consumer-groups --delete-offsets --group %readers --topic %orders
kafka-consumer-groups --delete --group %readers
kafka-consumer-groups --delete --group %readers
kafka-configs --alter --entity-type topics --entity-name %orders --add-config max.message.bytes=2000,segment.ms=3600000
kafka-configs --describe --entity-type topics --entity-name %orders
kafka-configs --alter --entity-type topics --entity-name %orders --delete-config max.message.bytes
kafka-configs --alter --entity-type topics --entity-name %orders --add-config no.such=1
kafka-configs --describe --entity-type topics --entity-name %orders --all
kafka-configs --describe --entity-type brokers --entity-name 1
kafka-get-offsets --topic %orders --time earliest
kafka-get-offsets --topic %trimmed --time max-timestamp
kafka-get-offsets --topic %none
kafka-delete-records --offset-json-file %records
kafka-delete-records --offset-json-file %beyond
kafka-get-offsets --topic %trimmed --time -2
kafka-broker-api-versions
kafka-log-dirs --describe --topic-list %orders
kafka-topics --alter --topic %orders --partitions 4
kafka-topics --alter --topic %orders --partitions 2
kafka-topics --describe --topic %orders
kafka-get-offsets --topic %orders
kafka-topics --delete --topic %orders
kafka-topics --delete --topic %orders
kafka-topics --list
`

// step is one command of a session.
type step struct {
	tool, stdin string
	args        []string
}

func steps() []step {
	var all []step
	for line := range strings.Lines(strings.TrimSpace(toolSteps)) {
		command, stdin, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " < ")
		words := strings.Fields(command)
		all = append(all, step{tool: words[0], args: words[1:], stdin: strings.ReplaceAll(stdin, `\n`, "\n")})
	}
	return all
}

// as returns the step for one side: j is Kafka's tools, b is bote's.
func (s step) as(side, addr string, files map[string]string) step {
	args := []string{"--bootstrap-server", addr}
	for _, a := range s.args {
		name, own := strings.CutPrefix(a, "%")
		switch {
		case own && files[side+name] != "":
			a = files[side+name]
		case own:
			a = side + "-" + name
		}
		args = append(args, a)
	}
	s.args = args
	return s
}

func (s step) java(t *testing.T) program {
	t.Helper()
	p := java(t, classes[s.tool], s.args...)
	p.args = slices.Insert(p.args, 1, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
	p.stdin = s.stdin
	return p
}

func (s step) bote(t *testing.T) program {
	t.Helper()
	return program{args: append([]string{boteProgram(t), s.tool}, s.args...), stdin: s.stdin}
}

// masks remove what differs even between two runs of one tool.
var masks = []struct {
	what *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`\b[jb]-(\w)`), "%-$1"},
	{regexp.MustCompile(`TopicId: \S{22}`), "TopicId: ID"},
	{regexp.MustCompile(`"size":\d+`), `"size":N`},
	{regexp.MustCompile(`"(totalBytes|usableBytes)":\d+`), `"$1":N`},
	{regexp.MustCompile(`(?m)^\[?\d{4}-\d\d-\d\d \S+ (WARN|ERROR|INFO) .*\n`), ""}, // the client's own log
	{regexp.MustCompile(`(?m)^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d+\]`), "[TIME]"},
	{regexp.MustCompile(`(?m)^\tat .*\n|^\t\.\.\. \d+ more\n|^Caused by: .*\n|^java\.util\.concurrent\.ExecutionException: .*\n`), ""}, // stack traces
}

func masked(s string) string {
	for _, m := range masks {
		s = m.what.ReplaceAllString(s, m.with)
	}
	lines := strings.Split(s, "\n")
	for i, l := range lines { // columns are as wide as the longest name
		lines[i] = strings.TrimRight(l, " ")
	}
	return strings.Join(lines, "\n")
}

// TestTools runs one session with Kafka's tools and with bote's. Both must print
// the same and exit with the same code.
func TestTools(t *testing.T) {
	needCompat(t)
	install(t, "java")
	onEach(t, nil, func(t *testing.T, b broker) {
		same := 0
		files := recordFiles(t, b)
		for _, s := range steps() {
			t.Run(s.tool+" "+strings.Join(s.args, " "), func(t *testing.T) {
				theirs, ours := run(t, s.as("j", b.addr, files).java(t)), run(t, s.as("b", b.addr, files).bote(t))
				require.Equal(t, masked(theirs.out), masked(ours.out))
				require.Equal(t, masked(theirs.err), masked(ours.err))
				require.Equal(t, theirs.code, ours.code)
				same++
			})
		}
		t.Logf("%s: %d of %d commands agree", b.name, same, len(steps()))
	})
}

// recordFiles makes a topic with five records for each side, and the files for
// kafka-delete-records.
func recordFiles(t *testing.T, b broker) map[string]string {
	t.Helper()
	files, dir := map[string]string{}, t.TempDir()
	for _, side := range []string{"j", "b"} {
		topic := side + "-trimmed"
		cl := client(t, b)
		createTopic(t, cl, topic, 1)
		fill(t, cl, topic, 5)
		for name, offset := range map[string]string{"records": "3", "beyond": "30"} {
			files[side+name] = filepath.Join(dir, side+name)
			write(t, files[side+name], `{"partitions":[{"topic":"`+topic+`","partition":0,"offset":`+offset+`}],"version":1}`)
		}
	}
	return files
}
