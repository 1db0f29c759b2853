package group

import (
	"strings"
	"unicode/utf16"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/coordinator"
)

const (
	// topicIDVersion is the first version of OffsetCommit and OffsetFetch that has
	// topic IDs instead of names.
	topicIDVersion = 10
	// groupNotFoundVersion is the first version of OffsetCommit that has
	// GROUP_ID_NOT_FOUND.
	groupNotFoundVersion = 9
)

// commitSlot is one partition of an OffsetCommit: where its error code goes in the
// answer, and what to store.
type commitSlot struct {
	code      *int16
	partition partition
	request   *kmsg.OffsetCommitRequestTopicPartition
	topicID   [16]byte // zero before topicIDVersion
}

// OffsetCommit stores offsets, all of one request in one append. Partitions that do not
// exist get an error of their own, and the others are stored.
func (c *Coordinator) OffsetCommit(req *kmsg.OffsetCommitRequest, reply func(*kmsg.OffsetCommitResponse)) {
	resp := kmsg.NewPtrOffsetCommitResponse()
	resp.Version = req.Version
	slots := c.commitSlots(req, resp)
	if len(slots) == 0 {
		reply(resp)
		return
	}
	answer := func(slots []commitSlot, code int16) {
		for _, slot := range slots {
			*slot.code = code
		}
		reply(resp)
	}
	c.do(req.Group, func(s *shard) {
		code := s.validateCommit(req)
		if code != 0 {
			answer(slots, code)
			return
		}
		s.commit(req, slots, answer)
	}, func(code int16) { answer(slots, code) })
}

// commitSlots lays out the answer and returns the slots of the partitions that exist.
func (c *Coordinator) commitSlots(req *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse) []commitSlot {
	var slots []commitSlot
	resp.Topics = make([]kmsg.OffsetCommitResponseTopic, len(req.Topics))
	for i := range req.Topics {
		in, out := &req.Topics[i], &resp.Topics[i]
		*out = kmsg.NewOffsetCommitResponseTopic()
		out.Topic, out.TopicID = in.Topic, in.TopicID
		name, count, code := c.find(req.Version, in.Topic, in.TopicID)
		out.Partitions = make([]kmsg.OffsetCommitResponseTopicPartition, len(in.Partitions))
		for k := range in.Partitions {
			p := &out.Partitions[k]
			*p = kmsg.NewOffsetCommitResponseTopicPartition()
			p.Partition = in.Partitions[k].Partition
			switch {
			case code != 0:
				p.ErrorCode = code
			case p.Partition < 0 || p.Partition >= count:
				p.ErrorCode = kerr.UnknownTopicOrPartition.Code
			default:
				slot := commitSlot{code: &p.ErrorCode, partition: topicPartition(name, p.Partition), request: &in.Partitions[k]}
				if req.Version >= topicIDVersion {
					slot.topicID = in.TopicID
				}
				slots = append(slots, slot)
			}
		}
	}
	return slots
}

// find resolves the topic of a request: by name before topicIDVersion, else by ID.
func (c *Coordinator) find(version int16, name string, id [16]byte) (topic string, partitions int32, code int16) {
	if version >= topicIDVersion {
		var ok bool
		if name, ok = c.topics.Name(id); !ok {
			return "", 0, kerr.UnknownTopicID.Code
		}
	}
	current, partitions, ok := c.topics.Lookup(name)
	switch {
	case ok && (version < topicIDVersion || current == id):
		return name, partitions, 0
	case version >= topicIDVersion:
		return "", 0, kerr.UnknownTopicID.Code
	default:
		return "", 0, kerr.UnknownTopicOrPartition.Code
	}
}

// validateCommit decides whether the sender may commit. It returns an error code, or 0.
// A request without a generation comes from a client that manages its partitions
// itself, or from an administrator. It is allowed while the group has no members.
func (s *shard) validateCommit(req *kmsg.OffsetCommitRequest) int16 {
	g := s.groups[req.Group]
	switch {
	case g == nil && req.Generation < 0:
		return 0
	case g == nil && req.Version >= groupNotFoundVersion:
		return kerr.GroupIDNotFound.Code
	case g == nil:
		return kerr.IllegalGeneration.Code
	case req.Generation < 0 && g.state == Empty:
		return 0
	case req.Generation < 0 && req.MemberID == "" && req.InstanceID == nil:
		return kerr.UnknownMemberID.Code
	}
	if code := g.validateIn(req.Generation, req.MemberID, req.InstanceID); code != 0 {
		return code
	}
	switch {
	case req.Generation != g.generation:
		return kerr.IllegalGeneration.Code
	case g.state == CompletingRebalance:
		return kerr.RebalanceInProgress.Code
	}
	return 0
}

// commit appends the offsets and answers when they are durable.
func (s *shard) commit(req *kmsg.OffsetCommitRequest, slots []commitSlot, answer func([]commitSlot, int16)) {
	if g := s.groups[req.Group]; g != nil {
		if m := g.member(req.MemberID); m != nil {
			s.refreshSession(g, m)
		}
	}
	var records []coordinator.KeyValue
	var stored []commitSlot
	now := s.Now().UnixMilli()
	for _, slot := range slots {
		metadata := value(slot.request.Metadata)
		if utf16Len(metadata) > s.c.cfg.OffsetMetadataMaxBytes || !fitsRecord(metadata) {
			*slot.code = kerr.OffsetMetadataTooLarge.Code
			continue
		}
		o := offset{
			at: slot.request.Offset, leaderEpoch: slot.request.LeaderEpoch, metadata: metadata,
			committedAt: now, expiresAt: -1, topicID: slot.topicID,
		}
		if req.Version <= 4 && req.RetentionTimeMillis != -1 {
			o.expiresAt = now + req.RetentionTimeMillis
		}
		if req.Version < 6 {
			o.leaderEpoch = -1
		}
		records = append(records, offsetRecord(req.Group, slot.partition, o))
		stored = append(stored, slot)
	}
	if len(records) == 0 {
		answer(nil, 0)
		return
	}
	if err := s.append(func(err error) { answer(stored, clientCode(err)) }, records...); err != nil {
		answer(stored, clientCode(err))
	}
}

// utf16Len returns the length of a string in UTF-16 units, as Java counts it.
func utf16Len(s string) int {
	n := len(s)
	if strings.IndexFunc(s, func(r rune) bool { return r >= 0x80 }) < 0 {
		return n
	}
	n = 0
	for _, r := range s {
		n += utf16.RuneLen(r)
	}
	return n
}
