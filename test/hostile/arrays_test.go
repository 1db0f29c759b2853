package hostile_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"log/slog"
	"net"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote"
	"github.com/botehq/bote/botetest"
	"github.com/botehq/bote/internal/record"
)

// headed returns a frame of a request header and a body.
func headed(req kmsg.Request, version int16, body ...byte) []byte {
	req.SetVersion(version)
	p := binary.BigEndian.AppendUint16(nil, uint16(req.Key()))
	p = binary.BigEndian.AppendUint16(p, uint16(version))
	p = append(p, 0, 0, 0, 1, 0xff, 0xff)
	if req.IsFlexible() {
		p = append(p, 0)
	}
	return sized(append(p, body...))
}

// whole returns a request as a frame.
func whole(req kmsg.Request, version int16) []byte {
	req.SetVersion(version)
	return headed(req, version, req.AppendTo(nil)...)
}

// TestArraysThatAreNotThere: a frame that claims more elements than it has closes
// its connection before anything is allocated for them. It costs no time, and the
// log says what it was.
func TestArraysThatAreNotThere(t *testing.T) {
	var log logged
	reg := prometheus.NewRegistry()
	b := botetest.New(t, botetest.WithConfig(func(c *bote.Config) {
		c.Logger, c.Registerer = slog.New(slog.NewTextHandler(&log, nil)), reg
	}))
	heartbeat := kmsg.NewPtrHeartbeatRequest()
	heartbeat.SetVersion(4)
	endless := heartbeat.AppendTo(nil)
	endless = append(endless[:len(endless)-1], 0xff, 0xff, 0xff, 0xff, 0x0f) // 2^32-1 tagged fields: three minutes of work
	many := make([]byte, 4<<20-100)
	binary.BigEndian.PutUint32(many, 4<<20-104)
	records := make([]byte, 40<<20)
	records[1] = 0xff // no transactional ID
	records[0] = 0xff
	binary.BigEndian.PutUint32(records[8:], 40<<20-100)
	frames := [][]byte{
		headed(heartbeat, 4, endless...),
		headed(kmsg.NewPtrMetadataRequest(), 1, many...),
		headed(kmsg.NewPtrDeleteGroupsRequest(), 0, many...),
		headed(kmsg.NewPtrProduceRequest(), 3, records...),
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for _, p := range frames {
		c := dialAt(t, b.Addr())
		began := time.Now()
		_, _ = c.Write(p) // the broker may hang up
		_, err := c.Read(make([]byte, 1))
		require.True(t, err != nil && cut(err), "%v", err)
		require.Less(t, time.Since(began), 5*time.Second)
	}
	runtime.ReadMemStats(&after)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(256<<20)) // the frames themselves, twice over as buffers grow
	require.Eventually(t, func() bool { return metric(t, reg, "bote_malformed_frames_total") == len(frames) }, 10*time.Second, time.Millisecond)
	require.Equal(t, 1, strings.Count(log.text(), "closing a connection"), log.text())
	require.Contains(t, log.text(), "Heartbeat version 4")
}

