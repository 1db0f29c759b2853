package cli

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

const aboutLogDirs = "This tool shows which partitions are in which data directories."

func logDirsParser() *optParser {
	return &optParser{options: []option{
		{name: "bootstrap-server", arg: requiredArg, typ: "String", what: "The server(s) to use for bootstrapping", help: "REQUIRED: brokers to begin with."},
		{name: "command-config", arg: requiredArg, typ: "String", what: "Admin client property file", help: "Properties file with settings of the admin client."},
		{name: "describe", help: "REQUIRED: show the directories of the brokers."},
		{name: "topic-list", arg: requiredArg, typ: "String", what: "Topic list", help: "Only these topics, commas between."},
		{name: "broker-list", arg: requiredArg, typ: "String", what: "Broker list", help: "Only these brokers, commas between."},
		helpOption(),
		versionOption(),
	}}
}

func runLogDirs(ctx context.Context, s *streams, args []string) int {
	p := logDirsParser()
	set, err := p.parse(args)
	if err != nil {
		s.complain(err, "%s%s\n", err, causes(err))
		return exitError
	}
	if code, done := p.begin(s, set, args, aboutLogDirs); done {
		return code
	}
	if err := set.needs("bootstrap-server", "describe"); err != nil {
		return p.finish(s, err)
	}
	return p.finish(s, logDirs(ctx, s, set))
}

func logDirs(ctx context.Context, s *streams, set *optSet) error {
	r := &reader{set: set}
	servers, file := r.text("bootstrap-server", ""), r.text("command-config", "")
	topicList, brokerList := r.text("topic-list", ""), r.text("broker-list", "")
	if r.err != nil {
		return r.err
	}
	settings, err := optionalProperties(file)
	if err != nil {
		return err
	}
	conn, err := admin(ctx, s, servers, settings)
	if err != nil {
		return err
	}
	defer conn.Close()
	chosen, err := brokerIDs(brokerList)
	if err != nil {
		return err
	}
	nodes, err := conn.brokers(ctx)
	if err != nil {
		return err
	}
	var existing []int32
	for _, n := range nodes {
		existing = append(existing, n.id)
	}
	if len(chosen) == 0 {
		chosen = existing
	}
	unknown := slices.DeleteFunc(slices.Clone(chosen), func(id int32) bool { return slices.Contains(existing, id) })
	if len(unknown) > 0 {
		return throw(classTerse, "ERROR: The given brokers do not exist from --broker-list: %s. Current existent brokers: %s", ids(unknown), ids(existing))
	}
	s.printf("Querying brokers for log directories information\n")
	report, err := describeLogDirs(ctx, conn, chosen, words(topicList))
	if err != nil {
		return err
	}
	text, err := jsonText(report)
	if err != nil {
		return err
	}
	s.printf("Received log directory information from brokers %s\n%s\n", ids(chosen), text)
	return nil
}

func words(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' })
}

func brokerIDs(list string) ([]int32, error) {
	var chosen []int32
	for _, word := range words(list) {
		id, err := strconv.ParseInt(word, 10, 32)
		if err != nil {
			return nil, throw("java.lang.NumberFormatException", "For input string: %q", word)
		}
		chosen = append(chosen, int32(id))
	}
	slices.Sort(chosen)
	return slices.Compact(chosen), nil
}

// The JSON of the report, in Kafka's key order.
type (
	logDirsReport struct {
		Brokers []brokerDirs `json:"brokers"`
		Version int          `json:"version"`
	}
	brokerDirs struct {
		Broker  int32    `json:"broker"`
		LogDirs []logDir `json:"logDirs"`
	}
	logDir struct {
		Partitions []logDirPartition `json:"partitions"`
		Error      *string           `json:"error"`
		LogDir     string            `json:"logDir"`
	}
	logDirPartition struct {
		Partition string `json:"partition"`
		Size      int64  `json:"size"`
		OffsetLag int64  `json:"offsetLag"`
		IsFuture  bool   `json:"isFuture"`
	}
)

func describeLogDirs(ctx context.Context, c *connection, brokers []int32, topics []string) (logDirsReport, error) {
	report := logDirsReport{Version: 1, Brokers: []brokerDirs{}}
	ctx, cancel := c.within(ctx)
	defer cancel()
	for _, id := range brokers {
		resp, err := c.Broker(int(id)).Request(ctx, kmsg.NewPtrDescribeLogDirsRequest())
		if err != nil {
			return report, asException(err, "describeLogDirs")
		}
		dirs := resp.(*kmsg.DescribeLogDirsResponse) //nolint:forcetypeassert // the request's own response
		if err := brokerError(dirs.ErrorCode, nil); err != nil {
			return report, err
		}
		one := brokerDirs{Broker: id, LogDirs: []logDir{}}
		for _, d := range dirs.Dirs {
			one.LogDirs = append(one.LogDirs, describeDir(d, topics))
		}
		report.Brokers = append(report.Brokers, one)
	}
	return report, nil
}

func describeDir(d kmsg.DescribeLogDirsResponseDir, topics []string) logDir {
	dir := logDir{LogDir: d.Dir, Partitions: []logDirPartition{}}
	if err := brokerError(d.ErrorCode, nil); err != nil {
		dir.Error = new(named(err))
	}
	for _, t := range d.Topics {
		if len(topics) > 0 && !slices.Contains(topics, t.Topic) {
			continue
		}
		for _, p := range t.Partitions {
			dir.Partitions = append(dir.Partitions, logDirPartition{fmt.Sprintf("%s-%d", t.Topic, p.Partition), p.Size, p.OffsetLag, p.IsFuture})
		}
	}
	slices.SortFunc(dir.Partitions, func(a, b logDirPartition) int { return strings.Compare(a.Partition, b.Partition) })
	return dir
}
