// Package load is the client of the measurements. It produces to, consumes from,
// connects to and joins groups of any broker that speaks Kafka's protocol, in the
// same way for all, and reports what that cost the broker.
//
// It runs as its own process, so that its CPU time is separate from that of the
// process that starts the brokers, and prints its results as one JSON object. It
// starts no broker and compares nothing.
package load

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/botehq/bote/bench/proc"
)

// Names of what a run reports. A run leaves out what it does not measure.
const (
	Records     = "records"
	MB          = "mb"      // megabytes of 10^6 bytes of values
	Seconds     = "seconds" // from the first record or request to the last answer
	RecordsPerS = "records_per_s"
	MBPerS      = "mb_per_s"
	BrokerCPU   = "broker_cpu_s"
	CPUPerGB    = "broker_cpu_s_per_gb" // per 10^9 bytes of values
	Cores       = "broker_cores"        // CPU seconds per second
	ClientCPU   = "client_cpu_s"
	Resident    = "broker_rss_mb" // resident memory after the run
	Peak        = "broker_peak_rss_mb"
	Growth      = "broker_growth_kb" // of resident memory per connection or group
	GrowthMB    = "broker_growth_mb" // of resident memory in all
	DiskRead    = "disk_read_mb"
	P50         = "p50_ms"
	P99         = "p99_ms"
	P999        = "p999_ms"
	Max         = "max_ms"
)

// Result is what a run reports, by name.
type Result map[string]float64

// Options say what to do. If a field that a mode needs is zero, that is an error or
// the default of AddFlags.
type Options struct {
	Mode        string
	Bootstrap   string
	Topic       string
	Topics      int // mode partitions: how many topics, named Topic-0 and so on, if more than one
	Partitions  int // of each topic
	Records     int64
	Size        int
	Acks        string
	Compression string
	Linger      time.Duration
	Batch       int
	Rate        int
	Time        time.Duration
	Count       int // of connections or groups
	PID         int
	Fresh       bool
}

// AddFlags declares a flag for each option.
func (o *Options) AddFlags(f *flag.FlagSet) {
	f.StringVar(&o.Mode, "mode", "produce", "produce, consume, raw-produce, raw-consume, e2e, partitions, connections or groups. The raw modes send requests made beforehand and throw away what they fetch; the cluster must have one broker")
	f.StringVar(&o.Bootstrap, "bootstrap", "127.0.0.1:9092", "`host:port` of the broker")
	f.StringVar(&o.Topic, "topic", "load", "topic")
	f.IntVar(&o.Topics, "topics", 1, "partitions: this many topics, TOPIC-0 and so on if more than one")
	f.IntVar(&o.Partitions, "partitions", 6, "partitions of a topic")
	f.Int64Var(&o.Records, "records", 1_000_000, "produce, consume, and the raw modes: how many records")
	f.IntVar(&o.Size, "size", 1024, "bytes of a value")
	f.StringVar(&o.Acks, "acks", "all", "all or 1")
	f.StringVar(&o.Compression, "compression", "none", "none, lz4, zstd, snappy or gzip")
	f.DurationVar(&o.Linger, "linger", 5*time.Millisecond, "produce: how long a batch waits for more records")
	f.IntVar(&o.Batch, "batch", 262144, "most bytes of a batch")
	f.IntVar(&o.Rate, "rate", 1000, "e2e, partitions: records per second")
	f.DurationVar(&o.Time, "time", 15*time.Second, "e2e, partitions: how long")
	f.IntVar(&o.Count, "count", 1000, "connections, groups: how many")
	f.IntVar(&o.PID, "pid", 0, "process of the broker; without it, its CPU time and memory are not reported")
	f.BoolVar(&o.Fresh, "fresh", true, "create the topic anew")
}