// TestLargeRequestsOfRealClients: what the clients of a large cluster send is
// answered.
func TestLargeRequestsOfRealClients(t *testing.T) {
	b := botetest.New(t, botetest.WithProperty("auto.create.topics.enable", "false"))
	const partitions = 100_000
	metadata := kmsg.NewPtrMetadataRequest()
	for range 20_000 {
		topic := kmsg.NewMetadataRequestTopic()
		topic.Topic = new("orders.eu-central-1.incoming." + strconv.Itoa(len(metadata.Topics)))
		metadata.Topics = append(metadata.Topics, topic)
	}
	list := kmsg.NewPtrListOffsetsRequest()
	commit := kmsg.NewPtrOffsetCommitRequest()
	commit.Group, commit.Generation = "g", -1
	fetched := kmsg.NewPtrOffsetFetchRequest()
	group := kmsg.NewOffsetFetchRequestGroup()
	fetch := kmsg.NewPtrFetchRequest()
	produce := kmsg.NewPtrProduceRequest()
	produce.Acks = -1
	for i := range partitions / 100 {
		name := "topic-" + strconv.Itoa(i)
		lt, ct, gt, ft, pt := kmsg.NewListOffsetsRequestTopic(), kmsg.NewOffsetCommitRequestTopic(), kmsg.NewOffsetFetchRequestGroupTopic(), kmsg.NewFetchRequestTopic(), kmsg.NewProduceRequestTopic()
		lt.Topic, ct.Topic, gt.Topic, ft.Topic, pt.Topic = name, name, name, name, name
		for j := range int32(100) {
			lp, cp, fp, pp := kmsg.NewListOffsetsRequestTopicPartition(), kmsg.NewOffsetCommitRequestTopicPartition(), kmsg.NewFetchRequestTopicPartition(), kmsg.NewProduceRequestTopicPartition()
			lp.Partition, cp.Partition, fp.Partition, pp.Partition = j, j, j, j
			lt.Partitions, ct.Partitions, ft.Partitions, pt.Partitions = append(lt.Partitions, lp), append(ct.Partitions, cp), append(ft.Partitions, fp), append(pt.Partitions, pp)
			gt.Partitions = append(gt.Partitions, j)
		}
		list.Topics, commit.Topics, group.Topics = append(list.Topics, lt), append(commit.Topics, ct), append(group.Topics, gt)
		fetch.Topics, produce.Topics = append(fetch.Topics, ft), append(produce.Topics, pt)
	}
	group.Group = "g"
	fetched.Groups = append(fetched.Groups, group)
	create := kmsg.NewPtrCreateTopicsRequest()
	create.ValidateOnly = true
	for i := range 10_000 {
		topic := kmsg.NewCreateTopicsRequestTopic()
		topic.Topic, topic.NumPartitions, topic.ReplicationFactor = "new-"+strconv.Itoa(i), 1, 1
		for _, name := range []string{"retention.ms", "segment.bytes", "max.message.bytes"} {
			c := kmsg.NewCreateTopicsRequestTopicConfig()
			c.Name, c.Value = name, new("1048576")
			topic.Configs = append(topic.Configs, c)
		}
		create.Topics = append(create.Topics, topic)
	}
	leave := kmsg.NewPtrLeaveGroupRequest()
	leave.Group = "g"
	for i := range 1000 {
		m := kmsg.NewLeaveGroupRequestMember()
		m.MemberID, m.Reason = "consumer-"+strconv.Itoa(i), new("the consumer is being closed")
		leave.Members = append(leave.Members, m)
	}
	for _, one := range []struct {
		req     kmsg.Request
		version int16
	}{
		{metadata, 9}, {list, 8}, {commit, 8}, {fetched, 8}, {fetch, 12}, {produce, 9}, {create, 7}, {leave, 5}, {kmsg.NewPtrApiVersionsRequest(), 4},
	} {
		call(t, b.Addr(), one.req, one.version)
	}
}

