package cli

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	aboutConsumerPerf = "This tool measures how fast records can be read."

	// pollRecords is Kafka's max.poll.records: what one look at the fetched records takes at most.
	pollRecords = 500
)

func consumerPerfParser() *optParser {
	return &optParser{options: []option{
		bootstrapOption("REQUIRED: brokers to begin with, host:port and commas between."),
		{name: "topic", arg: requiredArg, typ: "String", what: "topic", help: "The topic to read."},
		{name: "include", arg: requiredArg, typ: "String", what: "Java regex (String)", help: "Regular expression; all topics that match are read."},
		{name: "group", arg: requiredArg, typ: "String", what: "gid", help: "The group to read in; one is made up if not given."},
		{name: "fetch-size", arg: requiredArg, typ: "Integer", what: "size", def: "1048576", help: "Bytes to ask for per partition."},
		{name: "from-latest", help: "Start at the end when the group has no position yet."},
		{name: "socket-buffer-size", arg: requiredArg, typ: "Integer", what: "size", def: "2097152", help: "Size of the receive buffer."},
		{name: "num-records", arg: requiredArg, typ: "Long", what: "count", help: "REQUIRED: how many records."},
		{name: "messages", arg: requiredArg, typ: "Long", what: "count", help: "(DEPRECATED) Old name of num-records."},
		{name: "command-config", arg: requiredArg, typ: "String", what: "config file", help: "Properties file for the consumer."},
		{name: "consumer.config", arg: requiredArg, typ: "String", what: "config file", help: "(DEPRECATED) Old name of command-config."},
		{name: "command-property", arg: requiredArg, typ: "String", what: "prop1=val1", help: "Setting of the consumer; may be repeated."},
		{name: "print-metrics", help: "Print metrics at the end."},
		{name: "show-detailed-stats", help: "Print a line at every reporting interval."},
		{name: "timeout", arg: optionalArg, typ: "Long", what: "milliseconds", def: "10000", help: "Stop when no record came for so long."},
		{name: "reporting-interval", arg: requiredArg, typ: "Long", what: "interval_ms", def: "5000", help: "Milliseconds between two lines of progress."},
		{name: "date-format", arg: requiredArg, typ: "String", what: "date format", def: "yyyy-MM-dd HH:mm:ss:SSS", help: "How times are written."},
		{name: "hide-header", help: "Leave the header out."},
		helpOption(),
		versionOption(),
	}}
}

func runConsumerPerf(ctx context.Context, s *streams, args []string) int {
	p := consumerPerfParser()
	set, err := p.parse(args)
	if err != nil {
		return p.printUsage(s, err.Error())
	}
	if code, done := p.begin(s, set, args, aboutConsumerPerf); done {
		return code
	}
	if err := checkConsumerPerf(s, set); err != nil {
		return p.finish(s, err)
	}
	return p.finish(s, consumerPerf(ctx, s, set))
}

func checkConsumerPerf(s *streams, set *optSet) error {
	if set.count("topic", "include") != 1 {
		return usage("Exactly one of the following arguments is required: [topic], [include]")
	}
	if set.count("num-records", "messages") != 1 {
		return usage("Exactly one of the following arguments is required: [messages], [num-records]")
	}
	if err := set.needs("bootstrap-server"); err != nil {
		return err
	}
	if set.has("command-config") && set.has("consumer.config") {
		return usage("Options --consumer.config and --command-config cannot be specified together.")
	}
	for _, old := range [][2]string{{"messages", "num-records"}, {"consumer.config", "command-config"}} {
		if set.has(old[0]) {
			s.printf("Warning: --%s is deprecated. Use --%s instead.\n", old[0], old[1])
		}
	}
	return nil
}

// consumerPerfRun is one call of the tool.
type consumerPerfRun struct {
	s        *streams
	conn     *connection
	wanted   int64
	timeout  time.Duration
	interval time.Duration
	format   string
	detailed bool

	joined  atomic.Int64 // nanoseconds spent in joining the group
	joining atomic.Int64 // when joining began, as Unix nanoseconds

	start            time.Time
	records, bytes   int64
	reported         time.Time
	lastRec, lastByt int64
	lastJoined       time.Duration
}

