package group

import (
	"encoding/binary"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/coordinator"
	"github.com/botehq/bote/internal/record"
)

// segment returns batches of __consumer_offsets that Kafka 4.2 wrote.
func segment(t *testing.T, name string) (batches []record.Batch) {
	t.Helper()
	p, err := os.ReadFile("testdata/" + name + ".segment")
	require.NoError(t, err)
	for len(p) > 0 {
		var b record.Batch
		b, p, err = record.Split(p)
		require.NoError(t, err)
		batches = append(batches, b)
	}
	return batches
}

// If we read Kafka's records and write them again, the key, the value and the batch
// are the same, byte for byte.
func TestRecordsAreKafkas(t *testing.T) {
	for _, name := range []string{"clean", "killed"} {
		offsets, groups := 0, 0
		for _, b := range segment(t, name) {
			for r, err := range record.Records(b.Payload(), b.Count()) {
				require.NoError(t, err)
				var ours record.KeyValue
				switch binary.BigEndian.Uint16(r.Key) {
				case offsetKeyVersion:
					var k kmsg.OffsetCommitKey
					require.NoError(t, k.ReadFrom(r.Key))
					o, err := readOffset(r.Value)
					require.NoError(t, err)
					ours = offsetRecord(k.Group, topicPartition(k.Topic, k.Partition), o)
					offsets++
				case groupKeyVersion:
					var k kmsg.GroupMetadataKey
					require.NoError(t, k.ReadFrom(r.Key))
					v, err := readGroup(r.Value)
					require.NoError(t, err)
					ours = groupRecord(k.Group, v.ProtocolType, v.Generation, value(v.Protocol), value(v.Leader), v.CurrentStateTimestamp, v.Members)
					groups++
				default:
					continue
				}
				require.Equal(t, r.Key, ours.Key)
				require.Equal(t, r.Value, ours.Value)
				if b.Count() == 1 && !b.Transactional() {
					batch := record.Build(b.MaxTimestamp(), ours)
					batch.SetProducer(record.NoProducer, -1, 0)
					batch.SetBaseOffset(b.BaseOffset())
					require.Equal(t, b, batch)
				}
			}
		}
		require.Equal(t, 7, offsets)
		require.Equal(t, 6, groups)
	}
}

func TestOffsetValuesOfEveryVersion(t *testing.T) {
	for version := range int16(5) {
		v := kmsg.NewOffsetCommitValue()
		v.Version, v.Offset, v.LeaderEpoch, v.Metadata, v.CommitTimestamp, v.ExpireTimestamp = version, 7, 3, "m", 11, 13
		v.TopicID = [16]byte{1}
		o, err := readOffset(v.AppendTo(nil))
		require.NoError(t, err)
		want := offset{at: 7, leaderEpoch: -1, metadata: "m", committedAt: 11, expiresAt: -1}
		if version == 1 {
			want.expiresAt = 13
		}
		if version >= 3 {
			want.leaderEpoch = 3
		}
		if version == 4 {
			want.topicID = v.TopicID
		}
		require.Equal(t, want, o, version)
	}
}

func TestGroupValuesOfEveryVersion(t *testing.T) {
	for version := range int16(5) {
		v := kmsg.NewGroupMetadataValue()
		v.Version, v.ProtocolType, v.Generation, v.CurrentStateTimestamp = version, "consumer", 5, 9
		m := kmsg.NewGroupMetadataValueMember()
		m.MemberID, m.InstanceID, m.RebalanceTimeoutMillis, m.SessionTimeoutMillis = "m", new("i"), 100, 50
		v.Members = append(v.Members, m)
		got, err := readGroup(v.AppendTo(nil))
		require.NoError(t, err)
		require.EqualValues(t, 5, got.Generation)
		require.Len(t, got.Members, 1)
		since, rebalance, instance := int64(9), int32(100), "i"
		if version < 1 {
			rebalance = 50
		}
		if version < 2 {
			since = -1
		}
		if version < 3 {
			instance = ""
		}
		require.Equal(t, since, got.CurrentStateTimestamp, version)
		require.Equal(t, rebalance, got.Members[0].RebalanceTimeoutMillis, version)
		require.Equal(t, instance, value(got.Members[0].InstanceID), version)
	}
}

func TestValuesThatCannotBeRead(t *testing.T) {
	for _, p := range [][]byte{{}, {0}, {0, 5, 1}, {0xff, 0xff}, {0, 3, 0}} {
		_, err := readOffset(p)
		require.Error(t, err, p)
		_, err = readGroup(p)
		require.Error(t, err, p)
	}
	// Version 4 can hold strings that are too long for the records that we write.
	o := kmsg.NewOffsetCommitValue()
	o.Version, o.Metadata = 4, strings.Repeat("m", maxString+1)
	_, err := readOffset(o.AppendTo(nil))
	require.Error(t, err)
	g := kmsg.NewGroupMetadataValue()
	g.Version, g.Members = 4, []kmsg.GroupMetadataValueMember{kmsg.NewGroupMetadataValueMember()}
	g.Members[0].Subscription = make([]byte, maxString+1)
	_, err = readGroup(g.AppendTo(nil))
	require.NoError(t, err)
	g.Members[0].ClientID = strings.Repeat("c", maxString+1)
	_, err = readGroup(g.AppendTo(nil))
	require.Error(t, err)
}