// Args returns the options as arguments that AddFlags understands.
func (o *Options) Args() []string {
	return []string{
		"-mode", o.Mode, "-bootstrap", o.Bootstrap, "-topic", o.Topic, "-topics", fmt.Sprint(o.Topics), "-partitions", fmt.Sprint(o.Partitions),
		"-records", fmt.Sprint(o.Records), "-size", fmt.Sprint(o.Size), "-acks", o.Acks, "-compression", o.Compression, "-linger", o.Linger.String(),
		"-batch", fmt.Sprint(o.Batch), "-rate", fmt.Sprint(o.Rate), "-time", o.Time.String(), "-count", fmt.Sprint(o.Count), "-pid", fmt.Sprint(o.PID),
		fmt.Sprintf("-fresh=%t", o.Fresh),
	}
}

// Defaults returns the options without any arguments.
func Defaults() Options {
	var o Options
	o.AddFlags(flag.NewFlagSet("", flag.ContinueOnError))
	return o
}

// Main runs the load that the arguments describe, and writes its result as one line
// of JSON. It returns the exit code.
func Main(ctx context.Context, args []string, out, errOut io.Writer) int {
	flags := flag.NewFlagSet("load", flag.ContinueOnError)
	flags.SetOutput(errOut)
	var o Options
	o.AddFlags(flags)
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	result, err := Run(ctx, o)
	if err == nil {
		err = json.NewEncoder(out).Encode(result)
	}
	if err != nil {
		_, _ = fmt.Fprintf(errOut, "load: %s\n", err)
		return 1
	}
	return 0
}

// Run runs one load.
func Run(ctx context.Context, o Options) (Result, error) {
	modes := map[string]func(context.Context, *Options) (Result, error){
		"produce": produce, "consume": consume, "raw-produce": rawProduce, "raw-consume": rawConsume, "e2e": endToEnd, "partitions": partitions, "connections": connections, "groups": groups,
	}
	run, ok := modes[o.Mode]
	if !ok {
		return nil, fmt.Errorf("no mode %q", o.Mode)
	}
	result, err := run(ctx, &o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.Mode, err)
	}
	return result, nil
}

// names returns the names of the topics.
func (o *Options) names() []string {
	if o.Topics <= 1 {
		return []string{o.Topic}
	}
	names := make([]string, o.Topics)
	for i := range names {
		names[i] = fmt.Sprintf("%s-%d", o.Topic, i)
	}
	return names
}

// seeds returns the bootstrap addresses.
func (o *Options) seeds() []string { return strings.Split(o.Bootstrap, ",") }

// meter measures what happens from its creation until done: time, and the CPU time
// of the broker and of this process.
type meter struct {
	pid            int
	began          time.Time
	broker, client float64
	disk           float64
}

func newMeter(pid int) *meter {
	m := &meter{pid: pid, began: time.Now()}
	m.broker, m.client, m.disk = m.read()
	return m
}

// read returns CPU seconds and disk reads so far; what cannot be read is zero.
func (m *meter) read() (broker, client, disk float64) {
	if m.pid != 0 {
		broker, _ = proc.CPUSeconds(m.pid)
		disk, _ = proc.DiskReadMB(m.pid)
	}
	client, _ = proc.CPUSeconds(os.Getpid())
	return broker, client, disk
}

// done returns what was used for that many records and bytes of values.
func (m *meter) done(records, bytes int64) Result {
	seconds := time.Since(m.began).Seconds()
	broker, client, disk := m.read()
	mb := float64(bytes) / 1e6
	r := Result{
		Records: float64(records), MB: mb, Seconds: seconds,
		RecordsPerS: float64(records) / seconds, MBPerS: mb / seconds, ClientCPU: client - m.client,
	}
	if m.pid == 0 {
		return r
	}
	r[BrokerCPU], r[Cores], r[DiskRead] = broker-m.broker, (broker-m.broker)/seconds, disk-m.disk
	if mb > 0 {
		r[CPUPerGB] = r[BrokerCPU] / (mb / 1000)
	}
	if memory, err := proc.MemoryOf(m.pid); err == nil {
		r[Resident], r[Peak] = memory.Resident, memory.Peak
	}
	return r
}