func consumerPerf(ctx context.Context, s *streams, set *optSet) error {
	r := &reader{set: set}
	run := &consumerPerfRun{
		s: s, wanted: r.int64("num-records", r.int64("messages", 0)), detailed: set.has("show-detailed-stats"),
		timeout: time.Duration(r.int64("timeout", 10_000)) * time.Millisecond, interval: time.Duration(r.int64("reporting-interval", 5000)) * time.Millisecond,
		format: r.text("date-format", "yyyy-MM-dd HH:mm:ss:SSS"),
	}
	settings, subscription, err := consumerPerfSettings(set, r)
	if err != nil {
		return err
	}
	c := &clientSettings{properties: settings}
	commits := newCommitter()
	opts, err := consumerOptions(c, settings.get("group.id", ""), commits)
	if err != nil {
		return err
	}
	opts = append(append(opts, subscription...),
		kgo.OnPartitionsAssigned(func(context.Context, *kgo.Client, map[string][]int32) {
			run.joined.Add(time.Now().UnixNano() - run.joining.Load())
		}),
		kgo.OnPartitionsRevoked(func(ctx context.Context, cl *kgo.Client, parts map[string][]int32) {
			run.joining.Store(time.Now().UnixNano())
			if commits.enabled {
				commits.revoked(ctx, cl, parts)
			}
		}))
	who := identity{kind: "Consumer", id: "perf-consumer-client", extra: ", groupId=" + settings.get("group.id", ""), bootstrap: true, failure: "Failed to construct kafka consumer"}
	run.begin(set.has("hide-header"))
	if run.conn, err = connect(ctx, s, who, r.text("bootstrap-server", ""), settings, opts...); err != nil {
		return err
	}
	defer run.conn.Close()
	commits.start(run.conn)
	run.read(ctx, commits)
	commits.commit(context.WithoutCancel(ctx))
	if set.has("print-metrics") {
		printMetrics(s, who.id, run.metrics())
	}
	return nil
}

func consumerPerfSettings(set *optSet, r *reader) (properties, []kgo.Opt, error) {
	file := r.text("command-config", r.text("consumer.config", ""))
	group, fetch, topic, include := r.text("group", ""), r.int32("fetch-size", 1<<20), r.text("topic", ""), r.text("include", "")
	if r.err != nil {
		return nil, nil, r.err
	}
	settings, err := optionalProperties(file)
	if err != nil {
		return nil, nil, err
	}
	given, err := pairs(set.all("command-property"), true)
	if err != nil {
		return nil, nil, err
	}
	maps.Copy(settings, given)
	if group != "" || settings.get("group.id", "") == "" {
		if group == "" {
			group = fmt.Sprintf("perf-consumer-%d", rand.IntN(100_000)) //nolint:gosec // a name, not a secret
		}
		settings["group.id"] = group
	}
	settings["max.partition.fetch.bytes"] = fmt.Sprint(fetch)
	settings["auto.offset.reset"] = map[bool]string{true: "latest", false: "earliest"}[set.has("from-latest")]
	if include != "" {
		return settings, []kgo.Opt{kgo.ConsumeRegex(), kgo.ConsumeTopics("^(?:" + include + ")$")}, nil
	}
	return settings, []kgo.Opt{kgo.ConsumeTopics(topic)}, nil
}

func (r *consumerPerfRun) begin(hideHeader bool) {
	if !hideHeader {
		first := "start.time, end.time"
		if r.detailed {
			first = "time, threadId"
		}
		r.s.printf("%s, data.consumed.in.MB, MB.sec, data.consumed.in.nMsg, nMsg.sec, rebalance.time.ms, fetch.time.ms, fetch.MB.sec, fetch.nMsg.sec\n", first)
	}
	r.start = time.Now()
	r.reported = r.start
	r.joining.Store(r.start.UnixNano())
}

