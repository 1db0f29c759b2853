package cli

import (
	"context"
	"errors"
	"maps"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/botehq/bote/internal/config"
)

const aboutConsoleProducer = "This tool reads lines from standard input and writes them to a topic."

func consoleProducerParser() *optParser {
	return &optParser{options: []option{
		{name: "topic", arg: requiredArg, typ: "String", what: "topic", help: "REQUIRED: the topic to write to."},
		bootstrapOption("REQUIRED: brokers to begin with, host:port and commas between."),
		{name: "sync", help: "Wait for each record's answer before the next line."},
		{name: "compression-codec", arg: optionalArg, typ: "String", what: "compression-codec", help: "Codec of the batches: none, gzip, snappy, lz4 or zstd; gzip if the option stands alone."},
		{name: "batch-size", arg: requiredArg, typ: "Integer", what: "size", def: "16384", help: "Bytes gathered for a partition before they are sent (batch.size), unless max-partition-memory-bytes is given."},
		{name: "message-send-max-retries", arg: requiredArg, typ: "Integer", def: "3", help: "Tries before a record is given up (retries)."},
		{name: "retry-backoff-ms", arg: requiredArg, typ: "Long", def: "100", help: "Pause before a try (retry.backoff.ms)."},
		{name: "timeout", arg: requiredArg, typ: "Long", what: "timeout_ms", def: "1000", help: "How long records wait for company (linger.ms)."},
		{name: "request-required-acks", arg: requiredArg, typ: "String", what: "request required acks", def: "-1", help: "Who must have a record before it counts as sent (acks): 0, 1, all."},
		{name: "request-timeout-ms", arg: requiredArg, typ: "Integer", what: "request timeout ms", def: "1500", help: "How long an answer is waited for (request.timeout.ms)."},
		{name: "metadata-expiry-ms", arg: requiredArg, typ: "Long", what: "metadata expiration interval", def: "300000", help: "How often the cluster is looked at again (metadata.max.age.ms)."},
		{name: "max-block-ms", arg: requiredArg, typ: "Long", what: "max block on send", def: "60000", help: "How long sending may wait for the topic or for memory (max.block.ms)."},
		{name: "max-memory-bytes", arg: requiredArg, typ: "Long", what: "total memory in bytes", def: "33554432", help: "Memory for records that wait (buffer.memory)."},
		{name: "max-partition-memory-bytes", arg: requiredArg, typ: "Integer", what: "memory in bytes per partition", def: "16384", help: "Other name of batch-size; wins over it."},
		{name: "socket-buffer-size", arg: requiredArg, typ: "Integer", what: "size", def: "102400", help: "Size of the send buffer (send.buffer.bytes)."},
		{name: "line-reader", arg: requiredArg, typ: "String", what: "reader_class", def: lineReaderClass, help: "What makes records of lines."},
		{name: "reader-property", arg: requiredArg, typ: "String", what: "prop", help: "Setting of the line reader, key=value; may be repeated. Defaults: parse.key=false, key.separator=tab, parse.headers=false, headers.delimiter=tab, headers.separator=comma, headers.key.separator=colon, ignore.error=false, null.marker unset. With all a line reads: headers, delimiter, key, separator, value."},
		{name: "property", arg: requiredArg, typ: "String", what: "prop", help: "(DEPRECATED) Old name of reader-property."},
		{name: "reader-config", arg: requiredArg, typ: "String", what: "config file", help: "Properties file for the line reader; reader-property wins over it."},
		{name: "command-property", arg: requiredArg, typ: "String", what: "producer_prop", help: "Setting of the producer, key=value; may be repeated."},
		{name: "producer-property", arg: requiredArg, typ: "String", what: "producer_prop", help: "(DEPRECATED) Old name of command-property."},
		{name: "command-config", arg: requiredArg, typ: "String", what: "config file", help: "Properties file for the producer; command-property wins over it."},
		{name: "producer.config", arg: requiredArg, typ: "String", what: "config file", help: "(DEPRECATED) Old name of command-config."},
		helpOption(),
		versionOption(),
	}}
}

