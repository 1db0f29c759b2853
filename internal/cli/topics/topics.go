// Package topics owns kafka-topics, which lists, describes, creates, changes and deletes topics.
package topics

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/botehq/bote/internal/cli/client"
	"github.com/botehq/bote/internal/cli/exception"
	"github.com/botehq/bote/internal/cli/jopt"
	"github.com/botehq/bote/internal/cli/tool"
	"github.com/botehq/bote/internal/config"
)

const (
	logger = "org.apache.kafka.tools.TopicCommand"

	alterHint = "(To alter topic configurations, the kafka-configs tool can be used.)"
)

func parser() *jopt.Parser {
	keys := config.All(config.TopicKind)
	names := make([]string, 0, len(keys))
	for _, k := range keys {
		names = append(names, k.Name)
	}
	return &jopt.Parser{Options: []jopt.Option{
		jopt.BootstrapOption("REQUIRED: the brokers to connect to, as host1:port1,host2:port2."),
		{Name: "command-config", Arg: jopt.RequiredArg, Type: "String", What: "command config property file", Help: "Properties file with settings for the admin client."},
		{Name: "list", Help: "Print the names of all topics."},
		{Name: "create", Help: "Create a topic."},
		{Name: "delete", Help: "Delete a topic, or all topics that match."},
		{Name: "alter", Help: "Add partitions to a topic. To change configurations, use kafka-configs."},
		{Name: "describe", Help: "Show details of the topics."},
		{Name: "topic", Arg: jopt.RequiredArg, Type: "String", What: "topic", Help: "Name of the topic. Except with --create, it may be a regular expression in quotes; if a topic has exactly this name, only that topic is used."},
		{Name: "topic-id", Arg: jopt.RequiredArg, Type: "String", What: "topic-id", Help: "ID of the topic; only with --describe."},
		{Name: "config", Arg: jopt.RequiredArg, Type: "String", What: "name=value", Help: "Configuration of the topic being created; may be repeated. Names: " + strings.Join(names, ", ") + "."},
		{Name: "delete-config", Arg: jopt.RequiredArg, Type: "String", What: "name", Help: "No longer has any effect; use kafka-configs."},
		{Name: "partitions", Arg: jopt.RequiredArg, Type: "Integer", What: "# of partitions", Help: "Number of partitions; by default the broker's num.partitions. Adding partitions changes which partition a key belongs to."},
		{Name: "replication-factor", Arg: jopt.RequiredArg, Type: "Integer", What: "replication factor", Help: "Number of replicas of each partition; by default the broker's default.replication.factor."},
		{
			Name: "replica-assignment", Arg: jopt.RequiredArg, Type: "String", Help: "Brokers for each partition of a new topic, or for each new partition.",
			What: "broker_id_for_part1_replica1 : broker_id_for_part1_replica2 , broker_id_for_part2_replica1 : broker_id_for_part2_replica2 , ...",
		},
		{Name: "under-replicated-partitions", Help: "With --describe, show only partitions that have replicas out of sync."},
		{Name: "unavailable-partitions", Help: "With --describe, show only partitions without a live leader."},
		{Name: "under-min-isr-partitions", Help: "With --describe, show only partitions with fewer in-sync replicas than min.insync.replicas."},
		{Name: "at-min-isr-partitions", Help: "With --describe, show only partitions with exactly min.insync.replicas in-sync replicas."},
		{Name: "topics-with-overrides", Help: "With --describe, show only topics that override default configurations."},
		{Name: "if-exists", Help: "Succeed without doing anything if the topic does not exist."},
		{Name: "if-not-exists", Help: "Succeed without doing anything if the topic already exists."},
		{Name: "exclude-internal", Help: "With --list or --describe, leave out internal topics."},
		{Name: "partition-size-limit-per-response", Arg: jopt.RequiredArg, Type: "Integer", What: "maximum number of partitions per response", Help: "With --describe, the maximum number of partitions to request at a time."},
		jopt.HelpOption(),
		jopt.VersionOption(),
	}}
}

