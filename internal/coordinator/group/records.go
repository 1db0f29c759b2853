package group

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"unique"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/coordinator"
)

// Versions of keys and values. They reach disk and Kafka's tools.
const (
	offsetKeyVersion   = 1
	groupKeyVersion    = 2
	groupValueVersion  = 3
	offsetValueVersion = 4 // the first one with the topic ID; Kafka writes it since 4.1
	newestValue        = 4 // the newest value version that we read, for offsets and groups
)

// maxString is the length of the longest string in a key or a value, in bytes. Most
// versions write the length as an int16, and kmsg writes a wrong length for a longer
// string. Flexible versions write it differently, but Kafka accepts no longer strings
// there either.
const maxString = math.MaxInt16

func fitsRecord(list ...string) bool {
	return !slices.ContainsFunc(list, func(s string) bool { return len(s) > maxString })
}

// unwritable stands for a record with a string that does not fit. It has no key, by
// which [shard.append] recognises it and refuses the batch.
var unwritable coordinator.KeyValue

// errUnwritable is returned by [shard.append] for a batch with an unwritable record.
// Kafka answers UNKNOWN_SERVER_ERROR too if it cannot serialize a record.
var errUnwritable = fmt.Errorf("%w: a string is too long for a record", kerr.UnknownServerError)

// partition is a topic partition as a map key. Topic names repeat across groups,
// so they are interned.
type partition struct {
	topic unique.Handle[string]
	id    int32
}

// offset is a committed or pending offset. Times are Unix times in milliseconds, -1 for
// none.
type offset struct {
	at          int64
	committedAt int64
	expiresAt   int64 // only if the commit named a retention, up to version 4
	record      int64 // offset of its record in __consumer_offsets
	leaderEpoch int32
	metadata    string
	topicID     [16]byte // zero if not known
}

func topicPartition(topic string, id int32) partition {
	return partition{unique.Make(topic), id}
}

// offsetKey returns nil if a string does not fit.
func offsetKey(group string, p partition) []byte {
	if !fitsRecord(group, p.topic.Value()) {
		return nil
	}
	k := kmsg.OffsetCommitKey{Version: offsetKeyVersion, Group: group, Topic: p.topic.Value(), Partition: p.id}
	return k.AppendTo(nil)
}

// offsetRecord returns the record of a commit. If there is an explicit expiry time, the
// version of its value is 1, the only one that has it.
func offsetRecord(group string, p partition, o offset) coordinator.KeyValue {
	if !fitsRecord(o.metadata) {
		return unwritable
	}
	v := kmsg.NewOffsetCommitValue()
	v.Version = offsetValueVersion
	v.Offset, v.LeaderEpoch, v.Metadata, v.CommitTimestamp = o.at, o.leaderEpoch, o.metadata, o.committedAt
	v.TopicID = o.topicID
	if o.expiresAt >= 0 {
		v.Version, v.ExpireTimestamp = 1, o.expiresAt
	}
	return coordinator.KeyValue{Key: offsetKey(group, p), Value: v.AppendTo(nil)}
}

func offsetTombstone(group string, p partition) coordinator.KeyValue {
	return coordinator.KeyValue{Key: offsetKey(group, p)}
}

func readOffset(value []byte) (offset, error) {
	if err := checkValue(value, checkOffset); err != nil {
		return offset{}, fmt.Errorf("offset commit value: %w", err)
	}
	v := kmsg.NewOffsetCommitValue()
	if err := v.ReadFrom(value); err != nil {
		return offset{}, fmt.Errorf("offset commit value: %w", err)
	}
	o := offset{
		at: v.Offset, leaderEpoch: v.LeaderEpoch, metadata: v.Metadata,
		committedAt: v.CommitTimestamp, expiresAt: -1, topicID: v.TopicID,
	}
	if v.Version < 3 {
		o.leaderEpoch = -1
	}
	if v.Version == 1 {
		o.expiresAt = v.ExpireTimestamp
	}
	return o, nil
}

// groupKey returns nil if the name does not fit.
func groupKey(group string) []byte {
	if !fitsRecord(group) {
		return nil
	}
	k := kmsg.GroupMetadataKey{Version: groupKeyVersion, Group: group}
	return k.AppendTo(nil)
}

func groupTombstone(group string) coordinator.KeyValue {
	return coordinator.KeyValue{Key: groupKey(group)}
}

// groupRecord returns the record of a generation. An empty protocol or leader is null.
func groupRecord(id, protocolType string, generation int32, protocol, leader string, since int64, members []kmsg.GroupMetadataValueMember) coordinator.KeyValue {
	ok := fitsRecord(protocolType, protocol, leader)
	for i := range members {
		m := &members[i]
		ok = ok && fitsRecord(m.MemberID, value(m.InstanceID), m.ClientID, m.ClientHost)
	}
	if !ok {
		return unwritable
	}
	v := kmsg.NewGroupMetadataValue()
	v.Version = groupValueVersion
	v.ProtocolType, v.Generation, v.CurrentStateTimestamp = protocolType, generation, since
	v.Protocol, v.Leader = nullable(protocol), nullable(leader)
	v.Members = members
	return coordinator.KeyValue{Key: groupKey(id), Value: v.AppendTo(nil)}
}

func readGroup(value []byte) (kmsg.GroupMetadataValue, error) {
	v := kmsg.NewGroupMetadataValue()
	if err := checkValue(value, checkGroup); err != nil {
		return v, fmt.Errorf("group metadata value: %w", err)
	}
	if err := v.ReadFrom(value); err != nil {
		return v, fmt.Errorf("group metadata value: %w", err)
	}
	if v.Version < 2 {
		v.CurrentStateTimestamp = -1
	}
	for i := range v.Members {
		if m := &v.Members[i]; v.Version < 1 || m.RebalanceTimeoutMillis < 0 {
			m.RebalanceTimeoutMillis = m.SessionTimeoutMillis
		}
	}
	return v, nil
}

// checkValue checks the version that a value begins with. If the version is flexible, it
// calls check on the whole value.
func checkValue(value []byte, check func([]byte) error) error {
	if len(value) < 2 {
		return errors.New("no version")
	}
	switch v := int16(binary.BigEndian.Uint16(value)); {
	case v < 0 || v > newestValue:
		return fmt.Errorf("unknown version %d", v)
	case v >= flexibleValue:
		return check(value)
	}
	return nil
}

// subscribed reads the topics of consumer protocol metadata. It reads all versions as
// version 0, because they begin with the same fields. ok is false if the bytes are
// something else.
func subscribed(metadata []byte) (topics []string, ok bool) {
	if len(metadata) < 2 || int16(binary.BigEndian.Uint16(metadata)) < 0 {
		return nil, false
	}
	v0 := slices.Clone(metadata)
	v0[0], v0[1] = 0, 0
	m := kmsg.NewConsumerMemberMetadata()
	if err := m.ReadFrom(v0); err != nil {
		return nil, false
	}
	return m.Topics, true
}

func nullable(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func value(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func cloned(s *string) *string {
	if s == nil {
		return nil
	}
	c := strings.Clone(*s)
	return &c
}
