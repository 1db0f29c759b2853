package perf

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/botehq/bote/internal/cli/client"
	"github.com/botehq/bote/internal/cli/jopt"
	"github.com/botehq/bote/internal/cli/tool"
)

const (
	aboutConsumer = "This tool measures how fast records can be read."

	// pollRecords is Kafka's max.poll.records: how many records one poll returns at most.
	pollRecords = 500
)

func consumerParser() *jopt.Parser {
	return &jopt.Parser{Options: []jopt.Option{
		jopt.BootstrapOption("REQUIRED: the brokers to connect to, as host1:port1,host2:port2."),
		{Name: "topic", Arg: jopt.RequiredArg, Type: "String", What: "topic", Help: "The topic to read."},
		{Name: "include", Arg: jopt.RequiredArg, Type: "String", What: "Java regex (String)", Help: "Regular expression for the topics to read."},
		{Name: "group", Arg: jopt.RequiredArg, Type: "String", What: "gid", Help: "Consumer group; by default a random name."},
		{Name: "fetch-size", Arg: jopt.RequiredArg, Type: "Integer", What: "size", Default: "1048576", Help: "Maximum bytes to fetch per partition."},
		{Name: "from-latest", Help: "Start at the end if the group has no committed offset."},
		{Name: "socket-buffer-size", Arg: jopt.RequiredArg, Type: "Integer", What: "size", Default: "2097152", Help: "Size of the TCP receive buffer in bytes."},
		{Name: "num-records", Arg: jopt.RequiredArg, Type: "Long", What: "count", Help: "REQUIRED: number of records to read."},
		{Name: "messages", Arg: jopt.RequiredArg, Type: "Long", What: "count", Help: "(DEPRECATED) Old name of num-records."},
		{Name: "command-config", Arg: jopt.RequiredArg, Type: "String", What: "config file", Help: "Properties file with settings for the consumer."},
		{Name: "consumer.config", Arg: jopt.RequiredArg, Type: "String", What: "config file", Help: "(DEPRECATED) Old name of command-config."},
		{Name: "command-property", Arg: jopt.RequiredArg, Type: "String", What: "prop1=val1", Help: "Setting for the consumer; may be repeated."},
		{Name: "print-metrics", Help: "Print metrics at the end."},
		{Name: "show-detailed-stats", Help: "Print a line of statistics every reporting-interval."},
		{Name: "timeout", Arg: jopt.OptionalArg, Type: "Long", What: "milliseconds", Default: "10000", Help: "Stop if no record arrives for this many milliseconds."},
		{Name: "reporting-interval", Arg: jopt.RequiredArg, Type: "Long", What: "interval_ms", Default: "5000", Help: "Milliseconds between two lines of statistics."},
		{Name: "date-format", Arg: jopt.RequiredArg, Type: "String", What: "date format", Default: "yyyy-MM-dd HH:mm:ss:SSS", Help: "Format of times."},
		{Name: "hide-header", Help: "Do not print the header."},
		jopt.HelpOption(),
		jopt.VersionOption(),
	}}
}

// RunConsumer is kafka-consumer-perf-test.
func RunConsumer(ctx context.Context, s *tool.Streams, args []string) int {
	p := consumerParser()
	set, err := p.Parse(args)
	if err != nil {
		return p.PrintUsage(s, err.Error())
	}
	if code, done := p.Begin(s, set, args, aboutConsumer); done {
		return code
	}
	if err := checkConsumer(s, set); err != nil {
		return p.Finish(s, err)
	}
	return p.Finish(s, measureConsumer(ctx, s, set))
}

func checkConsumer(s *tool.Streams, set *jopt.Set) error {
	if set.Count("topic", "include") != 1 {
		return jopt.BadUsage("Exactly one of the following arguments is required: [topic], [include]")
	}
	if set.Count("num-records", "messages") != 1 {
		return jopt.BadUsage("Exactly one of the following arguments is required: [messages], [num-records]")
	}
	if err := set.Needs("bootstrap-server"); err != nil {
		return err
	}
	if set.Has("command-config") && set.Has("consumer.config") {
		return jopt.BadUsage("Options --consumer.config and --command-config cannot be specified together.")
	}
	for _, old := range [][2]string{{"messages", "num-records"}, {"consumer.config", "command-config"}} {
		if set.Has(old[0]) {
			s.Printf("Warning: --%s is deprecated. Use --%s instead.\n", old[0], old[1])
		}
	}
	return nil
}

