package broker_test

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"path"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/botehq/bote/internal/broker"
	"github.com/botehq/bote/internal/config"
	"github.com/botehq/bote/internal/meta"
	"github.com/botehq/bote/internal/meta/memmeta"
	"github.com/botehq/bote/internal/storage/vfs"
)

// running is a broker on a disk in memory, whose wall clock the test can set.
type running struct {
	t      *testing.T
	broker *broker.Broker
	disk   *vfs.Mem
	client *kgo.Client
	admin  *kadm.Client
	ahead  atomic.Int64 // of the real clock
}

// run starts a broker with settings of the form name=value.
func run(t *testing.T, settings ...string) *running {
	t.Helper()
	return runOn(t, func(disk vfs.FS) vfs.FS { return disk }, settings...)
}

// runOn is run with a wrapper around the disk.
func runOn(t *testing.T, wrap func(vfs.FS) vfs.FS, settings ...string) *running {
	t.Helper()
	values := map[string]string{
		"node.id": "1", "process.roles": "broker,controller", "listeners": "PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:0",
		"controller.listener.names": "CONTROLLER", "controller.quorum.voters": "1@localhost:9093", "log.dirs": "/data",
		"group.initial.rebalance.delay.ms": "0", "offsets.topic.num.partitions": "1", "log.flush.offset.checkpoint.interval.ms": "60000",
	}
	for _, s := range settings {
		name, value, _ := strings.Cut(s, "=")
		values[name] = value
	}
	server, _, err := config.ParseServer(values)
	require.NoError(t, err)
	r := &running{t: t, disk: vfs.NewMem()}
	r.broker, err = broker.Open(t.Context(), broker.Config{
		Settings: server, FS: wrap(r.disk), OpenMeta: func(string) (meta.Store, error) { return memmeta.New(), nil },
		Now: func() time.Time { return time.Now().Add(time.Duration(r.ahead.Load())) },
	})
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- r.broker.Serve(t.Context()) }()
	r.client, err = kgo.NewClient(kgo.SeedBrokers(r.broker.Addr()), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.RequestRetries(0))
	require.NoError(t, err)
	r.admin = kadm.NewClient(r.client)
	t.Cleanup(func() {
		r.client.Close()
		require.NoError(t, r.broker.Close())
		require.NoError(t, <-served)
	})
	return r
}

func (r *running) create(name string, configs map[string]*string) {
	r.t.Helper()
	_, err := r.admin.CreateTopic(r.t.Context(), 1, 1, configs, name)
	require.NoError(r.t, err)
}

// produce sends n records of the given size, one per batch.
func (r *running) produce(topic string, n, bytes int) {
	r.t.Helper()
	for range n {
		err := r.client.ProduceSync(r.t.Context(), &kgo.Record{Topic: topic, Value: []byte(strings.Repeat("v", bytes)), Timestamp: time.Now().Add(time.Duration(r.ahead.Load()))}).FirstErr()
		require.NoError(r.t, err)
	}
}

func (r *running) ask(req kmsg.Request) kmsg.Response {
	r.t.Helper()
	resp, err := r.client.Broker(1).Request(r.t.Context(), req)
	require.NoError(r.t, err)
	return resp
}

// files returns the names and sizes of a partition's files that end in a suffix.
func (r *running) files(partition, suffix string) map[string]int64 {
	r.t.Helper()
	infos, err := r.disk.ReadDir(path.Join("/data", partition))
	require.NoError(r.t, err)
	out := map[string]int64{}
	for _, info := range infos {
		if strings.HasSuffix(info.Name, suffix) {
			out[info.Name] = info.Size
		}
	}
	return out
}

func TestFetchMaxBytesBoundsAnAnswer(t *testing.T) {
	t.Parallel()
	r := run(t, "fetch.max.bytes=2048")
	r.create("t", nil)
	r.produce("t", 20, 500)
	req, rt, rp := kmsg.NewPtrFetchRequest(), kmsg.NewFetchRequestTopic(), kmsg.NewFetchRequestTopicPartition()
	req.MaxBytes = 1 << 20
	rt.Topic, rp.PartitionMaxBytes = "t", 1<<20
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	client, err := kgo.NewClient(kgo.SeedBrokers(r.broker.Addr()), kgo.MaxVersions(namesOfTopics()))
	require.NoError(t, err)
	defer client.Close()
	resp, err := req.RequestWith(t.Context(), client)
	require.NoError(t, err)
	require.NoError(t, kerr.ErrorForCode(resp.ErrorCode))
	got := resp.Topics[0].Partitions[0]
	require.NoError(t, kerr.ErrorForCode(got.ErrorCode))
	require.NotEmpty(t, got.RecordBatches)
	require.LessOrEqual(t, len(got.RecordBatches), 2048)
}

