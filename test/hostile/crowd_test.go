package hostile_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// crowd is how many clients of each kind there are, and how many megabytes are
// written.
type crowd struct {
	slow, stalled, idle int
	megabytes           int
}

// size returns the crowd; with BOTE_HEAVY=1 it is a thousand readers and a thousand
// idle clients.
func size() crowd {
	if os.Getenv("BOTE_HEAVY") != "" {
		return crowd{slow: 800, stalled: 200, idle: 1000, megabytes: 512}
	}
	return crowd{slow: 40, stalled: 10, idle: 50, megabytes: 32}
}

// Limits of this test's broker. Its process may use at most twice the configured
// bytes, because of the garbage collector, 30 KB for each connection, and 100 MiB
// for the broker itself.
const (
	answerBytes  = 32 << 20
	requestBytes = 104857600 // not less than the largest request
	rssBound     = 2*answerBytes + 2*requestBytes + 2000*30_000 + 100<<20
	slowdown     = 6 // how many times slower the producer may be in the crowd, which needs processor time too
	readable     = 8 // MiB in the topic that the crowd reads
)

// TestCrowd: a thousand clients that read slowly or not at all, a thousand that say
// nothing, and a producer at full speed. The process stays small and the producer
// is hardly slowed. In the end every slow consumer has every record, and every
// stalled one is disconnected or has what it asked for.
func TestCrowd(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("reads the memory of a process from /proc")
	}
	c := size()
	b := startBroker(t)
	fill(t, b.addr, "read", readable)
	alone := fill(t, b.addr, "alone", c.megabytes)

	for range c.idle {
		idle := b.dial(t)
		_, err := idle.Write([]byte{0, 0, 0, 15, 0, 3, 0, 1, 0, 0, 0, 1, 0, 1, 'x', 0, 0, 0, 0})
		require.NoError(t, err)
	}
	hurry := make(chan struct{})
	var all sync.WaitGroup
	var complete, disconnected atomic.Int32
	for i := range c.slow + c.stalled {
		r := &reader{conn: b.dial(t), hurry: hurry, stalls: i >= c.slow}
		all.Go(func() {
			switch err := r.read(readable << 10); {
			case err == nil:
				complete.Add(1)
			case cut(err):
				disconnected.Add(1)
			default:
				t.Errorf("consumer %d: %v", i, err)
			}
		})
	}
	crowded := fill(t, b.addr, "crowded", c.megabytes)
	close(hurry)
	all.Wait()
	rss := b.peakRSS(t)
	t.Logf("%d slow, %d stalled, %d idle clients: producer alone %.0f MB/s, in the crowd %.0f MB/s; %d consumers complete, %d disconnected; the process had at most %d MiB (bound %d)",
		c.slow, c.stalled, c.idle, alone, crowded, complete.Load(), disconnected.Load(), rss>>20, rssBound>>20)
	t.Log(b.memory(t))
	require.Less(t, rss, rssBound)
	require.Greater(t, crowded*slowdown, alone)
	require.GreaterOrEqual(t, int(complete.Load()), c.slow*9/10, "slow is not stalled")
}

// cut reports whether the broker hung up. A reader sees that as the end of the
// stream.
func cut(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || strings.Contains(err.Error(), "reset by peer") || strings.Contains(err.Error(), "broken pipe")
}

// process is the real broker.
type process struct {
	addr, console string
	cmd           *exec.Cmd
	log           bytes.Buffer
}

func startBroker(t *testing.T) *process {
	t.Helper()
	dir := t.TempDir()
	binary := filepath.Join(dir, "bote")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "github.com/botehq/bote/cmd/bote").CombinedOutput()
	require.NoError(t, err, string(out))
	b := &process{addr: freeAddr(t), console: freeAddr(t)}
	b.cmd = exec.Command(binary, "serve", "--data-dir", filepath.Join(dir, "data"), "--listen", b.addr, "--set", "console.listeners="+b.console,
		"--set", fmt.Sprintf("queued.max.response.bytes=%d", answerBytes), "--set", fmt.Sprintf("queued.max.request.bytes=%d", requestBytes),
		"--set", "socket.stall.timeout.ms=2000")
	b.cmd.Stdout, b.cmd.Stderr = &b.log, &b.log
	require.NoError(t, b.cmd.Start())
	t.Cleanup(func() {
		_ = b.cmd.Process.Kill()
		_ = b.cmd.Wait() // killed
		if t.Failed() {
			t.Log(b.log.String())
		}
	})
	require.Eventually(t, func() bool {
		code, _, err := b.get(t, "/readyz")
		return err == nil && code == http.StatusOK
	}, 20*time.Second, 20*time.Millisecond)
	return b
}

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, l.Close()) }()
	return l.Addr().String()
}

func (b *process) dial(t *testing.T) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", b.addr)
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func (b *process) get(t *testing.T, path string) (int, string, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+b.console+path, http.NoBody)
	require.NoError(t, err)
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body), err
}

