//go:build unix

package delivery_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/botehq/bote/botetest"
	"github.com/botehq/bote/delivery"
	"github.com/botehq/bote/delivery/codec"
)

// small is a record of about 64 bytes with its key: a number and a text.
type small struct {
	N    int    `json:"n"`
	Text string `json:"text"`
}

const (
	benchPartitions = 8
	benchBacklog    = 1_000_000
)

// backlog is a broker on disk, in this process, with a backlog to read.
type backlog struct {
	client *delivery.Client
	topic  delivery.Topic[small]
	bytes  int64 // on the disk
}

// fetched counts the bytes of fetch responses.
type fetched struct{ atomic.Int64 }

// OnBrokerRead implements kgo.HookBrokerRead.
func (f *fetched) OnBrokerRead(_ kgo.BrokerMetadata, key int16, n int, _, _ time.Duration, _ error) {
	if key == 1 {
		f.Add(int64(n))
	}
}

func newBacklog(b *testing.B, records int, opts ...delivery.ClientOption) *backlog {
	b.Helper()
	broker := botetest.New(b, botetest.WithDataDir(b.TempDir()), botetest.WithProperty("log.flush", "commit"))
	c, err := delivery.Dial([]string{broker.Addr()}, append(opts, delivery.WithLogger(slog.New(slog.DiscardHandler)))...)
	require.NoError(b, err)
	b.Cleanup(c.Close)
	adm := kadm.NewClient(c.Kgo())
	_, err = adm.CreateTopic(b.Context(), benchPartitions, 1, nil, "small")
	require.NoError(b, err)
	cl, err := c.NewKgo(kgo.ProducerLinger(5 * time.Millisecond))
	require.NoError(b, err)
	defer cl.Close()
	for i := range records {
		v, err := json.Marshal(small{i, "thirty characters of some text"})
		require.NoError(b, err)
		cl.Produce(b.Context(), &kgo.Record{Topic: "small", Key: strconv.AppendInt(nil, int64(i), 10), Value: v}, func(_ *kgo.Record, err error) {
			if err != nil {
				b.Error(err)
			}
		})
	}
	require.NoError(b, cl.Flush(b.Context()))
	dirs, err := adm.DescribeAllLogDirs(b.Context(), nil)
	require.NoError(b, err)
	s := &backlog{client: c, topic: delivery.NewTopic("small", codec.JSON[small]())}
	dirs.Each(func(d kadm.DescribedLogDir) {
		for _, p := range d.Topics["small"] {
			s.bytes += p.Size
		}
	})
	return s
}

// usage is what a run used.
type usage struct {
	begun time.Time
	cpu   time.Duration
	peak  atomic.Int64 // RSS in KiB
	stop  chan struct{}
	done  chan struct{}
}

func cpuTime() time.Duration {
	var r syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// rss is the resident set of this process in KiB.
func rss() int64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			n, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return n
		}
	}
	return 0
}

func measure() *usage {
	debug.FreeOSMemory() // the memory that making the backlog needed.
	u := &usage{begun: time.Now(), cpu: cpuTime(), stop: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(u.done)
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			u.peak.Store(max(u.peak.Load(), rss()))
			select {
			case <-tick.C:
			case <-u.stop:
				return
			}
		}
	}()
	return u
}

func (u *usage) report(b *testing.B, records int) {
	b.Helper()
	wall, cpu := time.Since(u.begun), cpuTime()-u.cpu
	close(u.stop)
	<-u.done
	b.ReportMetric(float64(records)/wall.Seconds(), "records/s")
	b.ReportMetric(float64(cpu.Nanoseconds())/1e3/float64(records), "cpu-us/record")
	b.ReportMetric(float64(u.peak.Load())/1024, "peak-rss-MiB")
}

// BenchmarkBacklog reads a backlog of small records from a broker on disk in
// this process: with a plain loop over franz-go, and with a listener.
func BenchmarkBacklog(b *testing.B) {
	b.Run("franz-go", func(b *testing.B) {
		var f fetched
		s := newBacklog(b, benchBacklog)
		b.ResetTimer()
		u := measure()
		for i := range b.N {
			plainLoop(b, s, fmt.Sprintf("plain-%d", i), &f)
		}
		u.report(b, benchBacklog*b.N)
		b.ReportMetric(float64(f.Load())/float64(s.bytes*int64(b.N)), "fetched/byte")
	})
	for _, tc := range []struct {
		name string
		opts []delivery.Option
	}{
		{"listen", nil},
		{"listen-tiers", []delivery.Option{delivery.RetryTopics()}},
		{"listen-unordered", []delivery.Option{delivery.Unordered()}},
	} {
		b.Run(tc.name, func(b *testing.B) {
			var f fetched
			s := newBacklog(b, benchBacklog)
			b.ReportAllocs()
			b.ResetTimer()
			u := measure()
			for i := range b.N {
				listenTo(b, s, fmt.Sprintf("listen-%d", i), append(tc.opts, delivery.Kgo(kgo.WithHooks(&f))))
			}
			u.report(b, benchBacklog*b.N)
			b.ReportMetric(float64(f.Load())/float64(s.bytes*int64(b.N)), "fetched/byte")
		})
	}
}

func plainLoop(b *testing.B, s *backlog, group string, f *fetched) {
	b.Helper()
	cl, err := s.client.NewKgo(kgo.ConsumerGroup(group), kgo.ConsumeTopics("small"), kgo.WithHooks(f))
	require.NoError(b, err)
	defer cl.Close()
	for n := 0; n < benchBacklog; {
		fetches := cl.PollFetches(b.Context())
		require.NoError(b, fetches.Err())
		fetches.EachRecord(func(r *kgo.Record) {
			var v small
			if err := json.Unmarshal(r.Value, &v); err != nil {
				b.Error(err)
			}
			n++
		})
	}
}

func listenTo(b *testing.B, s *backlog, group string, opts []delivery.Option) {
	b.Helper()
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	var n atomic.Int64
	l, err := delivery.Listen(s.client, s.topic, group, func(context.Context, *delivery.Message[small]) error {
		if n.Add(1) == benchBacklog {
			cancel()
		}
		return nil
	}, opts...)
	require.NoError(b, err)
	require.NoError(b, l.Run(ctx))
}

// BenchmarkSend sends small records: with franz-go, and with the library's own
// functions.
func BenchmarkSend(b *testing.B) {
	const records = 500_000
	v := small{1, "thirty characters of some text"}
	b.Run("franz-go", func(b *testing.B) {
		s := newBacklog(b, 1)
		b.ReportAllocs()
		b.ResetTimer()
		u := measure()
		for range b.N {
			for i := range records {
				data, err := json.Marshal(v)
				require.NoError(b, err)
				s.client.Kgo().Produce(b.Context(), &kgo.Record{Topic: "small", Key: strconv.AppendInt(nil, int64(i), 10), Value: data}, nil)
			}
			require.NoError(b, s.client.Flush(b.Context()))
		}
		u.report(b, records*b.N)
	})
	b.Run("SendAsync", func(b *testing.B) {
		s := newBacklog(b, 1)
		b.ReportAllocs()
		b.ResetTimer()
		u := measure()
		for range b.N {
			for i := range records {
				s.topic.SendAsync(b.Context(), s.client, strconv.Itoa(i), v, func(r delivery.Result) {
					if r.Err != nil {
						b.Error(r.Err)
					}
				})
			}
			require.NoError(b, s.client.Flush(b.Context()))
		}
		u.report(b, records*b.N)
	})
}