// Run is kafka-topics.
func Run(ctx context.Context, s *tool.Streams, args []string) int {
	p := parser()
	set, err := p.Parse(args)
	if err != nil {
		s.Complain(err, "%s%s\n", err, exception.Causes(err))
		return tool.ExitError
	}
	if code, done := p.Begin(s, set, args, "Create, delete, describe, or change a topic."); done {
		return code
	}
	if err := check(s, set); err != nil {
		return p.Finish(s, err)
	}
	settings, err := settingsOf(set)
	if err != nil {
		return p.Finish(s, err)
	}
	servers, err := set.Text("bootstrap-server", "")
	if err != nil {
		return failed(s, err)
	}
	conn, err := client.Admin(ctx, s, servers, settings)
	if err != nil {
		return p.Finish(s, err)
	}
	defer conn.Close()
	if err := (&command{s: s, set: set, conn: conn}).run(ctx); err != nil {
		return failed(s, err)
	}
	return tool.ExitOK
}

func settingsOf(set *jopt.Set) (tool.Properties, error) {
	file, err := set.Text("command-config", "")
	if err != nil {
		return nil, err
	}
	return tool.OptionalProperties(file)
}

// failed reports a failure at run time: it writes the message to stdout and a log line to stderr.
func failed(s *tool.Streams, err error) int {
	if exception.IsInterrupt(err) {
		return tool.ExitError
	}
	s.Printf("Error while executing topic command : %s\n", err)
	s.Log(tool.LevelError, logger, "%s%s\n", exception.Named(err), exception.Causes(err))
	return tool.ExitError
}

var describeFilters = []string{"under-replicated-partitions", "under-min-isr-partitions", "at-min-isr-partitions", "unavailable-partitions"}

// check returns an error for options that exclude each other, in Kafka's order.
func check(s *tool.Streams, set *jopt.Set) error {
	if !set.Has("bootstrap-server") {
		return exception.New(exception.IllegalArgument, "--bootstrap-server must be specified")
	}
	if set.Count("create", "list", "alter", "describe", "delete") != 1 {
		return jopt.BadUsage("Command must include exactly one action: --list, --describe, --create, --alter or --delete")
	}
	if set.Has("delete-config") {
		s.Remark("delete-config option is no longer supported and deprecated since version 4.0. The config will be fully removed in future releases.\n")
	}
	if err := checkRequired(set); err != nil {
		return err
	}
	return checkPairs(set)
}

func checkRequired(set *jopt.Set) error {
	if (set.Has("create") || set.Has("delete") || set.Has("alter")) && !set.Has("topic") {
		return set.Needs("topic")
	}
	if set.Has("describe") && set.Has("if-exists") && !set.Has("topic") && !set.Has("topic-id") {
		return jopt.BadUsage("--topic or --topic-id is required to describe a topic")
	}
	if set.Has("alter") {
		if set.Has("config") {
			return jopt.BadUsage(`Option combination "[[bootstrap-server], [config]]" can't be used with option "[alter]" ` + alterHint)
		}
		return set.Needs("partitions")
	}
	return nil
}

func checkPairs(set *jopt.Set) error {
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
		if set.Has(rule.option) && !slices.ContainsFunc(rule.actions, set.Has) {
			return jopt.BadUsage(`Option "[` + rule.option + `]" can't be used with option "[` + actionOf(set) + `]"`)
		}
	}
	if set.Has("create") {
		if err := set.Excludes("replica-assignment", "partitions", "replication-factor"); err != nil {
			return err
		}
	}
	filters := append(slices.Clone(describeFilters), "topics-with-overrides")
	for i, f := range filters {
		if set.Has(f) && !set.Has("describe") {
			return jopt.BadUsage(`Option "[` + f + `]" can't be used with option "[` + actionOf(set) + `]"`)
		}
		if err := set.Excludes(f, slices.Delete(slices.Clone(filters), i, i+1)...); err != nil {
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
		if set.Has(rule.option) && !slices.ContainsFunc(rule.actions, set.Has) {
			return jopt.BadUsage(`Option "[` + rule.option + `]" can't be used with option "[` + actionOf(set) + `]"`)
		}
	}
	return nil
}