func TestAutoCreateTopicsMayBeOff(t *testing.T) {
	t.Parallel()
	for setting, want := range map[string]error{"true": nil, "false": kerr.UnknownTopicOrPartition} {
		r := run(t, "auto.create.topics.enable="+setting)
		req, rt := kmsg.NewPtrMetadataRequest(), kmsg.NewMetadataRequestTopic()
		req.AllowAutoTopicCreation = true
		rt.Topic = new("t")
		req.Topics = append(req.Topics, rt)
		require.Equal(t, want, kerr.ErrorForCode(r.ask(req).(*kmsg.MetadataResponse).Topics[0].ErrorCode), setting)
	}
}

func TestDeleteTopicsMayBeOff(t *testing.T) {
	t.Parallel()
	for setting, want := range map[string]error{"true": nil, "false": kerr.TopicDeletionDisabled} {
		r := run(t, "delete.topic.enable="+setting)
		r.create("t", nil)
		deleted, err := r.admin.DeleteTopics(t.Context(), "t")
		require.NoError(t, err)
		require.Equal(t, want, deleted["t"].Err, setting)
	}
}

func TestSocketRequestMaxBytesBoundsARequest(t *testing.T) {
	t.Parallel()
	r := run(t, "socket.request.max.bytes=100000")
	r.create("t", nil)
	r.produce("t", 1, 50_000)
	conn, err := net.Dial("tcp", r.broker.Addr())
	require.NoError(t, err)
	defer conn.Close()
	_, err = conn.Write(binary.BigEndian.AppendUint32(nil, 100_001))
	require.NoError(t, err)
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(20*time.Second))) // shorter than the broker would wait for the rest
	_, err = conn.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
}

func TestGroupMaxSizeBoundsAGroup(t *testing.T) {
	t.Parallel()
	r := run(t, "group.max.size=1")
	join := func() *kmsg.JoinGroupResponse {
		req, p := kmsg.NewPtrJoinGroupRequest(), kmsg.NewJoinGroupRequestProtocol()
		req.Group, req.ProtocolType, req.SessionTimeoutMillis, req.RebalanceTimeoutMillis = "g", "consumer", 10_000, 10_000
		p.Name = "range"
		req.Protocols = append(req.Protocols, p)
		req.Version = 3 // with this version, a member ID comes with the join
		client, err := kgo.NewClient(kgo.SeedBrokers(r.broker.Addr()), kgo.MaxVersions(oldGroups()))
		require.NoError(t, err)
		defer client.Close()
		resp, err := req.RequestWith(t.Context(), client)
		require.NoError(t, err)
		return resp
	}
	require.NoError(t, kerr.ErrorForCode(join().ErrorCode))
	require.ErrorIs(t, kerr.ErrorForCode(join().ErrorCode), kerr.GroupMaxSizeReached)
}

func TestAdvertisedListenersAreWhatClientsAreTold(t *testing.T) {
	t.Parallel()
	r := run(t, "advertised.listeners=PLAINTEXT://bote.example:7777,CONTROLLER://localhost:9093")
	seed, err := kgo.NewClient(kgo.SeedBrokers(r.broker.Addr()))
	require.NoError(t, err)
	defer seed.Close()
	meta, err := kmsg.NewPtrMetadataRequest().RequestWith(t.Context(), seed)
	require.NoError(t, err)
	require.Equal(t, "bote.example", meta.Brokers[0].Host)
	require.EqualValues(t, 7777, meta.Brokers[0].Port)
}

