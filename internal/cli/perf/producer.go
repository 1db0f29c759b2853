package perf

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/botehq/bote/internal/cli/argp"
	"github.com/botehq/bote/internal/cli/client"
	"github.com/botehq/bote/internal/cli/exception"
	"github.com/botehq/bote/internal/cli/tool"
)

func producerParser() *argp.Parser {
	pair := "PROP-NAME=PROP-VALUE"
	return &argp.Parser{
		Prog: "kafka-producer-perf-test", About: "This tool measures how fast records can be sent. It uses transactions if a transactional ID or a transaction duration is given.", HelpExit: tool.ExitError,
		Args: []argp.Argument{
			{Flags: []string{"--bootstrap-server"}, Metavar: "BOOTSTRAP-SERVER", Help: "The brokers to connect to; overrides bootstrap.servers of the other options."},
			{Flags: []string{"--topic"}, Metavar: "TOPIC", Required: true, Help: "The topic to write to."},
			{Flags: []string{"--num-records"}, Metavar: "NUM-RECORDS", Number: "Long", Required: true, Help: "Number of records to send."},
			{Flags: []string{"--payload-delimiter"}, Metavar: "PAYLOAD-DELIMITER", Default: `\n`, Help: "Delimiter of the payloads in the file."},
			{Flags: []string{"--throughput"}, Metavar: "THROUGHPUT", Required: true, Help: "Approximate limit of records per second; -1 means no limit."},
			{Flags: []string{"--producer-props"}, Metavar: pair, Many: true, Help: "(DEPRECATED) Old name of --command-property."},
			{Flags: []string{"--command-property"}, Metavar: pair, Many: true, Help: "Settings for the producer."},
			{Flags: []string{"--producer.config"}, Metavar: "CONFIG-FILE", Help: "(DEPRECATED) Old name of --command-config."},
			{Flags: []string{"--command-config"}, Metavar: "CONFIG-FILE", Help: "Properties file with settings for the producer."},
			{Flags: []string{"--print-metrics"}, Default: "false", Help: "Print metrics at the end."},
			{Flags: []string{"--transactional-id"}, Metavar: "TRANSACTIONAL-ID", Help: "Transactional ID; random if only the duration is given."},
			{Flags: []string{"--transaction-duration-ms"}, Metavar: "TRANSACTION-DURATION", Number: "Long", Help: "Milliseconds until a transaction is committed; 3000 if only the transactional ID is given."},
			{Flags: []string{"--warmup-records"}, Metavar: "WARMUP-RECORDS", Number: "Long", Default: "0", Help: "Number of first records to leave out of the second summary."},
			{Flags: []string{"--reporting-interval"}, Metavar: "INTERVAL-MS", Number: "Long", Default: "5000", Help: "Milliseconds between two lines of statistics."},
			{Flags: []string{"--record-size"}, Metavar: "RECORD-SIZE", Number: "Integer", Group: "payload", Help: "Size of each record in bytes."},
			{Flags: []string{"--payload-file"}, Metavar: "PAYLOAD-FILE", Group: "payload", Help: "File with payloads, which are sent in random order."},
			{Flags: []string{"--payload-monotonic"}, Group: "payload", Default: "false", Help: "Send increasing numbers."},
		},
	}
}

// RunProducer is kafka-producer-perf-test.
func RunProducer(ctx context.Context, s *tool.Streams, args []string) int {
	p := producerParser()
	if len(args) == 0 {
		p.WriteHelp(s.Out, nil)
		return tool.ExitOK
	}
	return p.Run(s, args, func(set *argp.Set) error { return measureProducer(ctx, s, p, set) })
}

// producerRun is one call of the tool.
type producerRun struct {
	s        *tool.Streams
	conn     *client.Conn
	topic    string
	records  int64
	rate     float64
	payloads *payloads
	warmup   int64
	// transaction is the duration of a transaction; 0 means no transactions.
	transaction time.Duration
	stats       *stats
	steady      *stats
}