func actionOf(set *jopt.Set) string {
	for _, a := range []string{"create", "list", "alter", "describe", "delete"} {
		if set.Has(a) {
			return a
		}
	}
	return ""
}

// command is one call of the tool.
type command struct {
	s    *tool.Streams
	set  *jopt.Set
	conn *client.Conn
}

func (c *command) run(ctx context.Context) error {
	r := &jopt.Reader{Set: c.set}
	name := r.Text("topic", "")
	if r.Err != nil {
		return r.Err
	}
	switch actionOf(c.set) {
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

func (c *command) list(ctx context.Context, pattern string) error {
	topics, err := c.conn.Topics(ctx, "listTopics")
	if err != nil {
		return err
	}
	names, err := matching(topics, pattern, c.set.Has("exclude-internal"))
	if err != nil {
		return err
	}
	c.s.Printf("%s\n", strings.Join(names, "\n"))
	return nil
}

// existing returns the topics that the pattern selects. If there are none, it returns an error, unless --if-exists is given.
func (c *command) existing(ctx context.Context, pattern string) ([]client.Topic, error) {
	topics, err := c.conn.Topics(ctx, "listTopics")
	if err != nil {
		return nil, err
	}
	names, err := matching(topics, pattern, c.set.Has("exclude-internal"))
	if err != nil {
		return nil, err
	}
	if len(names) == 0 && pattern != "" && !c.set.Has("if-exists") {
		return nil, exception.New(exception.IllegalArgument, "Topic '%s' does not exist as expected", pattern)
	}
	wanted := make(map[string]bool, len(names))
	for _, name := range names {
		wanted[name] = true
	}
	return slices.DeleteFunc(topics, func(t client.Topic) bool { return !wanted[t.Name] }), nil
}

// warnOfDots writes Kafka's warning about names that metrics cannot tell apart.
func (c *command) warnOfDots(name string) {
	if strings.ContainsAny(name, "._") {
		c.s.Printf("WARNING: Due to limitations in metric names, topics with a period ('.') or underscore ('_') could collide. To avoid issues it is best to use either, but not both.\n")
	}
}

// topicConfigs reads the --config words and validates them, as Kafka's tool does before it sends a request.
func (c *command) topicConfigs() (map[string]string, error) {
	values := map[string]string{}
	for _, word := range c.set.All("config") {
		k, v, ok := strings.Cut(word, "=")
		if !ok {
			return nil, exception.New(exception.IllegalArgument, `requirement failed: Invalid topic config: all configs to be added must be in the format "key=val".`)
		}
		values[strings.TrimSpace(k)] = strings.TrimSpace(v)
	}
	err := config.Layers{Topic: values}.ValidateTopic()
	if e, ok := errors.AsType[*config.Error](err); ok && !strings.HasPrefix(e.Text, "Tiered") {
		return nil, &exception.Error{Class: e.Class, Text: e.Text, Cause: err}
	}
	return values, nil
}

// assignment reads --replica-assignment: commas separate partitions, colons separate brokers.
func assignment(text string) ([][]int32, error) {
	var list [][]int32
	for i, part := range strings.Split(text, ",") {
		var replicas []int32
		for id := range strings.SplitSeq(part, ":") {
			n, err := tool.ParseInt32(strings.TrimSpace(id))
			if err != nil {
				return nil, exception.New("java.lang.NumberFormatException", "For input string: %q", strings.TrimSpace(id))
			}
			if slices.Contains(replicas, n) {
				return nil, exception.New(exception.AdminCommandFailed, "Partition replica lists may not contain duplicate entries: %d", n)
			}
			replicas = append(replicas, n)
		}
		if i > 0 && len(replicas) != len(list[0]) {
			return nil, exception.New(exception.AdminOperation, "Partition %d has different replication factor: [%s]", i, strings.Trim(strings.ReplaceAll(fmt.Sprint(replicas), " ", ", "), "[]"))
		}
		list = append(list, replicas)
	}
	return list, nil
}