// TestTopicSettingsReachTheLog checks the files on the disk. The broker's settings are
// the topics' defaults; a topic's own settings override them.
func TestTopicSettingsReachTheLog(t *testing.T) {
	t.Parallel()
	own := func(pairs ...string) map[string]*string {
		out := map[string]*string{}
		for i := 0; i < len(pairs); i += 2 {
			out[pairs[i]] = &pairs[i+1]
		}
		return out
	}
	r := run(t, "log.index.interval.bytes=1000", "log.index.size.max.bytes=80", "log.roll.ms=3600000", "log.segment.bytes=1048576")
	const logs = ".log"

	r.create("default", nil)
	r.produce("default", 9, 900)
	require.Len(t, r.files("default-0", logs), 1, "an index of 80 bytes has room for 10 entries")
	r.produce("default", 30, 900)
	require.Greater(t, len(r.files("default-0", logs)), 1, "and now it is full")

	r.create("large-index", own("segment.index.bytes", "8000", "index.interval.bytes", "4096"))
	r.produce("large-index", 40, 900)
	require.Len(t, r.files("large-index-0", logs), 1)

	r.create("old", nil)
	r.produce("old", 1, 10)
	r.ahead.Store(int64(2 * time.Hour))
	r.produce("old", 1, 10)
	require.Len(t, r.files("old-0", logs), 2, "log.roll.ms is over")
	r.ahead.Store(0)

	r.create("small", own("segment.bytes", "1048576"))
	r.produce("small", 3, 600_000)
	require.Len(t, r.files("small-0", logs), 3)
}

func TestRetentionBytesReachesTheLog(t *testing.T) {
	t.Parallel()
	r := run(t, "log.retention.check.interval.ms=5", "log.segment.bytes=1048576", "log.retention.bytes=1000000")
	r.create("t", nil)
	r.produce("t", 6, 600_000)
	awaitThat(t, "old segments are gone", func() bool { return r.start("t") >= 3 })
}

// TestConfigChangeNeedsNoRestart: kafka-configs lowers retention.bytes.
func TestConfigChangeNeedsNoRestart(t *testing.T) {
	t.Parallel()
	r := run(t, "log.retention.check.interval.ms=5", "log.segment.bytes=1048576")
	r.create("t", nil)
	r.produce("t", 6, 600_000)
	require.Zero(t, r.start("t"))
	altered, err := r.admin.AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Name: "retention.bytes", Value: new("1000000")}}, "t")
	require.NoError(t, err)
	require.NoError(t, altered[0].Err)
	awaitThat(t, "old segments are gone", func() bool { return r.start("t") >= 3 })
}

func (r *running) start(topic string) int64 {
	r.t.Helper()
	starts, err := r.admin.ListStartOffsets(r.t.Context(), topic)
	require.NoError(r.t, err)
	o, ok := starts.Lookup(topic, 0)
	require.True(r.t, ok)
	return o.Offset
}

// awaitThat waits for something that a goroutine of the broker does periodically.
func awaitThat(t *testing.T, what string, done func() bool) {
	t.Helper()
	require.Eventually(t, done, 30*time.Second, 2*time.Millisecond, what)
}

// TestProducerIDExpires: an idle producer is forgotten, so its next batch may have any
// sequence.
func TestProducerIDExpires(t *testing.T) {
	t.Parallel()
	r := run(t)
	r.create("t", nil)
	altered, err := r.admin.AlterBrokerConfigs(t.Context(), []kadm.AlterConfig{{Name: "producer.id.expiration.ms", Value: new("60000")}})
	require.NoError(t, err)
	require.NoError(t, altered[0].Err)
	client, err := kgo.NewClient(kgo.SeedBrokers(r.broker.Addr()))
	require.NoError(t, err)
	defer client.Close()
	require.NoError(t, client.ProduceSync(t.Context(), &kgo.Record{Topic: "t"}).FirstErr())
	known := func() int {
		req, rt := kmsg.NewPtrDescribeProducersRequest(), kmsg.NewDescribeProducersRequestTopic()
		rt.Topic, rt.Partitions = "t", []int32{0}
		req.Topics = append(req.Topics, rt)
		return len(r.ask(req).(*kmsg.DescribeProducersResponse).Topics[0].Partitions[0].ActiveProducers)
	}
	require.Equal(t, 1, known())
	r.ahead.Store(int64(20 * time.Minute))
	second, err := kgo.NewClient(kgo.SeedBrokers(r.broker.Addr()))
	require.NoError(t, err)
	defer second.Close()
	require.NoError(t, second.ProduceSync(t.Context(), &kgo.Record{Topic: "t"}).FirstErr())
	require.Equal(t, 1, known(), "the first is forgotten")
}

