package logs

import (
	"context"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/botehq/bote/internal/cli/client"
	"github.com/botehq/bote/internal/cli/exception"
	"github.com/botehq/bote/internal/cli/jopt"
	"github.com/botehq/bote/internal/cli/tool"
)

const aboutGetOffsets = "This tool prints offsets of partitions."

func getOffsetsParser() *jopt.Parser {
	return &jopt.Parser{Options: []jopt.Option{
		{Name: "bootstrap-server", Arg: jopt.RequiredArg, Type: "String", What: "HOST1:PORT1,...,HOST3:PORT3", Help: "REQUIRED: the brokers to connect to."},
		{Name: "topic-partitions", Arg: jopt.RequiredArg, Type: "String", What: "topic1:1,topic2:0-3,topic3,topic4:5-,topic5:-3 ", Help: "Comma-separated list of topics. Each is a regular expression, and may have a partition or a range of partitions; a range excludes its upper end."},
		{Name: "topic", Arg: jopt.RequiredArg, Type: "String", What: "topic", Help: "Regular expression for topics; all topics by default."},
		{Name: "partitions", Arg: jopt.RequiredArg, Type: "String", What: "partition ids", Help: "Comma-separated list of partitions; all partitions by default."},
		{
			Name: "time", Arg: jopt.RequiredArg, Type: "String", Default: "latest", Help: "Which offset to print: the one at this place, or the first one at or after this timestamp.",
			What: "<timestamp> / -1 or latest / -2 or earliest / -3 or max-timestamp / -4 or earliest-local / -5 or latest-tiered / -6 or earliest-pending-upload",
		},
		{Name: "command-config", Arg: jopt.RequiredArg, Type: "String", What: "config file", Help: "Properties file with settings for the admin client."},
		{Name: "exclude-internal-topics", Help: "Leave out internal topics."},
		jopt.HelpOption(),
		jopt.VersionOption(),
	}}
}

// RunGetOffsets is kafka-get-offsets.
func RunGetOffsets(ctx context.Context, s *tool.Streams, args []string) int {
	p := getOffsetsParser()
	set, err := p.Parse(args)
	if err != nil {
		s.Complain(err, "Error occurred: %s%s\n", err, exception.Causes(err))
		return tool.ExitError
	}
	if code, done := p.Begin(s, set, args, aboutGetOffsets); done {
		return code
	}
	if err := set.Needs("bootstrap-server"); err != nil {
		return p.Finish(s, err)
	}
	if err := getOffsets(ctx, s, set); err != nil {
		s.Complain(err, "Error occurred: %s%s\n", err, exception.Causes(err))
		return tool.ExitError
	}
	return tool.ExitOK
}

func getOffsets(ctx context.Context, s *tool.Streams, set *jopt.Set) error {
	r := &jopt.Reader{Set: set}
	servers, file, at := r.Text("bootstrap-server", ""), r.Text("command-config", ""), r.Text("time", "latest")
	if r.Err != nil {
		return r.Err
	}
	if set.Has("topic-partitions") && (set.Has("topic") || set.Has("partitions")) {
		return exception.New(exception.Terse, "--topic-partitions cannot be used with --topic or --partitions")
	}
	wanted, err := partitionFilter(set)
	if err != nil {
		return err
	}
	timestamp, err := offsetTime(at)
	if err != nil {
		return err
	}
	settings, err := tool.OptionalProperties(file)
	if err != nil {
		return err
	}
	who := client.AdminIdentity()
	who.ID = "GetOffsetShell"
	conn, err := client.Connect(ctx, s, who, servers, settings)
	if err != nil {
		return err
	}
	defer conn.Close()
	return printOffsets(ctx, conn, wanted, timestamp, set.Has("exclude-internal-topics"))
}

