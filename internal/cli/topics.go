package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/botehq/bote/internal/config"
)

const (
	loggerTopics = "org.apache.kafka.tools.TopicCommand"

	topicsAlterHint = "(To alter topic configurations, the kafka-configs tool can be used.)"
)

func topicsParser() *optParser {
	keys := config.All(config.TopicKind)
	names := make([]string, 0, len(keys))
	for _, k := range keys {
		names = append(names, k.Name)
	}
	return &optParser{options: []option{
		bootstrapOption("REQUIRED: brokers to begin with, host:port and commas between."),
		{name: "command-config", arg: requiredArg, typ: "String", what: "command config property file", help: "Properties file with settings of the admin client."},
		{name: "list", help: "Print the names of all topics."},
		{name: "create", help: "Make a new topic."},
		{name: "delete", help: "Delete the topic, or all that match."},
		{name: "alter", help: "Add partitions. For configurations use the kafka-configs tool."},
		{name: "describe", help: "Show details of the topics."},
		{name: "topic", arg: requiredArg, typ: "String", what: "topic", help: "The topic. Except with --create it may be a regular expression; a topic of exactly that name comes first. Put expressions in quotes."},
		{name: "topic-id", arg: requiredArg, typ: "String", what: "topic-id", help: "Id of the topic, only with --describe."},
		{name: "config", arg: requiredArg, typ: "String", what: "name=value", help: "Configuration of the topic being created; may be repeated. Names: " + strings.Join(names, ", ") + "."},
		{name: "delete-config", arg: requiredArg, typ: "String", what: "name", help: "Has no effect any more; use the kafka-configs tool."},
		{name: "partitions", arg: requiredArg, typ: "Integer", what: "# of partitions", help: "Number of partitions; the broker's default if not given. When it grows, keys move to other partitions."},
		{name: "replication-factor", arg: requiredArg, typ: "Integer", what: "replication factor", help: "Replicas of each partition; the broker's default if not given."},
		{
			name: "replica-assignment", arg: requiredArg, typ: "String", help: "Which brokers hold which partition, when topics are made or grow.",
			what: "broker_id_for_part1_replica1 : broker_id_for_part1_replica2 , broker_id_for_part2_replica1 : broker_id_for_part2_replica2 , ...",
		},
		{name: "under-replicated-partitions", help: "With --describe, show only partitions some of whose replicas lag."},
		{name: "unavailable-partitions", help: "With --describe, show only partitions without a live leader."},
		{name: "under-min-isr-partitions", help: "With --describe, show only partitions with fewer in-sync replicas than they must have."},
		{name: "at-min-isr-partitions", help: "With --describe, show only partitions with just as many in-sync replicas as they must have."},
		{name: "topics-with-overrides", help: "With --describe, show only topics with configurations of their own."},
		{name: "if-exists", help: "Do nothing, and do not fail, when there is no such topic."},
		{name: "if-not-exists", help: "Do nothing, and do not fail, when the topic is there already."},
		{name: "exclude-internal", help: "Leave internal topics out when listing or describing."},
		{name: "partition-size-limit-per-response", arg: requiredArg, typ: "Integer", what: "maximum number of partitions per response", help: "Most partitions to ask for in one request."},
		helpOption(),
		versionOption(),
	}}
}

func runTopics(ctx context.Context, s *streams, args []string) int {
	p := topicsParser()
	set, err := p.parse(args)
	if err != nil {
		s.complain(err, "%s%s\n", err, causes(err))
		return exitError
	}
	if code, done := p.begin(s, set, args, "Create, delete, describe, or change a topic."); done {
		return code
	}
	if err := checkTopics(s, set); err != nil {
		return p.finish(s, err)
	}
	settings, err := topicsSettings(set)
	if err != nil {
		return p.finish(s, err)
	}
	servers, err := set.text("bootstrap-server", "")
	if err != nil {
		return topicsFailed(s, err)
	}
	conn, err := admin(ctx, s, servers, settings)
	if err != nil {
		return p.finish(s, err)
	}
	defer conn.Close()
	if err := (&topicsCommand{s: s, set: set, conn: conn}).run(ctx); err != nil {
		return topicsFailed(s, err)
	}
	return exitOK
}

