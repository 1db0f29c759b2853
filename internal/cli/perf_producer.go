package cli

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
)

func producerPerfParser() *argParser {
	pair := "PROP-NAME=PROP-VALUE"
	return &argParser{
		prog: "kafka-producer-perf-test", about: "This tool measures how fast records can be sent. A transactional id or a transaction duration turns transactions on.", helpExit: exitError,
		args: []argument{
			{flags: []string{"--bootstrap-server"}, metavar: "BOOTSTRAP-SERVER", help: "Brokers to begin with; wins over bootstrap.servers of the other options."},
			{flags: []string{"--topic"}, metavar: "TOPIC", required: true, help: "The topic to write to."},
			{flags: []string{"--num-records"}, metavar: "NUM-RECORDS", number: "Long", required: true, help: "How many records."},
			{flags: []string{"--payload-delimiter"}, metavar: "PAYLOAD-DELIMITER", def: `\n`, help: "What stands between the payloads of the file."},
			{flags: []string{"--throughput"}, metavar: "THROUGHPUT", required: true, help: "Most records per second, about; -1 is no limit."},
			{flags: []string{"--producer-props"}, metavar: pair, many: true, help: "(DEPRECATED) Old name of --command-property."},
			{flags: []string{"--command-property"}, metavar: pair, many: true, help: "Settings of the producer."},
			{flags: []string{"--producer.config"}, metavar: "CONFIG-FILE", help: "(DEPRECATED) Old name of --command-config."},
			{flags: []string{"--command-config"}, metavar: "CONFIG-FILE", help: "Properties file for the producer."},
			{flags: []string{"--print-metrics"}, def: "false", help: "Print metrics at the end."},
			{flags: []string{"--transactional-id"}, metavar: "TRANSACTIONAL-ID", help: "The transactional id; one is made up if only the duration is given."},
			{flags: []string{"--transaction-duration-ms"}, metavar: "TRANSACTION-DURATION", number: "Long", help: "Commit after so many milliseconds; 3000 if only the id is given."},
			{flags: []string{"--warmup-records"}, metavar: "WARMUP-RECORDS", number: "Long", def: "0", help: "First records that the second summary leaves out."},
			{flags: []string{"--reporting-interval"}, metavar: "INTERVAL-MS", number: "Long", def: "5000", help: "Milliseconds between two lines of progress."},
			{flags: []string{"--record-size"}, metavar: "RECORD-SIZE", number: "Integer", group: "payload", help: "Bytes of each record."},
			{flags: []string{"--payload-file"}, metavar: "PAYLOAD-FILE", group: "payload", help: "File whose payloads are sent in any order."},
			{flags: []string{"--payload-monotonic"}, group: "payload", def: "false", help: "Send numbers, each one more than the last."},
		},
	}
}

func runProducerPerf(ctx context.Context, s *streams, args []string) int {
	p := producerPerfParser()
	if len(args) == 0 {
		p.writeHelp(s.out, nil)
		return exitOK
	}
	return p.run(s, args, func(set *argSet) error { return producerPerf(ctx, s, p, set) })
}

// producerPerfRun is one call of the tool.
type producerPerfRun struct {
	s        *streams
	conn     *connection
	topic    string
	records  int64
	rate     float64
	payloads *payloads
	warmup   int64
	// transaction is how long one lasts, 0 without transactions.
	transaction time.Duration
	stats       *perfStats
	steady      *perfStats
}

func producerPerf(ctx context.Context, s *streams, p *argParser, set *argSet) error {
	settings, err := producerPerfSettings(s, p, set)
	if err != nil {
		return err
	}
	run := &producerPerfRun{
		s: s, topic: set.text("topic", ""), records: set.int("num-records", 0), warmup: set.int("warmup-records", 0),
		stats: newPerfStats(s, time.Duration(set.int("reporting-interval", 5000))*time.Millisecond, ""),
	}
	if run.rate, err = parseRate(set.text("throughput", "-1")); err != nil {
		return p.fail(nil, "argument --throughput: could not convert '%s' to Double", set.text("throughput", ""))
	}
	if run.payloads, err = newPayloads(s, set); err != nil {
		return err
	}
	if settings.get("transactional.id", "") != "" {
		run.transaction = time.Duration(set.int("transaction-duration-ms", 3000)) * time.Millisecond
	}
	who := identity{kind: "Producer", id: "perf-producer-client", bootstrap: true, failure: "Failed to construct kafka producer"}
	c := &clientSettings{properties: settings}
	opts, err := producerOptions(c)
	if err != nil {
		return threadFailure(err)
	}
	if run.conn, err = connect(ctx, s, who, settings.get("bootstrap.servers", ""), settings, opts...); err != nil {
		return threadFailure(err)
	}
	defer run.conn.Close()
	gate := topicGate{conn: run.conn, topic: run.topic, wait: c.millis("max.block.ms", 60_000)}
	if x := gate.pass(ctx); x != nil {
		return threadFailure(x)
	}
	if err := run.send(ctx); err != nil {
		return threadFailure(err)
	}
	if set.has("print-metrics") {
		printMetrics(s, run.conn.who().id, run.stats.metrics())
	}
	return nil
}

// threadFailure is an error that ends Kafka's main thread.
func threadFailure(err error) error {
	return fmt.Errorf("Exception in thread \"main\" %s", named(err)) //nolint:staticcheck // Kafka's line, capital and all
}

