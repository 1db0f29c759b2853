package model_test

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/meta/memmeta"
	"github.com/botehq/bote/internal/record"
	"github.com/botehq/bote/internal/storage/commitlog"
	"github.com/botehq/bote/internal/storage/vfs"
)

// ward is a broker whose disk fails and recovers, and a client of it.
type ward struct {
	t      *testing.T
	mem    *vfs.Mem
	disk   *vfs.Faulty
	kept   *memmeta.Store
	node   *node
	client *client
	log    lines
}

// lines collects what a broker logs.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

// count returns how many lines have a text.
func (l *lines) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.buf.String(), text)
}

func newWard(t *testing.T, flush commitlog.FlushMode) *ward {
	t.Helper()
	w := &ward{t: t, mem: vfs.NewStrictMem(), kept: memmeta.New()}
	w.open(flush)
	return w
}

func (w *ward) open(flush commitlog.FlushMode) {
	w.t.Helper()
	w.disk = vfs.NewFaulty(w.mem)
	set := settings{flush: flush, segmentBytes: 1 << 20, indexInterval: 4096, checkpoint: time.Minute, retention: time.Hour}
	var err error
	w.node, err = startNodeThatLogs(w.t.Context(), set, w.disk, lifetime{w.kept, func() error { return nil }}, slog.New(slog.NewTextHandler(&w.log, nil)))
	require.NoError(w.t, err)
	w.client, err = dial(w.node.doors)
	require.NoError(w.t, err)
}

func (w *ward) close() error {
	w.client.close()
	return w.node.close()
}

// breakDown makes every sync fail except those of topic well, and makes the kernel forget what it should have
// written.
func (w *ward) breakDown() {
	w.disk.Inject(func(op vfs.Op, name string) error {
		if op == vfs.OpSync && strings.HasSuffix(name, ".log") && !strings.Contains(name, "well") || op == vfs.OpSyncFS {
			return &vfs.FaultError{Err: syscall.EIO, Forget: true}
		}
		return nil
	})
}

func (w *ward) ask(req kmsg.Request) kmsg.Response {
	w.t.Helper()
	resp, err := w.client.send(req).wait()
	require.NoError(w.t, err)
	return resp
}

func (w *ward) create(topic string) {
	w.t.Helper()
	req := kmsg.NewPtrCreateTopicsRequest()
	rt := kmsg.NewCreateTopicsRequestTopic()
	rt.Topic, rt.NumPartitions, rt.ReplicationFactor = topic, 1, 1
	req.Topics = append(req.Topics, rt)
	require.Zero(w.t, w.ask(req).(*kmsg.CreateTopicsResponse).Topics[0].ErrorCode)
}

func (w *ward) produce(topic, value string) (offset int64, err error) {
	w.t.Helper()
	got := w.ask(produceOf(topic, value)).(*kmsg.ProduceResponse).Topics[0].Partitions[0]
	return got.BaseOffset, kerr.ErrorForCode(got.ErrorCode)
}

func produceOf(topic, value string) *kmsg.ProduceRequest {
	req := kmsg.NewPtrProduceRequest()
	req.Acks, req.TimeoutMillis = -1, 300_000
	rt := kmsg.NewProduceRequestTopic()
	rt.Topic = topic
	rp := kmsg.NewProduceRequestTopicPartition()
	rp.Records = record.Build(time.Now().UnixMilli(), record.KeyValue{Value: []byte(value)})
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	return req
}

func fetchOf(topic string, offset int64, epoch, wait int32) *kmsg.FetchRequest {
	req := kmsg.NewPtrFetchRequest()
	req.MaxBytes, req.MinBytes, req.MaxWaitMillis, req.SessionEpoch = 1<<20, 1, wait, -1
	rt := kmsg.NewFetchRequestTopic()
	rt.Topic = topic
	rp := kmsg.NewFetchRequestTopicPartition()
	rp.FetchOffset, rp.PartitionMaxBytes, rp.CurrentLeaderEpoch = offset, 1<<20, epoch
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	return req
}

