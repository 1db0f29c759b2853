// Package crash kills the real broker with kill -9, again and again, while clients
// write, and checks that what it acknowledged is there: every record of producers
// with acks=all, none of an idempotent producer's twice, and no committed offset
// that goes back.
package crash_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// rounds is how often the broker is killed; BOTE_CRASH_ROUNDS changes it.
func rounds(t *testing.T) int {
	t.Helper()
	if text := os.Getenv("BOTE_CRASH_ROUNDS"); text != "" {
		n, err := strconv.Atoi(text)
		require.NoError(t, err)
		return n
	}
	return 3
}

const (
	topic      = "history"
	partitions = 4
	group      = "readers"
)

// daemon is the broker as a process.
type daemon struct {
	binary, config, addr string
	cmd                  *exec.Cmd
	log                  bytes.Buffer
}

// newDaemon builds the broker and its configuration.
func newDaemon(t *testing.T, data string) *daemon {
	t.Helper()
	d := &daemon{binary: build(t), config: filepath.Join(t.TempDir(), "server.properties"), addr: fmt.Sprintf("127.0.0.1:%d", freePort(t))}
	text := fmt.Sprintf("process.roles=broker,controller\nnode.id=1\nlisteners=PLAINTEXT://%s,CONTROLLER://127.0.0.1:%d\nadvertised.listeners=PLAINTEXT://%s\n"+
		"controller.listener.names=CONTROLLER\ncontroller.quorum.voters=1@127.0.0.1:9093\nlog.dirs=%s\nlog.segment.bytes=1048576\ngroup.initial.rebalance.delay.ms=0\n",
		d.addr, freePort(t), d.addr, filepath.ToSlash(data))
	require.NoError(t, os.WriteFile(d.config, []byte(text), 0o600))
	return d
}

func build(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "bote")
	if runtime.GOOS == "windows" {
		binary += ".exe"
	}
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "github.com/botehq/bote/cmd/bote")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	return binary
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, l.Close()) }()
	return l.Addr().(*net.TCPAddr).Port
}

// start starts the broker and returns how long it took until it answered.
func (d *daemon) start(t *testing.T) time.Duration {
	t.Helper()
	began := time.Now()
	d.cmd = exec.Command(d.binary, "serve", "--config", d.config)
	d.cmd.Stdout, d.cmd.Stderr = &d.log, &d.log
	require.NoError(t, d.cmd.Start())
	for {
		c, err := net.Dial("tcp", d.addr)
		if err == nil {
			// A Metadata request of version 1 for no topics.
			_, err = c.Write([]byte{0, 0, 0, 15, 0, 3, 0, 1, 0, 0, 0, 1, 0, 1, 'x', 0, 0, 0, 0})
			if err == nil {
				_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
				_, err = c.Read(make([]byte, 4))
			}
			_ = c.Close()
			if err == nil {
				return time.Since(began)
			}
		}
		if time.Since(began) > 20*time.Second {
			t.Fatalf("the broker does not answer:\n%s", d.log.String())
		}
		runtime.Gosched()
	}
}

func (d *daemon) kill(t *testing.T) {
	t.Helper()
	require.NoError(t, d.cmd.Process.Kill())
	_ = d.cmd.Wait() // killed
}

// history is what clients were told.
type history struct {
	mu    sync.Mutex
	acked map[string]int64 // value to offset
	sent  atomic.Int64
}

func (h *history) ack(r *kgo.Record) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.acked[string(r.Value)] = r.Offset
}

// produce writes unique values until ctx ends.
func (h *history) produce(ctx context.Context, t *testing.T, addr, name string, opts ...kgo.Opt) {
	t.Helper()
	client, err := kgo.NewClient(append(opts, kgo.SeedBrokers(addr), kgo.DefaultProduceTopic(topic), kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.RecordPartitioner(kgo.RoundRobinPartitioner()), kgo.MaxBufferedRecords(200), kgo.RetryTimeout(time.Minute),
		kgo.MetadataMinAge(50*time.Millisecond), kgo.RetryBackoffFn(func(int) time.Duration { return 20 * time.Millisecond }))...)
	if err != nil {
		t.Errorf("client: %v", err)
		return
	}
	defer client.Close()
	for i := 0; ctx.Err() == nil; i++ {
		h.sent.Add(1)
		client.Produce(ctx, &kgo.Record{Value: fmt.Appendf(nil, "%s-%d", name, i)}, func(r *kgo.Record, err error) {
			if err == nil {
				h.ack(r)
			}
		})
	}
	flush, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	_ = client.Flush(flush) // what is not flushed was not acknowledged
}

