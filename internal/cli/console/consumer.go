// Package console owns kafka-console-consumer and kafka-console-producer, the formatters and deserializers that turn records
// into lines, and the reader that turns lines into records.
package console

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

	"github.com/botehq/bote/internal/cli/client"
	"github.com/botehq/bote/internal/cli/exception"
	"github.com/botehq/bote/internal/cli/javaregex"
	"github.com/botehq/bote/internal/cli/jopt"
	"github.com/botehq/bote/internal/cli/tool"
)

const (
	loggerConsumer = "org.apache.kafka.tools.consumer.ConsoleConsumer"

	aboutConsumer = "This tool reads records from topics and writes them to standard output."
)

func consumerParser() *jopt.Parser {
	return &jopt.Parser{Options: []jopt.Option{
		{Name: "topic", Arg: jopt.RequiredArg, Type: "String", What: "topic", Help: "The topic to read."},
		{Name: "include", Arg: jopt.RequiredArg, Type: "String", What: "Java regex (String)", Help: "Regular expression for the topics to read."},
		{Name: "partition", Arg: jopt.RequiredArg, Type: "Integer", What: "partition", Help: "Read only this partition, without a group. Reading starts at the end unless offset or from-beginning is given."},
		{Name: "offset", Arg: jopt.RequiredArg, Type: "String", What: "consume offset", Default: "latest", Help: "Offset to start at: a number, earliest or latest."},
		{Name: "formatter", Arg: jopt.RequiredArg, Type: "String", What: "class", Default: classDefaultFormatter, Help: "Class that formats records."},
		{Name: "formatter-property", Arg: jopt.RequiredArg, Type: "String", What: "prop", Help: "Setting for the formatter, key=value; may be repeated. Fields: print.timestamp, print.partition, print.offset, print.delivery, print.epoch, print.headers, print.key, print.value, each true or false. Separators: key.separator, line.separator, headers.separator. Others: null.literal, key.deserializer, value.deserializer, headers.deserializer."},
		{Name: "property", Arg: jopt.RequiredArg, Type: "String", What: "prop", Help: "(DEPRECATED) Old name of formatter-property."},
		{Name: "formatter-config", Arg: jopt.RequiredArg, Type: "String", What: "config file", Help: "Properties file with settings for the formatter; formatter-property overrides it."},
		{Name: "from-beginning", Help: "Start with the oldest record if the group has no committed offset."},
		{Name: "max-messages", Arg: jopt.RequiredArg, Type: "Integer", What: "num_messages", Help: "Stop after this number of records."},
		{Name: "timeout-ms", Arg: jopt.RequiredArg, Type: "Long", What: "timeout_ms", Help: "Stop if no record arrives for this many milliseconds."},
		{Name: "skip-message-on-error", Help: "Skip a record that cannot be shown, instead of stopping."},
		jopt.BootstrapOption("REQUIRED: the brokers to connect to, as host1:port1,host2:port2."),
		{Name: "key-deserializer", Arg: jopt.RequiredArg, Type: "String", What: "deserializer for keys", Help: "Deserializer class for keys, from org.apache.kafka.common.serialization."},
		{Name: "value-deserializer", Arg: jopt.RequiredArg, Type: "String", What: "deserializer for values", Help: "Deserializer class for values."},
		{Name: "enable-systest-events", Help: "Print an event at the end, for system tests."},
		{Name: "isolation-level", Arg: jopt.RequiredArg, Type: "String", Default: "read_uncommitted", Help: "read_committed or read_uncommitted. With read_committed, records of open and aborted transactions are left out."},
		{Name: "group", Arg: jopt.RequiredArg, Type: "String", What: "consumer group id", Help: "Consumer group; its offsets are committed."},
		{Name: "command-property", Arg: jopt.RequiredArg, Type: "String", What: "consumer_prop", Help: "Setting for the consumer, key=value; may be repeated."},
		{Name: "consumer-property", Arg: jopt.RequiredArg, Type: "String", What: "consumer_prop", Help: "(DEPRECATED) Old name of command-property."},
		{Name: "command-config", Arg: jopt.RequiredArg, Type: "String", What: "config file", Help: "Properties file with settings for the consumer; command-property overrides it."},
		{Name: "consumer.config", Arg: jopt.RequiredArg, Type: "String", What: "config file", Help: "(DEPRECATED) Old name of command-config."},
		jopt.HelpOption(),
		jopt.VersionOption(),
	}}
}

// RunConsumer is kafka-console-consumer.
func RunConsumer(ctx context.Context, s *tool.Streams, args []string) int {
	p := consumerParser()
	set, err := p.Parse(args)
	if err != nil {
		return p.PrintUsage(s, err.Error())
	}
	if code, done := p.Begin(s, set, args, aboutConsumer); done {
		return code
	}
	c := &consumer{s: s, set: set}
	if err := c.configure(); err != nil {
		if x, ok := errors.AsType[*exception.Error](err); ok && x.Class == exception.NoSuchFile {
			s.Remark("Exception in thread \"main\" %s\n", x.Named())
			return tool.ExitError
		}
		return p.Finish(s, err)
	}
	return c.run(ctx)
}

// consumer is one call of the tool.
type consumer struct {
	s   *tool.Streams
	set *jopt.Set

	servers   string
	topic     string
	include   string
	partition int32
	offset    int64 // a number, or client.AtEarliest or client.AtLatest
	settings  tool.Properties
	group     string // empty with --partition
	format    formatter

	// included is the expression of --include if franz-go cannot match it. looked is when the topics were last matched with it.
	included *javaregex.Regexp
	looked   time.Time

	count int64
}