// TestFetchBeforeStorageErrors: fetches before version 6 do not know
// KAFKA_STORAGE_ERROR, and get NOT_LEADER_OR_FOLLOWER instead.
func TestFetchBeforeStorageErrors(t *testing.T) {
	t.Parallel()
	var broken atomic.Bool
	r := runOn(t, func(disk vfs.FS) vfs.FS {
		faulty := vfs.NewFaulty(disk)
		faulty.Inject(func(op vfs.Op, name string) error {
			if broken.Load() && op == vfs.OpRead && strings.HasSuffix(name, ".log") {
				return io.ErrUnexpectedEOF
			}
			return nil
		})
		return faulty
	})
	r.create("t", nil)
	r.produce("t", 1, 10)
	broken.Store(true)
	for version, want := range map[int16]error{5: kerr.NotLeaderForPartition, 6: kerr.KafkaStorageError, 12: kerr.KafkaStorageError} {
		req, rt, rp := kmsg.NewPtrFetchRequest(), kmsg.NewFetchRequestTopic(), kmsg.NewFetchRequestTopicPartition()
		req.MaxBytes = 1 << 20
		rt.Topic, rp.PartitionMaxBytes = "t", 1<<20
		rt.Partitions = append(rt.Partitions, rp)
		req.Topics = append(req.Topics, rt)
		versions := kversion.V3_0_0()
		versions.SetMaxKeyVersion(1, version)
		client, err := kgo.NewClient(kgo.SeedBrokers(r.broker.Addr()), kgo.MaxVersions(versions))
		require.NoError(t, err)
		resp, err := req.RequestWith(t.Context(), client)
		client.Close()
		require.NoError(t, err)
		require.Equal(t, want, kerr.ErrorForCode(resp.Topics[0].Partitions[0].ErrorCode), version)
	}
}

// TestTopicsMayAskForSyncs: if a topic's flush.messages or flush.ms require more than
// log.flush=os does, its batches are synced.
func TestTopicsMayAskForSyncs(t *testing.T) {
	t.Parallel()
	var syncs atomic.Int64
	r := runOn(t, func(disk vfs.FS) vfs.FS {
		faulty := vfs.NewFaulty(disk)
		faulty.Inject(func(op vfs.Op, name string) error {
			if op == vfs.OpSync && strings.HasSuffix(name, ".log") {
				syncs.Add(1)
			}
			return nil
		})
		return faulty
	}, "log.flush=os")
	for name, configs := range map[string]map[string]*string{"plain": nil, "messages": {"flush.messages": new("1")}, "ms": {"flush.ms": new("1000")}} {
		r.create(name, configs)
		r.produce(name, 1, 10) // this also syncs the new file's directory
		before := syncs.Load()
		r.produce(name, 3, 10)
		if configs == nil {
			require.Equal(t, before, syncs.Load())
			continue
		}
		require.Equal(t, before+3, syncs.Load(), name)
	}
}

func TestSessionTimeoutsAreBounded(t *testing.T) {
	t.Parallel()
	r := run(t, "group.min.session.timeout.ms=5000", "group.max.session.timeout.ms=20000")
	for timeout, want := range map[int32]error{4_999: kerr.InvalidSessionTimeout, 5_000: nil, 20_000: nil, 20_001: kerr.InvalidSessionTimeout} {
		req, p := kmsg.NewPtrJoinGroupRequest(), kmsg.NewJoinGroupRequestProtocol()
		req.Group, req.ProtocolType, req.SessionTimeoutMillis, req.RebalanceTimeoutMillis = fmt.Sprint("g", timeout), "consumer", timeout, 1000
		p.Name = "range"
		req.Protocols = append(req.Protocols, p)
		client, err := kgo.NewClient(kgo.SeedBrokers(r.broker.Addr()), kgo.MaxVersions(oldGroups()))
		require.NoError(t, err)
		resp, err := req.RequestWith(t.Context(), client)
		client.Close()
		require.NoError(t, err)
		require.Equal(t, want, kerr.ErrorForCode(resp.ErrorCode), timeout)
	}
}

func TestOffsetMetadataIsBounded(t *testing.T) {
	t.Parallel()
	r := run(t, "offset.metadata.max.bytes=4")
	r.create("t", nil)
	for metadata, want := range map[string]error{"four": nil, "fives": kerr.OffsetMetadataTooLarge} {
		offsets := kadm.Offsets{}
		offsets.Add(kadm.Offset{Topic: "t", At: 1, Metadata: metadata})
		committed, err := r.admin.CommitOffsets(t.Context(), "g", offsets)
		require.NoError(t, err)
		o, _ := committed.Lookup("t", 0)
		require.Equal(t, want, o.Err, metadata)
	}
}

// namesOfTopics returns versions in which fetches name topics by name, not by ID.
func namesOfTopics() *kversion.Versions { return kversion.V3_0_0() }

// oldGroups returns versions in which a member joins with one request.
func oldGroups() *kversion.Versions { return kversion.V2_0_0() }