// TestStringsThatDoNotFit: no record is made if one of its strings is too long,
// whichever it is. The longest string that fits is read as it was written.
func TestStringsThatDoNotFit(t *testing.T) {
	for _, n := range []int{maxString, maxString + 1, 1<<16 + 5} {
		s := strings.Repeat("s", n)
		member := func(change func(m *kmsg.GroupMetadataValueMember)) coordinator.KeyValue {
			m := kmsg.NewGroupMetadataValueMember()
			change(&m)
			return groupRecord("g", "consumer", 1, "range", "m", 0, []kmsg.GroupMetadataValueMember{kmsg.NewGroupMetadataValueMember(), m})
		}
		for name, r := range map[string]coordinator.KeyValue{
			"group of an offset":           offsetRecord(s, topicPartition("t", 1), offset{expiresAt: -1}),
			"topic":                        offsetRecord("g", topicPartition(s, 1), offset{expiresAt: -1}),
			"metadata":                     offsetRecord("g", topicPartition("t", 1), offset{metadata: s, expiresAt: -1}),
			"metadata with an expiry":      offsetRecord("g", topicPartition("t", 1), offset{metadata: s}),
			"group of an offset tombstone": offsetTombstone(s, topicPartition("t", 1)),
			"topic of an offset tombstone": offsetTombstone("g", topicPartition(s, 1)),
			"group":                        groupRecord(s, "consumer", 1, "range", "m", 0, nil),
			"protocol type":                groupRecord("g", s, 1, "range", "m", 0, nil),
			"protocol":                     groupRecord("g", "consumer", 1, s, "m", 0, nil),
			"leader":                       groupRecord("g", "consumer", 1, "range", s, 0, nil),
			"group of a tombstone":         groupTombstone(s),
			"member":                       member(func(m *kmsg.GroupMetadataValueMember) { m.MemberID = s }),
			"instance":                     member(func(m *kmsg.GroupMetadataValueMember) { m.InstanceID = &s }),
			"client ID":                    member(func(m *kmsg.GroupMetadataValueMember) { m.ClientID = s }),
			"client host":                  member(func(m *kmsg.GroupMetadataValueMember) { m.ClientHost = s }),
		} {
			if n > maxString {
				require.Nil(t, r.Key, name)
				continue
			}
			require.NotEmpty(t, r.Key, name)
			require.Equal(t, 1, strings.Count(string(r.Key)+string(r.Value), s), name)
			metrics, err := newMetrics(nil)
			require.NoError(t, err)
			shard := newShard(&Coordinator{metrics: metrics}, &coordinator.Shard{})
			require.NoError(t, shard.Apply(coordinator.Record{Key: r.Key, Value: r.Value, ProducerID: record.NoProducer}), name)
		}
	}
	s := &shard{}
	err := s.append(nil, groupTombstone("g"), unwritable)
	require.ErrorIs(t, err, errUnwritable)
	require.Equal(t, kerr.UnknownServerError.Code, clientCode(err))
}

func TestSubscribed(t *testing.T) {
	m := kmsg.NewConsumerMemberMetadata()
	m.Topics = []string{"a", "b"}
	for _, version := range []int16{0, 1, 3, 9} {
		m.Version = version
		topics, ok := subscribed(m.AppendTo(nil))
		require.True(t, ok)
		require.Equal(t, []string{"a", "b"}, topics)
	}
	for _, p := range [][]byte{nil, {0}, {0xff, 0, 1}, {0, 1, 0, 0, 0, 9}} {
		_, ok := subscribed(p)
		require.False(t, ok, p)
	}
}

func TestUTF16Len(t *testing.T) {
	for s, n := range map[string]int{"": 0, "abc": 3, "größe": 5, "💥": 2, "日本x": 3} {
		require.Equal(t, n, utf16Len(s), s)
	}
}

func TestConfig(t *testing.T) {
	c, err := Config{}.withDefaults()
	require.NoError(t, err)
	require.Equal(t, 4096, c.OffsetMetadataMaxBytes)
	for name, c := range map[string]Config{
		"delay":     {InitialRebalanceDelay: -1},
		"session":   {MinSessionTimeout: 2, MaxSessionTimeout: 1},
		"size":      {MaxSize: -1},
		"metadata":  {OffsetMetadataMaxBytes: -1},
		"retention": {OffsetsRetention: -1},
	} {
		_, err := c.withDefaults()
		require.Error(t, err, name)
	}
	_, err = New(Config{}, Deps{})
	require.ErrorContains(t, err, "no topics")
}
