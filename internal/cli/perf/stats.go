// Package perf owns kafka-producer-perf-test and kafka-consumer-perf-test.
package perf

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/botehq/bote/internal/cli/argp"
	"github.com/botehq/bote/internal/cli/tool"
)

// payloads makes the values of records. It uses buffers of random letters again once their records are sent.
type payloads struct {
	fixed     [][]byte
	monotonic bool
	size      int
	free      sync.Pool
}

func newPayloads(s *tool.Streams, set *argp.Set) (*payloads, error) {
	p := &payloads{monotonic: set.Has("payload-monotonic"), size: int(set.Int("record-size", 0))}
	if file := set.Text("payload-file", ""); file != "" {
		var err error
		p.fixed, err = payloadFile(s, file, set.Text("payload-delimiter", `\n`))
		return p, err
	}
	return p, nil
}

// next returns the value of record i. Only one goroutine may call next; any goroutine may call release.
func (p *payloads) next(i int64) []byte {
	switch {
	case p.fixed != nil:
		return p.fixed[rand.IntN(len(p.fixed))] //nolint:gosec // not a secret
	case p.monotonic:
		return strconv.AppendInt(nil, i, 10)
	}
	b, ok := p.free.Get().(*[]byte)
	if !ok {
		b = new(make([]byte, p.size))
	}
	for j := range *b {
		(*b)[j] = byte('A' + rand.IntN(26)) //nolint:gosec // not a secret
	}
	return *b
}

func (p *payloads) release(b []byte) {
	if p.fixed == nil && !p.monotonic {
		p.free.Put(&b)
	}
}

// stats counts records, bytes and latencies, in total and since the last progress line.
type stats struct {
	s        *tool.Streams
	interval time.Duration
	what     string
	start    time.Time

	mu        sync.Mutex
	latencies []int32 // milliseconds
	bytes     int64
	total     int64
	longest   int64
	window    window
}

type window struct {
	start                          time.Time
	records, bytes, total, longest int64
}

func newStats(s *tool.Streams, interval time.Duration, what string) *stats {
	now := time.Now()
	return &stats{s: s, interval: interval, what: what, start: now, window: window{start: now}}
}

// add counts a record whose answer has just come.
func (p *stats) add(sent time.Time, size int) {
	now := time.Now()
	latency := now.Sub(sent).Milliseconds()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.latencies = append(p.latencies, int32(latency))
	p.bytes += int64(size)
	p.total += latency
	p.longest = max(p.longest, latency)
	w := &p.window
	w.records, w.bytes, w.total, w.longest = w.records+1, w.bytes+int64(size), w.total+latency, max(w.longest, latency)
	if elapsed := now.Sub(w.start); elapsed >= p.interval {
		seconds := elapsed.Seconds()
		p.s.Printf("%d records sent, %.1f records/sec (%.2f MB/sec), %.1f ms avg latency, %.1f ms max latency.\n",
			w.records, float64(w.records)/seconds, float64(w.bytes)/seconds/(1<<20), float64(w.total)/float64(w.records), float64(w.longest))
		p.window = window{start: now}
	}
}

// summary prints the last line.
func (p *stats) summary() {
	p.mu.Lock()
	defer p.mu.Unlock()
	seconds := max(time.Since(p.start).Seconds(), 0.001)
	n := int64(len(p.latencies))
	slices.Sort(p.latencies)
	at := func(share float64) int32 {
		if n == 0 {
			return 0
		}
		return p.latencies[int64(share*float64(n))]
	}
	p.s.Printf("%d%s records sent, %f records/sec (%.2f MB/sec), %.2f ms avg latency, %.2f ms max latency, %d ms 50th, %d ms 95th, %d ms 99th, %d ms 99.9th.\n",
		n, p.what, float64(n)/seconds, float64(p.bytes)/seconds/(1<<20), float64(p.total)/float64(max(n, 1)), float64(p.longest),
		at(0.5), at(0.95), at(0.99), at(0.999))
}

// metrics returns the values for --print-metrics.
func (p *stats) metrics() map[string]string {
	p.mu.Lock()
	defer p.mu.Unlock()
	seconds := max(time.Since(p.start).Seconds(), 0.001)
	n := float64(len(p.latencies))
	return map[string]string{
		"producer-metrics:outgoing-byte-total": fmt.Sprintf("%.3f", float64(p.bytes)),
		"producer-metrics:record-send-rate":    fmt.Sprintf("%.3f", n/seconds),
		"producer-metrics:record-send-total":   fmt.Sprintf("%.3f", n),
		"producer-metrics:request-latency-avg": fmt.Sprintf("%.3f", float64(p.total)/max(n, 1)),
		"producer-metrics:request-latency-max": fmt.Sprintf("%.3f", float64(p.longest)),
		"app-info:start-time-ms":               strconv.FormatInt(p.start.UnixMilli(), 10),
	}
}

// printMetrics prints metrics as Kafka's tools do: sorted, the values in a column.
func printMetrics(s *tool.Streams, client string, values map[string]string) {
	values["app-info:commit-id"], values["app-info:version"] = tool.BuildVersion(), tool.KafkaVersion
	width := 0
	name := func(k string) string { return k + ":{client-id=" + client + "}" }
	for k := range values {
		width = max(width, len(name(k)))
	}
	s.Printf("\n%-*s   Value\n", width, "Metric Name")
	for _, k := range slices.Sorted(maps.Keys(values)) {
		s.Printf("%-*s : %s\n", width, name(k), values[k])
	}
}