func (r *consumerPerfRun) read(ctx context.Context, commits *committer) {
	last := time.Now()
	for r.records < r.wanted && time.Since(last) <= r.timeout && ctx.Err() == nil {
		commits.due(ctx)
		poll, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
		fetches := r.conn.PollRecords(poll, pollRecords)
		cancel()
		now := time.Now()
		if fetches.NumRecords() > 0 {
			last = now
		}
		for it := fetches.RecordIter(); !it.Done(); {
			rec := it.Next()
			r.records++
			r.bytes += int64(len(rec.Key) + len(rec.Value))
			if now.Sub(r.reported) >= r.interval {
				r.progress(now)
			}
			commits.read(rec)
		}
	}
	if r.records < r.wanted {
		r.s.printf("WARNING: Exiting before consuming the expected number of records: timeout (%d ms) exceeded. You can use the --timeout option to increase the timeout.\n", r.timeout.Milliseconds())
	}
	if !r.detailed {
		r.summary(time.Now())
	}
}

// progress prints what was read since the last line.
func (r *consumerPerfRun) progress(now time.Time) {
	joined := time.Duration(r.joined.Load())
	if r.detailed {
		elapsed := now.Sub(r.reported)
		join := joined - r.lastJoined
		r.s.printf("%s, 0, %s\n", formatTime(now, r.format), rates(r.bytes, r.bytes-r.lastByt, r.records, r.records-r.lastRec, elapsed, join))
	}
	r.reported, r.lastRec, r.lastByt, r.lastJoined = now, r.records, r.bytes, joined
}

func (r *consumerPerfRun) summary(now time.Time) {
	r.s.printf("%s, %s, %s\n", formatTime(r.start, r.format), formatTime(now, r.format),
		rates(r.bytes, r.bytes, r.records, r.records, now.Sub(r.start), time.Duration(r.joined.Load())))
}

// rates are the columns behind the times: totals, rates of what is new, and the rates without the time of joining.
func rates(bytes, newBytes, records, newRecords int64, elapsed, join time.Duration) string {
	const mb = 1 << 20
	fetch := elapsed - join
	per := func(n float64, d time.Duration) float64 {
		if d <= 0 {
			return 0
		}
		return n / d.Seconds()
	}
	return fmt.Sprintf("%.4f, %.4f, %d, %.4f, %d, %d, %.4f, %.4f",
		float64(bytes)/mb, per(float64(newBytes)/mb, elapsed), records, per(float64(newRecords), elapsed),
		join.Milliseconds(), fetch.Milliseconds(), per(float64(newBytes)/mb, fetch), per(float64(newRecords), fetch))
}

func (r *consumerPerfRun) metrics() map[string]string {
	return map[string]string{
		"consumer-fetch-manager-metrics:bytes-consumed-total":   fmt.Sprintf("%.3f", float64(r.bytes)),
		"consumer-fetch-manager-metrics:records-consumed-total": fmt.Sprintf("%.3f", float64(r.records)),
		"app-info:start-time-ms":                                fmt.Sprint(r.start.UnixMilli()),
	}
}

// formatTime writes a time by a Java date format. Letters it does not know stand for themselves.
func formatTime(t time.Time, format string) string {
	layouts := map[string]string{
		"yyyy": "2006", "yy": "06", "MMM": "Jan", "MM": "01", "M": "1", "dd": "02", "d": "2", "EEE": "Mon",
		"HH": "15", "hh": "03", "mm": "04", "ss": "05", "a": "PM", "Z": "-0700", "XXX": "Z07:00", "z": "MST",
	}
	var b strings.Builder
	for i := 0; i < len(format); {
		j := i + 1
		for j < len(format) && format[j] == format[i] {
			j++
		}
		switch word := format[i:j]; {
		case word == "SSS":
			fmt.Fprintf(&b, "%03d", t.Nanosecond()/int(time.Millisecond))
		case layouts[word] != "":
			b.WriteString(t.Format(layouts[word]))
		default:
			b.WriteString(word)
		}
		i = j
	}
	return b.String()
}
