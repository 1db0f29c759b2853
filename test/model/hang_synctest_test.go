package model_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
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

// TestHungDiskHoldsOnlyWhoNeedsIt: a request waits for a disk that does not answer. Its
// connection is still read, and other connections are served. When the disk answers, the
// request is answered too.
func TestHungDiskHoldsOnlyWhoNeedsIt(t *testing.T) {
	reads := func(op vfs.Op, name string) bool { return op == vfs.OpRead && strings.Contains(name, "slow-0") }
	changes := func(op vfs.Op, name string) bool {
		return op == vfs.OpRename && strings.Contains(filepath.Base(name), "checkpoint") || op == vfs.OpMkdir
	}
	for name, c := range map[string]struct {
		req   func() kmsg.Request
		hangs func(vfs.Op, string) bool
		code  func(kmsg.Response) int16
	}{
		"fetch": {
			func() kmsg.Request { return fetchOf("slow", 0, -1, 0) }, reads,
			func(resp kmsg.Response) int16 { return resp.(*kmsg.FetchResponse).Topics[0].Partitions[0].ErrorCode },
		},
		"list offsets by time": {func() kmsg.Request {
			req := kmsg.NewPtrListOffsetsRequest()
			rt := kmsg.NewListOffsetsRequestTopic()
			rt.Topic = "slow"
			rp := kmsg.NewListOffsetsRequestTopicPartition()
			rp.Timestamp, rp.CurrentLeaderEpoch = 1, -1
			rt.Partitions = append(rt.Partitions, rp)
			req.Topics = append(req.Topics, rt)
			return req
		}, reads, func(resp kmsg.Response) int16 {
			return resp.(*kmsg.ListOffsetsResponse).Topics[0].Partitions[0].ErrorCode
		}},
		"delete records": {func() kmsg.Request {
			req := kmsg.NewPtrDeleteRecordsRequest()
			rt := kmsg.NewDeleteRecordsRequestTopic()
			rt.Topic = "slow"
			rt.Partitions = append(rt.Partitions, kmsg.DeleteRecordsRequestTopicPartition{Offset: 1})
			req.Topics = append(req.Topics, rt)
			return req
		}, changes, func(resp kmsg.Response) int16 {
			return resp.(*kmsg.DeleteRecordsResponse).Topics[0].Partitions[0].ErrorCode
		}},
		"create a topic": {func() kmsg.Request {
			req := kmsg.NewPtrCreateTopicsRequest()
			rt := kmsg.NewCreateTopicsRequestTopic()
			rt.Topic, rt.NumPartitions, rt.ReplicationFactor = "new", 1, 1
			req.Topics = append(req.Topics, rt)
			return req
		}, changes, func(resp kmsg.Response) int16 { return resp.(*kmsg.CreateTopicsResponse).Topics[0].ErrorCode }},
		"metadata that creates a topic": {func() kmsg.Request {
			req := kmsg.NewPtrMetadataRequest()
			rt := kmsg.NewMetadataRequestTopic()
			rt.Topic = new("new")
			req.Topics, req.AllowAutoTopicCreation = append(req.Topics, rt), true
			return req
		}, changes, func(resp kmsg.Response) int16 { return resp.(*kmsg.MetadataResponse).Topics[0].ErrorCode }},
		"delete a topic": {func() kmsg.Request {
			req := kmsg.NewPtrDeleteTopicsRequest()
			rt := kmsg.NewDeleteTopicsRequestTopic()
			rt.Topic = new("other")
			req.Topics = append(req.Topics, rt)
			return req
		}, changes, func(resp kmsg.Response) int16 { return resp.(*kmsg.DeleteTopicsResponse).Topics[0].ErrorCode }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWard(t, commitlog.FlushOS)
				for _, topic := range []string{"slow", "other", "fast"} {
					w.create(topic)
					for range 3 {
						_, err := w.produce(topic, "x")
						require.NoError(t, err)
					}
				}
				other, err := dial(w.node.doors)
				require.NoError(t, err)
				second := &ward{t: t, node: w.node, client: other}
				gate, open := make(chan struct{}), atomic.Bool{}
				w.disk.Inject(func(op vfs.Op, name string) error {
					if c.hangs(op, name) && !open.Load() {
						<-gate
					}
					return nil
				})
				began := time.Now()
				hangs := w.client.send(c.req())
				synctest.Wait()
				select {
				case <-hangs.done:
					t.Fatal("it does not need the disk")
				default:
				}
				behind := w.client.send(produceOf("fast", "behind"))
				synctest.Wait()
				require.Equal(t, "x,x,x,behind", second.values("fast"), "the connection is read on")
				offset, err := second.produce("fast", "beside")
				require.NoError(t, err)
				require.Equal(t, int64(4), offset)
				_, err = second.produce("slow", "beside")
				require.NoError(t, err)
				require.Zero(t, time.Since(began))
				open.Store(true)
				close(gate)
				resp, err := hangs.wait()
				require.NoError(t, err)
				require.NoError(t, kerr.ErrorForCode(c.code(resp)))
				_, err = behind.wait()
				require.NoError(t, err)
				other.close()
				require.NoError(t, w.close())
			})
		})
	}
}