// consoleProducerFlags are the options that stand for producer settings, with their defaults.
var consoleProducerFlags = []struct {
	flag, setting, def string
	bits               int
}{
	{"request-required-acks", "acks", "-1", 0},
	{"message-send-max-retries", "retries", "3", 32},
	{"retry-backoff-ms", "retry.backoff.ms", "100", 64},
	{"timeout", "linger.ms", "1000", 64},
	{"request-timeout-ms", "request.timeout.ms", "1500", 32},
	{"metadata-expiry-ms", "metadata.max.age.ms", "300000", 64},
	{"max-block-ms", "max.block.ms", "60000", 64},
	{"max-memory-bytes", "buffer.memory", "33554432", 64},
	{"batch-size", "batch.size", "16384", 32},
	{"max-partition-memory-bytes", "batch.size", "16384", 32},
	{"socket-buffer-size", "send.buffer.bytes", "102400", 32},
}

func runConsoleProducer(ctx context.Context, s *streams, args []string) int {
	p := consoleProducerParser()
	set, err := p.parse(args)
	if err != nil {
		return p.printUsage(s, err.Error())
	}
	if code, done := p.begin(s, set, args, aboutConsoleProducer); done {
		return code
	}
	if err := checkConsoleProducer(s, set); err != nil {
		return p.finish(s, err)
	}
	c, err := newConsoleProducer(ctx, s, set)
	if err != nil {
		return producerFailed(s, err)
	}
	return c.run(ctx)
}

// producerFailed writes an error as Kafka's producer does: refusals of options alone, anything else with its name.
func producerFailed(s *streams, err error) int {
	if x, ok := errors.AsType[*exception](err); ok {
		s.remark("%s%s\n", x.named(), causes(err))
		return exitError
	}
	s.remark("%s\n", err)
	return exitError
}

func checkConsoleProducer(s *streams, set *optSet) error {
	if err := set.needs("topic"); err != nil {
		return err
	}
	if !set.has("bootstrap-server") {
		return usage("Error while validating the bootstrap address\n")
	}
	servers, err := set.text("bootstrap-server", "")
	if err != nil {
		return err
	}
	for server := range strings.SplitSeq(servers, ",") {
		if _, _, err := splitServer(strings.TrimSpace(server)); err != nil {
			return usage("Please provide valid host:port like host1:9091,host2:9092\n")
		}
	}
	renamed := [][2]string{{"reader-property", "property"}, {"command-property", "producer-property"}, {"command-config", "producer.config"}}
	for _, r := range renamed {
		if set.has(r[0]) && set.has(r[1]) {
			return usage("Options --" + r[0] + " and --" + r[1] + " cannot be specified together.")
		}
	}
	for _, r := range renamed {
		if set.has(r[1]) {
			s.printf("Warning: --%s is deprecated and will be removed in a future version. Use --%s instead.\n", r[1], r[0])
		}
	}
	return nil
}

// either returns the arguments of an option under its new or its old name.
func either(s *optSet, name, old string) []string {
	if s.has(name) {
		return s.all(name)
	}
	return s.all(old)
}

// consoleProducer sends lines.
type consoleProducer struct {
	s        *streams
	conn     *connection
	lines    *lineReader
	topic    string
	sync     bool
	maxBytes int
	gate     topicGate

	forgetting sync.Mutex     // held while the topic is forgotten
	lookups    atomic.Int64   // how often it was
	again      sync.WaitGroup // records that are sent once more
}

