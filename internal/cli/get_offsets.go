package cli

import (
	"context"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const aboutGetOffsets = "This tool shows the offsets of partitions."

func getOffsetsParser() *optParser {
	return &optParser{options: []option{
		{name: "bootstrap-server", arg: requiredArg, typ: "String", what: "HOST1:PORT1,...,HOST3:PORT3", help: "REQUIRED: brokers to begin with."},
		{name: "topic-partitions", arg: requiredArg, typ: "String", what: "topic1:1,topic2:0-3,topic3,topic4:5-,topic5:-3 ", help: "Topics as regular expressions, each with a partition or a range; the upper end is not part of it."},
		{name: "topic", arg: requiredArg, typ: "String", what: "topic", help: "Topic, as a regular expression; all topics if not given."},
		{name: "partitions", arg: requiredArg, typ: "String", what: "partition ids", help: "Partitions, commas between; all if not given."},
		{
			name: "time", arg: requiredArg, typ: "String", def: "latest", help: "Which offset: a place, or the first one at or after a time.",
			what: "<timestamp> / -1 or latest / -2 or earliest / -3 or max-timestamp / -4 or earliest-local / -5 or latest-tiered / -6 or earliest-pending-upload",
		},
		{name: "command-config", arg: requiredArg, typ: "String", what: "config file", help: "Properties file with settings of the admin client."},
		{name: "exclude-internal-topics", help: "Leave internal topics out."},
		helpOption(),
		versionOption(),
	}}
}

func runGetOffsets(ctx context.Context, s *streams, args []string) int {
	p := getOffsetsParser()
	set, err := p.parse(args)
	if err != nil {
		s.complain(err, "Error occurred: %s%s\n", err, causes(err))
		return exitError
	}
	if code, done := p.begin(s, set, args, aboutGetOffsets); done {
		return code
	}
	if err := set.needs("bootstrap-server"); err != nil {
		return p.finish(s, err)
	}
	if err := getOffsets(ctx, s, set); err != nil {
		s.complain(err, "Error occurred: %s%s\n", err, causes(err))
		return exitError
	}
	return exitOK
}

func getOffsets(ctx context.Context, s *streams, set *optSet) error {
	r := &reader{set: set}
	servers, file, at := r.text("bootstrap-server", ""), r.text("command-config", ""), r.text("time", "latest")
	if r.err != nil {
		return r.err
	}
	if set.has("topic-partitions") && (set.has("topic") || set.has("partitions")) {
		return throw(classTerse, "--topic-partitions cannot be used with --topic or --partitions")
	}
	wanted, err := partitionFilter(set)
	if err != nil {
		return err
	}
	timestamp, err := offsetTime(at)
	if err != nil {
		return err
	}
	settings, err := optionalProperties(file)
	if err != nil {
		return err
	}
	who := adminIdentity()
	who.id = "GetOffsetShell"
	conn, err := connect(ctx, s, who, servers, settings)
	if err != nil {
		return err
	}
	defer conn.Close()
	return printOffsets(ctx, conn, wanted, timestamp, set.has("exclude-internal-topics"))
}

func printOffsets(ctx context.Context, c *connection, wanted func(topicPartition) bool, timestamp int64, excludeInternal bool) error {
	topics, err := c.topics(ctx, "listTopics")
	if err != nil {
		return execution(err)
	}
	var parts []topicPartition
	for _, t := range topics {
		for _, p := range t.partitions {
			if one := (topicPartition{t.name, p.id}); wanted(one) && (!excludeInternal || !isInternal(t)) {
				parts = append(parts, one)
			}
		}
	}
	if len(parts) == 0 {
		return throw(classTerse, "Could not match any topic-partitions with the specified filters")
	}
	ctx, cancel := c.within(ctx)
	defer cancel()
	found, err := c.listOffsets(ctx, parts, timestamp, false)
	if err != nil {
		return execution(err)
	}
	slices.SortFunc(parts, func(a, b topicPartition) int { return strings.Compare(a.String(), b.String()) })
	for _, p := range parts {
		switch f, ok := found[p]; {
		case !ok:
		case f.err != nil:
			c.s.remark("Skip getting offsets for topic-partition %s due to error: %s\n", p, f.err)
		case f.offset >= 0:
			c.s.printf("%s:%d:%d\n", p.topic, p.partition, f.offset)
		}
	}
	return nil
}

func offsetTime(text string) (int64, error) {
	places := map[string]int64{
		"latest": atLatest, "earliest": atEarliest, "max-timestamp": atMaxTimestamp,
		"earliest-local": atEarliestLocal, "latest-tiered": atLatestTiered, "earliest-pending-upload": atEarliestPending,
	}
	if at, ok := places[text]; ok {
		return at, nil
	}
	at, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, throw(classTerse, "Malformed time argument %s. Please use -1 or latest / -2 or earliest / -3 or max-timestamp / -4 or earliest-local / -5 or latest-tiered / -6 or earliest-pending-upload, or a specified long format timestamp", text)
	}
	return at, nil
}

// partitionFilter reads --topic-partitions, or --topic and --partitions.
func partitionFilter(set *optSet) (func(topicPartition) bool, error) {
	r := &reader{set: set}
	rules, topic, list := r.text("topic-partitions", ""), r.text("topic", ""), r.text("partitions", "")
	if r.err != nil {
		return nil, r.err
	}
	if rules != "" {
		return partitionRules(rules)
	}
	allowed := func(string) bool { return true }
	if topic != "" {
		re, err := topicPattern(topic)
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
		n, err := parseInt32(id)
		if err != nil {
			return nil, throw(classTerse, "--partitions expects a comma separated list of numeric partition ids, but received: %s", list)
		}
		ids = append(ids, n)
	}
	return func(p topicPartition) bool {
		return allowed(p.topic) && (len(ids) == 0 || slices.Contains(ids, p.partition))
	}, nil
}

var rulePattern = regexp.MustCompile(`^([^:,]*)(?::(?:([0-9]*)|(?:([0-9]*)-([0-9]*))))?$`)

// partitionRules reads topic:n, topic:from-to, topic:from-, topic:-to and topic, where an empty topic is every topic.
func partitionRules(text string) (func(topicPartition) bool, error) {
	var rules []func(topicPartition) bool
	for word := range strings.SplitSeq(text, ",") {
		m := rulePattern.FindStringSubmatch(word)
		if m == nil {
			return nil, &exception{class: classRuntime, text: classTerse + ": Invalid rule specification: " + word}
		}
		allowed := func(string) bool { return true }
		if m[1] != "" {
			re, err := topicPattern(m[1])
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
		rules = append(rules, func(p topicPartition) bool {
			return allowed(p.topic) && int64(p.partition) >= low && int64(p.partition) < high
		})
	}
	return func(p topicPartition) bool {
		return slices.ContainsFunc(rules, func(rule func(topicPartition) bool) bool { return rule(p) })
	}, nil
}
