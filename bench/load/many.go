package load

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
	"golang.org/x/sync/errgroup"

	"github.com/botehq/bote/bench/proc"
)

// Ask sends an ApiVersions request, the first request of every client, and returns
// when it was answered without an error.
func Ask(conn net.Conn) error {
	req := kmsg.NewPtrApiVersionsRequest()
	req.Version = 0
	client := "bench"
	if _, err := conn.Write(kmsg.NewRequestFormatter(kmsg.FormatterClientID(client)).AppendRequest(nil, req, 1)); err != nil {
		return fmt.Errorf("ask: %w", err)
	}
	var head [4]byte
	if _, err := io.ReadFull(conn, head[:]); err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	size := binary.BigEndian.Uint32(head[:])
	if size < 6 || size > 1<<20 {
		return fmt.Errorf("read answer: %d bytes", size)
	}
	answer := make([]byte, size)
	if _, err := io.ReadFull(conn, answer); err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	return kerr.ErrorForCode(int16(binary.BigEndian.Uint16(answer[4:]))) //nolint:gosec // an error code
}

// connections opens that many connections, sends one request on each, and measures
// how much memory the broker needs for them while they are idle.
func connections(ctx context.Context, o *Options) (Result, error) {
	all := make([]net.Conn, 0, o.Count)
	defer func() {
		for _, conn := range all {
			_ = conn.Close() // nothing is under way
		}
	}()
	before, err := proc.MemoryOf(o.PID)
	if err != nil {
		return nil, fmt.Errorf("before: %w", err)
	}
	m := newMeter(o.PID)
	var dialer net.Dialer
	for range o.Count {
		conn, err := dialer.DialContext(ctx, "tcp", o.seeds()[0])
		if err != nil {
			return nil, fmt.Errorf("connection %d: %w", len(all), err)
		}
		all = append(all, conn)
		if err := Ask(conn); err != nil {
			return nil, fmt.Errorf("connection %d: %w", len(all), err)
		}
	}
	r := m.done(int64(o.Count), 0)
	return r, r.addGrowth(ctx, o, before)
}

// addGrowth adds how much the broker's memory has grown, a second after the last
// request.
func (r Result) addGrowth(ctx context.Context, o *Options, before proc.Memory) error {
	if err := pause(ctx, time.Second); err != nil {
		return err
	}
	after, err := proc.MemoryOf(o.PID)
	if err != nil {
		return fmt.Errorf("after: %w", err)
	}
	r[Resident], r[Peak] = after.Resident, after.Peak
	r[GrowthMB] = after.Resident - before.Resident
	r[Growth] = r[GrowthMB] * 1024 / float64(o.Count)
	return nil
}

// groups makes that many consumer groups over eight clients. Each group has one
// member, which joins, gets its assignment and commits one offset.
func groups(ctx context.Context, o *Options) (Result, error) {
	if err := o.createTopics(ctx); err != nil {
		return nil, err
	}
	const clients = 8
	all := make([]*kgo.Client, clients)
	known := kversion.Stable()
	known.SetMaxKeyVersion(int16(kmsg.OffsetCommit), 9) // the last one that names topics
	for i := range all {
		client, err := kgo.NewClient(kgo.SeedBrokers(o.seeds()...), kgo.MaxVersions(known))
		if err != nil {
			return nil, fmt.Errorf("make client: %w", err)
		}
		defer client.Close()
		all[i] = client
	}
	join := func(client *kgo.Client, group string) error {
		return again(ctx, func() error { return joinAndCommit(ctx, client, group, o.Topic) }, nil)
	}
	for i, client := range all { // the first group makes the broker create the offsets topic
		if err := join(client, fmt.Sprintf("%s-first-%d", o.Topic, i)); err != nil {
			return nil, err
		}
	}
	before, err := proc.MemoryOf(o.PID)
	if err != nil {
		return nil, fmt.Errorf("before: %w", err)
	}
	m := newMeter(o.PID)
	var next atomic.Int64
	var running errgroup.Group
	for _, client := range all {
		running.Go(func() error {
			for i := next.Add(1); i <= int64(o.Count); i = next.Add(1) {
				if err := join(client, fmt.Sprintf("%s-%d", o.Topic, i)); err != nil {
					return fmt.Errorf("group %d: %w", i, err)
				}
			}
			return nil
		})
	}
	if err := running.Wait(); err != nil {
		return nil, err //nolint:wrapcheck // says which group
	}
	r := m.done(int64(o.Count), 0)
	return r, r.addGrowth(ctx, o, before)
}

// joinAndCommit makes one member join a classic group, sync, and commit an offset.
func joinAndCommit(ctx context.Context, client *kgo.Client, group, topic string) error {
	joined, err := join(ctx, client, group, topic)
	if err != nil {
		return err
	}
	sync := kmsg.NewPtrSyncGroupRequest()
	sync.Group, sync.Generation, sync.MemberID = group, joined.Generation, joined.MemberID
	assignment := kmsg.ConsumerMemberAssignment{Topics: []kmsg.ConsumerMemberAssignmentTopic{{Topic: topic, Partitions: []int32{0}}}}
	sync.GroupAssignment = []kmsg.SyncGroupRequestGroupAssignment{{MemberID: joined.MemberID, MemberAssignment: assignment.AppendTo(nil)}}
	protocol, kind := "range", "consumer"
	sync.Protocol, sync.ProtocolType = &protocol, &kind
	synced, err := sync.RequestWith(ctx, client)
	if err == nil {
		err = kerr.ErrorForCode(synced.ErrorCode)
	}
	if err != nil {
		return fmt.Errorf("sync group: %w", err)
	}
	commit := kmsg.NewPtrOffsetCommitRequest()
	commit.Group, commit.Generation, commit.MemberID = group, joined.Generation, joined.MemberID
	commit.Topics = []kmsg.OffsetCommitRequestTopic{{Topic: topic, Partitions: []kmsg.OffsetCommitRequestTopicPartition{{Partition: 0, Offset: 0, LeaderEpoch: -1}}}}
	committed, err := commit.RequestWith(ctx, client)
	if err == nil {
		err = kerr.ErrorForCode(committed.Topics[0].Partitions[0].ErrorCode)
	}
	if err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// join joins a group. If the broker gives the member an ID and wants it to join
// again with that, it does.
func join(ctx context.Context, client *kgo.Client, group, topic string) (*kmsg.JoinGroupResponse, error) {
	req := kmsg.NewPtrJoinGroupRequest()
	req.Group, req.SessionTimeoutMillis, req.RebalanceTimeoutMillis, req.ProtocolType = group, 300_000, 300_000, "consumer"
	metadata := kmsg.ConsumerMemberMetadata{Topics: []string{topic}}
	req.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range", Metadata: metadata.AppendTo(nil)}}
	for {
		resp, err := req.RequestWith(ctx, client)
		if err == nil {
			err = kerr.ErrorForCode(resp.ErrorCode)
		}
		switch {
		case err == nil:
			return resp, nil
		case resp != nil && resp.ErrorCode == kerr.MemberIDRequired.Code && req.MemberID == "":
			req.MemberID = resp.MemberID
		default:
			return nil, fmt.Errorf("join group: %w", err)
		}
	}
}