// consume reads in a group and commits, and remembers the highest commits that
// were acknowledged.
func (h *history) consume(ctx context.Context, t *testing.T, addr string, committed *sync.Map) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.DisableAutoCommit(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.MetadataMinAge(50*time.Millisecond), kgo.FetchMaxWait(100*time.Millisecond),
		kgo.RetryBackoffFn(func(int) time.Duration { return 20 * time.Millisecond }))
	if err != nil {
		t.Errorf("client: %v", err)
		return
	}
	defer client.CloseAllowingRebalance()
	for ctx.Err() == nil {
		records := client.PollFetches(ctx).Records()
		if len(records) == 0 {
			continue
		}
		if client.CommitRecords(ctx, records...) == nil {
			for _, r := range records {
				if old, ok := committed.Load(r.Partition); !ok || old.(int64) < r.Offset+1 {
					committed.Store(r.Partition, r.Offset+1)
				}
			}
		}
	}
}

func TestKill(t *testing.T) {
	n := rounds(t)
	d := newDaemon(t, filepath.Join(t.TempDir(), "log"))
	d.start(t)
	admin, err := kgo.NewClient(kgo.SeedBrokers(d.addr), kgo.MetadataMinAge(50*time.Millisecond))
	require.NoError(t, err)
	defer admin.Close()
	_, err = kadm.NewClient(admin).CreateTopic(t.Context(), partitions, 1, nil, topic)
	require.NoError(t, err)

	ctx, stop := context.WithCancel(t.Context())
	plain, idempotent := &history{acked: map[string]int64{}}, &history{acked: map[string]int64{}}
	var committed sync.Map
	var wg sync.WaitGroup
	wg.Go(func() {
		plain.produce(ctx, t, d.addr, "plain", kgo.DisableIdempotentWrite(), kgo.MaxProduceRequestsInflightPerBroker(1))
	})
	wg.Go(func() { idempotent.produce(ctx, t, d.addr, "idem") })
	wg.Go(func() { plain.consume(ctx, t, d.addr, &committed) })

	var slowest time.Duration
	rng := rand.New(rand.NewPCG(1, 2))
	for round := range n {
		timer := time.NewTimer(time.Duration(300+rng.IntN(700)) * time.Millisecond)
		<-timer.C
		before := commits(&committed)
		d.kill(t)
		slowest = max(slowest, d.start(t))
		after, err := fetchOffsets(t.Context(), admin)
		require.NoError(t, err)
		for p, offset := range before {
			require.GreaterOrEqual(t, after[p], offset, "round %d: the committed offset of partition %d went back", round, p)
		}
	}
	stop()
	wg.Wait()
	found, duplicates := readAll(t, d.addr)
	for _, h := range []*history{plain, idempotent} {
		require.NotEmpty(t, h.acked)
		for value, offset := range h.acked {
			at, ok := found[value]
			require.True(t, ok, "acknowledged and lost: %s at %d", value, offset)
			require.Contains(t, at, offset, value)
		}
	}
	for value, times := range duplicates {
		require.False(t, bytes.HasPrefix([]byte(value), []byte("idem")), "%s is there %d times", value, times)
	}
	d.kill(t)
	t.Logf("%d kills; acknowledged: %d plain, %d idempotent; lost 0; duplicates of plain producers %d, of idempotent ones 0; slowest start %v",
		n, len(plain.acked), len(idempotent.acked), len(duplicates), slowest.Round(time.Millisecond))
}

func commits(m *sync.Map) map[int32]int64 {
	out := map[int32]int64{}
	m.Range(func(k, v any) bool {
		out[k.(int32)] = v.(int64)
		return true
	})
	return out
}

// fetchOffsets asks until the coordinator has loaded.
func fetchOffsets(ctx context.Context, client *kgo.Client) (map[int32]int64, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		resp, err := kadm.NewClient(client).FetchOffsets(ctx, group)
		if err == nil && resp.Error() == nil {
			out := map[int32]int64{}
			resp.Each(func(o kadm.OffsetResponse) { out[o.Partition] = o.At })
			return out, nil
		}
		if ctx.Err() != nil {
			return nil, errors.Join(err, ctx.Err())
		}
	}
}

// readAll reads the topic from the start to the end.
func readAll(t *testing.T, addr string) (found map[string][]int64, duplicates map[string]int) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	require.NoError(t, err)
	defer client.Close()
	ends, err := kadm.NewClient(client).ListEndOffsets(t.Context(), topic)
	require.NoError(t, err)
	want := int64(0)
	ends.Each(func(o kadm.ListedOffset) { want += o.Offset })
	found, duplicates = map[string][]int64{}, map[string]int{}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for got := int64(0); got < want; {
		fetches := client.PollFetches(ctx)
		require.NoError(t, fetches.Err())
		fetches.EachRecord(func(r *kgo.Record) {
			got++
			value := string(r.Value)
			found[value] = append(found[value], r.Offset)
			if n := len(found[value]); n > 1 {
				duplicates[value] = n
			}
		})
	}
	return found, duplicates
}