// TestTheSameAgain: what a request names a thousand times is answered as if it were
// named once, or each time with little. Otherwise a few hundred bytes could ask for
// a gigabyte.
func TestTheSameAgain(t *testing.T) {
	b := botetest.New(t)
	create := kmsg.NewPtrCreateTopicsRequest()
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = "t", 100, 1
	create.Topics = append(create.Topics, topic)
	id := call(t, b.Addr(), create, 7).(*kmsg.CreateTopicsResponse).Topics[0].TopicID
	member := join(t, b.Addr(), "g", 100<<10)
	commit := kmsg.NewPtrOffsetCommitRequest()
	commit.Group, commit.Generation, commit.MemberID = "g", member.Generation, member.MemberID
	ct := kmsg.NewOffsetCommitRequestTopic()
	ct.Topic = "t"
	for i := range int32(100) {
		cp := kmsg.NewOffsetCommitRequestTopicPartition()
		cp.Partition, cp.Metadata = i, new(strings.Repeat("x", 1000))
		ct.Partitions = append(ct.Partitions, cp)
	}
	commit.Topics = append(commit.Topics, ct)
	require.Zero(t, call(t, b.Addr(), commit, 8).(*kmsg.OffsetCommitResponse).Topics[0].Partitions[0].ErrorCode)

	for name, one := range map[string]struct {
		version int16
		bound   int
		request func(n int) kmsg.Request
	}{
		"metadata": {12, 10 << 10, func(n int) kmsg.Request {
			q := kmsg.NewPtrMetadataRequest()
			for range n {
				qt := kmsg.NewMetadataRequestTopic()
				qt.TopicID = id
				q.Topics = append(q.Topics, qt)
			}
			return q
		}},
		"log dirs": {4, 1 << 10, func(n int) kmsg.Request {
			q := kmsg.NewPtrDescribeLogDirsRequest()
			qt := kmsg.NewDescribeLogDirsRequestTopic()
			qt.Topic, qt.Partitions = "t", make([]int32, n)
			q.Topics = append(q.Topics, qt)
			return q
		}},
		"config resources": {1, 10 << 10, func(n int) kmsg.Request {
			q := kmsg.NewPtrListConfigResourcesRequest()
			q.ResourceTypes = slices.Repeat([]int8{2}, n)
			return q
		}},
		"delete records": {2, 1 << 10, func(n int) kmsg.Request {
			q := kmsg.NewPtrDeleteRecordsRequest()
			qt := kmsg.NewDeleteRecordsRequestTopic()
			qt.Topic, qt.Partitions = "t", make([]kmsg.DeleteRecordsRequestTopicPartition, n)
			q.Topics = append(q.Topics, qt)
			return q
		}},
		"groups": {5, 300 << 10, func(n int) kmsg.Request {
			q := kmsg.NewPtrDescribeGroupsRequest()
			for range n {
				q.Groups = append(q.Groups, "g")
			}
			return q
		}},
		"offsets": {8, 150 << 10, func(n int) kmsg.Request {
			q := kmsg.NewPtrOffsetFetchRequest()
			for range n {
				qg := kmsg.NewOffsetFetchRequestGroup()
				qg.Group, qg.Topics = "g", nil
				q.Groups = append(q.Groups, qg)
			}
			return q
		}},
		"producers": {0, 1 << 10, func(n int) kmsg.Request {
			q := kmsg.NewPtrDescribeProducersRequest()
			qt := kmsg.NewDescribeProducersRequestTopic()
			qt.Topic, qt.Partitions = "t", make([]int32, n)
			q.Topics = append(q.Topics, qt)
			return q
		}},
		"fetch": {17, 1 << 10, func(n int) kmsg.Request {
			q := kmsg.NewPtrFetchRequest()
			q.MaxWaitMillis, q.MinBytes, q.MaxBytes, q.SessionEpoch = 10, 1, 1<<20, -1
			qt := kmsg.NewFetchRequestTopic()
			qt.TopicID = id
			for range n {
				qp := kmsg.NewFetchRequestTopicPartition()
				qp.PartitionMaxBytes = 1 << 20
				qt.Partitions = append(qt.Partitions, qp)
			}
			q.Topics = append(q.Topics, qt)
			return q
		}},
	} {
		t.Run(name, func(t *testing.T) {
			once := sizeOf(call(t, b.Addr(), one.request(1), one.version))
			again := sizeOf(call(t, b.Addr(), one.request(20_000), one.version))
			require.Equal(t, once, again)
			require.Less(t, again, one.bound)
		})
	}
}

func sizeOf(resp kmsg.Response) int { return len(resp.AppendTo(nil)) }