func newConsoleProducer(ctx context.Context, s *streams, set *optSet) (*consoleProducer, error) {
	settings, err := consoleProducerSettings(set)
	if err != nil {
		return nil, err
	}
	r := &reader{set: set}
	topic, class := r.text("topic", ""), r.text("line-reader", lineReaderClass)
	readerFile, servers := r.text("reader-config", ""), r.text("bootstrap-server", "")
	if r.err != nil {
		return nil, r.err
	}
	if class != lineReaderClass && class != "kafka.tools.ConsoleProducer$LineMessageReader" {
		return nil, throw("java.lang.ClassNotFoundException", "%s", class)
	}
	readerSettings, err := optionalProperties(readerFile)
	if err != nil {
		return nil, err
	}
	given, err := pairs(either(set, "reader-property", "property"), true)
	if err != nil {
		return nil, err
	}
	maps.Copy(readerSettings, given)
	who := identity{kind: "Producer", id: "console-producer", bootstrap: true, failure: "Failed to construct kafka producer"}
	c := &clientSettings{properties: settings}
	opts, err := producerOptions(c)
	if err != nil {
		return nil, err
	}
	conn, err := connect(ctx, s, who, servers, settings, opts...)
	if err != nil {
		return nil, err
	}
	lines, err := newLineReader(s, topic, readerSettings)
	if err != nil {
		conn.Close()
		return nil, err
	}
	return &consoleProducer{
		s: s, conn: conn, lines: lines, topic: topic, sync: set.has("sync"),
		maxBytes: int(c.int("max.request.size", 1<<20)),
		gate:     topicGate{conn: conn, topic: topic, wait: c.millis("max.block.ms", 60_000)},
	}, nil
}

// consoleProducerSettings puts the settings together: a flag wins over a property, that over the file, that over the flag's
// default.
func consoleProducerSettings(set *optSet) (properties, error) {
	r := &reader{set: set}
	file := r.text("command-config", r.text("producer.config", ""))
	if r.err != nil {
		return nil, r.err
	}
	settings, err := optionalProperties(file)
	if err != nil {
		return nil, err
	}
	given, err := pairs(either(set, "command-property", "producer-property"), true)
	if err != nil {
		return nil, err
	}
	maps.Copy(settings, given)
	for _, f := range consoleProducerFlags {
		v := r.text(f.flag, f.def)
		if f.bits > 0 {
			if _, err := set.integer(f.flag, 0, f.bits); err != nil && set.has(f.flag) {
				return nil, err
			}
		}
		if _, ok := settings[f.setting]; set.has(f.flag) || !ok {
			settings[f.setting] = v
		}
	}
	codec := "none"
	if set.has("compression-codec") {
		codec = r.text("compression-codec", "gzip")
	}
	if _, ok := settings["compression.type"]; set.has("compression-codec") || !ok {
		settings["compression.type"] = codec
	}
	return settings, r.err
}

// run sends lines until the input or the context ends. What was read is delivered before it returns.
func (c *consoleProducer) run(ctx context.Context) int {
	defer c.conn.Close()
	code := exitOK
	for line := range c.lines.lines(ctx) {
		rec, err := c.lines.record(line)
		if err == nil {
			err = c.send(ctx, rec)
		}
		if err != nil {
			code = producerFailed(c.s, err)
			break
		}
	}
	if err := c.lines.readError(); err != nil {
		code = producerFailed(c.s, err)
	}
	flush, cancel := context.WithTimeout(context.WithoutCancel(ctx), config.Duration(120_000))
	defer cancel()
	if err := c.flush(flush); err != nil {
		code = producerFailed(c.s, err)
	}
	if ctx.Err() != nil {
		return interrupted(ctx)
	}
	return code
}

// flush waits for all answers, those to records that are sent once more included.
func (c *consoleProducer) flush(ctx context.Context) error {
	if err := c.conn.Flush(ctx); err != nil {
		return err //nolint:wrapcheck // it is the context's
	}
	sentAgain := make(chan struct{})
	go func() { // ends with the last lookup, which is bounded by the client's timeouts.
		c.again.Wait()
		close(sentAgain)
	}()
	select {
	case <-sentAgain:
	case <-ctx.Done():
		return ctx.Err()
	}
	return c.conn.Flush(ctx) //nolint:wrapcheck // it is the context's
}

