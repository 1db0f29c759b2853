package model_test

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// commit commits an offset of a group without members.
func (w *world) commit(s step) error {
	return w.commitAs(s, "", -1)
}

// commitAs commits an offset that is larger than all earlier ones.
func (w *world) commitAs(s step, member string, generation int32) error {
	p := w.part(s.b)
	if p == nil {
		return errSkip
	}
	key := offsetKey{groupNames[s.a%uint32(len(groupNames))], p}
	o := w.ref.offsets[key]
	if o == nil {
		o = &refOffset{acked: -1}
		w.ref.offsets[key] = o
	}
	w.ref.counter++
	o.tried = w.ref.counter
	value := o.tried
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group, req.MemberID, req.Generation = key.group, member, generation
	rt := kmsg.NewOffsetCommitRequestTopic()
	rt.Topic = p.topic.name
	rp := kmsg.NewOffsetCommitRequestTopicPartition()
	rp.Partition, rp.Offset, rp.LeaderEpoch = p.index, value, -1
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	resp, err := w.coordinated(func() kmsg.Request { return req }, func(resp kmsg.Response) int16 {
		return resp.(*kmsg.OffsetCommitResponse).Topics[0].Partitions[0].ErrorCode
	})
	if err != nil {
		return err
	}
	switch code := resp.(*kmsg.OffsetCommitResponse).Topics[0].Partitions[0].ErrorCode; code {
	case 0:
		o.acked = value
		return nil
	case kerr.UnknownMemberID.Code, kerr.RebalanceInProgress.Code, kerr.IllegalGeneration.Code:
		return errSkip // a vanished member is still in the group
	default:
		return w.explained(code)
	}
}

// coordinated repeats a request until the coordinator is ready.
func (w *world) coordinated(req func() kmsg.Request, code func(kmsg.Response) int16) (kmsg.Response, error) {
	for try := 0; ; try++ {
		resp, err := w.clients[1].send(req()).wait()
		if err := w.answered(err); err != nil {
			return nil, err
		}
		switch code(resp) {
		case kerr.CoordinatorLoadInProgress.Code, kerr.CoordinatorNotAvailable.Code, kerr.NotCoordinator.Code:
			if try < 20 {
				pass(20 * time.Millisecond)
				continue
			}
			if !w.disk.failed() {
				return nil, broken("the coordinator does not come: %v", kerr.ErrorForCode(code(resp)))
			}
			return nil, errSkip
		}
		return resp, nil
	}
}

// session is the life of a member that joins a group, commits and leaves.
func (w *world) session(s step) error {
	group := groupNames[s.a%uint32(len(groupNames))]
	join := kmsg.NewPtrJoinGroupRequest()
	join.Group, join.SessionTimeoutMillis, join.RebalanceTimeoutMillis, join.ProtocolType = group, 10_000, 10_000, "consumer"
	protocol := kmsg.NewJoinGroupRequestProtocol()
	protocol.Name, protocol.Metadata = "range", []byte{0}
	join.Protocols = append(join.Protocols, protocol)
	var joined *kmsg.JoinGroupResponse
	for range 2 { // the first answer only gives the member ID
		resp, err := w.coordinated(func() kmsg.Request { return join }, func(resp kmsg.Response) int16 { return resp.(*kmsg.JoinGroupResponse).ErrorCode })
		if err != nil {
			return err
		}
		joined = resp.(*kmsg.JoinGroupResponse)
		if joined.ErrorCode != kerr.MemberIDRequired.Code {
			break
		}
		join.MemberID = joined.MemberID
	}
	if err := w.explained(joined.ErrorCode); err != nil {
		return err
	}
	sync := kmsg.NewPtrSyncGroupRequest()
	sync.Group, sync.MemberID, sync.Generation = group, joined.MemberID, joined.Generation
	assignment := kmsg.NewSyncGroupRequestGroupAssignment()
	assignment.MemberID, assignment.MemberAssignment = joined.MemberID, []byte{1}
	sync.GroupAssignment = append(sync.GroupAssignment, assignment)
	resp, err := w.coordinated(func() kmsg.Request { return sync }, func(resp kmsg.Response) int16 { return resp.(*kmsg.SyncGroupResponse).ErrorCode })
	if err != nil {
		return err
	}
	if code := resp.(*kmsg.SyncGroupResponse).ErrorCode; code != 0 {
		return w.explained(code)
	}
	if err := w.commitAs(s, joined.MemberID, joined.Generation); err != nil {
		return err
	}
	if s.c%4 == 0 {
		return nil // the member vanishes without leaving
	}
	leave := kmsg.NewPtrLeaveGroupRequest()
	leave.Group = group
	member := kmsg.NewLeaveGroupRequestMember()
	member.MemberID = joined.MemberID
	leave.Members = append(leave.Members, member)
	_, err = w.coordinated(func() kmsg.Request { return leave }, func(resp kmsg.Response) int16 { return resp.(*kmsg.LeaveGroupResponse).ErrorCode })
	return err
}

// checkOffsets compares the committed offsets with the acknowledged ones: each must
// be the acknowledged offset, or a later one that was tried.
func (w *world) checkOffsets() error {
	for key, o := range w.ref.offsets {
		req := kmsg.NewPtrOffsetFetchRequest()
		req.Group = key.group
		rt := kmsg.NewOffsetFetchRequestTopic()
		rt.Topic, rt.Partitions = key.part.topic.name, []int32{key.part.index}
		req.Topics = append(req.Topics, rt)
		resp, err := w.coordinated(func() kmsg.Request { return req }, func(resp kmsg.Response) int16 { return resp.(*kmsg.OffsetFetchResponse).ErrorCode })
		if err != nil {
			return err
		}
		got := resp.(*kmsg.OffsetFetchResponse)
		if err := w.explained(got.ErrorCode); err != nil {
			return err
		}
		at := got.Topics[0].Partitions[0].Offset
		if at < o.acked || at > o.tried {
			return broken("group %s, %v: offset %d was committed, %d tried, and %d is there", key.group, key.part, o.acked, o.tried, at)
		}
		o.acked = max(o.acked, at)
	}
	return nil
}