// TestFetchReadsSideBySide: a fetch reads several of its partitions on a slow disk at
// once. When it has taken too long, it answers with what it has.
func TestFetchReadsSideBySide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWard(t, commitlog.FlushOS)
		const topics = 16
		req := fetchOf("t0", 0, -1, 0)
		req.Topics, req.MaxBytes = nil, 50<<20
		for i := range topics {
			name := fmt.Sprintf("t%d", i)
			w.create(name)
			_, err := w.produce(name, "x")
			require.NoError(t, err)
			req.Topics = append(req.Topics, fetchOf(name, 0, -1, 0).Topics...)
		}
		var slow time.Duration
		w.disk.Inject(func(op vfs.Op, name string) error {
			if op == vfs.OpRead && strings.HasSuffix(name, ".log") {
				time.Sleep(slow)
			}
			return nil
		})
		fetch := func(each time.Duration) (found int, took time.Duration) {
			slow = each
			began := time.Now()
			for _, rt := range w.ask(req).(*kmsg.FetchResponse).Topics {
				require.NoError(t, kerr.ErrorForCode(rt.Partitions[0].ErrorCode))
				require.Equal(t, int64(1), rt.Partitions[0].HighWatermark)
				if len(rt.Partitions[0].RecordBatches) > 0 {
					found++
				}
			}
			return found, time.Since(began)
		}
		fetch(0) // opens files
		found, took := fetch(10 * time.Millisecond)
		require.Equal(t, topics, found)
		require.LessOrEqual(t, took, topics*2*10*time.Millisecond/8, "two reads each, eight partitions at a time")
		found, took = fetch(2 * time.Second)
		require.Equal(t, topics/2, found, "as many as are read at a time")
		require.Less(t, took, 10*time.Second)
		require.NoError(t, w.close())
	})
}