// TestRecordErrorsAreBounded: an answer names only the first bad records, and each
// partition once, however many a request has and however often it names them.
func TestRecordErrorsAreBounded(t *testing.T) {
	b := botetest.New(t)
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.AllowAutoTopicCreation())
	require.NoError(t, err)
	defer client.Close()
	require.NoError(t, client.ProduceSync(t.Context(), &kgo.Record{Topic: "t", Value: []byte("x")}).FirstErr())
	late := time.Now().Add(48 * time.Hour)
	records := make([]record.KeyValue, 100_000)
	batch := record.Build(late.UnixMilli(), records...)
	q := kmsg.NewPtrProduceRequest()
	q.Acks, q.TimeoutMillis = -1, 1000
	for range 8 {
		qt := kmsg.NewProduceRequestTopic()
		qt.Topic = "t"
		qp := kmsg.NewProduceRequestTopicPartition()
		qp.Records = batch
		qt.Partitions = append(qt.Partitions, qp, qp)
		q.Topics = append(q.Topics, qt)
	}
	resp := call(t, b.Addr(), q, 9).(*kmsg.ProduceResponse)
	require.Len(t, resp.Topics, 1)
	require.Len(t, resp.Topics[0].Partitions, 1)
	p := resp.Topics[0].Partitions[0]
	require.Equal(t, kerr.InvalidTimestamp.Code, p.ErrorCode)
	require.Len(t, p.ErrorRecords, 100)
	require.Equal(t, int32(99), p.ErrorRecords[99].RelativeOffset)
}

// TestDescriptionsAreBounded: configs are described as long as there is memory for
// the answer. The rest get an error that says so, and small requests are answered
// as usual.
func TestDescriptionsAreBounded(t *testing.T) {
	const memory = 4 << 20
	b := botetest.New(t, botetest.WithProperty("queued.max.response.bytes", strconv.Itoa(memory)))
	describe := func(n int) *kmsg.DescribeConfigsResponse {
		q := kmsg.NewPtrDescribeConfigsRequest()
		q.IncludeDocumentation, q.IncludeSynonyms = true, true
		for range n {
			qr := kmsg.NewDescribeConfigsRequestResource()
			qr.ResourceType, qr.ResourceName = kmsg.ConfigResourceTypeBroker, ""
			q.Resources = append(q.Resources, qr)
		}
		return call(t, b.Addr(), q, 4).(*kmsg.DescribeConfigsResponse)
	}
	for range 3 { // memory of an answer is given back
		resp := describe(20_000)
		require.Len(t, resp.Resources, 20_000)
		described := 0
		for _, r := range resp.Resources {
			if r.ErrorCode == 0 {
				require.NotEmpty(t, r.Configs)
				described++
				continue
			}
			require.Equal(t, kerr.ThrottlingQuotaExceeded.Code, r.ErrorCode)
			require.Contains(t, *r.ErrorMessage, "describe fewer resources")
			require.Empty(t, r.Configs)
		}
		require.Greater(t, described, 10)
		require.Less(t, described*sizeOf(describe(1)), memory)
		require.Zero(t, resp.Resources[0].ErrorCode)
	}
}

// join makes a client the only member of a group, with that many bytes of metadata
// and as large an assignment.
func join(t *testing.T, addr, group string, bytes int) *kmsg.JoinGroupResponse {
	t.Helper()
	q := kmsg.NewPtrJoinGroupRequest()
	q.Group, q.SessionTimeoutMillis, q.RebalanceTimeoutMillis, q.ProtocolType = group, 30_000, 30_000, "consumer"
	p := kmsg.NewJoinGroupRequestProtocol()
	p.Name, p.Metadata = "range", make([]byte, bytes)
	q.Protocols = append(q.Protocols, p)
	var member *kmsg.JoinGroupResponse
	require.Eventually(t, func() bool { // the coordinator may have to load first
		member = call(t, addr, q, 3).(*kmsg.JoinGroupResponse)
		return member.ErrorCode == 0
	}, 20*time.Second, 50*time.Millisecond)
	sync := kmsg.NewPtrSyncGroupRequest()
	sync.Group, sync.Generation, sync.MemberID = group, member.Generation, member.MemberID
	a := kmsg.NewSyncGroupRequestGroupAssignment()
	a.MemberID, a.MemberAssignment = member.MemberID, make([]byte, bytes)
	sync.GroupAssignment = append(sync.GroupAssignment, a)
	require.Zero(t, call(t, addr, sync, 3).(*kmsg.SyncGroupResponse).ErrorCode)
	return member
}

