package group_test

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/coordinator/coordinatortest"
	"github.com/botehq/bote/internal/coordinator/group"
	"github.com/botehq/bote/internal/record"
)

// served holds the answers that Kafka itself gave from the same segment.
type served struct {
	Offsets []struct {
		Group, Topic string
		Partition    int32
		Offset       int64
		LeaderEpoch  int32
		Metadata     string
	}
	Groups []struct {
		Group, Type, State, ProtocolType string
		Members                          []string
	}
}

func TestReplayOfKafkasLog(t *testing.T) {
	for _, name := range []string{"clean", "killed"} {
		t.Run(name, func(t *testing.T) {
			run(t, group.Config{}, func(h *harness) {
				want := h.loadKafkas(name)
				checked := 0
				for _, o := range want.Offsets {
					got := h.startFetch(fetchRequest(9, o.Group, o.Topic, o.Partition)).get().Groups[0].Topics[0].Partitions[0]
					require.Zero(t, got.ErrorCode)
					require.Equal(t, o.Offset, got.Offset, o)
					require.Equal(t, o.LeaderEpoch, got.LeaderEpoch)
					require.Equal(t, o.Metadata, *got.Metadata)
				}
				for _, g := range want.Groups {
					if g.Type != "classic" {
						continue
					}
					checked++
					got := h.describe(6, g.Group)
					require.Zero(t, got.ErrorCode)
					require.Equal(t, g.State, got.State)
					require.Equal(t, g.ProtocolType, got.ProtocolType)
					var ids []string
					for _, m := range got.Members {
						ids = append(ids, m.MemberID)
						require.Zero(t, h.heartbeat(heartbeatRequest(g.Group, m.MemberID, 2)), "its session goes on")
					}
					slices.Sort(ids)
					slices.Sort(g.Members)
					require.ElementsMatch(t, g.Members, ids)
				}
				require.Len(t, want.Offsets, 5)
				require.Equal(t, 3, checked)
			})
		})
	}
}

// loadKafkas replaces the coordinator by one that loads Kafka's segment.
func (h *harness) loadKafkas(name string) (want served) {
	p, err := os.ReadFile("testdata/" + name + ".json")
	require.NoError(h.t, err)
	require.NoError(h.t, json.Unmarshal(p, &want))
	p, err = os.ReadFile("testdata/" + name + ".segment")
	require.NoError(h.t, err)
	h.c.Close()
	h.logs = coordinatortest.New(1)
	for len(p) > 0 {
		var b record.Batch
		b, p, err = record.Split(p)
		require.NoError(h.t, err)
		h.logs.Put(0, b)
	}
	h.start()
	h.c.LoadAll()
	synctest.Wait()
	return want
}

func TestTrap69UnstableOffsets(t *testing.T) {
	run(t, group.Config{}, func(h *harness) {
		h.loadKafkas("clean") // group-simple has an offset of an open transaction
		fetch := func(stable bool) []kmsg.OffsetFetchResponseGroupTopic {
			req := fetchRequest(9, "group-simple", "open-transaction", 0, 1)
			req.RequireStable = stable
			req.Groups[0].Topics = append(req.Groups[0].Topics, fetchRequest(9, "", "plain", 0).Groups[0].Topics...)
			g := h.startFetch(req).get().Groups[0]
			require.Zero(t, g.ErrorCode, "never at group level")
			return g.Topics
		}
		topics := fetch(true)
		require.Equal(t, kerr.UnstableOffsetCommit.Code, topics[0].Partitions[0].ErrorCode)
		require.EqualValues(t, -1, topics[0].Partitions[0].Offset)
		require.Zero(t, topics[0].Partitions[1].ErrorCode)
		require.EqualValues(t, 4, topics[1].Partitions[0].Offset)
		topics = fetch(false)
		require.Zero(t, topics[0].Partitions[0].ErrorCode)
		require.EqualValues(t, -1, topics[0].Partitions[0].Offset)
	})
}

// transactional makes a batch part of a producer's transaction.
func transactional(producer int64, b record.Batch) record.Batch {
	b[22] |= 1 << 4
	b.SetProducer(producer, 0, 0)
	return b
}

// marker returns the batch that ends the transaction of a producer.
func marker(producer int64, commit byte) record.Batch {
	b := transactional(producer, record.Build(1, record.KeyValue{Key: []byte{0, 0, 0, commit}, Value: []byte{0, 0, 0, 0, 0, 0}}))
	b[22] |= 1 << 5
	b.SealCRC()
	return b
}