// values reads a topic from its beginning.
func (w *ward) values(topic string) string {
	w.t.Helper()
	got := w.ask(fetchOf(topic, 0, -1, 0)).(*kmsg.FetchResponse).Topics[0].Partitions[0]
	require.NoError(w.t, kerr.ErrorForCode(got.ErrorCode))
	var out []string
	for p := got.RecordBatches; len(p) > 0; {
		b, rest, err := record.Split(p)
		require.NoError(w.t, err)
		for r, err := range record.Records(b.Payload(), b.Count()) {
			require.NoError(w.t, err)
			out = append(out, string(r.Value))
		}
		p = rest
	}
	return strings.Join(out, ",")
}

// epoch returns the leader epoch that clients see.
func (w *ward) epoch(topic string) int32 {
	w.t.Helper()
	req := kmsg.NewPtrMetadataRequest()
	rt := kmsg.NewMetadataRequestTopic()
	rt.Topic = &topic
	req.Topics = append(req.Topics, rt)
	got := w.ask(req).(*kmsg.MetadataResponse).Topics[0].Partitions[0]
	require.NoError(w.t, kerr.ErrorForCode(got.ErrorCode))
	require.Equal(w.t, int32(1), got.Leader)
	return got.LeaderEpoch
}

func (w *ward) commit(offset int64) error {
	w.t.Helper()
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group, req.Generation = "g", -1
	rt := kmsg.NewOffsetCommitRequestTopic()
	rt.Topic = "sick"
	rp := kmsg.NewOffsetCommitRequestTopicPartition()
	rp.Offset, rp.LeaderEpoch = offset, -1
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	return kerr.ErrorForCode(w.ask(req).(*kmsg.OffsetCommitResponse).Topics[0].Partitions[0].ErrorCode)
}

func (w *ward) committed() (int64, error) {
	w.t.Helper()
	req := kmsg.NewPtrOffsetFetchRequest()
	req.Group = "g"
	rt := kmsg.NewOffsetFetchRequestTopic()
	rt.Topic, rt.Partitions = "sick", []int32{0}
	req.Topics = append(req.Topics, rt)
	got := w.ask(req).(*kmsg.OffsetFetchResponse)
	if got.ErrorCode != 0 {
		return 0, kerr.ErrorForCode(got.ErrorCode)
	}
	return got.Topics[0].Partitions[0].Offset, nil
}

