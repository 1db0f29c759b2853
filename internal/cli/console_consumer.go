package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	loggerConsumer = "org.apache.kafka.tools.consumer.ConsoleConsumer"

	aboutConsoleConsumer = "This tool reads records of topics and writes them to standard output."
)

func consoleConsumerParser() *optParser {
	return &optParser{options: []option{
		{name: "topic", arg: requiredArg, typ: "String", what: "topic", help: "The topic to read."},
		{name: "include", arg: requiredArg, typ: "String", what: "Java regex (String)", help: "Regular expression; all topics that match are read."},
		{name: "partition", arg: requiredArg, typ: "Integer", what: "partition", help: "Read this partition only, without a group. Starts at the end unless offset or from-beginning is given."},
		{name: "offset", arg: requiredArg, typ: "String", what: "consume offset", def: "latest", help: "Where to start in the partition: a number, earliest or latest."},
		{name: "formatter", arg: requiredArg, typ: "String", what: "class", def: classDefaultFormatter, help: "How records are written."},
		{name: "formatter-property", arg: requiredArg, typ: "String", what: "prop", help: "Setting of the formatter, key=value; may be repeated. Fields: print.timestamp, print.partition, print.offset, print.delivery, print.epoch, print.headers, print.key, print.value, each true or false. Separators: key.separator, line.separator, headers.separator. Others: null.literal, key.deserializer, value.deserializer, headers.deserializer."},
		{name: "property", arg: requiredArg, typ: "String", what: "prop", help: "(DEPRECATED) Old name of formatter-property."},
		{name: "formatter-config", arg: requiredArg, typ: "String", what: "config file", help: "Properties file for the formatter; formatter-property wins over it."},
		{name: "from-beginning", help: "Start with the oldest record when the group has no position yet."},
		{name: "max-messages", arg: requiredArg, typ: "Integer", what: "num_messages", help: "Stop after so many records."},
		{name: "timeout-ms", arg: requiredArg, typ: "Long", what: "timeout_ms", help: "Stop when no record came for so long."},
		{name: "skip-message-on-error", help: "Pass over a record that cannot be shown instead of stopping."},
		bootstrapOption("REQUIRED: brokers to begin with, host:port and commas between."),
		{name: "key-deserializer", arg: requiredArg, typ: "String", what: "deserializer for keys", help: "How keys are read: a class of org.apache.kafka.common.serialization."},
		{name: "value-deserializer", arg: requiredArg, typ: "String", what: "deserializer for values", help: "How values are read."},
		{name: "enable-systest-events", help: "Write an event at the end, for tests of the system."},
		{name: "isolation-level", arg: requiredArg, typ: "String", def: "read_uncommitted", help: "read_committed leaves out records of open and aborted transactions."},
		{name: "group", arg: requiredArg, typ: "String", what: "consumer group id", help: "The group to read in; its position is kept."},
		{name: "command-property", arg: requiredArg, typ: "String", what: "consumer_prop", help: "Setting of the consumer, key=value; may be repeated."},
		{name: "consumer-property", arg: requiredArg, typ: "String", what: "consumer_prop", help: "(DEPRECATED) Old name of command-property."},
		{name: "command-config", arg: requiredArg, typ: "String", what: "config file", help: "Properties file for the consumer; command-property wins over it."},
		{name: "consumer.config", arg: requiredArg, typ: "String", what: "config file", help: "(DEPRECATED) Old name of command-config."},
		helpOption(),
		versionOption(),
	}}
}

func runConsoleConsumer(ctx context.Context, s *streams, args []string) int {
	p := consoleConsumerParser()
	set, err := p.parse(args)
	if err != nil {
		return p.printUsage(s, err.Error())
	}
	if code, done := p.begin(s, set, args, aboutConsoleConsumer); done {
		return code
	}
	c := &consoleConsumer{s: s, set: set}
	if err := c.configure(); err != nil {
		if x, ok := errors.AsType[*exception](err); ok && x.class == classNoFile {
			s.remark("Exception in thread \"main\" %s\n", x.named())
			return exitError
		}
		return p.finish(s, err)
	}
	return c.run(ctx)
}

// consoleConsumer is one call of the tool.
type consoleConsumer struct {
	s   *streams
	set *optSet

	servers   string
	topic     string
	include   string
	partition int32
	offset    int64 // a number, or atEarliest or atLatest
	settings  properties
	group     string // empty when one partition is read
	format    formatter

	// included is the expression of --include if the client cannot match it; looked is when topics were last held against it.
	included *javaRegex
	looked   time.Time

	count int64
}

func (c *consoleConsumer) configure() error {
	r := &reader{set: c.set}
	c.topic, c.include = r.text("topic", ""), r.text("include", "")
	c.servers, c.partition = r.text("bootstrap-server", ""), r.int32("partition", -1)
	if r.err != nil {
		return r.err
	}
	if err := c.checkRequired(); err != nil {
		return err
	}
	if err := c.checkRenamed(); err != nil {
		return err
	}
	if err := c.readSettings(); err != nil {
		return err
	}
	if err := c.readOffset(); err != nil {
		return err
	}
	return c.readFormatter()
}