func topicsSettings(set *optSet) (properties, error) {
	file, err := set.text("command-config", "")
	if err != nil {
		return nil, err
	}
	return optionalProperties(file)
}

// topicsFailed reports a failure at run time: the message on stdout, a log line on stderr.
func topicsFailed(s *streams, err error) int {
	if isInterrupt(err) {
		return exitError
	}
	s.printf("Error while executing topic command : %s\n", err)
	s.log(levelError, loggerTopics, "%s%s\n", named(err), causes(err))
	return exitError
}

var topicsDescribeFilters = []string{"under-replicated-partitions", "under-min-isr-partitions", "at-min-isr-partitions", "unavailable-partitions"}

// checkTopics refuses what does not go together, in Kafka's order.
func checkTopics(s *streams, set *optSet) error {
	if !set.has("bootstrap-server") {
		return throw(classArgument, "--bootstrap-server must be specified")
	}
	if set.count("create", "list", "alter", "describe", "delete") != 1 {
		return usage("Command must include exactly one action: --list, --describe, --create, --alter or --delete")
	}
	if set.has("delete-config") {
		s.remark("delete-config option is no longer supported and deprecated since version 4.0. The config will be fully removed in future releases.\n")
	}
	if err := checkTopicsRequired(set); err != nil {
		return err
	}
	return checkTopicsPairs(set)
}

func checkTopicsRequired(set *optSet) error {
	if (set.has("create") || set.has("delete") || set.has("alter")) && !set.has("topic") {
		return set.needs("topic")
	}
	if set.has("describe") && set.has("if-exists") && !set.has("topic") && !set.has("topic-id") {
		return usage("--topic or --topic-id is required to describe a topic")
	}
	if set.has("alter") {
		if set.has("config") {
			return usage(`Option combination "[[bootstrap-server], [config]]" can't be used with option "[alter]" ` + topicsAlterHint)
		}
		return set.needs("partitions")
	}
	return nil
}

func checkTopicsPairs(set *optSet) error {
	allowed := []struct {
		option  string
		actions []string
	}{
		{"config", []string{"create"}},
		{"delete-config", []string{"create", "alter"}},
		{"partitions", []string{"create", "alter"}},
		{"replication-factor", []string{"create"}},
		{"replica-assignment", []string{"create", "alter"}},
	}
	for _, rule := range allowed {
		if set.has(rule.option) && !slices.ContainsFunc(rule.actions, set.has) {
			return usage(`Option "[` + rule.option + `]" can't be used with option "[` + topicsAction(set) + `]"`)
		}
	}
	if set.has("create") {
		if err := set.excludes("replica-assignment", "partitions", "replication-factor"); err != nil {
			return err
		}
	}
	filters := append(slices.Clone(topicsDescribeFilters), "topics-with-overrides")
	for i, f := range filters {
		if set.has(f) && !set.has("describe") {
			return usage(`Option "[` + f + `]" can't be used with option "[` + topicsAction(set) + `]"`)
		}
		if err := set.excludes(f, slices.Delete(slices.Clone(filters), i, i+1)...); err != nil {
			return err
		}
	}
	for _, rule := range []struct {
		option  string
		actions []string
	}{
		{"if-exists", []string{"alter", "delete", "describe"}},
		{"if-not-exists", []string{"create"}},
		{"exclude-internal", []string{"list", "describe"}},
		{"topic-id", []string{"describe"}},
	} {
		if set.has(rule.option) && !slices.ContainsFunc(rule.actions, set.has) {
			return usage(`Option "[` + rule.option + `]" can't be used with option "[` + topicsAction(set) + `]"`)
		}
	}
	return nil
}

func topicsAction(set *optSet) string {
	for _, a := range []string{"create", "list", "alter", "describe", "delete"} {
		if set.has(a) {
			return a
		}
	}
	return ""
}

