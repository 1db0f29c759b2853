package delivery_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/botehq/bote/delivery"
	"github.com/botehq/bote/delivery/deliverytest"
)

// lines collects log lines as text.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

// with are the lines that contain all of the texts.
func (l *lines) with(texts ...string) (out []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
next:
	for line := range strings.Lines(l.buf.String()) {
		for _, t := range texts {
			if !strings.Contains(line, t) {
				continue next
			}
		}
		out = append(out, line)
	}
	return out
}

// logging is a harness that writes its log to lines.
func logging(t *testing.T, opts ...deliverytest.Option) (*deliverytest.Harness, *lines) {
	t.Helper()
	log := &lines{}
	logger := slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	return deliverytest.New(t, append(opts, deliverytest.ClientOptions(delivery.WithLogger(logger)))...), log
}

// kinds collects events.
type kinds struct {
	mu  sync.Mutex
	all []delivery.Event
}

func (k *kinds) option() delivery.Option {
	return delivery.OnEvent(func(e delivery.Event) {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.all = append(k.all, e)
	})
}

func (k *kinds) of(kind delivery.EventKind) (out []delivery.Event) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, e := range k.all {
		if e.Kind == kind {
			out = append(out, e)
		}
	}
	return out
}

func commitAt(t *testing.T, h *deliverytest.Harness, group string, at int64) {
	t.Helper()
	o := kadm.Offsets{}
	o.AddOffset("m", 0, at, -1)
	require.NoError(t, kadm.NewClient(h.Client().Kgo()).CommitAllOffsets(t.Context(), group, o))
}

func sendNumbers(t *testing.T, h *deliverytest.Harness, from, to int) {
	t.Helper()
	var batch []delivery.Outgoing[string]
	for i := from; i < to; i++ {
		batch = append(batch, delivery.Outgoing[string]{Value: fmt.Sprint(i)})
	}
	_, err := topic.SendBatch(t.Context(), h.Client(), batch)
	require.NoError(t, err)
}

// A commit lies above the end of the log, as after a restore. The reset policy
// decides, with one warning, an event and a metric. No record that is there counts as
// seen before.
func TestCommitBehindTheEnd(t *testing.T) {
	for name, tc := range map[string]struct {
		start delivery.Position
		to    int64
	}{
		"earliest": {delivery.Earliest(), 0},
		"latest":   {delivery.Latest(), 50},
	} {
		t.Run(name, func(t *testing.T) {
			h, log := logging(t)
			h.CreateTopic("m", 1)
			sendNumbers(t, h, 0, 50)
			commitAt(t, h, "g", 100)
			var c calls
			var k kinds
			l, err := delivery.Listen(h.Client(), topic, "g", func(_ context.Context, m *message) error {
				c.add(m.Value)
				return nil
			}, delivery.StartAt(tc.start), delivery.CommitEach(), k.option())
			require.NoError(t, err)
			h.Start(l)
			require.Eventually(t, func() bool { return len(k.of(delivery.EventOffsetReset)) == 1 }, 10*time.Second, time.Millisecond)
			require.Equal(t, tc.to, k.of(delivery.EventOffsetReset)[0].Offset)
			awaitCommit(t, h, 50)
			sendNumbers(t, h, 50, 150)
			awaitCommit(t, h, 150)
			require.Len(t, c.list(), 150-int(tc.to))
			require.Len(t, log.with("WARN", "out of range", "from=100", fmt.Sprintf("to=%d", tc.to)), 1)
			lag, err := l.Lag(t.Context())
			require.NoError(t, err)
			require.Zero(t, lag.Total())
		})
	}
	t.Run("no start", func(t *testing.T) {
		h := deliverytest.New(t)
		h.CreateTopic("m", 1)
		sendNumbers(t, h, 0, 50)
		commitAt(t, h, "g", 100)
		l, err := delivery.Listen(h.Client(), topic, "g", func(context.Context, *message) error { return nil }, delivery.StartAt(delivery.NoStart()))
		require.NoError(t, err)
		var halted *delivery.HaltError
		require.ErrorAs(t, l.Run(t.Context()), &halted)
		require.Equal(t, int64(100), committed(t, h, "g"))
	})
}

