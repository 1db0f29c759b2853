package broker

import (
	"context"
	"maps"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/cluster"
	"github.com/botehq/bote/internal/config"
	"github.com/botehq/bote/internal/meta"
	"github.com/botehq/bote/internal/meta/memmeta"
	"github.com/botehq/bote/internal/record"
	"github.com/botehq/bote/internal/storage/vfs"
	"github.com/botehq/bote/internal/topic"
)

// served is a broker on a file system in memory, with a client that knows only this
// broker.
type served struct {
	*Broker
	client *kgo.Client
}

func serve(t *testing.T, fs vfs.FS, properties map[string]string) *served {
	t.Helper()
	props := map[string]string{
		"node.id": "1", "process.roles": "broker,controller", "listeners": "PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:0",
		"controller.listener.names": "CONTROLLER", "controller.quorum.voters": "1@localhost:9093", "log.dirs": "/data",
		"offsets.topic.num.partitions": "2", "group.initial.rebalance.delay.ms": "0",
	}
	maps.Copy(props, properties)
	server, _, err := config.ParseServer(props)
	require.NoError(t, err)
	kept := memmeta.New()
	b, err := Open(t.Context(), Config{Settings: server, FS: fs, OpenMeta: func(string) (meta.Store, error) { return kept, nil }})
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { done <- b.Serve(context.Background()) }()
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()))
	require.NoError(t, err)
	t.Cleanup(func() {
		client.Close()
		require.NoError(t, b.Close())
		require.NoError(t, <-done)
	})
	return &served{b, client}
}

func (s *served) ask(t *testing.T, req kmsg.Request) kmsg.Response {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	resp, err := s.client.SeedBrokers()[0].Request(ctx, req)
	require.NoError(t, err)
	return resp
}

func (s *served) create(t *testing.T, name string, partitions int32) topic.ID {
	t.Helper()
	got, err := kadm.NewClient(s.client).CreateTopic(t.Context(), partitions, 1, nil, name)
	require.NoError(t, err)
	return topic.ID(got.ID)
}

func (s *served) produce(t *testing.T, name string, id topic.ID, index int32) *kmsg.ProduceResponse {
	t.Helper()
	req := kmsg.NewPtrProduceRequest()
	req.Acks, req.TimeoutMillis = -1, 10_000
	rt := kmsg.NewProduceRequestTopic()
	rt.Topic, rt.TopicID = name, id
	rp := kmsg.NewProduceRequestTopicPartition()
	rp.Partition, rp.Records = index, record.Build(1, record.KeyValue{Value: []byte("x")})
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	return s.ask(t, req).(*kmsg.ProduceResponse)
}

func (s *served) fetch(t *testing.T, name string, id topic.ID, index int32) *kmsg.FetchResponse {
	t.Helper()
	return s.ask(t, fetchOf(name, id, index)).(*kmsg.FetchResponse)
}

func fetchOf(name string, id topic.ID, index int32) *kmsg.FetchRequest {
	req := kmsg.NewPtrFetchRequest()
	req.MaxBytes, req.SessionEpoch = 1<<20, -1
	rt := kmsg.NewFetchRequestTopic()
	rt.Topic, rt.TopicID = name, id
	rp := kmsg.NewFetchRequestTopicPartition()
	rp.Partition, rp.PartitionMaxBytes, rp.CurrentLeaderEpoch = index, 1<<20, -1
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	return req
}