func measureProducer(ctx context.Context, s *tool.Streams, p *argp.Parser, set *argp.Set) error {
	settings, err := producerSettings(s, p, set)
	if err != nil {
		return err
	}
	run := &producerRun{
		s: s, topic: set.Text("topic", ""), records: set.Int("num-records", 0), warmup: set.Int("warmup-records", 0),
		stats: newStats(s, time.Duration(set.Int("reporting-interval", 5000))*time.Millisecond, ""),
	}
	if run.rate, err = parseRate(set.Text("throughput", "-1")); err != nil {
		return p.Errorf(nil, "argument --throughput: could not convert '%s' to Double", set.Text("throughput", ""))
	}
	if run.payloads, err = newPayloads(s, set); err != nil {
		return err
	}
	if settings.Get("transactional.id", "") != "" {
		run.transaction = time.Duration(set.Int("transaction-duration-ms", 3000)) * time.Millisecond
	}
	who := client.Identity{Kind: "Producer", ID: "perf-producer-client", Bootstrap: true, Failure: "Failed to construct kafka producer"}
	c := &client.Settings{Properties: settings}
	opts, err := client.ProducerOptions(c)
	if err != nil {
		return threadFailure(err)
	}
	if run.conn, err = client.Connect(ctx, s, who, settings.Get("bootstrap.servers", ""), settings, opts...); err != nil {
		return threadFailure(err)
	}
	defer run.conn.Close()
	gate := client.TopicGate{Conn: run.conn, Topic: run.topic, Wait: c.Millis("max.block.ms", 60_000)}
	if x := gate.Pass(ctx); x != nil {
		return threadFailure(x)
	}
	if err := run.send(ctx); err != nil {
		return threadFailure(err)
	}
	if set.Has("print-metrics") {
		printMetrics(s, run.conn.Who().ID, run.stats.metrics())
	}
	return nil
}

// threadFailure formats an error as Java does when it ends the main thread.
func threadFailure(err error) error {
	return fmt.Errorf("Exception in thread \"main\" %s", exception.Named(err)) //nolint:staticcheck // Kafka's line, capital and all
}

func parseRate(text string) (float64, error) {
	var rate float64
	_, err := fmt.Sscanf(text, "%g", &rate)
	return rate, err //nolint:wrapcheck // the caller words it
}

// producerSettings checks the options that the parser cannot check, and collects the settings.
func producerSettings(s *tool.Streams, p *argp.Parser, set *argp.Set) (tool.Properties, error) {
	sources := []string{"bootstrap-server", "command-property", "producer-props", "producer.config", "command-config"}
	given := false
	for _, name := range sources {
		given = given || set.Has(name)
	}
	switch {
	case !given:
		return nil, p.Errorf(nil, "At least one of --bootstrap-server, --command-property, --producer-props, --producer.config or --command-config must be specified.")
	case set.Has("command-property") && set.Has("producer-props"):
		return nil, p.Errorf(nil, "--command-property and --producer-props cannot be specified together.")
	case set.Has("command-config") && set.Has("producer.config"):
		return nil, p.Errorf(nil, "--command-config and --producer.config cannot be specified together.")
	case set.Int("num-records", 0) <= 0:
		return nil, p.Errorf(nil, "--num-records should be greater than zero.")
	case set.Int("warmup-records", 0) >= set.Int("num-records", 0):
		return nil, p.Errorf(nil, "The value for --warmup-records must be strictly fewer than the number of records in the test, --num-records.")
	case set.Has("record-size") && set.Int("record-size", 0) <= 0:
		return nil, p.Errorf(nil, "--record-size should be greater than zero.")
	case set.Has("transaction-duration-ms") && set.Int("transaction-duration-ms", 0) <= 0:
		return nil, p.Errorf(nil, "--transaction-duration-ms should be greater than zero.")
	}
	for _, old := range [][2]string{{"producer-props", "command-property"}, {"producer.config", "command-config"}} {
		if set.Has(old[0]) {
			s.Printf("Option --%s has been deprecated and will be removed in a future version. Use --%s instead.\n", old[0], old[1])
		}
	}
	settings, err := tool.OptionalProperties(set.Text("command-config", set.Text("producer.config", "")))
	if err != nil {
		return nil, threadFailure(err)
	}
	for _, word := range append(set.Values["command-property"], set.Values["producer-props"]...) {
		k, v, ok := strings.Cut(word, "=")
		if !ok {
			return nil, threadFailure(exception.New(exception.IllegalArgument, "Invalid property: %s", word))
		}
		settings[k] = v
	}
	overrides := tool.Properties{}
	if set.Has("bootstrap-server") {
		overrides["bootstrap.servers"] = set.Text("bootstrap-server", "")
	}
	if set.Has("transactional-id") {
		overrides["transactional.id"] = set.Text("transactional-id", "")
	} else if set.Has("transaction-duration-ms") && settings.Get("transactional.id", "") == "" {
		overrides["transactional.id"] = "performance-producer-" + strings.ToLower(rand.Text())
	}
	maps.Copy(settings, overrides)
	return settings, nil
}