// TestDeleteRecordsOfManyPartitions: the log start file is written once for all
// partitions of a request.
func TestDeleteRecordsOfManyPartitions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWard(t, commitlog.FlushOS)
		req := kmsg.NewPtrDeleteRecordsRequest()
		for i := range 50 {
			name := fmt.Sprintf("t%d", i)
			w.create(name)
			for range 2 {
				_, err := w.produce(name, "x")
				require.NoError(t, err)
			}
			rt := kmsg.NewDeleteRecordsRequestTopic()
			rt.Topic = name
			rt.Partitions = append(rt.Partitions, kmsg.DeleteRecordsRequestTopicPartition{Offset: 1})
			req.Topics = append(req.Topics, rt)
		}
		writes, syncs := atomic.Int64{}, atomic.Int64{}
		w.disk.Inject(func(op vfs.Op, name string) error {
			if op == vfs.OpRename && filepath.Base(name) == "log-start-offset-checkpoint" {
				writes.Add(1)
			}
			if op == vfs.OpSync || op == vfs.OpSyncDir || op == vfs.OpSyncFS {
				syncs.Add(1)
			}
			return nil
		})
		for _, rt := range w.ask(req).(*kmsg.DeleteRecordsResponse).Topics {
			require.NoError(t, kerr.ErrorForCode(rt.Partitions[0].ErrorCode))
			require.Equal(t, int64(1), rt.Partitions[0].LowWatermark)
		}
		require.Equal(t, int64(1), writes.Load())
		require.Equal(t, int64(2), syncs.Load(), "the file and its directory")
		w.disk.Inject(nil)
		w.mem = w.mem.Crash()
		require.NoError(t, w.close())
	})
}

// TestProduceHonoursItsTimeout: if a batch is not durable in time, the answer is
// REQUEST_TIMED_OUT, and the append goes on. A retry shares its outcome, and the batch
// is in the log once.
func TestProduceHonoursItsTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWard(t, commitlog.FlushCommit)
		w.create("slow")
		gate := make(chan struct{})
		w.disk.Inject(func(op vfs.Op, name string) error {
			if op == vfs.OpSync && strings.Contains(name, "slow-0") || op == vfs.OpSyncFS {
				<-gate
			}
			return nil
		})
		request := func(timeout int32) *kmsg.ProduceRequest {
			req := produceOf("slow", "once")
			req.TimeoutMillis = timeout
			batch := record.Batch(req.Topics[0].Partitions[0].Records)
			batch.SetProducer(7, 0, 0)
			return req
		}
		began := time.Now()
		got := w.ask(request(1500)).(*kmsg.ProduceResponse).Topics[0].Partitions[0]
		require.ErrorIs(t, kerr.ErrorForCode(got.ErrorCode), kerr.RequestTimedOut)
		require.Equal(t, int64(-1), got.BaseOffset)
		require.Equal(t, 1500*time.Millisecond, time.Since(began))
		require.Empty(t, w.values("slow"))
		again := w.client.send(request(3_600_000))
		synctest.Wait()
		select {
		case <-again.done:
			t.Fatal("it is not durable")
		default:
		}
		close(gate)
		resp, err := again.wait()
		require.NoError(t, err)
		got = resp.(*kmsg.ProduceResponse).Topics[0].Partitions[0]
		require.NoError(t, kerr.ErrorForCode(got.ErrorCode))
		require.Zero(t, got.BaseOffset)
		require.Equal(t, "once", w.values("slow"))
		time.Sleep(2 * time.Hour)
		require.NoError(t, w.close())
	})
}

// TestProduceThatTimesOutInPart: batches that are durable are acknowledged.
func TestProduceThatTimesOutInPart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWard(t, commitlog.FlushCommit)
		w.create("slow")
		w.create("fast")
		gate := make(chan struct{})
		w.disk.Inject(func(op vfs.Op, name string) error {
			if op == vfs.OpSync && strings.Contains(name, "slow-0") {
				<-gate
			}
			return nil
		})
		req := produceOf("fast", "x")
		req.Topics = append(req.Topics, produceOf("slow", "x").Topics...)
		req.TimeoutMillis = 1000
		topics := w.ask(req).(*kmsg.ProduceResponse).Topics
		require.NoError(t, kerr.ErrorForCode(topics[0].Partitions[0].ErrorCode))
		require.ErrorIs(t, kerr.ErrorForCode(topics[1].Partitions[0].ErrorCode), kerr.RequestTimedOut)
		close(gate)
		synctest.Wait()
		require.Equal(t, "x", w.values("slow"))
		require.NoError(t, w.close())
	})
}
