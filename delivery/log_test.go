package delivery_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/delivery"
	"github.com/botehq/bote/delivery/deliverytest"
)

type rejected struct{ code int }

func (e *rejected) Error() string { return fmt.Sprintf("rejected %d", e.code) }

const rejectedClass = "github.com/botehq/bote/delivery_test.rejected"

// The log lines about a record say the class of the error, what comes next and
// when, where the record came from, and where it went.
func TestLinesOfARecord(t *testing.T) {
	h, log := logging(t)
	listen(t, h, "g", func(context.Context, *message) error { return fmt.Errorf("send: %w", &rejected{550}) },
		delivery.RetryTopics(delivery.Attempts(2), delivery.Fixed(time.Second)))
	due := h.Clock().Now().Add(time.Second)
	h.Publish(topic, "k", "v")
	require.Len(t, log.with("WARN", "delivery failed", "group=g", "topic=m ", "offset=0", "error_class="+rejectedClass,
		"next=m-retry", "due="+due.Format("2006-01-02T15:04:05.000")), 1)
	require.Empty(t, log.with("exhausted"))
	h.Advance(time.Second)
	require.Len(t, log.with("ERROR", "record dead-lettered", "topic=m-retry", "origin=m-0@0", "to=m-dlt", "reason=exhausted", "error_class="+rejectedClass), 1)
	dead := h.ExpectDeadLetter("m-dlt", 1)[0]
	require.Equal(t, rejectedClass, dead.Failure.Class)
}

func TestLinesOfAPanic(t *testing.T) {
	h, log := logging(t)
	listen(t, h, "g", func(context.Context, *message) error { panic("ouch") }, delivery.BlockingRetry(delivery.Attempts(2), delivery.Fixed(time.Second)))
	h.Publish(topic, "k", "v")
	require.Len(t, log.with("WARN", "delivery failed", `next="in place"`, "stack=", "log_test.go"), 1)
}

// One line for an assignment, with how many partitions of each topic, and one
// when all groups have theirs; single partitions only at DEBUG.
func TestLinesOfAnAssignment(t *testing.T) {
	h, log := logging(t, deliverytest.Partitions(6))
	l := listen(t, h, "g", func(context.Context, *message) error { return nil }, delivery.RetryTopics(delivery.Attempts(5), delivery.Exponential(time.Second, 2, time.Minute)))
	require.Len(t, log.with("INFO", "partitions assigned"), 2)
	require.Len(t, log.with("INFO", "partitions assigned", "member_of=g ", "partitions.m=6"), 1)
	require.Len(t, log.with("INFO", "partitions assigned", "member_of=g-retry", "partitions.m-retry-1000=6", "partitions.m-retry-8000=6"), 1)
	require.Len(t, log.with("INFO", "listener running", "group=g", "topic=m"), 1)
	require.Len(t, log.with("DEBUG", "partition assigned"), 30)
	require.NoError(t, h.Stop(l))
	require.Len(t, log.with("INFO", "partitions revoked"), 2)
}

// %+v shows the state, not the partition alone.
func TestStateAsText(t *testing.T) {
	h := deliverytest.New(t)
	l := listen(t, h, "g", func(context.Context, *message) error { return nil })
	h.Publish(topic, "k", "v")
	require.Contains(t, fmt.Sprintf("%+v", l.Snapshot()[0]), "m-0 role=main watermark=1 committed=")
}

// Without a logger the library writes to slog.Default.
func TestDefaultLogger(t *testing.T) {
	c, err := delivery.Dial([]string{"localhost:1"})
	require.NoError(t, err)
	defer c.Close()
	require.Same(t, slog.Default(), c.Logger())
}

// The error of a batch counts equal errors instead of repeating them.
func TestBatchError(t *testing.T) {
	h := deliverytest.New(t)
	h.CreateTopic("m", 1)
	batch := make([]delivery.Outgoing[string], 500)
	for i := range batch {
		batch[i] = delivery.Outgoing[string]{Value: "v", Options: []delivery.SendOption{delivery.Partition(int32(i % 2))}}
	}
	results, err := topic.SendBatch(t.Context(), h.Client(), batch)
	var be *delivery.BatchError
	require.ErrorAs(t, err, &be)
	require.Equal(t, 250, be.Failed)
	require.Equal(t, 500, be.Total)
	require.Len(t, be.Unwrap(), 250)
	require.Regexp(t, `^250 of 500 records failed: send to m: .* \(250\)$`, err.Error())
	require.NoError(t, results[0].Err)
	require.Error(t, results[1].Err)
	require.ErrorIs(t, err, results[1].Err)
}
