package group

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/coordinator"
)

// FuzzOffsetValue: a committed offset that was read can be written and read again
// unchanged.
func FuzzOffsetValue(f *testing.F) {
	for version := int16(0); version <= newestValue; version++ {
		v := kmsg.NewOffsetCommitValue()
		v.Version, v.Offset, v.Metadata = version, 42, "m"
		f.Add(v.AppendTo(nil))
		v.ExpireTimestamp = -5
		f.Add(v.AppendTo(nil))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		o, err := readOffset(value)
		if err != nil {
			return
		}
		again, err := readOffset(offsetRecord("g", topicPartition("t", 1), o).Value)
		require.NoError(t, err)
		if o.expiresAt >= 0 { // it was written in version 1, which has no epoch and no topic ID
			again.leaderEpoch, again.topicID = o.leaderEpoch, o.topicID
		}
		o.expiresAt = max(o.expiresAt, -1) // every negative time means none
		require.Equal(t, o, again)
	})
}

// FuzzGroupValue: in a group that was read, every member with a session timeout has a
// rebalance timeout, and the group can be written and read again unchanged.
func FuzzGroupValue(f *testing.F) {
	for version := int16(0); version <= newestValue; version++ {
		v := kmsg.NewGroupMetadataValue()
		v.Version, v.ProtocolType, v.Generation = version, "consumer", 3
		m := kmsg.NewGroupMetadataValueMember()
		m.MemberID, m.SessionTimeoutMillis, m.Subscription = "m", 6000, []byte{0, 0, 0, 0, 0, 1, 0, 1, 't'}
		v.Members = append(v.Members, m)
		f.Add(v.AppendTo(nil))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		v, err := readGroup(value)
		if err != nil {
			return
		}
		for i := range v.Members {
			m := &v.Members[i]
			require.True(t, m.RebalanceTimeoutMillis >= 0 || m.SessionTimeoutMillis < 0)
			if topics, ok := subscribed(m.Subscription); !ok {
				require.Empty(t, topics)
			}
		}
		v.Version = groupValueVersion
		again, err := readGroup(v.AppendTo(nil))
		require.NoError(t, err)
		require.True(t, bytes.Equal(v.AppendTo(nil), again.AppendTo(nil)))
	})
}

// FuzzSubscription: topics are read from any version of the metadata, or none are, and
// the metadata is not changed.
func FuzzSubscription(f *testing.F) {
	f.Add([]byte{0, 1, 0, 0, 0, 1, 0, 1, 't', 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, metadata []byte) {
		before := bytes.Clone(metadata)
		topics, ok := subscribed(metadata)
		require.True(t, ok || topics == nil)
		require.True(t, bytes.Equal(before, metadata), "the bytes are the member's")
	})
}

// FuzzApply: records of the offsets topic are applied or refused. A record can be applied
// twice without a difference. The end of its transaction and a tombstone remove its
// effect completely.
func FuzzApply(f *testing.F) {
	v := kmsg.NewOffsetCommitValue()
	v.Version, v.Offset = 3, 42
	f.Add(offsetKey("g", topicPartition("t", 1)), v.AppendTo(nil), int64(-1))
	f.Add(offsetKey("g", topicPartition("t", 1)), v.AppendTo(nil), int64(7))
	g := kmsg.NewGroupMetadataValue()
	g.Version, g.ProtocolType = 3, "consumer"
	m := kmsg.NewGroupMetadataValueMember()
	m.MemberID, m.InstanceID, m.Subscription = "m", new("i"), []byte{0, 0, 0, 0, 0, 1, 0, 1, 't'}
	f.Add(groupKey("g"), g.AppendTo(nil), int64(-1))
	g.Members = append(g.Members, m, m)
	f.Add(groupKey("g"), g.AppendTo(nil), int64(-1))
	f.Fuzz(func(t *testing.T, key, value []byte, producer int64) {
		metrics, err := newMetrics(nil)
		require.NoError(t, err)
		s := newShard(&Coordinator{metrics: metrics}, &coordinator.Shard{})
		r := coordinator.Record{Offset: 1, ProducerID: max(producer, -1), Key: key, Value: value}
		if s.Apply(r) != nil {
			return
		}
		first := describeShard(s)
		require.NoError(t, s.Apply(r))
		require.Equal(t, first, describeShard(s))
		s.EndTransaction(r.ProducerID, producer%2 == 0)
		require.NoError(t, s.Apply(coordinator.Record{Offset: 2, ProducerID: -1, Key: key}))
		for _, g := range s.groups {
			require.Empty(t, g.offsets)
			require.Empty(t, g.txnOffsets)
		}
		require.Empty(t, s.open)
	})
}

// describeShard describes the groups and offsets of a shard.
func describeShard(s *shard) []string {
	var out []string
	for id, g := range s.groups {
		out = append(out, fmt.Sprintf("%q %q %s %d %d %d %d", id, g.id, g.state, g.generation, len(g.offsets), len(g.txnOffsets), g.size()))
		for p, o := range g.offsets {
			out = append(out, fmt.Sprintf("%q %v %v", id, p, o))
		}
	}
	slices.Sort(out)
	return out
}