func (c *consumer) configure() error {
	r := &jopt.Reader{Set: c.set}
	c.topic, c.include = r.Text("topic", ""), r.Text("include", "")
	c.servers, c.partition = r.Text("bootstrap-server", ""), r.Int32("partition", -1)
	if r.Err != nil {
		return r.Err
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

func (c *consumer) checkRequired() error {
	if c.set.Count("topic", "include") != 1 {
		return jopt.BadUsage("Exactly one of the following arguments is required: [topic], [include]")
	}
	if c.set.Has("partition") {
		if !c.set.Has("topic") {
			return jopt.BadUsage("The topic is required when partition is specified.")
		}
		if c.set.Has("from-beginning") && c.set.Has("offset") {
			return jopt.BadUsage("Options from-beginning and offset cannot be specified together.")
		}
	} else if c.set.Has("offset") {
		return jopt.BadUsage("The partition is required when offset is specified.")
	}
	return c.set.Needs("bootstrap-server")
}

func (c *consumer) checkRenamed() error {
	renamed := [][2]string{{"property", "formatter-property"}, {"consumer-property", "command-property"}, {"consumer.config", "command-config"}}
	for _, r := range renamed {
		if c.set.Has(r[0]) && c.set.Has(r[1]) {
			return jopt.BadUsage("Options --" + r[0] + " and --" + r[1] + " cannot be specified together.")
		}
	}
	for _, r := range renamed {
		if c.set.Has(r[0]) {
			c.s.Printf("Option --%s is deprecated and will be removed in a future version. Use --%s instead.\n", r[0], r[1])
		}
	}
	return nil
}

// readSettings collects the consumer's settings and finds the group.
func (c *consumer) readSettings() error {
	r := &jopt.Reader{Set: c.set}
	file := r.Text("command-config", r.Text("consumer.config", ""))
	flagGroup, isolation := r.Text("group", ""), r.Text("isolation-level", "read_uncommitted")
	if r.Err != nil {
		return r.Err
	}
	fromFile, err := tool.OptionalProperties(file)
	if err != nil {
		return err
	}
	given, err := tool.ParsePairs(either(c.set, "command-property", "consumer-property"), true)
	if err != nil {
		return err
	}
	c.settings = maps.Clone(fromFile)
	maps.Copy(c.settings, given)
	if _, ok := c.settings["isolation.level"]; c.set.Has("isolation-level") || !ok {
		c.settings["isolation.level"] = isolation
	}
	if err := c.findGroup(flagGroup, given["group.id"], fromFile["group.id"]); err != nil {
		return err
	}
	reset, beginning := c.settings["auto.offset.reset"], c.set.Has("from-beginning")
	if beginning && reset != "" && reset != "earliest" {
		return exception.New(exception.IllegalArgument, "Can't simultaneously specify --from-beginning and 'auto.offset.reset=%s', please remove one option", reset)
	}
	if reset == "" {
		c.settings["auto.offset.reset"] = map[bool]string{true: "earliest", false: "latest"}[beginning]
	}
	return nil
}

func (c *consumer) findGroup(candidates ...string) error {
	var groups []string
	for _, g := range candidates {
		if g != "" && !slices.Contains(groups, g) {
			groups = append(groups, g)
		}
	}
	switch {
	case len(groups) > 1:
		return jopt.BadUsage(fmt.Sprintf("The group ids provided in different places (directly using '--group', via '--consumer-property', or via '--consumer.config') do not match. Detected group ids: '%s'", strings.Join(groups, "', '")))
	case len(groups) == 1:
		c.group = groups[0]
	case !c.set.Has("partition"):
		c.group = fmt.Sprintf("console-consumer-%d", rand.IntN(100_000)) //nolint:gosec // a name, not a secret
		if _, ok := c.settings["enable.auto.commit"]; !ok {
			c.settings["enable.auto.commit"] = "false"
		}
	}
	if c.group != "" && c.set.Has("partition") {
		return jopt.BadUsage("Options group and partition cannot be specified together.")
	}
	return nil
}

func (c *consumer) readOffset() error {
	c.offset = client.AtLatest
	if c.set.Has("from-beginning") {
		c.offset = client.AtEarliest
	}
	text, err := c.set.Text("offset", "")
	if err != nil || !c.set.Has("offset") {
		return err
	}
	switch strings.ToLower(text) {
	case "earliest":
		c.offset = client.AtEarliest
	case "latest":
		c.offset = client.AtLatest
	default:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 0 {
			return jopt.BadUsage("The provided offset value '" + text + "' is incorrect. Valid values are 'earliest', 'latest', or a non-negative long.")
		}
		c.offset = n
	}
	return nil
}

func (c *consumer) readFormatter() error {
	r := &jopt.Reader{Set: c.set}
	class, file := r.Text("formatter", classDefaultFormatter), r.Text("formatter-config", "")
	if r.Err != nil {
		return r.Err
	}
	settings, err := tool.OptionalProperties(file)
	if err != nil {
		return err
	}
	given, err := tool.ParsePairs(either(c.set, "formatter-property", "property"), true)
	if err != nil {
		return err
	}
	maps.Copy(settings, given)
	for _, what := range []string{"key", "value"} {
		if d := r.Text(what+"-deserializer", ""); d != "" {
			settings[what+".deserializer"] = d
		}
	}
	if r.Err != nil {
		return r.Err
	}
	format, ok := newFormatter(c.s, class, settings)
	if !ok {
		return jopt.BadUsage(class)
	}
	c.format = format
	return nil
}

// failed prints an error that ends the tool, and returns exit code 1.
func (c *consumer) failed(err error) int {
	c.s.Log(tool.LevelError, loggerConsumer, "Unknown error when running consumer: ")
	c.s.Remark("%s%s\n", exception.Named(err), exception.Causes(err))
	return tool.ExitError
}