// committed returns a batch that commits an offset of topic "t".
func committed(id string, partition int32, offset int64) record.Batch {
	k := kmsg.OffsetCommitKey{Version: 1, Group: id, Topic: "t", Partition: partition}
	v := kmsg.NewOffsetCommitValue()
	v.Version, v.Offset, v.LeaderEpoch = 3, offset, -1
	return record.Build(1, record.KeyValue{Key: k.AppendTo(nil), Value: v.AppendTo(nil)})
}

func TestReplayOfTransactions(t *testing.T) {
	run(t, group.Config{}, func(h *harness) {
		h.c.Close()
		h.logs = coordinatortest.New(1)
		for _, b := range []record.Batch{
			committed("g", 0, 1),
			transactional(7, committed("g", 0, 2)), // committed
			transactional(7, committed("g", 1, 3)), // committed, but the plain commit after it wins
			committed("g", 1, 4),
			transactional(8, committed("g", 2, 5)), // aborted
			marker(7, 1),
			marker(8, 0),
			transactional(7, committed("g", 2, 6)),    // open
			transactional(9, committed("only", 0, 1)), // open
		} {
			h.logs.Put(0, b)
		}
		h.start()
		h.c.LoadAll()
		synctest.Wait()
		req := fetchRequest(9, "g", "t", 0, 1, 2)
		parts := h.startFetch(req).get().Groups[0].Topics[0].Partitions
		require.EqualValues(t, 2, parts[0].Offset)
		require.EqualValues(t, 4, parts[1].Offset)
		require.EqualValues(t, -1, parts[2].Offset)
		req.RequireStable = true
		parts = h.startFetch(req).get().Groups[0].Topics[0].Partitions
		require.EqualValues(t, 2, parts[0].Offset)
		require.Equal(t, kerr.UnstableOffsetCommit.Code, parts[2].ErrorCode)
		require.Equal(t, "Empty", h.state("only"))
		require.Zero(t, h.deleteGroup("only"))
		require.Equal(t, "Dead", h.state("only"))
	})
}

// TestReplayOfRecordsThatCannotBeRead: anybody with the right to write to the topic can
// put such records there. They are skipped; records with the same keys before and after
// them count.
func TestReplayOfRecordsThatCannotBeRead(t *testing.T) {
	run(t, group.Config{}, func(h *harness) {
		h.c.Close()
		h.logs = coordinatortest.New(1)
		key := func(partition int32) []byte {
			k := kmsg.OffsetCommitKey{Version: 1, Group: "g", Topic: "t", Partition: partition}
			return k.AppendTo(nil)
		}
		groupKey := kmsg.GroupMetadataKey{Version: 2, Group: "m"}
		garbage := []byte{0, 3, 1}
		long := kmsg.OffsetCommitKey{Version: 1, Group: strings.Repeat("g", 40_000), Topic: "t"}
		for _, b := range []record.Batch{
			committed("g", 0, 1),
			committed("g", 1, 2),
			record.Build(
				1,
				record.KeyValue{Key: key(0), Value: garbage}, // the offset stays at 1
				record.KeyValue{Key: key(1), Value: garbage}, // a tombstone follows
				record.KeyValue{Key: key(2), Value: garbage}, // a good record follows
				record.KeyValue{Key: groupKey.AppendTo(nil), Value: garbage},
				record.KeyValue{Key: long.AppendTo(nil), Value: []byte{0, 3, 0, 0, 0, 0, 0, 0, 0, 7}},
				record.KeyValue{Key: []byte{0}, Value: garbage},
				record.KeyValue{Key: key(1)},
			),
			transactional(7, record.Build(1, record.KeyValue{Key: key(2), Value: garbage})),
			marker(7, 1),
			committed("g", 2, 3),
		} {
			h.logs.Put(0, b)
		}
		h.start()
		for range 2 {
			h.c.LoadAll()
			synctest.Wait()
			parts := h.startFetch(fetchRequest(9, "g", "t", 0, 1, 2)).get().Groups[0].Topics[0].Partitions
			require.EqualValues(t, 1, parts[0].Offset)
			require.EqualValues(t, -1, parts[1].Offset)
			require.EqualValues(t, 3, parts[2].Offset)
			require.Equal(t, "Dead", h.state("m"))
			h.restart()
		}
		m := h.stable("m")
		require.Zero(t, m.commit(9))
		h.restart()
		require.Zero(t, m.heartbeats())
		require.EqualValues(t, 9, h.offset("m", "t"))
	})
}