// topicsCommand is one call of the tool.
type topicsCommand struct {
	s    *streams
	set  *optSet
	conn *connection
}

func (c *topicsCommand) run(ctx context.Context) error {
	r := &reader{set: c.set}
	name := r.text("topic", "")
	if r.err != nil {
		return r.err
	}
	switch topicsAction(c.set) {
	case "create":
		return c.create(ctx, name)
	case "alter":
		return c.alter(ctx, name)
	case "delete":
		return c.delete(ctx, name)
	case "describe":
		return c.describe(ctx, name)
	}
	return c.list(ctx, name)
}

func (c *topicsCommand) list(ctx context.Context, pattern string) error {
	topics, err := c.conn.topics(ctx, "listTopics")
	if err != nil {
		return err
	}
	names, err := matching(topics, pattern, c.set.has("exclude-internal"))
	if err != nil {
		return err
	}
	c.s.printf("%s\n", strings.Join(names, "\n"))
	return nil
}

// existing returns the topics that the pattern names, and refuses none at all unless --if-exists says so.
func (c *topicsCommand) existing(ctx context.Context, pattern string) ([]topicMetadata, error) {
	topics, err := c.conn.topics(ctx, "listTopics")
	if err != nil {
		return nil, err
	}
	names, err := matching(topics, pattern, c.set.has("exclude-internal"))
	if err != nil {
		return nil, err
	}
	if len(names) == 0 && pattern != "" && !c.set.has("if-exists") {
		return nil, throw(classArgument, "Topic '%s' does not exist as expected", pattern)
	}
	wanted := make(map[string]bool, len(names))
	for _, name := range names {
		wanted[name] = true
	}
	return slices.DeleteFunc(topics, func(t topicMetadata) bool { return !wanted[t.name] }), nil
}

// warnOfDots writes Kafka's warning about names that metrics cannot tell apart.
func (c *topicsCommand) warnOfDots(name string) {
	if strings.ContainsAny(name, "._") {
		c.s.printf("WARNING: Due to limitations in metric names, topics with a period ('.') or underscore ('_') could collide. To avoid issues it is best to use either, but not both.\n")
	}
}

// topicConfigs reads the --config words and validates them as Kafka's tool does before it asks the broker.
func (c *topicsCommand) topicConfigs() (map[string]string, error) {
	values := map[string]string{}
	for _, word := range c.set.all("config") {
		k, v, ok := strings.Cut(word, "=")
		if !ok {
			return nil, throw(classArgument, `requirement failed: Invalid topic config: all configs to be added must be in the format "key=val".`)
		}
		values[strings.TrimSpace(k)] = strings.TrimSpace(v)
	}
	err := config.Layers{Topic: values}.ValidateTopic()
	if e, ok := errors.AsType[*config.Error](err); ok && !strings.HasPrefix(e.Text, "Tiered") {
		return nil, &exception{class: e.Class, text: e.Text, cause: err}
	}
	return values, nil
}

// assignment reads --replica-assignment: partitions separated by commas, brokers by colons.
func assignment(text string) ([][]int32, error) {
	var list [][]int32
	for i, part := range strings.Split(text, ",") {
		var replicas []int32
		for id := range strings.SplitSeq(part, ":") {
			n, err := parseInt32(strings.TrimSpace(id))
			if err != nil {
				return nil, throw("java.lang.NumberFormatException", "For input string: %q", strings.TrimSpace(id))
			}
			if slices.Contains(replicas, n) {
				return nil, throw(classCommand, "Partition replica lists may not contain duplicate entries: %d", n)
			}
			replicas = append(replicas, n)
		}
		if i > 0 && len(replicas) != len(list[0]) {
			return nil, throw(classOperation, "Partition %d has different replication factor: [%s]", i, strings.Trim(strings.ReplaceAll(fmt.Sprint(replicas), " ", ", "), "[]"))
		}
		list = append(list, replicas)
	}
	return list, nil
}