// Seek refuses a position that lies outside the log or makes no sense. Then nothing
// moves.
func TestSeekOutsideTheLog(t *testing.T) {
	h, log := logging(t)
	var c calls
	l := listen(t, h, "g", func(_ context.Context, m *message) error {
		c.add(m.Value)
		return nil
	}, delivery.CommitEach())
	sendNumbers(t, h, 0, 20)
	awaitCommit(t, h, 20)
	require.NoError(t, h.Cluster().DeleteRecords("m", 0, 5))
	tp := delivery.TP{Topic: "m"}
	for _, to := range []delivery.Position{
		delivery.Offset(-1), delivery.Offset(4), delivery.Offset(21), delivery.Offset(99999), delivery.FromEnd(-1), delivery.Relative(1),
	} {
		require.ErrorIs(t, l.Seek(t.Context(), tp, to), kerr.OffsetOutOfRange, "%v", to)
	}
	require.ErrorContains(t, l.Seek(t.Context(), tp, delivery.NoStart()), "for StartAt only")
	require.NoError(t, l.Seek(t.Context(), tp, delivery.Offset(20)), "the end itself")
	sendNumbers(t, h, 20, 22)
	awaitCommit(t, h, 22)
	require.Len(t, c.list(), 22)
	require.NoError(t, l.Seek(t.Context(), tp, delivery.Relative(-1000)), "a distance stops at the start")
	require.Eventually(t, func() bool { return len(c.list()) == 22+17 }, 10*time.Second, time.Millisecond)
	require.NoError(t, l.Seek(t.Context(), tp, delivery.FromEnd(1000)))
	require.Eventually(t, func() bool { return len(c.list()) == 22+34 }, 10*time.Second, time.Millisecond)
	require.Empty(t, log.with("out of range"))
}

// Records were deleted before they were read. The records that are left are read,
// and those that the lane holds are still handled.
func TestDeletedBelow(t *testing.T) {
	h, log := logging(t)
	h.CreateTopic("m", 1)
	sendNumbers(t, h, 0, 50)
	commitAt(t, h, "g", 10)
	require.NoError(t, h.Cluster().DeleteRecords("m", 0, 30))
	var c calls
	listen(t, h, "g", func(_ context.Context, m *message) error {
		c.add(m.Value)
		return nil
	}, delivery.CommitEach(), delivery.StartAt(delivery.Latest()))
	awaitCommit(t, h, 50)
	require.Len(t, c.list(), 20)
	require.Len(t, log.with("WARN", "out of range", "from=10", "to=30"), 1)
}

// When records were deleted from a retry topic before they were retried, an ERROR
// line names them.
func TestDeletedFromARetryTopic(t *testing.T) {
	h, log := logging(t)
	h.CreateTopic("m", 1)
	h.CreateTopic("m-retry", 1)
	for i := range 50 {
		h.Publish(delivery.NewTopic("m-retry", topic.Codec()), "k", fmt.Sprint(i))
	}
	o := kadm.Offsets{}
	o.AddOffset("m-retry", 0, 10, -1)
	require.NoError(t, kadm.NewClient(h.Client().Kgo()).CommitAllOffsets(t.Context(), "g-retry", o))
	require.NoError(t, h.Cluster().DeleteRecords("m-retry", 0, 30))
	var k kinds
	listen(t, h, "g", func(context.Context, *message) error { return nil }, delivery.RetryTopics(), k.option())
	require.Eventually(t, func() bool { return len(k.of(delivery.EventOffsetReset)) == 1 }, 10*time.Second, time.Millisecond)
	require.Equal(t, delivery.RoleRetry, k.of(delivery.EventOffsetReset)[0].Role)
	require.Len(t, log.with("ERROR", "records were deleted before they were retried", "topic=m-retry", "first_lost=10", "last_lost=29"), 1)
	require.Empty(t, log.with("WARN", "out of range"))
}