// consumerRun is one call of the tool.
type consumerRun struct {
	s        *tool.Streams
	conn     *client.Conn
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

func measureConsumer(ctx context.Context, s *tool.Streams, set *jopt.Set) error {
	r := &jopt.Reader{Set: set}
	run := &consumerRun{
		s: s, wanted: r.Int64("num-records", r.Int64("messages", 0)), detailed: set.Has("show-detailed-stats"),
		timeout: time.Duration(r.Int64("timeout", 10_000)) * time.Millisecond, interval: time.Duration(r.Int64("reporting-interval", 5000)) * time.Millisecond,
		format: r.Text("date-format", "yyyy-MM-dd HH:mm:ss:SSS"),
	}
	settings, subscription, err := consumerSettings(set, r)
	if err != nil {
		return err
	}
	c := &client.Settings{Properties: settings}
	commits := client.NewCommitter()
	opts, err := client.ConsumerOptions(c, settings.Get("group.id", ""), commits)
	if err != nil {
		return err
	}
	opts = append(append(opts, subscription...),
		kgo.OnPartitionsAssigned(func(context.Context, *kgo.Client, map[string][]int32) {
			run.joined.Add(time.Now().UnixNano() - run.joining.Load())
		}),
		kgo.OnPartitionsRevoked(func(ctx context.Context, cl *kgo.Client, parts map[string][]int32) {
			run.joining.Store(time.Now().UnixNano())
			if commits.Enabled {
				commits.Revoked(ctx, cl, parts)
			}
		}))
	who := client.Identity{Kind: "Consumer", ID: "perf-consumer-client", Extra: ", groupId=" + settings.Get("group.id", ""), Bootstrap: true, Failure: "Failed to construct kafka consumer"}
	run.begin(set.Has("hide-header"))
	if run.conn, err = client.Connect(ctx, s, who, r.Text("bootstrap-server", ""), settings, opts...); err != nil {
		return err
	}
	defer run.conn.Close()
	commits.Start(run.conn)
	run.read(ctx, commits)
	commits.Commit(context.WithoutCancel(ctx))
	if set.Has("print-metrics") {
		printMetrics(s, who.ID, run.metrics())
	}
	return nil
}

func consumerSettings(set *jopt.Set, r *jopt.Reader) (tool.Properties, []kgo.Opt, error) {
	file := r.Text("command-config", r.Text("consumer.config", ""))
	group, fetch, topic, include := r.Text("group", ""), r.Int32("fetch-size", 1<<20), r.Text("topic", ""), r.Text("include", "")
	if r.Err != nil {
		return nil, nil, r.Err
	}
	settings, err := tool.OptionalProperties(file)
	if err != nil {
		return nil, nil, err
	}
	given, err := tool.ParsePairs(set.All("command-property"), true)
	if err != nil {
		return nil, nil, err
	}
	maps.Copy(settings, given)
	if group != "" || settings.Get("group.id", "") == "" {
		if group == "" {
			group = fmt.Sprintf("perf-consumer-%d", rand.IntN(100_000)) //nolint:gosec // a name, not a secret
		}
		settings["group.id"] = group
	}
	settings["max.partition.fetch.bytes"] = fmt.Sprint(fetch)
	settings["auto.offset.reset"] = map[bool]string{true: "latest", false: "earliest"}[set.Has("from-latest")]
	if include != "" {
		return settings, []kgo.Opt{kgo.ConsumeRegex(), kgo.ConsumeTopics("^(?:" + include + ")$")}, nil
	}
	return settings, []kgo.Opt{kgo.ConsumeTopics(topic)}, nil
}

func (r *consumerRun) begin(hideHeader bool) {
	if !hideHeader {
		first := "start.time, end.time"
		if r.detailed {
			first = "time, threadId"
		}
		r.s.Printf("%s, data.consumed.in.MB, MB.sec, data.consumed.in.nMsg, nMsg.sec, rebalance.time.ms, fetch.time.ms, fetch.MB.sec, fetch.nMsg.sec\n", first)
	}
	r.start = time.Now()
	r.reported = r.start
	r.joining.Store(r.start.UnixNano())
}

func (r *consumerRun) read(ctx context.Context, commits *client.Committer) {
	last := time.Now()
	for r.records < r.wanted && time.Since(last) <= r.timeout && ctx.Err() == nil {
		commits.Due(ctx)
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
			commits.Read(rec)
		}
	}
	if r.records < r.wanted {
		r.s.Printf("WARNING: Exiting before consuming the expected number of records: timeout (%d ms) exceeded. You can use the --timeout option to increase the timeout.\n", r.timeout.Milliseconds())
	}
	if !r.detailed {
		r.summary(time.Now())
	}
}

// progress prints a line about the records read since the last line.
func (r *consumerRun) progress(now time.Time) {
	joined := time.Duration(r.joined.Load())
	if r.detailed {
		elapsed := now.Sub(r.reported)
		join := joined - r.lastJoined
		r.s.Printf("%s, 0, %s\n", formatTime(now, r.format), rates(r.bytes, r.bytes-r.lastByt, r.records, r.records-r.lastRec, elapsed, join))
	}
	r.reported, r.lastRec, r.lastByt, r.lastJoined = now, r.records, r.bytes, joined
}

func (r *consumerRun) summary(now time.Time) {
	r.s.Printf("%s, %s, %s\n", formatTime(r.start, r.format), formatTime(now, r.format),
		rates(r.bytes, r.bytes, r.records, r.records, now.Sub(r.start), time.Duration(r.joined.Load())))
}

// rates formats the columns after the times: the totals, the rates since the last line, and the rates without the time that
// joining the group took.
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

func (r *consumerRun) metrics() map[string]string {
	return map[string]string{
		"consumer-fetch-manager-metrics:bytes-consumed-total":   fmt.Sprintf("%.3f", float64(r.bytes)),
		"consumer-fetch-manager-metrics:records-consumed-total": fmt.Sprintf("%.3f", float64(r.records)),
		"app-info:start-time-ms":                                fmt.Sprint(r.start.UnixMilli()),
	}
}

// formatTime formats a time by a Java date format. It copies letters that it does not know.
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