func printOffsets(ctx context.Context, c *client.Conn, wanted func(client.TopicPartition) bool, timestamp int64, excludeInternal bool) error {
	topics, err := c.Topics(ctx, "listTopics")
	if err != nil {
		return exception.InFuture(err)
	}
	var parts []client.TopicPartition
	for _, t := range topics {
		for _, p := range t.Partitions {
			if one := (client.TopicPartition{Topic: t.Name, Partition: p.ID}); wanted(one) && (!excludeInternal || !client.IsInternal(t)) {
				parts = append(parts, one)
			}
		}
	}
	if len(parts) == 0 {
		return exception.New(exception.Terse, "Could not match any topic-partitions with the specified filters")
	}
	ctx, cancel := c.Within(ctx)
	defer cancel()
	found, err := c.ListOffsets(ctx, parts, timestamp, false)
	if err != nil {
		return exception.InFuture(err)
	}
	slices.SortFunc(parts, func(a, b client.TopicPartition) int { return strings.Compare(a.String(), b.String()) })
	for _, p := range parts {
		switch f, ok := found[p]; {
		case !ok:
		case f.Err != nil:
			c.Streams.Remark("Skip getting offsets for topic-partition %s due to error: %s\n", p, f.Err)
		case f.Offset >= 0:
			c.Streams.Printf("%s:%d:%d\n", p.Topic, p.Partition, f.Offset)
		}
	}
	return nil
}

func offsetTime(text string) (int64, error) {
	places := map[string]int64{
		"latest": client.AtLatest, "earliest": client.AtEarliest, "max-timestamp": client.AtMaxTimestamp,
		"earliest-local": client.AtEarliestLocal, "latest-tiered": client.AtLatestTiered, "earliest-pending-upload": client.AtEarliestPending,
	}
	if at, ok := places[text]; ok {
		return at, nil
	}
	at, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, exception.New(exception.Terse, "Malformed time argument %s. Please use -1 or latest / -2 or earliest / -3 or max-timestamp / -4 or earliest-local / -5 or latest-tiered / -6 or earliest-pending-upload, or a specified long format timestamp", text)
	}
	return at, nil
}

// partitionFilter reads --topic-partitions, or --topic and --partitions.
func partitionFilter(set *jopt.Set) (func(client.TopicPartition) bool, error) {
	r := &jopt.Reader{Set: set}
	rules, topic, list := r.Text("topic-partitions", ""), r.Text("topic", ""), r.Text("partitions", "")
	if r.Err != nil {
		return nil, r.Err
	}
	if rules != "" {
		return partitionRules(rules)
	}
	allowed := func(string) bool { return true }
	if topic != "" {
		re, err := client.TopicPattern(topic)
		if err != nil {
			return nil, err
		}
		allowed = re.MatchString
	}
	var ids []int32
	for id := range strings.SplitSeq(list, ",") {
		if list == "" {
			break
		}
		n, err := tool.ParseInt32(id)
		if err != nil {
			return nil, exception.New(exception.Terse, "--partitions expects a comma separated list of numeric partition ids, but received: %s", list)
		}
		ids = append(ids, n)
	}
	return func(p client.TopicPartition) bool {
		return allowed(p.Topic) && (len(ids) == 0 || slices.Contains(ids, p.Partition))
	}, nil
}

var rulePattern = regexp.MustCompile(`^([^:,]*)(?::(?:([0-9]*)|(?:([0-9]*)-([0-9]*))))?$`)

// partitionRules reads topic:n, topic:from-to, topic:from-, topic:-to and topic. An empty topic means every topic.
func partitionRules(text string) (func(client.TopicPartition) bool, error) {
	var rules []func(client.TopicPartition) bool
	for word := range strings.SplitSeq(text, ",") {
		m := rulePattern.FindStringSubmatch(word)
		if m == nil {
			return nil, &exception.Error{Class: exception.Runtime, Text: exception.Terse + ": Invalid rule specification: " + word}
		}
		allowed := func(string) bool { return true }
		if m[1] != "" {
			re, err := client.TopicPattern(m[1])
			if err != nil {
				return nil, err
			}
			allowed = re.MatchString
		}
		bound := func(s string, def int64) int64 {
			n, err := strconv.ParseInt(s, 10, 32)
			if err != nil {
				return def
			}
			return n
		}
		low, high := bound(m[3], 0), bound(m[4], 1<<31)
		if m[2] != "" {
			low = bound(m[2], 0)
			high = low + 1
		}
		rules = append(rules, func(p client.TopicPartition) bool {
			return allowed(p.Topic) && int64(p.Partition) >= low && int64(p.Partition) < high
		})
	}
	return func(p client.TopicPartition) bool {
		return slices.ContainsFunc(rules, func(rule func(client.TopicPartition) bool) bool { return rule(p) })
	}, nil
}
