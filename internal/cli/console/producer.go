package console

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

	"github.com/botehq/bote/internal/cli/client"
	"github.com/botehq/bote/internal/cli/exception"
	"github.com/botehq/bote/internal/cli/jopt"
	"github.com/botehq/bote/internal/cli/tool"
	"github.com/botehq/bote/internal/config"
)

const aboutProducer = "This tool reads lines from standard input and writes them to a topic."

func producerParser() *jopt.Parser {
	return &jopt.Parser{Options: []jopt.Option{
		{Name: "topic", Arg: jopt.RequiredArg, Type: "String", What: "topic", Help: "REQUIRED: the topic to write to."},
		jopt.BootstrapOption("REQUIRED: the brokers to connect to, as host1:port1,host2:port2."),
		{Name: "sync", Help: "Send one record at a time and wait for its acknowledgement."},
		{Name: "compression-codec", Arg: jopt.OptionalArg, Type: "String", What: "compression-codec", Help: "Compression: none, gzip, snappy, lz4 or zstd; gzip if no codec is given."},
		{Name: "batch-size", Arg: jopt.RequiredArg, Type: "Integer", What: "size", Default: "16384", Help: "Maximum size of a batch in bytes (batch.size), unless max-partition-memory-bytes is given."},
		{Name: "message-send-max-retries", Arg: jopt.RequiredArg, Type: "Integer", Default: "3", Help: "How often sending a record is retried (retries)."},
		{Name: "retry-backoff-ms", Arg: jopt.RequiredArg, Type: "Long", Default: "100", Help: "Milliseconds to wait before a retry (retry.backoff.ms)."},
		{Name: "timeout", Arg: jopt.RequiredArg, Type: "Long", What: "timeout_ms", Default: "1000", Help: "Milliseconds to wait for more records for a batch (linger.ms)."},
		{Name: "request-required-acks", Arg: jopt.RequiredArg, Type: "String", What: "request required acks", Default: "-1", Help: "Which acknowledgements to wait for (acks): 0, 1 or all."},
		{Name: "request-timeout-ms", Arg: jopt.RequiredArg, Type: "Integer", What: "request timeout ms", Default: "1500", Help: "Milliseconds to wait for an answer (request.timeout.ms)."},
		{Name: "metadata-expiry-ms", Arg: jopt.RequiredArg, Type: "Long", What: "metadata expiration interval", Default: "300000", Help: "Milliseconds after which metadata is refreshed (metadata.max.age.ms)."},
		{Name: "max-block-ms", Arg: jopt.RequiredArg, Type: "Long", What: "max block on send", Default: "60000", Help: "Milliseconds to wait for metadata or for free memory (max.block.ms)."},
		{Name: "max-memory-bytes", Arg: jopt.RequiredArg, Type: "Long", What: "total memory in bytes", Default: "33554432", Help: "Memory in bytes for records that are not sent yet (buffer.memory)."},
		{Name: "max-partition-memory-bytes", Arg: jopt.RequiredArg, Type: "Integer", What: "memory in bytes per partition", Default: "16384", Help: "Another name of batch-size, which it overrides."},
		{Name: "socket-buffer-size", Arg: jopt.RequiredArg, Type: "Integer", What: "size", Default: "102400", Help: "Size of the TCP send buffer in bytes (send.buffer.bytes)."},
		{Name: "line-reader", Arg: jopt.RequiredArg, Type: "String", What: "reader_class", Default: lineReaderClass, Help: "Class that turns lines into records."},
		{Name: "reader-property", Arg: jopt.RequiredArg, Type: "String", What: "prop", Help: "Setting for the line reader, key=value; may be repeated. Defaults: parse.key=false, key.separator=tab, parse.headers=false, headers.delimiter=tab, headers.separator=comma, headers.key.separator=colon, ignore.error=false, null.marker unset. If headers and keys are parsed, a line consists of headers, delimiter, key, separator and value."},
		{Name: "property", Arg: jopt.RequiredArg, Type: "String", What: "prop", Help: "(DEPRECATED) Old name of reader-property."},
		{Name: "reader-config", Arg: jopt.RequiredArg, Type: "String", What: "config file", Help: "Properties file with settings for the line reader; reader-property overrides it."},
		{Name: "command-property", Arg: jopt.RequiredArg, Type: "String", What: "producer_prop", Help: "Setting for the producer, key=value; may be repeated."},
		{Name: "producer-property", Arg: jopt.RequiredArg, Type: "String", What: "producer_prop", Help: "(DEPRECATED) Old name of command-property."},
		{Name: "command-config", Arg: jopt.RequiredArg, Type: "String", What: "config file", Help: "Properties file with settings for the producer; command-property overrides it."},
		{Name: "producer.config", Arg: jopt.RequiredArg, Type: "String", What: "config file", Help: "(DEPRECATED) Old name of command-config."},
		jopt.HelpOption(),
		jopt.VersionOption(),
	}}
}