// TestPartitionThatMoves: for a partition that another broker leads, the answer is
// NOT_LEADER_OR_FOLLOWER and names the leader. A partition that comes back has its
// records, and the epoch in which it was gained.
func TestPartitionThatMoves(t *testing.T) {
	s := serve(t, vfs.NewMem(), nil)
	id := s.create(t, "moving", 2)
	for range 3 {
		require.Zero(t, s.produce(t, "moving", id, 1).Topics[0].Partitions[0].ErrorCode)
	}
	rack := "far"
	other := &cluster.Node{ID: 9, Rack: &rack, Endpoints: map[string]cluster.Endpoint{"PLAINTEXT": {Host: "elsewhere", Port: 77}}}
	moved := cluster.Partition{Topic: id, Index: 1}
	parked := fetchOf("moving", id, 1)
	parked.MaxWaitMillis, parked.MinBytes, parked.Topics[0].Partitions[0].FetchOffset = 600_000, 1, 3
	woken := make(chan kmsg.Response, 1)
	go func() {
		resp, _ := s.client.SeedBrokers()[0].Request(t.Context(), parked)
		woken <- resp
	}()
	require.NoError(t, s.leaders.Lose(t.Context(), moved, cluster.Leader{Node: other, Epoch: 6}))
	require.ErrorIs(t, kerr.ErrorForCode((<-woken).(*kmsg.FetchResponse).Topics[0].Partitions[0].ErrorCode), kerr.NotLeaderForPartition)

	produced := s.produce(t, "moving", id, 1)
	require.ErrorIs(t, kerr.ErrorForCode(produced.Topics[0].Partitions[0].ErrorCode), kerr.NotLeaderForPartition)
	require.Equal(t, int32(9), produced.Topics[0].Partitions[0].CurrentLeader.LeaderID)
	require.Equal(t, int32(6), produced.Topics[0].Partitions[0].CurrentLeader.LeaderEpoch)
	require.Len(t, produced.Brokers, 1)
	require.Equal(t, "elsewhere", produced.Brokers[0].Host)
	fetched := s.fetch(t, "moving", id, 1)
	require.ErrorIs(t, kerr.ErrorForCode(fetched.Topics[0].Partitions[0].ErrorCode), kerr.NotLeaderForPartition)
	require.Equal(t, int32(9), fetched.Topics[0].Partitions[0].CurrentLeader.LeaderID)
	require.Equal(t, int32(6), fetched.Topics[0].Partitions[0].CurrentLeader.LeaderEpoch)
	require.Len(t, fetched.Brokers, 1)
	require.Equal(t, int32(77), fetched.Brokers[0].Port)
	require.Equal(t, "far", *fetched.Brokers[0].Rack)
	require.Zero(t, s.produce(t, "moving", id, 0).Topics[0].Partitions[0].ErrorCode, "the other is here")
	require.Empty(t, s.produce(t, "moving", id, 0).Brokers)
	missing := s.fetch(t, "moving", id, 2)
	require.ErrorIs(t, kerr.ErrorForCode(missing.Topics[0].Partitions[0].ErrorCode), kerr.UnknownTopicOrPartition)

	list := kmsg.NewPtrListOffsetsRequest()
	lt := kmsg.NewListOffsetsRequestTopic()
	lt.Topic = "moving"
	lp := kmsg.NewListOffsetsRequestTopicPartition()
	lp.Partition, lp.Timestamp, lp.CurrentLeaderEpoch = 1, -1, -1
	lt.Partitions = append(lt.Partitions, lp)
	list.Topics = append(list.Topics, lt)
	listed := func() kmsg.ListOffsetsResponseTopicPartition {
		return s.ask(t, list).(*kmsg.ListOffsetsResponse).Topics[0].Partitions[0]
	}
	require.ErrorIs(t, kerr.ErrorForCode(listed().ErrorCode), kerr.NotLeaderForPartition)
	described, err := kadm.NewClient(s.client).ListTopics(t.Context(), "moving")
	require.NoError(t, err)
	require.Equal(t, int32(9), described["moving"].Partitions[1].Leader)
	require.Equal(t, int32(6), described["moving"].Partitions[1].LeaderEpoch)
	require.Equal(t, int32(1), described["moving"].Partitions[0].Leader)

	require.NoError(t, s.leaders.Gain(t.Context(), []cluster.Gain{{Partition: moved, Epoch: 7}}))
	require.Equal(t, int64(3), listed().Offset)
	require.Equal(t, int32(7), listed().LeaderEpoch)
	require.Equal(t, int64(3), s.produce(t, "moving", id, 1).Topics[0].Partitions[0].BaseOffset)
}

