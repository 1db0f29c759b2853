// Package logs owns the tools that ask a cluster about the logs of partitions: kafka-log-dirs, kafka-get-offsets and
// kafka-delete-records. Package dumplog shows the contents of the files.
package logs

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/cli/client"
	"github.com/botehq/bote/internal/cli/exception"
	"github.com/botehq/bote/internal/cli/jopt"
	"github.com/botehq/bote/internal/cli/tool"
)

const aboutLogDirs = "This tool shows which partitions are in which data directory, and their sizes."

func logDirsParser() *jopt.Parser {
	return &jopt.Parser{Options: []jopt.Option{
		{Name: "bootstrap-server", Arg: jopt.RequiredArg, Type: "String", What: "The server(s) to use for bootstrapping", Help: "REQUIRED: the brokers to connect to."},
		{Name: "command-config", Arg: jopt.RequiredArg, Type: "String", What: "Admin client property file", Help: "Properties file with settings for the admin client."},
		{Name: "describe", Help: "REQUIRED: describe the log directories of the brokers."},
		{Name: "topic-list", Arg: jopt.RequiredArg, Type: "String", What: "Topic list", Help: "Comma-separated list of topics to show; all topics by default."},
		{Name: "broker-list", Arg: jopt.RequiredArg, Type: "String", What: "Broker list", Help: "Comma-separated list of brokers to ask; all brokers by default."},
		jopt.HelpOption(),
		jopt.VersionOption(),
	}}
}

// RunLogDirs is kafka-log-dirs.
func RunLogDirs(ctx context.Context, s *tool.Streams, args []string) int {
	p := logDirsParser()
	set, err := p.Parse(args)
	if err != nil {
		s.Complain(err, "%s%s\n", err, exception.Causes(err))
		return tool.ExitError
	}
	if code, done := p.Begin(s, set, args, aboutLogDirs); done {
		return code
	}
	if err := set.Needs("bootstrap-server", "describe"); err != nil {
		return p.Finish(s, err)
	}
	return p.Finish(s, logDirs(ctx, s, set))
}

func logDirs(ctx context.Context, s *tool.Streams, set *jopt.Set) error {
	r := &jopt.Reader{Set: set}
	servers, file := r.Text("bootstrap-server", ""), r.Text("command-config", "")
	topicList, brokerList := r.Text("topic-list", ""), r.Text("broker-list", "")
	if r.Err != nil {
		return r.Err
	}
	settings, err := tool.OptionalProperties(file)
	if err != nil {
		return err
	}
	conn, err := client.Admin(ctx, s, servers, settings)
	if err != nil {
		return err
	}
	defer conn.Close()
	chosen, err := brokerIDs(brokerList)
	if err != nil {
		return err
	}
	nodes, err := conn.Brokers(ctx)
	if err != nil {
		return err
	}
	var existing []int32
	for _, n := range nodes {
		existing = append(existing, n.ID)
	}
	if len(chosen) == 0 {
		chosen = existing
	}
	unknown := slices.DeleteFunc(slices.Clone(chosen), func(id int32) bool { return slices.Contains(existing, id) })
	if len(unknown) > 0 {
		return exception.New(exception.Terse, "ERROR: The given brokers do not exist from --broker-list: %s. Current existent brokers: %s", client.JoinIDs(unknown), client.JoinIDs(existing))
	}
	s.Printf("Querying brokers for log directories information\n")
	report, err := describeLogDirs(ctx, conn, chosen, words(topicList))
	if err != nil {
		return err
	}
	text, err := tool.JSON(report)
	if err != nil {
		return err
	}
	s.Printf("Received log directory information from brokers %s\n%s\n", client.JoinIDs(chosen), text)
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
			return nil, exception.New("java.lang.NumberFormatException", "For input string: %q", word)
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

func describeLogDirs(ctx context.Context, c *client.Conn, brokers []int32, topics []string) (logDirsReport, error) {
	report := logDirsReport{Version: 1, Brokers: []brokerDirs{}}
	ctx, cancel := c.Within(ctx)
	defer cancel()
	for _, id := range brokers {
		resp, err := c.Broker(int(id)).Request(ctx, kmsg.NewPtrDescribeLogDirsRequest())
		if err != nil {
			return report, exception.Of(err, "describeLogDirs")
		}
		dirs := resp.(*kmsg.DescribeLogDirsResponse) //nolint:forcetypeassert // the request's own response
		if err := exception.FromBroker(dirs.ErrorCode, nil); err != nil {
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
	if err := exception.FromBroker(d.ErrorCode, nil); err != nil {
		dir.Error = new(exception.Named(err))
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