// memory returns what the broker reports about its memory.
func (b *process) memory(t *testing.T) string {
	t.Helper()
	_, body, err := b.get(t, "/metrics")
	require.NoError(t, err)
	var out strings.Builder
	for line := range strings.Lines(body) {
		if strings.HasPrefix(line, "bote_memory_") || strings.HasPrefix(line, "bote_slow_") || strings.HasPrefix(line, "bote_connections ") {
			out.WriteString(line)
		}
	}
	return out.String()
}

// peakRSS returns the process's peak resident memory, in bytes.
func (b *process) peakRSS(t *testing.T) int {
	t.Helper()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", b.cmd.Process.Pid))
	require.NoError(t, err)
	for line := range strings.Lines(string(raw)) {
		if text, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			n, err := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(text), "kB")))
			require.NoError(t, err)
			return n << 10
		}
	}
	t.Fatal("no VmHWM")
	return 0
}

// fill writes records of 1 KiB to a topic as fast as it can, and returns the rate
// in MB/s.
func fill(t *testing.T, addr, topic string, megabytes int) float64 {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.AllowAutoTopicCreation(), kgo.DefaultProduceTopic(topic),
		kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.MaxBufferedRecords(20_000))
	require.NoError(t, err)
	defer client.Close()
	began := time.Now()
	value := make([]byte, 1<<10)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	for range megabytes << 10 {
		client.Produce(ctx, kgo.SliceRecord(value), func(_ *kgo.Record, err error) {
			if err != nil {
				t.Errorf("produce: %v", err)
			}
		})
	}
	require.NoError(t, client.Flush(ctx))
	return float64(megabytes) / time.Since(began).Seconds()
}

// reader is a consumer that reads slowly until it is told to hurry.
type reader struct {
	conn   net.Conn
	hurry  <-chan struct{}
	stalls bool // it reads nothing at all until then
}

// read fetches the topic until it has a number of records.
func (r *reader) read(records int64) error {
	if err := r.conn.(*net.TCPConn).SetReadBuffer(16 << 10); err != nil {
		return err
	}
	for next := int64(0); next < records; {
		if _, err := r.conn.Write(fetchFrom("read", next)); err != nil {
			return err
		}
		if r.stalls {
			<-r.hurry
		}
		var head [8]byte
		if _, err := io.ReadFull(r.conn, head[:]); err != nil {
			return err
		}
		answer := make([]byte, binary.BigEndian.Uint32(head[:])-4)
		if err := r.slowly(answer); err != nil {
			return err
		}
		after, err := offsetAfter(answer, next)
		if err != nil {
			return err
		}
		next = after
	}
	return nil
}

// slowly reads 40 KB per second.
func (r *reader) slowly(p []byte) error {
	const piece = 4 << 10
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for len(p) > 0 {
		select {
		case <-r.hurry:
			_, err := io.ReadFull(r.conn, p)
			return err
		case <-tick.C:
		}
		n := min(piece, len(p))
		if _, err := io.ReadFull(r.conn, p[:n]); err != nil {
			return err
		}
		p = p[n:]
	}
	return nil
}

func fetchFrom(topic string, offset int64) []byte {
	req := kmsg.NewPtrFetchRequest()
	req.Version, req.MaxBytes, req.MinBytes, req.MaxWaitMillis, req.SessionEpoch = 11, 50<<20, 1, 500, -1
	ft, fp := kmsg.NewFetchRequestTopic(), kmsg.NewFetchRequestTopicPartition()
	fp.PartitionMaxBytes, fp.FetchOffset = 50<<20, offset
	ft.Topic, ft.Partitions = topic, append(ft.Partitions, fp)
	req.Topics = append(req.Topics, ft)
	return sized(append([]byte{0, 1, 0, 11, 0, 0, 0, 1, 0xff, 0xff}, req.AppendTo(nil)...))
}

// offsetAfter checks that an answer holds whole batches from an offset on, and
// returns the offset behind them.
func offsetAfter(answer []byte, next int64) (int64, error) {
	resp := kmsg.NewPtrFetchResponse()
	resp.Version = 11
	if err := resp.ReadFrom(answer); err != nil {
		return 0, err
	}
	part := &resp.Topics[0].Partitions[0]
	if part.ErrorCode != 0 {
		return 0, fmt.Errorf("error code %d", part.ErrorCode)
	}
	for p := part.RecordBatches; len(p) > 61; {
		size := 12 + int(binary.BigEndian.Uint32(p[8:]))
		if size > len(p) {
			break // the last batch may be cut off
		}
		base, last := int64(binary.BigEndian.Uint64(p)), int64(binary.BigEndian.Uint32(p[23:]))
		if base > next {
			return 0, fmt.Errorf("records from %d to %d are missing", next, base)
		}
		next = base + last + 1
		p = p[size:]
	}
	return next, nil
}