// call sends a request and returns the answer.
func call(t *testing.T, addr string, req kmsg.Request, version int16) kmsg.Response {
	t.Helper()
	c := dialAt(t, addr)
	_, err := c.Write(whole(req, version))
	require.NoError(t, err)
	head := make([]byte, 8)
	_, err = io.ReadFull(c, head)
	require.NoError(t, err)
	body := make([]byte, binary.BigEndian.Uint32(head)-4)
	_, err = io.ReadFull(c, body)
	require.NoError(t, err)
	resp := req.ResponseKind()
	resp.SetVersion(version)
	if resp.IsFlexible() && req.Key() != 18 {
		body = body[1:]
	}
	require.NoError(t, resp.ReadFrom(body))
	return resp
}

func dialAt(t *testing.T, addr string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	require.NoError(t, c.SetDeadline(time.Now().Add(30*time.Second)))
	return c
}

// logged collects what a broker logs.
type logged struct {
	mu  sync.Mutex
	out bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.out.Write(p)
}

func (l *logged) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.out.String()
}

// metric returns the value of a counter without labels.
func metric(t *testing.T, g prometheus.Gatherer, name string) int {
	t.Helper()
	all, err := g.Gather()
	require.NoError(t, err)
	for _, f := range all {
		if f.GetName() == name {
			return int(f.GetMetric()[0].GetCounter().GetValue())
		}
	}
	t.Fatalf("there is no %s", name)
	return 0
}

// TestSessionOfALostClient: a client is lost while its fetch waits. Its session
// stays as it was: it can be used, and in the end makes room for others.
func TestSessionOfALostClient(t *testing.T) {
	b := botetest.New(t)
	create := kmsg.NewPtrCreateTopicsRequest()
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = "t", 1, 1
	create.Topics = append(create.Topics, topic)
	call(t, b.Addr(), create, 7)
	q := kmsg.NewPtrFetchRequest()
	q.MinBytes, q.MaxBytes, q.SessionEpoch = 1, 1<<20, 0
	qt, qp := kmsg.NewFetchRequestTopic(), kmsg.NewFetchRequestTopicPartition()
	qp.PartitionMaxBytes = 1 << 20
	qt.Topic, qt.Partitions = "t", append(qt.Partitions, qp)
	q.Topics = append(q.Topics, qt)
	q.SessionID = call(t, b.Addr(), q, 12).(*kmsg.FetchResponse).SessionID
	require.NotZero(t, q.SessionID)

	q.Topics = nil
	q.SessionEpoch, q.MaxWaitMillis = 1, 600_000
	c := dialAt(t, b.Addr())
	_, err := c.Write(whole(q, 12))
	require.NoError(t, err)
	q.SessionEpoch, q.MaxWaitMillis = 2, 0
	require.Eventually(t, func() bool { // a running fetch holds its epoch, and a waiting one its session
		return call(t, b.Addr(), q, 12).(*kmsg.FetchResponse).ErrorCode == kerr.InvalidFetchSessionEpoch.Code
	}, 10*time.Second, time.Millisecond)
	require.NoError(t, c.Close())
	require.Eventually(t, func() bool {
		return call(t, b.Addr(), q, 12).(*kmsg.FetchResponse).ErrorCode == 0
	}, 10*time.Second, 10*time.Millisecond)
}

// TestAssignmentsAreBounded: as many partitions can be assigned by hand as in any
// other way, and no more.
func TestAssignmentsAreBounded(t *testing.T) {
	b := botetest.New(t)
	q := kmsg.NewPtrCreateTopicsRequest()
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = "t", -1, -1
	for i := range int32(10_001) {
		a := kmsg.NewCreateTopicsRequestTopicReplicaAssignment()
		a.Partition, a.Replicas = i, []int32{1}
		topic.ReplicaAssignment = append(topic.ReplicaAssignment, a)
	}
	q.Topics, q.ValidateOnly = append(q.Topics, topic), true
	require.Equal(t, kerr.PolicyViolation.Code, call(t, b.Addr(), q, 7).(*kmsg.CreateTopicsResponse).Topics[0].ErrorCode)
	q.Topics[0].ReplicaAssignment = topic.ReplicaAssignment[:10_000]
	require.Zero(t, call(t, b.Addr(), q, 7).(*kmsg.CreateTopicsResponse).Topics[0].ErrorCode)
}