func parseRate(text string) (float64, error) {
	var rate float64
	_, err := fmt.Sscanf(text, "%g", &rate)
	return rate, err //nolint:wrapcheck // the caller words it
}

// producerPerfSettings checks the options that argparse cannot check and puts the settings together.
func producerPerfSettings(s *streams, p *argParser, set *argSet) (properties, error) {
	sources := []string{"bootstrap-server", "command-property", "producer-props", "producer.config", "command-config"}
	given := false
	for _, name := range sources {
		given = given || set.has(name)
	}
	switch {
	case !given:
		return nil, p.fail(nil, "At least one of --bootstrap-server, --command-property, --producer-props, --producer.config or --command-config must be specified.")
	case set.has("command-property") && set.has("producer-props"):
		return nil, p.fail(nil, "--command-property and --producer-props cannot be specified together.")
	case set.has("command-config") && set.has("producer.config"):
		return nil, p.fail(nil, "--command-config and --producer.config cannot be specified together.")
	case set.int("num-records", 0) <= 0:
		return nil, p.fail(nil, "--num-records should be greater than zero.")
	case set.int("warmup-records", 0) >= set.int("num-records", 0):
		return nil, p.fail(nil, "The value for --warmup-records must be strictly fewer than the number of records in the test, --num-records.")
	case set.has("record-size") && set.int("record-size", 0) <= 0:
		return nil, p.fail(nil, "--record-size should be greater than zero.")
	case set.has("transaction-duration-ms") && set.int("transaction-duration-ms", 0) <= 0:
		return nil, p.fail(nil, "--transaction-duration-ms should be greater than zero.")
	}
	for _, old := range [][2]string{{"producer-props", "command-property"}, {"producer.config", "command-config"}} {
		if set.has(old[0]) {
			s.printf("Option --%s has been deprecated and will be removed in a future version. Use --%s instead.\n", old[0], old[1])
		}
	}
	settings, err := optionalProperties(set.text("command-config", set.text("producer.config", "")))
	if err != nil {
		return nil, threadFailure(err)
	}
	for _, word := range append(set.values["command-property"], set.values["producer-props"]...) {
		k, v, ok := strings.Cut(word, "=")
		if !ok {
			return nil, threadFailure(throw(classArgument, "Invalid property: %s", word))
		}
		settings[k] = v
	}
	overrides := properties{}
	if set.has("bootstrap-server") {
		overrides["bootstrap.servers"] = set.text("bootstrap-server", "")
	}
	if set.has("transactional-id") {
		overrides["transactional.id"] = set.text("transactional-id", "")
	} else if set.has("transaction-duration-ms") && settings.get("transactional.id", "") == "" {
		overrides["transactional.id"] = "performance-producer-" + strings.ToLower(rand.Text())
	}
	maps.Copy(settings, overrides)
	return settings, nil
}

// send produces all records and prints the summaries.
func (r *producerPerfRun) send(ctx context.Context) error {
	if r.warmup > 0 {
		r.s.printf("Warmup first %d records. Steady state results will print after the complete test summary.\n", r.warmup)
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
			r.s.printf("In steady state.\n")
			r.steady = newPerfStats(r.s, math.MaxInt64, " steady state")
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

func (r *producerPerfRun) produce(i int64) {
	payload := r.payloads.next(i)
	sent, steady := time.Now(), r.steady
	r.conn.Produce(context.Background(), &kgo.Record{Topic: r.topic, Value: payload}, func(rec *kgo.Record, err error) {
		r.payloads.release(rec.Value)
		if err != nil {
			r.s.remark("%s\n", asException(err, "produce").named())
			return
		}
		r.stats.add(sent, len(rec.Value))
		if steady != nil {
			steady.add(sent, len(rec.Value))
		}
	})
}

func (r *producerPerfRun) commit(ctx context.Context) error {
	if err := r.conn.Flush(ctx); err != nil {
		return fmt.Errorf("flush a transaction: %w", err)
	}
	if err := r.conn.EndTransaction(ctx, kgo.TryCommit); err != nil {
		return fmt.Errorf("commit a transaction: %w", err)
	}
	return nil
}

// throttle waits until so many records are due. It reports false when the context ended.
func throttle(ctx context.Context, start time.Time, records int64, rate float64) bool {
	if rate <= 0 {
		return ctx.Err() == nil
	}
	ahead := time.Duration(float64(records)/rate*float64(time.Second)) - time.Since(start)
	if ahead < 2*time.Millisecond {
		return ctx.Err() == nil
	}
	return sleep(ctx, ahead)
}

// payloadFile reads the payloads of a file.
func payloadFile(s *streams, file, delimiter string) ([][]byte, error) {
	path, err := filepath.Abs(file)
	if err != nil {
		path = file
	}
	s.printf("Reading payloads from: %s\n", path)
	data, err := os.ReadFile(path)
	if err != nil || len(data) == 0 {
		return nil, threadFailure(throw(classArgument, "File does not exist or empty file provided."))
	}
	delimiter = strings.NewReplacer(`\n`, "\n", `\t`, "\t").Replace(delimiter)
	words := strings.Split(strings.TrimSuffix(string(data), delimiter), delimiter)
	s.printf("Number of records read: %d\n", len(words))
	list := make([][]byte, len(words))
	for i, w := range words {
		list[i] = []byte(w)
	}
	return list, nil
}
