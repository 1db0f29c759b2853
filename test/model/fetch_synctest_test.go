package model_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/record"
	"github.com/botehq/bote/internal/storage/commitlog"
	"github.com/botehq/bote/internal/storage/vfs"
)

// drain reads a topic from its beginning to an offset. It returns the number of
// fetches, and how long they waited.
func (w *ward) drain(topic string, to int64, minBytes, maxBytes int32) (fetches int, waited time.Duration) {
	w.t.Helper()
	began := time.Now()
	for offset := int64(0); offset < to; fetches++ {
		req := fetchOf(topic, offset, -1, 500)
		req.MinBytes, req.MaxBytes, req.Topics[0].Partitions[0].PartitionMaxBytes = minBytes, 50<<20, maxBytes
		got := w.ask(req).(*kmsg.FetchResponse).Topics[0].Partitions[0]
		require.NoError(w.t, kerr.ErrorForCode(got.ErrorCode))
		for p := got.RecordBatches; len(p) > 0; {
			b, rest, err := record.Split(p)
			require.NoError(w.t, err)
			offset, p = b.NextOffset(), rest
		}
	}
	return fetches, time.Since(began)
}

// TestBacklogIsReadWithoutWaiting: if there are more bytes than a fetch may return, the
// fetch does not wait for more, whatever min_bytes says. Nor does a fetch that begins
// in an older segment. At the end of the log it waits.
func TestBacklogIsReadWithoutWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWard(t, commitlog.FlushOS) // segments of 1 MiB
		w.create("t")
		value := strings.Repeat("x", 16<<10)
		const batches, read, size = 30, 24, 16<<10 + 80
		for range batches {
			_, err := w.produce("t", value)
			require.NoError(t, err)
		}
		for _, c := range []struct {
			minBytes, maxBytes int32
			waits              time.Duration
		}{
			{1, 100_000, 0},
			{100_000, 100_000, 0}, // six batches and part of the seventh
			{99_000, 100_000, 0},  // more than six batches
			{100_001, 100_000, read / 6 * 500 * time.Millisecond}, // Kafka waits too
			{1_000_000, 1_000_000, 500 * time.Millisecond},        // there are fewer bytes
		} {
			fetches, waited := w.drain("t", read, c.minBytes, c.maxBytes)
			require.Equal(t, c.waits, waited, "min %d max %d", c.minBytes, c.maxBytes)
			require.LessOrEqual(t, fetches, read/(int(c.maxBytes)/size)+1, "min %d max %d", c.minBytes, c.maxBytes)
		}
		for range 60 { // into the next segment
			_, err := w.produce("t", value)
			require.NoError(t, err)
		}
		_, waited := w.drain("t", read, 2_000_000, 100_000)
		require.Zero(t, waited, "in an older segment")
		require.NoError(t, w.close())
	})
}

// TestMinBytesIsCapped: no fetch waits for more bytes than its answer may have.
func TestMinBytesIsCapped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWard(t, commitlog.FlushOS)
		w.create("t")
		_, err := w.produce("t", strings.Repeat("x", 1000))
		require.NoError(t, err)
		req := fetchOf("t", 0, -1, 500)
		req.MinBytes, req.MaxBytes, req.Topics[0].Partitions[0].PartitionMaxBytes = 1<<30, 500, 1<<20
		began := time.Now()
		require.NotEmpty(t, w.ask(req).(*kmsg.FetchResponse).Topics[0].Partitions[0].RecordBatches)
		require.Zero(t, time.Since(began))
		require.NoError(t, w.close())
	})
}

// TestFetchHearsWhatHappensWhileItReads: a fetch must not miss an event between its
// read and its registration; otherwise it would learn of it only when its time is over.
func TestFetchHearsWhatHappensWhileItReads(t *testing.T) {
	for name, happen := range map[string]func(w *ward){
		"deleted": func(w *ward) {
			req := kmsg.NewPtrDeleteTopicsRequest()
			rt := kmsg.NewDeleteTopicsRequestTopic()
			rt.Topic = new("t")
			req.Topics = append(req.Topics, rt)
			require.Zero(w.t, w.ask(req).(*kmsg.DeleteTopicsResponse).Topics[0].ErrorCode)
		},
		"records deleted": func(w *ward) {
			req := kmsg.NewPtrDeleteRecordsRequest()
			rt := kmsg.NewDeleteRecordsRequestTopic()
			rt.Topic = "t"
			rt.Partitions = append(rt.Partitions, kmsg.DeleteRecordsRequestTopicPartition{Offset: -1})
			req.Topics = append(req.Topics, rt)
			require.Zero(w.t, w.ask(req).(*kmsg.DeleteRecordsResponse).Topics[0].Partitions[0].ErrorCode)
		},
		"appended": func(w *ward) {
			_, err := w.produce("t", strings.Repeat("x", 2000))
			require.NoError(w.t, err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWard(t, commitlog.FlushOS)
				w.create("t")
				_, err := w.produce("t", "x")
				require.NoError(t, err)
				other, err := dial(w.node.doors)
				require.NoError(t, err)
				second := &ward{t: t, node: w.node, client: other}
				done := false
				w.disk.Inject(func(op vfs.Op, name string) error {
					if op == vfs.OpRead && strings.HasSuffix(name, ".log") && !done {
						done = true
						happen(second)
					}
					return nil
				})
				began := time.Now()
				req := fetchOf("t", 0, -1, 60_000)
				req.MinBytes = 1000
				w.ask(req)
				require.True(t, done)
				require.Zero(t, time.Since(began))
				other.close()
				require.NoError(t, w.close())
			})
		})
	}
}

// TestDiskThatFailsRequestsIsToldOnce: clients repeat failed requests at once, but the
// broker's log does not grow with each.
func TestDiskThatFailsRequestsIsToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWard(t, commitlog.FlushCommit)
		w.create("t")
		_, err := w.produce("t", "x")
		require.NoError(t, err)
		w.breakDown()
		session := fetchOf("t", 0, -1, 0)
		session.SessionEpoch = 0
		for range 100 {
			_, err = w.produce("t", "y")
			require.ErrorIs(t, err, kerr.KafkaStorageError)
		}
		w.disk.Inject(func(op vfs.Op, name string) error {
			if op == vfs.OpRead || op == vfs.OpOpen {
				return errPower
			}
			return nil
		})
		got := w.ask(session).(*kmsg.FetchResponse)
		require.ErrorIs(t, kerr.ErrorForCode(got.Topics[0].Partitions[0].ErrorCode), kerr.KafkaStorageError)
		require.Equal(t, 1, w.log.count("the disk fails requests"))
		w.disk.Inject(nil)
		time.Sleep(time.Minute)
		require.Equal(t, 1, w.log.count(`msg="the disk fails no more requests" events=101`), "once for each partition")
		require.Zero(t, w.log.count("request failed"))
		require.NoError(t, w.close())
	})
}
