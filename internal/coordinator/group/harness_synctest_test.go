package group_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"

	"github.com/botehq/bote/internal/coordinator/coordinatortest"
	"github.com/botehq/bote/internal/coordinator/group"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// harness is a coordinator on an in-memory topic, in a synctest bubble.
type harness struct {
	t      *testing.T
	cfg    group.Config
	logs   *coordinatortest.Logs
	topics *topics
	c      *group.Coordinator
	ids    int
}

// run runs f in a bubble with a coordinator that has four shards and no initial
// delay. The topics are "t" with three partitions, "u" with one.
func run(t *testing.T, cfg group.Config, f func(h *harness)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		h := &harness{t: t, cfg: cfg, logs: coordinatortest.New(4), topics: newTopics()}
		h.topics.create("t", 3)
		h.topics.create("u", 1)
		h.start()
		defer func() { h.c.Close() }()
		f(h)
	})
}

func (h *harness) start() {
	c, err := group.New(h.cfg, group.Deps{Logs: h.logs, Topics: h.topics, NewID: func() string {
		h.ids++
		return fmt.Sprintf("id%d", h.ids)
	}})
	require.NoError(h.t, err)
	h.c = c
}

// restart replaces the coordinator by a new one, which has loaded all groups.
func (h *harness) restart() {
	h.c.Close()
	h.start()
	h.c.LoadAll()
	synctest.Wait()
}

// call is a request that was sent.
type call[T any] struct{ answers chan T }

func newCall[T any]() (call[T], func(T)) {
	c := call[T]{make(chan T, 2)}
	return c, func(v T) { c.answers <- v }
}

// get waits for the answer. The bubble's time passes meanwhile.
func (c call[T]) get() T { return <-c.answers }

// waits reports whether there is no answer yet.
func (c call[T]) waits() bool {
	synctest.Wait()
	return len(c.answers) == 0
}

func (h *harness) join(req *kmsg.JoinGroupRequest) call[*kmsg.JoinGroupResponse] {
	c, reply := newCall[*kmsg.JoinGroupResponse]()
	h.c.JoinGroup(group.Caller{ClientID: "client", ClientHost: "/127.0.0.1"}, req, reply)
	return c
}

func (h *harness) sync(req *kmsg.SyncGroupRequest) call[*kmsg.SyncGroupResponse] {
	c, reply := newCall[*kmsg.SyncGroupResponse]()
	h.c.SyncGroup(req, reply)
	return c
}

func (h *harness) heartbeat(req *kmsg.HeartbeatRequest) int16 {
	c, reply := newCall[*kmsg.HeartbeatResponse]()
	h.c.Heartbeat(req, reply)
	return c.get().ErrorCode
}

func (h *harness) leave(req *kmsg.LeaveGroupRequest) *kmsg.LeaveGroupResponse {
	c, reply := newCall[*kmsg.LeaveGroupResponse]()
	h.c.LeaveGroup(req, reply)
	return c.get()
}

func (h *harness) startCommit(req *kmsg.OffsetCommitRequest) call[*kmsg.OffsetCommitResponse] {
	c, reply := newCall[*kmsg.OffsetCommitResponse]()
	h.c.OffsetCommit(req, reply)
	return c
}

func (h *harness) commit(req *kmsg.OffsetCommitRequest) int16 {
	return h.startCommit(req).get().Topics[0].Partitions[0].ErrorCode
}

func (h *harness) startFetch(req *kmsg.OffsetFetchRequest) call[*kmsg.OffsetFetchResponse] {
	c, reply := newCall[*kmsg.OffsetFetchResponse]()
	h.c.OffsetFetch(req, reply)
	return c
}

// offset returns the committed offset of partition 0 of a topic.
func (h *harness) offset(id, topic string) int64 {
	g := h.startFetch(fetchRequest(9, id, topic, 0)).get().Groups[0]
	require.Zero(h.t, g.ErrorCode)
	return g.Topics[0].Partitions[0].Offset
}

func (h *harness) describe(version int16, id string) kmsg.DescribeGroupsResponseGroup {
	req := kmsg.NewPtrDescribeGroupsRequest()
	req.Version, req.Groups = version, []string{id}
	c, reply := newCall[*kmsg.DescribeGroupsResponse]()
	h.c.DescribeGroups(req, reply)
	return c.get().Groups[0]
}

func (h *harness) state(id string) string { return h.describe(5, id).State }

func (h *harness) list(states, types []string) *kmsg.ListGroupsResponse {
	req := kmsg.NewPtrListGroupsRequest()
	req.Version, req.StatesFilter, req.TypesFilter = 5, states, types
	c, reply := newCall[*kmsg.ListGroupsResponse]()
	h.c.ListGroups(req, reply)
	return c.get()
}