// TestGroupsThatMove: the leader of a group's partition coordinates the group, and
// ListGroups lists only the groups that are coordinated here.
func TestGroupsThatMove(t *testing.T) {
	s := serve(t, vfs.NewMem(), nil)
	s.create(t, "t", 1)
	commit := func(group string) error {
		req := kmsg.NewPtrOffsetCommitRequest()
		req.Group, req.Generation = group, -1
		rt := kmsg.NewOffsetCommitRequestTopic()
		rt.Topic = "t"
		rp := kmsg.NewOffsetCommitRequestTopicPartition()
		rp.Offset, rp.LeaderEpoch = 1, -1
		rt.Partitions = append(rt.Partitions, rp)
		req.Topics = append(req.Topics, rt)
		resp, err := s.client.Request(t.Context(), req)
		require.NoError(t, err)
		return kerr.ErrorForCode(resp.(*kmsg.OffsetCommitResponse).Topics[0].Partitions[0].ErrorCode)
	}
	byPartition := map[int32]string{}
	for _, group := range []string{"a", "b", "c", "d", "e", "f"} {
		byPartition[s.groups.Partition(group)] = group
	}
	require.Len(t, byPartition, 2)
	require.NoError(t, commit(byPartition[0]))
	require.NoError(t, commit(byPartition[1]))
	groups := func() []string {
		resp := s.ask(t, kmsg.NewPtrListGroupsRequest()).(*kmsg.ListGroupsResponse)
		require.NoError(t, kerr.ErrorForCode(resp.ErrorCode))
		var names []string
		for _, g := range resp.Groups {
			names = append(names, g.Group)
		}
		return names
	}
	require.ElementsMatch(t, []string{byPartition[0], byPartition[1]}, groups())

	offsets := s.catalog.Snapshot().Topic(topic.ConsumerOffsets)
	other := &cluster.Node{ID: 9, Endpoints: map[string]cluster.Endpoint{"PLAINTEXT": {Host: "elsewhere", Port: 77}}}
	lost := cluster.Partition{Topic: offsets.ID, Index: 1}
	require.NoError(t, s.leaders.Lose(t.Context(), lost, cluster.Leader{Node: other, Epoch: 3}))
	require.Equal(t, []string{byPartition[0]}, groups())
	find := kmsg.NewPtrFindCoordinatorRequest()
	find.CoordinatorKeys = []string{byPartition[0], byPartition[1]}
	found := s.ask(t, find).(*kmsg.FindCoordinatorResponse)
	require.Equal(t, int32(1), found.Coordinators[0].NodeID)
	require.Equal(t, int32(9), found.Coordinators[1].NodeID)
	require.Equal(t, "elsewhere", found.Coordinators[1].Host)
	fetch := kmsg.NewPtrOffsetFetchRequest()
	fg := kmsg.NewOffsetFetchRequestGroup()
	fg.Group = byPartition[1]
	fetch.Groups = append(fetch.Groups, fg)
	committed := func() (int, error) {
		g := s.ask(t, fetch).(*kmsg.OffsetFetchResponse).Groups[0]
		return len(g.Topics), kerr.ErrorForCode(g.ErrorCode)
	}
	_, err := committed()
	require.ErrorIs(t, err, kerr.NotCoordinator)

	require.NoError(t, s.leaders.Gain(t.Context(), []cluster.Gain{{Partition: lost, Epoch: 4}}))
	require.Eventually(t, func() bool {
		n, err := committed()
		return n == 1 && err == nil
	}, 10*time.Second, time.Millisecond, "loaded again from the log")
	require.ElementsMatch(t, []string{byPartition[0], byPartition[1]}, groups())
}