// TestDiskThatRecovers: while syncs fail, producers get a retriable error, and readers get what was
// acknowledged. When the disk works again, everything goes on by itself, under a new leader epoch: nothing
// that was acknowledged is lost, and nothing else is there. The broker logs a bounded number of lines about
// it.
func TestDiskThatRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWard(t, commitlog.FlushCommit)
		w.create("sick")
		w.create("well")
		_, err := w.produce("sick", "a")
		require.NoError(t, err)
		for err = w.commit(1); err != nil; err = w.commit(1) {
			require.ErrorIs(t, err, kerr.CoordinatorLoadInProgress)
			time.Sleep(time.Second)
		}
		require.Zero(t, w.epoch("sick"))
		parked := w.client.send(fetchOf("sick", 1, 0, 500_000))
		w.breakDown()
		other, err := dial(w.node.doors)
		require.NoError(t, err)
		second := &ward{t: t, node: w.node, client: other}
		_, err = second.produce("sick", "lost")
		require.ErrorIs(t, err, kerr.KafkaStorageError)
		require.Error(t, second.commit(2))
		for range 300 { // five minutes
			_, err = second.produce("sick", "refused")
			require.ErrorIs(t, err, kerr.KafkaStorageError)
			require.Equal(t, "a", second.values("sick"), "reads go on")
			require.Error(t, second.commit(2))
			time.Sleep(time.Second)
		}
		require.Equal(t, 1, w.log.count(`msg="log failed; it takes no batches until it is opened again, which is tried from now on" topic=sick`))
		require.Equal(t, 1, w.log.count(`msg="log cannot be opened again yet; further attempts follow" topic=sick`))
		require.Equal(t, 1, w.log.count("coordinator shard failed"))
		require.Zero(t, w.log.count("log is open again"))
		resp, err := parked.wait()
		require.NoError(t, err)
		require.NoError(t, kerr.ErrorForCode(resp.(*kmsg.FetchResponse).Topics[0].Partitions[0].ErrorCode))

		w.disk.Inject(nil)
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Equal(t, 1, w.log.count(`msg="log is open again" topic=sick`))
		require.Equal(t, int32(1), w.epoch("sick"), "both logs are opened again in one round")
		require.Zero(t, w.epoch("well"), "a leader epoch belongs to a partition")
		require.Equal(t, "a", w.values("sick"))
		stale := w.ask(fetchOf("sick", 1, 0, 0)).(*kmsg.FetchResponse).Topics[0].Partitions[0]
		require.ErrorIs(t, kerr.ErrorForCode(stale.ErrorCode), kerr.FencedLeaderEpoch)
		offset, err := w.produce("sick", "b")
		require.NoError(t, err)
		require.Equal(t, int64(1), offset)
		at, err := w.committed()
		require.NoError(t, err)
		require.Equal(t, int64(1), at)
		require.NoError(t, w.commit(2))
		other.close()

		w.mem = w.mem.Crash()
		require.NoError(t, w.close())
		w.open(commitlog.FlushCommit)
		require.Equal(t, "a,b", w.values("sick"))
		require.Equal(t, int32(2), w.epoch("sick"), "after a power cut it is another again")
		for at, err = w.committed(); err != nil; at, err = w.committed() {
			time.Sleep(time.Second)
		}
		require.Equal(t, int64(2), at)
		require.NoError(t, w.close())
		require.Equal(t, 1, w.log.count("coordinator shard failed"))
	})
}

// TestEpochAfterRecoveryOutlivesACleanStop: clients know the new epoch, and would take an answer with an
// older one for outdated.
func TestEpochAfterRecoveryOutlivesACleanStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWard(t, commitlog.FlushOS)
		w.create("sick")
		for range 3 {
			_, err := w.produce("sick", "x")
			require.NoError(t, err)
		}
		w.breakDown()
		time.Sleep(61 * time.Second) // a checkpoint
		_, err := w.produce("sick", "refused")
		require.ErrorIs(t, err, kerr.KafkaStorageError)
		w.disk.Inject(nil)
		time.Sleep(5 * time.Second)
		require.Equal(t, int32(1), w.epoch("sick"))
		require.Equal(t, "x,x,x", w.values("sick"))
		require.NoError(t, w.close(), "a clean stop")
		w.open(commitlog.FlushOS)
		require.Equal(t, int32(1), w.epoch("sick"))
		require.Equal(t, "x,x,x", w.values("sick"))
		require.NoError(t, w.close())
	})
}

// TestDeletedWhileItIsSick: a topic whose log failed can be deleted, and its name used again.
func TestDeletedWhileItIsSick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWard(t, commitlog.FlushCommit)
		w.create("sick")
		w.breakDown()
		_, err := w.produce("sick", "lost")
		require.ErrorIs(t, err, kerr.KafkaStorageError)
		w.disk.Inject(nil)
		req := kmsg.NewPtrDeleteTopicsRequest()
		rt := kmsg.NewDeleteTopicsRequestTopic()
		rt.Topic = new("sick")
		req.Topics = append(req.Topics, rt)
		require.Zero(t, w.ask(req).(*kmsg.DeleteTopicsResponse).Topics[0].ErrorCode)
		w.create("sick")
		time.Sleep(5 * time.Minute)
		_, err = w.produce("sick", "x")
		require.NoError(t, err)
		require.Zero(t, w.epoch("sick"))
		require.Zero(t, w.log.count("log is open again"))
		require.NoError(t, w.close())
	})
}