func (h *harness) deleteGroup(id string) int16 {
	req := kmsg.NewPtrDeleteGroupsRequest()
	req.Version, req.Groups = 2, []string{id}
	c, reply := newCall[*kmsg.DeleteGroupsResponse]()
	h.c.DeleteGroups(req, reply)
	return c.get().Groups[0].ErrorCode
}

// deleteOffset deletes the offsets of the partitions, or of partition 0 if none is named.
func (h *harness) deleteOffset(id, topic string, partitions ...int32) *kmsg.OffsetDeleteResponse {
	req := kmsg.NewPtrOffsetDeleteRequest()
	req.Group = id
	rt := kmsg.NewOffsetDeleteRequestTopic()
	rt.Topic, rt.Partitions = topic, make([]kmsg.OffsetDeleteRequestTopicPartition, max(1, len(partitions)))
	for i, p := range partitions {
		rt.Partitions[i].Partition = p
	}
	req.Topics = append(req.Topics, rt)
	c, reply := newCall[*kmsg.OffsetDeleteResponse]()
	h.c.OffsetDelete(req, reply)
	return c.get()
}

// subscription returns consumer protocol metadata.
func subscription(topics ...string) []byte {
	m := kmsg.NewConsumerMemberMetadata()
	m.Version, m.Topics = 1, topics
	return m.AppendTo(nil)
}

func offered(name string, metadata []byte) kmsg.JoinGroupRequestProtocol {
	p := kmsg.NewJoinGroupRequestProtocol()
	p.Name, p.Metadata = name, metadata
	return p
}

// joinRequest returns the join of a consumer of topic "t" with timeouts of 30 s.
func joinRequest(version int16, id, memberID string) *kmsg.JoinGroupRequest {
	req := kmsg.NewPtrJoinGroupRequest()
	req.Version, req.Group, req.MemberID, req.ProtocolType = version, id, memberID, "consumer"
	req.SessionTimeoutMillis, req.RebalanceTimeoutMillis = 30_000, 30_000
	req.Protocols = []kmsg.JoinGroupRequestProtocol{offered("range", subscription("t"))}
	return req
}

func syncRequest(id, memberID string, generation int32, assignments ...string) *kmsg.SyncGroupRequest {
	req := kmsg.NewPtrSyncGroupRequest()
	req.Version, req.Group, req.MemberID, req.Generation = 5, id, memberID, generation
	req.ProtocolType, req.Protocol = new("consumer"), new("range")
	for i := 0; i+1 < len(assignments); i += 2 {
		a := kmsg.NewSyncGroupRequestGroupAssignment()
		a.MemberID, a.MemberAssignment = assignments[i], []byte(assignments[i+1])
		req.GroupAssignment = append(req.GroupAssignment, a)
	}
	return req
}

func heartbeatRequest(id, memberID string, generation int32) *kmsg.HeartbeatRequest {
	req := kmsg.NewPtrHeartbeatRequest()
	req.Version, req.Group, req.MemberID, req.Generation = 4, id, memberID, generation
	return req
}

func leaveRequest(version int16, id string, members ...string) *kmsg.LeaveGroupRequest {
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Version, req.Group, req.MemberID = version, id, members[0]
	for _, id := range members {
		m := kmsg.NewLeaveGroupRequestMember()
		m.MemberID = id
		req.Members = append(req.Members, m)
	}
	return req
}

// commitRequest returns the commit of a client that is not a member, for partition 0.
func commitRequest(version int16, id, topic string, offset int64) *kmsg.OffsetCommitRequest {
	p := kmsg.NewOffsetCommitRequestTopicPartition()
	p.Offset, p.Metadata = offset, new("m")
	rt := kmsg.NewOffsetCommitRequestTopic()
	rt.Topic, rt.TopicID, rt.Partitions = topic, topicID(topic, 1), []kmsg.OffsetCommitRequestTopicPartition{p}
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Version, req.Group, req.Topics = version, id, []kmsg.OffsetCommitRequestTopic{rt}
	return req
}

// fetchRequest returns an OffsetFetch in the form of its version, for all partitions if
// none is named.
func fetchRequest(version int16, id, topic string, partitions ...int32) *kmsg.OffsetFetchRequest {
	req := kmsg.NewPtrOffsetFetchRequest()
	req.Version, req.Group = version, id
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group = id
	if partitions != nil {
		old := kmsg.NewOffsetFetchRequestTopic()
		old.Topic, old.Partitions = topic, partitions
		req.Topics = append(req.Topics, old)
		rt := kmsg.NewOffsetFetchRequestGroupTopic()
		rt.Topic, rt.TopicID, rt.Partitions = topic, topicID(topic, 1), partitions
		g.Topics = append(g.Topics, rt)
	}
	req.Groups = append(req.Groups, g)
	return req
}

