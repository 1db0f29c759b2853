package delivery

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The crash test runs this test binary as a child that consumes, and dies by
// kill -9 at a named point, over and over. crashEnv names the point.
const (
	crashEnv        = "BOTE_DELIVERY_CRASH"
	crashBrokersEnv = "BOTE_DELIVERY_BROKERS"
	crashSurvive    = "nowhere"
	crashAfter      = 3 // the child dies when it passes the point for this time
	crashRounds     = 2
	crashRecords    = 24
)

// killer dies at the point named by crashEnv.
type killer struct {
	point string
	hits  atomic.Int64
}

func (k *killer) at(point string) {
	if point == k.point && k.hits.Add(1) == crashAfter {
		self, err := os.FindProcess(os.Getpid())
		if err == nil {
			_ = self.Kill()
		}
		select {} // the signal is on its way.
	}
}

// OnBrokerWrite dies when a request was sent and its answer has not come.
func (k *killer) OnBrokerWrite(_ kgo.BrokerMetadata, key int16, _ int, _, _ time.Duration, _ error) {
	switch kmsg.Key(key) {
	case kmsg.Produce:
		k.at("published, not acked")
	case kmsg.OffsetCommit:
		k.at("during commit")
	default:
	}
}

// OnBrokerConnect implements kgo.HookBrokerConnect. It does nothing.
func (*killer) OnBrokerConnect(kgo.BrokerMetadata, time.Duration, net.Conn, error) {}

// crashChild consumes until its input ends or it dies. Each delivery is a line
// on its output.
func crashChild() {
	k := &killer{point: os.Getenv(crashEnv)}
	c, err := Dial([]string{os.Getenv(crashBrokersEnv)}, WithKgo(kgo.WithHooks(k)))
	exitOn(err)
	c.probe = k.at
	l, err := Listen(c, NewTopic("m", text), "g", func(_ context.Context, m *Message[string]) error {
		if _, err := fmt.Fprintf(os.Stdout, "%s %d\n", m.Value, m.Attempt()); err != nil {
			return err
		}
		k.at("in handler")
		switch {
		case strings.HasPrefix(m.Value, "bad"):
			return Permanent(errBoom)
		case strings.HasPrefix(m.Value, "later") && m.Attempt() == 1:
			return errBoom
		}
		return nil
	}, RetryTopics(Fixed(50*time.Millisecond)), CommitEach(),
		Kgo(kgo.SessionTimeout(500*time.Millisecond), kgo.HeartbeatInterval(100*time.Millisecond)))
	exitOn(err)
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	exitOn(l.Run(ctx))
	c.Close()
}

func exitOn(err error) {
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// Kill -9 at each point, several times: every record is handled or
// dead-lettered at least once, none is lost, duplicates are counted.
func TestKill(t *testing.T) {
	for _, point := range []string{
		"before handler", "in handler", "after handler", "before publish",
		"published, not acked", "published", "before commit", "during commit",
	} {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			testKill(t, point)
		})
	}
}

func testKill(t *testing.T, point string) {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, "m"), kfake.GroupMinSessionTimeout(100*time.Millisecond))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	c, err := Dial(cluster.ListenAddrs())
	require.NoError(t, err)
	t.Cleanup(c.Close)
	want := sendForCrash(t, c)

	handled := map[string]int{}
	for range crashRounds {
		child := startChild(t, cluster.ListenAddrs()[0], point)
		child.collect(handled)
		require.True(t, child.killed(), "the child died by itself: %s", child.errs.String())
	}
	child := startChild(t, cluster.ListenAddrs()[0], crashSurvive)
	go func() {
		awaitCommitted(t, c)
		_ = child.in.Close()
	}()
	child.collect(handled)
	require.NoError(t, child.cmd.Wait(), child.errs.String())

	duplicates := 0
	for _, v := range want {
		require.Positive(t, handled[v+" 1"], "%s was lost", v)
		duplicates += handled[v+" 1"] - 1
		if strings.HasPrefix(v, "later") {
			require.Positive(t, handled[v+" 2"], "the retry of %s was lost", v)
		}
	}
	dead := map[string]int{}
	for _, r := range readAll(t, cluster, "m-dlt") {
		dead[string(r.Value)]++
	}
	for _, v := range want {
		require.Equal(t, strings.HasPrefix(v, "bad"), dead[v] > 0, v)
	}
	t.Logf("%d records, %d kills, %d handled again", len(want), crashRounds, duplicates)
}

func sendForCrash(t *testing.T, c *Client) []string {
	t.Helper()
	var want []string
	var batch []Outgoing[string]
	for i := range crashRecords {
		v := fmt.Sprintf("ok%d", i)
		switch i % 3 {
		case 1:
			v = fmt.Sprintf("bad%d", i)
		case 2:
			v = fmt.Sprintf("later%d", i)
		}
		want = append(want, v)
		batch = append(batch, Outgoing[string]{Value: v, Options: []SendOption{Partition(int32(i % 2))}})
	}
	_, err := NewTopic("m", text).SendBatch(t.Context(), c, batch)
	require.NoError(t, err)
	return want
}

// child is a child process.
type child struct {
	cmd  *exec.Cmd
	in   io.Closer
	out  io.Reader
	errs *strings.Builder
}

func startChild(t *testing.T, broker, point string) *child {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	c := &child{cmd: exec.CommandContext(t.Context(), self), errs: &strings.Builder{}}
	c.cmd.Env = append(os.Environ(), crashEnv+"="+point, crashBrokersEnv+"="+broker)
	c.cmd.Stderr = c.errs
	c.in, err = c.cmd.StdinPipe()
	require.NoError(t, err)
	c.out, err = c.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, c.cmd.Start())
	return c
}

// collect counts deliveries until the child is gone.
func (c *child) collect(handled map[string]int) {
	s := bufio.NewScanner(c.out)
	for s.Scan() {
		handled[s.Text()]++
	}
}

// killed waits for the end of a child that must not end by itself.
func (c *child) killed() bool {
	err := c.cmd.Wait()
	var exit *exec.ExitError
	return errors.As(err, &exit) && !exit.Exited()
}

// awaitCommitted waits until both groups have committed all there is.
func awaitCommitted(t *testing.T, c *Client) {
	t.Helper()
	adm := kadm.NewClient(c.sends)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for range tick.C {
		if t.Context().Err() != nil || allCommitted(t.Context(), adm, "g", "m") && allCommitted(t.Context(), adm, "g-retry", "m-retry") {
			return
		}
	}
}

// allCommitted tells whether a group has committed the end of each partition
// that has records.
func allCommitted(ctx context.Context, adm *kadm.Client, group, topic string) bool {
	ends, err := adm.ListEndOffsets(ctx, topic)
	if err != nil {
		return false
	}
	commits, err := adm.FetchOffsets(ctx, group)
	if err != nil {
		return false
	}
	done := true
	ends.Each(func(o kadm.ListedOffset) {
		c, _ := commits.Lookup(topic, o.Partition)
		done = done && o.Err == nil && c.At >= o.Offset
	})
	return done
}

func readAll(t *testing.T, cluster *kfake.Cluster, topic string) []*kgo.Record {
	t.Helper()
	want := 0
	for _, p := range cluster.PartitionInfos(topic) {
		want += int(p.HighWatermark)
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.ConsumeTopics(topic))
	require.NoError(t, err)
	defer cl.Close()
	var out []*kgo.Record
	for len(out) < want {
		f := cl.PollFetches(t.Context())
		require.NoError(t, f.Err())
		out = append(out, f.Records()...)
	}
	return out
}