// producerFlags are the options that set a producer setting, with their defaults.
var producerFlags = []struct {
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

// RunProducer is kafka-console-producer.
func RunProducer(ctx context.Context, s *tool.Streams, args []string) int {
	p := producerParser()
	set, err := p.Parse(args)
	if err != nil {
		return p.PrintUsage(s, err.Error())
	}
	if code, done := p.Begin(s, set, args, aboutProducer); done {
		return code
	}
	if err := checkProducer(s, set); err != nil {
		return p.Finish(s, err)
	}
	c, err := newProducer(ctx, s, set)
	if err != nil {
		return producerFailed(s, err)
	}
	return c.run(ctx)
}

// producerFailed prints an error as Kafka's producer does: the text alone for an error about options, with the class name
// for all others.
func producerFailed(s *tool.Streams, err error) int {
	if x, ok := errors.AsType[*exception.Error](err); ok {
		s.Remark("%s%s\n", x.Named(), exception.Causes(err))
		return tool.ExitError
	}
	s.Remark("%s\n", err)
	return tool.ExitError
}

func checkProducer(s *tool.Streams, set *jopt.Set) error {
	if err := set.Needs("topic"); err != nil {
		return err
	}
	if !set.Has("bootstrap-server") {
		return jopt.BadUsage("Error while validating the bootstrap address\n")
	}
	servers, err := set.Text("bootstrap-server", "")
	if err != nil {
		return err
	}
	for server := range strings.SplitSeq(servers, ",") {
		if _, _, err := client.SplitServer(strings.TrimSpace(server)); err != nil {
			return jopt.BadUsage("Please provide valid host:port like host1:9091,host2:9092\n")
		}
	}
	renamed := [][2]string{{"reader-property", "property"}, {"command-property", "producer-property"}, {"command-config", "producer.config"}}
	for _, r := range renamed {
		if set.Has(r[0]) && set.Has(r[1]) {
			return jopt.BadUsage("Options --" + r[0] + " and --" + r[1] + " cannot be specified together.")
		}
	}
	for _, r := range renamed {
		if set.Has(r[1]) {
			s.Printf("Warning: --%s is deprecated and will be removed in a future version. Use --%s instead.\n", r[1], r[0])
		}
	}
	return nil
}

// either returns the arguments of an option by its new or its old name.
func either(s *jopt.Set, name, old string) []string {
	if s.Has(name) {
		return s.All(name)
	}
	return s.All(old)
}

// producer sends lines as records.
type producer struct {
	s        *tool.Streams
	conn     *client.Conn
	lines    *lineReader
	topic    string
	sync     bool
	maxBytes int
	gate     client.TopicGate

	forgetting sync.Mutex     // guards lookUpAgain
	lookups    atomic.Int64   // how often lookUpAgain forgot the topic
	again      sync.WaitGroup // records that are being sent a second time
}

func newProducer(ctx context.Context, s *tool.Streams, set *jopt.Set) (*producer, error) {
	settings, err := producerSettings(set)
	if err != nil {
		return nil, err
	}
	r := &jopt.Reader{Set: set}
	topic, class := r.Text("topic", ""), r.Text("line-reader", lineReaderClass)
	readerFile, servers := r.Text("reader-config", ""), r.Text("bootstrap-server", "")
	if r.Err != nil {
		return nil, r.Err
	}
	if class != lineReaderClass && class != "kafka.tools.ConsoleProducer$LineMessageReader" {
		return nil, exception.New("java.lang.ClassNotFoundException", "%s", class)
	}
	readerSettings, err := tool.OptionalProperties(readerFile)
	if err != nil {
		return nil, err
	}
	given, err := tool.ParsePairs(either(set, "reader-property", "property"), true)
	if err != nil {
		return nil, err
	}
	maps.Copy(readerSettings, given)
	who := client.Identity{Kind: "Producer", ID: "console-producer", Bootstrap: true, Failure: "Failed to construct kafka producer"}
	c := &client.Settings{Properties: settings}
	opts, err := client.ProducerOptions(c)
	if err != nil {
		return nil, err
	}
	conn, err := client.Connect(ctx, s, who, servers, settings, opts...)
	if err != nil {
		return nil, err
	}
	lines, err := newLineReader(s, topic, readerSettings)
	if err != nil {
		conn.Close()
		return nil, err
	}
	return &producer{
		s: s, conn: conn, lines: lines, topic: topic, sync: set.Has("sync"),
		maxBytes: int(c.Int("max.request.size", 1<<20)),
		gate:     client.TopicGate{Conn: conn, Topic: topic, Wait: c.Millis("max.block.ms", 60_000)},
	}, nil
}

// producerSettings collects the settings. The order of precedence is: flags, properties on the command line, the file, the
// flags' defaults.
func producerSettings(set *jopt.Set) (tool.Properties, error) {
	r := &jopt.Reader{Set: set}
	file := r.Text("command-config", r.Text("producer.config", ""))
	if r.Err != nil {
		return nil, r.Err
	}
	settings, err := tool.OptionalProperties(file)
	if err != nil {
		return nil, err
	}
	given, err := tool.ParsePairs(either(set, "command-property", "producer-property"), true)
	if err != nil {
		return nil, err
	}
	maps.Copy(settings, given)
	for _, f := range producerFlags {
		v := r.Text(f.flag, f.def)
		if f.bits > 0 {
			if _, err := set.Integer(f.flag, 0, f.bits); err != nil && set.Has(f.flag) {
				return nil, err
			}
		}
		if _, ok := settings[f.setting]; set.Has(f.flag) || !ok {
			settings[f.setting] = v
		}
	}
	codec := "none"
	if set.Has("compression-codec") {
		codec = r.Text("compression-codec", "gzip")
	}
	if _, ok := settings["compression.type"]; set.Has("compression-codec") || !ok {
		settings["compression.type"] = codec
	}
	return settings, r.Err
}

// run sends lines until the input or the context ends. Before it returns, it delivers the lines that it has read.
func (c *producer) run(ctx context.Context) int {
	defer c.conn.Close()
	code := tool.ExitOK
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
		return tool.Interrupted(ctx)
	}
	return code
}