// member is a client that is a member of a group.
type member struct {
	h          *harness
	id         string
	group      string
	generation int32
	req        *kmsg.JoinGroupRequest
}

// newMember returns a dynamic member that has a pending ID and has not joined.
func (h *harness) newMember(id string) *member {
	m := &member{h: h, group: id, req: joinRequest(9, id, "")}
	resp := h.join(m.req).get()
	require.Equal(h.t, kerr.MemberIDRequired.Code, resp.ErrorCode)
	m.id = resp.MemberID
	m.req.MemberID = m.id
	return m
}

// static returns a static member that has not joined.
func (h *harness) static(id, instance string) *member {
	m := &member{h: h, group: id, req: joinRequest(9, id, "")}
	m.req.InstanceID = &instance
	return m
}

func (m *member) startJoin() call[*kmsg.JoinGroupResponse] {
	req := *m.req
	return m.h.join(&req)
}

// joined waits for a successful answer and takes over its generation and member ID.
func (m *member) joined(c call[*kmsg.JoinGroupResponse]) *kmsg.JoinGroupResponse {
	resp := c.get()
	require.Zero(m.h.t, resp.ErrorCode)
	m.generation, m.id = resp.Generation, resp.MemberID
	return resp
}

func (m *member) joins() *kmsg.JoinGroupResponse { return m.joined(m.startJoin()) }

func (m *member) startSync(assignments ...string) call[*kmsg.SyncGroupResponse] {
	return m.h.sync(syncRequest(m.group, m.id, m.generation, assignments...))
}

func (m *member) syncs(assignments ...string) *kmsg.SyncGroupResponse {
	return m.startSync(assignments...).get()
}

func (m *member) heartbeats() int16 {
	return m.h.heartbeat(heartbeatRequest(m.group, m.id, m.generation))
}

// beats sends heartbeats for d, one a second.
func (m *member) beats(d time.Duration) {
	for range d / time.Second {
		time.Sleep(time.Second)
		m.heartbeats()
	}
}

func (m *member) commit(offset int64) int16 {
	req := commitRequest(8, m.group, "t", offset)
	req.MemberID, req.Generation = m.id, m.generation
	return m.h.commit(req)
}

// stable returns the only member of a new stable group.
func (h *harness) stable(id string) *member {
	m := h.newMember(id)
	m.joins()
	require.Zero(h.t, m.syncs(m.id, "A").ErrorCode)
	return m
}

// stablePair returns the members of a new stable group of two, in generation 2.
func (h *harness) stablePair(id string) (leader, follower *member) {
	leader = h.stable(id)
	follower = h.newMember(id)
	c := follower.startJoin()
	require.True(h.t, c.waits())
	leader.joins()
	follower.joined(c)
	s := follower.startSync()
	require.True(h.t, s.waits())
	require.Zero(h.t, leader.syncs(leader.id, "L", follower.id, "F").ErrorCode)
	require.Equal(h.t, "F", string(s.get().MemberAssignment))
	return leader, follower
}

// topics is a catalog. The ID of a topic encodes its name and incarnation.
type topics struct {
	mu     sync.Mutex
	counts map[string]int32
	ids    map[string][16]byte
	times  map[string]int
}

func newTopics() *topics {
	return &topics{counts: map[string]int32{}, ids: map[string][16]byte{}, times: map[string]int{}}
}

func topicID(name string, incarnation int) (id [16]byte) {
	copy(id[:], fmt.Sprintf("%s#%d", name, incarnation))
	return id
}

func (ts *topics) create(name string, partitions int32) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	ts.times[name]++
	ts.counts[name], ts.ids[name] = partitions, topicID(name, ts.times[name])
}

func (ts *topics) delete(name string) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	delete(ts.counts, name)
	delete(ts.ids, name)
}

func (ts *topics) Lookup(name string) (id [16]byte, partitions int32, ok bool) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	partitions, ok = ts.counts[name]
	return ts.ids[name], partitions, ok
}

func (ts *topics) Name(id [16]byte) (string, bool) {
	name, _, _ := strings.Cut(strings.TrimRight(string(id[:]), "\x00"), "#")
	current, _, ok := ts.Lookup(name)
	return name, ok && current == id
}