// send hands a record over. An error ends the program; the failure of a record that is not waited for is only logged.
func (c *consoleProducer) send(ctx context.Context, rec *kgo.Record) error {
	if err := c.refuses(ctx, rec); err != nil {
		if c.sync {
			return &exception{class: classExecution, text: err.named(), cause: err}
		}
		c.logFailure(rec, err)
		return nil
	}
	if !c.sync {
		c.produce(context.WithoutCancel(ctx), rec, func(err error) {
			if err != nil {
				c.logFailure(rec, asException(err, "produce"))
			}
		})
		return nil
	}
	sent := make(chan error, 1)
	c.produce(ctx, rec, func(err error) { sent <- err })
	if err := <-sent; err != nil {
		x := asException(err, "produce")
		return &exception{class: classExecution, text: x.named(), cause: x}
	}
	return nil
}

// produce sends a record. If the topic was deleted and created again, it is looked up anew and the record sent once more:
// the client would use the ID of the old one for ever.
func (c *consoleProducer) produce(ctx context.Context, rec *kgo.Record, done func(error)) {
	lookups := c.lookups.Load()
	c.conn.Produce(ctx, rec, func(rec *kgo.Record, err error) {
		if !errors.Is(err, kerr.UnknownTopicID) && (err == nil || c.lookups.Load() == lookups) {
			done(err)
			return
		}
		c.again.Go(func() { // the client's callbacks must not wait for it
			c.lookUpAgain(lookups)
			c.conn.Produce(ctx, rec, func(_ *kgo.Record, err error) { done(err) })
		})
	})
}

// lookUpAgain forgets the topic, once for all records that were on their way to the old one.
func (c *consoleProducer) lookUpAgain(lookups int64) {
	c.forgetting.Lock()
	defer c.forgetting.Unlock()
	if c.lookups.Load() != lookups {
		return
	}
	c.s.log(levelWarn, loggerMetadata, "%s Topic %s was deleted or recreated; it is looked up again.", c.conn.who(), c.topic)
	c.conn.PurgeTopicsFromProducing(c.topic)
	c.lookups.Add(1)
}

// refuses is what Kafka's producer finds out before it sends anything.
func (c *consoleProducer) refuses(ctx context.Context, rec *kgo.Record) *exception {
	if err := c.gate.pass(ctx); err != nil {
		return err
	}
	if size := serializedSize(rec); size > c.maxBytes {
		return throw(commonErrors+"RecordTooLargeException", "The message is %d bytes when serialized which is larger than %d, which is the value of the max.request.size configuration.", size, c.maxBytes)
	}
	return nil
}

func (c *consoleProducer) logFailure(rec *kgo.Record, x *exception) {
	size := func(b []byte) string {
		if b == nil {
			return "null"
		}
		return strconv.Itoa(len(b)) + " bytes"
	}
	c.s.log(levelError, "org.apache.kafka.clients.producer.internals.ErrorLoggingCallback",
		"Error when sending message to topic %s with key: %s, value: %s with error:", c.topic, size(rec.Key), size(rec.Value))
	c.s.remark("%s\n", x.named())
}

// serializedSize is Kafka's upper bound for a batch of one record: 61 bytes of batch header, 21 of the record's own fields.
func serializedSize(rec *kgo.Record) int {
	size := 61 + 21 + field(rec.Key) + field(rec.Value) + varint(len(rec.Headers))
	for _, h := range rec.Headers {
		size += varint(len(h.Key)) + len(h.Key) + field(h.Value)
	}
	return size
}

func field(b []byte) int {
	if b == nil {
		return 1
	}
	return varint(len(b)) + len(b)
}

// varint is the length of n as a zigzag varint.
func varint(n int) int {
	size := 1
	for n = n << 1 >> 7; n > 0; n >>= 7 {
		size++
	}
	return size
}