func (c *consoleConsumer) checkRequired() error {
	if c.set.count("topic", "include") != 1 {
		return usage("Exactly one of the following arguments is required: [topic], [include]")
	}
	if c.set.has("partition") {
		if !c.set.has("topic") {
			return usage("The topic is required when partition is specified.")
		}
		if c.set.has("from-beginning") && c.set.has("offset") {
			return usage("Options from-beginning and offset cannot be specified together.")
		}
	} else if c.set.has("offset") {
		return usage("The partition is required when offset is specified.")
	}
	return c.set.needs("bootstrap-server")
}

func (c *consoleConsumer) checkRenamed() error {
	renamed := [][2]string{{"property", "formatter-property"}, {"consumer-property", "command-property"}, {"consumer.config", "command-config"}}
	for _, r := range renamed {
		if c.set.has(r[0]) && c.set.has(r[1]) {
			return usage("Options --" + r[0] + " and --" + r[1] + " cannot be specified together.")
		}
	}
	for _, r := range renamed {
		if c.set.has(r[0]) {
			c.s.printf("Option --%s is deprecated and will be removed in a future version. Use --%s instead.\n", r[0], r[1])
		}
	}
	return nil
}

// readSettings puts the consumer's settings together and finds the group.
func (c *consoleConsumer) readSettings() error {
	r := &reader{set: c.set}
	file := r.text("command-config", r.text("consumer.config", ""))
	flagGroup, isolation := r.text("group", ""), r.text("isolation-level", "read_uncommitted")
	if r.err != nil {
		return r.err
	}
	fromFile, err := optionalProperties(file)
	if err != nil {
		return err
	}
	given, err := pairs(either(c.set, "command-property", "consumer-property"), true)
	if err != nil {
		return err
	}
	c.settings = maps.Clone(fromFile)
	maps.Copy(c.settings, given)
	if _, ok := c.settings["isolation.level"]; c.set.has("isolation-level") || !ok {
		c.settings["isolation.level"] = isolation
	}
	if err := c.findGroup(flagGroup, given["group.id"], fromFile["group.id"]); err != nil {
		return err
	}
	reset, beginning := c.settings["auto.offset.reset"], c.set.has("from-beginning")
	if beginning && reset != "" && reset != "earliest" {
		return throw(classArgument, "Can't simultaneously specify --from-beginning and 'auto.offset.reset=%s', please remove one option", reset)
	}
	if reset == "" {
		c.settings["auto.offset.reset"] = map[bool]string{true: "earliest", false: "latest"}[beginning]
	}
	return nil
}

func (c *consoleConsumer) findGroup(candidates ...string) error {
	var groups []string
	for _, g := range candidates {
		if g != "" && !slices.Contains(groups, g) {
			groups = append(groups, g)
		}
	}
	switch {
	case len(groups) > 1:
		return usage(fmt.Sprintf("The group ids provided in different places (directly using '--group', via '--consumer-property', or via '--consumer.config') do not match. Detected group ids: '%s'", strings.Join(groups, "', '")))
	case len(groups) == 1:
		c.group = groups[0]
	case !c.set.has("partition"):
		c.group = fmt.Sprintf("console-consumer-%d", rand.IntN(100_000)) //nolint:gosec // a name, not a secret
		if _, ok := c.settings["enable.auto.commit"]; !ok {
			c.settings["enable.auto.commit"] = "false"
		}
	}
	if c.group != "" && c.set.has("partition") {
		return usage("Options group and partition cannot be specified together.")
	}
	return nil
}

func (c *consoleConsumer) readOffset() error {
	c.offset = atLatest
	if c.set.has("from-beginning") {
		c.offset = atEarliest
	}
	text, err := c.set.text("offset", "")
	if err != nil || !c.set.has("offset") {
		return err
	}
	switch strings.ToLower(text) {
	case "earliest":
		c.offset = atEarliest
	case "latest":
		c.offset = atLatest
	default:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 0 {
			return usage("The provided offset value '" + text + "' is incorrect. Valid values are 'earliest', 'latest', or a non-negative long.")
		}
		c.offset = n
	}
	return nil
}

func (c *consoleConsumer) readFormatter() error {
	r := &reader{set: c.set}
	class, file := r.text("formatter", classDefaultFormatter), r.text("formatter-config", "")
	if r.err != nil {
		return r.err
	}
	settings, err := optionalProperties(file)
	if err != nil {
		return err
	}
	given, err := pairs(either(c.set, "formatter-property", "property"), true)
	if err != nil {
		return err
	}
	maps.Copy(settings, given)
	for _, what := range []string{"key", "value"} {
		if d := r.text(what+"-deserializer", ""); d != "" {
			settings[what+".deserializer"] = d
		}
	}
	if r.err != nil {
		return r.err
	}
	format, ok := newFormatter(c.s, class, settings)
	if !ok {
		return usage(class)
	}
	c.format = format
	return nil
}

// failed writes the line about an error that ends the tool with exit code 1.
func (c *consoleConsumer) failed(err error) int {
	c.s.log(levelError, loggerConsumer, "Unknown error when running consumer: ")
	c.s.remark("%s%s\n", named(err), causes(err))
	return exitError
}
