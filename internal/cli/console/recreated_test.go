package console

import (
	"bufio"
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote"
	"github.com/botehq/bote/botetest"
	"github.com/botehq/bote/internal/cli/clitest"
	"github.com/botehq/bote/internal/cli/tool"
)

// besideTool is a command that runs in the background of its test.
type besideTool struct {
	t     *testing.T
	in    *io.PipeWriter
	lines chan string
	warns chan string
	stop  context.CancelFunc
	ended chan int
}

func startTool(t *testing.T, run tool.Func, args ...string) *besideTool {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	in, feed := io.Pipe()
	shown, out := io.Pipe()
	remarked, remarks := io.Pipe()
	c := &besideTool{t: t, in: feed, lines: make(chan string, 1000), warns: make(chan string, 1000), stop: stop, ended: make(chan int, 1)}
	for from, to := range map[io.Reader]chan string{shown: c.lines, remarked: c.warns} {
		go func() {
			for scan := bufio.NewScanner(from); scan.Scan(); {
				to <- scan.Text()
			}
		}()
	}
	go func() {
		code := run(ctx, clitest.NewStreams(in, out, remarks), args)
		_, _ = out.Close(), remarks.Close()
		c.ended <- code
	}()
	t.Cleanup(func() {
		stop()
		_ = feed.Close()
		<-c.ended
	})
	return c
}

// shows waits until the next lines of the output are these.
func (c *besideTool) shows(lines ...string) {
	c.t.Helper()
	for _, want := range lines {
		select {
		case got := <-c.lines:
			require.Equal(c.t, want, got)
		case <-time.After(60 * time.Second):
			c.t.Fatalf("%q is not shown", want)
		}
	}
}

// warned waits for n warnings about the text.
func (c *besideTool) warned(about string, n int) {
	c.t.Helper()
	for n > 0 {
		select {
		case line := <-c.warns:
			if strings.Contains(line, about) {
				n--
			}
		case <-time.After(60 * time.Second):
			c.t.Fatalf("no warning about %q", about)
		}
	}
}

func (c *besideTool) types(text string) {
	c.t.Helper()
	_, err := io.WriteString(c.in, text)
	require.NoError(c.t, err)
}

func adminOf(t *testing.T, addr string) (*kgo.Client, *kadm.Client) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(addr))
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return client, kadm.NewClient(client)
}

// values reads n values of a topic from its start, with a client of its own.
func values(t *testing.T, addr, topic string, n int) (out []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	require.NoError(t, err)
	defer client.Close()
	for len(out) < n {
		fetches := client.PollFetches(ctx)
		require.NoError(t, ctx.Err(), "%d of %d records", len(out), n)
		fetches.EachRecord(func(r *kgo.Record) { out = append(out, string(r.Value)) })
	}
	return out
}

// TestConsoleToolsOutliveTheirTopic deletes a topic and creates it again while a producer and
// consumers use it, as the first tutorial does.
func TestConsoleToolsOutliveTheirTopic(t *testing.T) {
	t.Parallel()
	addr := botetest.New(t).Addr()
	_, admin := adminOf(t, addr)
	again := func() {
		_, err := admin.DeleteTopics(t.Context(), "t")
		require.NoError(t, err)
		if _, err = admin.CreateTopic(t.Context(), 1, 1, nil, "t"); err != nil {
			require.ErrorIs(t, err, kerr.TopicAlreadyExists, "a consumer may have been faster")
		}
	}
	_, err := admin.CreateTopic(t.Context(), 1, 1, nil, "t")
	require.NoError(t, err)
	producer := startTool(t, RunProducer, "--bootstrap-server", addr, "--topic", "t", "--timeout", "0")
	readers := []*besideTool{
		startTool(t, RunConsumer, "--bootstrap-server", addr, "--topic", "t", "--from-beginning"),
		startTool(t, RunConsumer, "--bootstrap-server", addr, "--topic", "t", "--group", "g", "--from-beginning"),
		startTool(t, RunConsumer, "--bootstrap-server", addr, "--topic", "t", "--partition", "0", "--from-beginning"),
		startTool(t, RunConsumer, "--bootstrap-server", addr, "--include", "(?!x)t", "--from-beginning"),
	}
	producer.types("one\ntwo\nthree\n")
	for _, r := range readers {
		r.shows("one", "two", "three")
	}
	for range 2 {
		again()
		producer.types("four\n")
		require.Equal(t, []string{"four"}, values(t, addr, "t", 1))
		for _, r := range readers {
			r.shows("four")
		}
	}
}

// TestConsoleConsumerOfAnExpressionCreatesNoTopic: a topic that was deleted stays away until somebody creates it.
func TestConsoleConsumerOfAnExpressionCreatesNoTopic(t *testing.T) {
	t.Parallel()
	addr := botetest.New(t).Addr()
	client, admin := adminOf(t, addr)
	put := func(value string) {
		require.NoError(t, client.ProduceSync(t.Context(), &kgo.Record{Topic: "t", Value: []byte(value)}).FirstErr())
	}
	_, err := admin.CreateTopic(t.Context(), 1, 1, nil, "t")
	require.NoError(t, err)
	put("one")
	c := startTool(t, RunConsumer, "--bootstrap-server", addr, "--include", "(?!x)t", "--from-beginning")
	c.shows("one")
	_, err = admin.DeleteTopics(t.Context(), "t")
	require.NoError(t, err)
	c.warned("was deleted or recreated", 1)
	for range 200 { // long enough for a faulty consumer to create it
		all := kmsg.NewPtrMetadataRequest()
		answer, err := all.RequestWith(t.Context(), client)
		require.NoError(t, err)
		for _, topic := range answer.Topics {
			require.NotEqual(t, "t", *topic.Topic)
		}
	}
	_, err = admin.CreateTopic(t.Context(), 1, 1, nil, "t")
	require.NoError(t, err)
	client.PurgeTopicsFromProducing("t")
	put("two")
	c.shows("two")
}

// TestConsoleConsumerShowsNothingTwice: after an outage of the broker, a consumer without
// committed offsets continues at its position.
func TestConsoleConsumerShowsNothingTwice(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr, dir := ln.Addr().String(), t.TempDir()
	require.NoError(t, ln.Close())
	serve := func() (stop func()) {
		b, err := bote.Open(context.Background(), bote.Config{DataDir: dir, Listen: addr})
		require.NoError(t, err)
		served := make(chan error, 1)
		go func() { served <- b.Serve(context.Background()) }()
		return func() {
			require.NoError(t, b.Close())
			require.NoError(t, <-served)
		}
	}
	stop := serve()
	client, admin := adminOf(t, addr)
	_, err = admin.CreateTopic(t.Context(), 1, 1, nil, "t")
	require.NoError(t, err)
	put := func(value string) {
		require.NoError(t, client.ProduceSync(t.Context(), &kgo.Record{Topic: "t", Value: []byte(value)}).FirstErr())
	}
	put("one")
	put("two")
	c := startTool(t, RunConsumer, strings.Fields("--topic t --from-beginning --command-property heartbeat.interval.ms=20 --bootstrap-server "+addr)...)
	c.shows("one", "two")
	for range 2 {
		stop()
		c.warned("could not be established", 12)
		stop = serve()
		put("three")
		c.shows("three")
	}
	stop()
}