// send produces all records and prints the summaries.
func (r *producerRun) send(ctx context.Context) error {
	if r.warmup > 0 {
		r.s.Printf("Warmup first %d records. Steady state results will print after the complete test summary.\n", r.warmup)
	}
	var failure error
	begun, start := time.Time{}, time.Now()
	for i := range r.records {
		if ctx.Err() != nil {
			break
		}
		if r.transaction > 0 && begun.IsZero() {
			if err := r.conn.BeginTransaction(); err != nil {
				return fmt.Errorf("begin a transaction: %w", err)
			}
			begun = time.Now()
		}
		if r.warmup > 0 && i == r.warmup {
			r.s.Printf("In steady state.\n")
			r.steady = newStats(r.s, math.MaxInt64, " steady state")
		}
		r.produce(i)
		if r.transaction > 0 && time.Since(begun) >= r.transaction {
			if err := r.commit(ctx); err != nil {
				return err
			}
			begun = time.Time{}
		}
		if !throttle(ctx, start, i+1, r.rate) {
			break
		}
	}
	if !begun.IsZero() {
		failure = r.commit(context.WithoutCancel(ctx))
	}
	if err := r.conn.Flush(context.WithoutCancel(ctx)); err != nil && failure == nil {
		failure = err
	}
	r.stats.summary()
	if r.steady != nil {
		r.steady.summary()
	}
	return failure
}

func (r *producerRun) produce(i int64) {
	payload := r.payloads.next(i)
	sent, steady := time.Now(), r.steady
	r.conn.Produce(context.Background(), &kgo.Record{Topic: r.topic, Value: payload}, func(rec *kgo.Record, err error) {
		r.payloads.release(rec.Value)
		if err != nil {
			r.s.Remark("%s\n", exception.Of(err, "produce").Named())
			return
		}
		r.stats.add(sent, len(rec.Value))
		if steady != nil {
			steady.add(sent, len(rec.Value))
		}
	})
}

func (r *producerRun) commit(ctx context.Context) error {
	if err := r.conn.Flush(ctx); err != nil {
		return fmt.Errorf("flush a transaction: %w", err)
	}
	if err := r.conn.EndTransaction(ctx, kgo.TryCommit); err != nil {
		return fmt.Errorf("commit a transaction: %w", err)
	}
	return nil
}

// throttle waits until so many records are due at the rate. It returns false if the context ended.
func throttle(ctx context.Context, start time.Time, records int64, rate float64) bool {
	if rate <= 0 {
		return ctx.Err() == nil
	}
	ahead := time.Duration(float64(records)/rate*float64(time.Second)) - time.Since(start)
	if ahead < 2*time.Millisecond {
		return ctx.Err() == nil
	}
	return client.Sleep(ctx, ahead)
}

// payloadFile reads the payloads of a file.
func payloadFile(s *tool.Streams, file, delimiter string) ([][]byte, error) {
	path, err := filepath.Abs(file)
	if err != nil {
		path = file
	}
	s.Printf("Reading payloads from: %s\n", path)
	data, err := os.ReadFile(path)
	if err != nil || len(data) == 0 {
		return nil, threadFailure(exception.New(exception.IllegalArgument, "File does not exist or empty file provided."))
	}
	delimiter = strings.NewReplacer(`\n`, "\n", `\t`, "\t").Replace(delimiter)
	words := strings.Split(strings.TrimSuffix(string(data), delimiter), delimiter)
	s.Printf("Number of records read: %d\n", len(words))
	list := make([][]byte, len(words))
	for i, w := range words {
		list[i] = []byte(w)
	}
	return list, nil
}