// flush waits for the answers to all records, including those that are sent a second time.
func (c *producer) flush(ctx context.Context) error {
	if err := c.conn.Flush(ctx); err != nil {
		return err //nolint:wrapcheck // it is the context's
	}
	sentAgain := make(chan struct{})
	go func() { // ends after the last lookup, which the client's timeouts limit
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

// send sends a record. An error ends the program. Without --sync, send does not wait for the answer, and a failure is only
// logged.
func (c *producer) send(ctx context.Context, rec *kgo.Record) error {
	if err := c.refuses(ctx, rec); err != nil {
		if c.sync {
			return &exception.Error{Class: exception.Execution, Text: err.Named(), Cause: err}
		}
		c.logFailure(rec, err)
		return nil
	}
	if !c.sync {
		c.produce(context.WithoutCancel(ctx), rec, func(err error) {
			if err != nil {
				c.logFailure(rec, exception.Of(err, "produce"))
			}
		})
		return nil
	}
	sent := make(chan error, 1)
	c.produce(ctx, rec, func(err error) { sent <- err })
	if err := <-sent; err != nil {
		x := exception.Of(err, "produce")
		return &exception.Error{Class: exception.Execution, Text: x.Named(), Cause: x}
	}
	return nil
}

// produce sends a record. If the topic was deleted and created again, produce looks it up and sends the record a second time.
// Otherwise the client would use the ID of the old topic for ever.
func (c *producer) produce(ctx context.Context, rec *kgo.Record, done func(error)) {
	lookups := c.lookups.Load()
	c.conn.Produce(ctx, rec, func(rec *kgo.Record, err error) {
		if !errors.Is(err, kerr.UnknownTopicID) && (err == nil || c.lookups.Load() == lookups) {
			done(err)
			return
		}
		c.again.Go(func() { // in a goroutine, because callbacks of the client must not wait
			c.lookUpAgain(lookups)
			c.conn.Produce(ctx, rec, func(_ *kgo.Record, err error) { done(err) })
		})
	})
}

// lookUpAgain makes the client forget the topic, so that it looks the topic up. Many records may fail on the same old topic:
// only the first call with a given number of lookups forgets it.
func (c *producer) lookUpAgain(lookups int64) {
	c.forgetting.Lock()
	defer c.forgetting.Unlock()
	if c.lookups.Load() != lookups {
		return
	}
	c.s.Log(tool.LevelWarn, client.LoggerMetadata, "%s Topic %s was deleted or recreated; it is looked up again.", c.conn.Who(), c.topic)
	c.conn.PurgeTopicsFromProducing(c.topic)
	c.lookups.Add(1)
}

// refuses returns the error that Kafka's producer finds before it sends a record, or nil.
func (c *producer) refuses(ctx context.Context, rec *kgo.Record) *exception.Error {
	if err := c.gate.Pass(ctx); err != nil {
		return err
	}
	if size := serializedSize(rec); size > c.maxBytes {
		return exception.New(exception.CommonErrors+"RecordTooLargeException", "The message is %d bytes when serialized which is larger than %d, which is the value of the max.request.size configuration.", size, c.maxBytes)
	}
	return nil
}

func (c *producer) logFailure(rec *kgo.Record, x *exception.Error) {
	size := func(b []byte) string {
		if b == nil {
			return "null"
		}
		return strconv.Itoa(len(b)) + " bytes"
	}
	c.s.Log(tool.LevelError, "org.apache.kafka.clients.producer.internals.ErrorLoggingCallback",
		"Error when sending message to topic %s with key: %s, value: %s with error:", c.topic, size(rec.Key), size(rec.Value))
	c.s.Remark("%s\n", x.Named())
}

// serializedSize is Kafka's upper bound for a batch of one record: 61 bytes of batch header, 21 bytes of record fields, and
// the key, value and headers.
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

// varint returns the length of n as a zigzag varint.
func varint(n int) int {
	size := 1
	for n = n << 1 >> 7; n > 0; n >>= 7 {
		size++
	}
	return size
}
