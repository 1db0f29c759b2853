package group_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/coordinator/group"
)

func TestCommitAndFetchInEveryVersion(t *testing.T) {
	run(t, group.Config{}, func(h *harness) {
		for version := int16(2); version <= 10; version++ {
			req := commitRequest(version, "g", "t", int64(version))
			req.Topics[0].Partitions[0].LeaderEpoch = 7
			require.Zero(t, h.commit(req), version)
			require.EqualValues(t, version, h.offset("g", "t"))
		}
		h.restart()
		for version := int16(1); version <= 10; version++ {
			resp := h.startFetch(fetchRequest(version, "g", "t", 0)).get()
			require.Equal(t, version, resp.Version)
			require.Zero(t, resp.ErrorCode)
			if version < 8 {
				require.EqualValues(t, 10, resp.Topics[0].Partitions[0].Offset, version)
				require.Equal(t, "t", resp.Topics[0].Topic)
				continue
			}
			got := resp.Groups[0]
			require.Equal(t, "g", got.Group)
			require.Equal(t, topicID("t", 1), got.Topics[0].TopicID)
			p := got.Topics[0].Partitions[0]
			require.EqualValues(t, 10, p.Offset, version)
			require.EqualValues(t, 7, p.LeaderEpoch)
			require.Equal(t, "m", *p.Metadata)
		}
		require.Equal(t, "Empty", h.state("g"))
		require.Empty(t, h.describe(5, "g").ProtocolType)
	})
}

func TestCommitIsAnsweredWhenDurable(t *testing.T) {
	run(t, group.Config{}, func(h *harness) {
		h.logs.Hold()
		commit := h.startCommit(commitRequest(8, "g", "t", 1))
		fetch := h.startFetch(fetchRequest(9, "g", "t", 0))
		require.True(t, commit.waits())
		require.True(t, fetch.waits(), "nobody sees an offset that a crash can take back")
		h.logs.Release()
		require.Zero(t, commit.get().Topics[0].Partitions[0].ErrorCode)
		require.EqualValues(t, 1, fetch.get().Groups[0].Topics[0].Partitions[0].Offset)
	})
}

func TestCommitOfPartitionsThatDoNotExist(t *testing.T) {
	run(t, group.Config{}, func(h *harness) {
		req := commitRequest(8, "g", "t", 1)
		far := req.Topics[0].Partitions[0]
		far.Partition = 9
		below := far
		below.Partition = -1
		req.Topics[0].Partitions = append(req.Topics[0].Partitions, far, below)
		req.Topics = append(req.Topics, commitRequest(8, "g", "none", 1).Topics...)
		resp := h.startCommit(req).get()
		require.Zero(t, resp.Topics[0].Partitions[0].ErrorCode)
		for _, p := range append(resp.Topics[0].Partitions[1:], resp.Topics[1].Partitions...) {
			require.Equal(t, kerr.UnknownTopicOrPartition.Code, p.ErrorCode)
		}
		require.EqualValues(t, 1, h.offset("g", "t"))
		batches := h.logs.Batches(h.c.Partition("g"))
		require.Len(t, batches, 1)
		require.EqualValues(t, 1, batches[0].Count())

		nothing := commitRequest(8, "new", "t", 1)
		nothing.Topics = nil
		require.Empty(t, h.startCommit(nothing).get().Topics)
	})
}

func TestCommitIsOneBatch(t *testing.T) {
	run(t, group.Config{}, func(h *harness) {
		req := commitRequest(8, "g", "t", 1)
		for p := range int32(2) {
			more := req.Topics[0].Partitions[0]
			more.Partition = p + 1
			req.Topics[0].Partitions = append(req.Topics[0].Partitions, more)
		}
		req.Topics = append(req.Topics, commitRequest(8, "g", "u", 1).Topics...)
		require.Zero(t, h.commit(req))
		batches := h.logs.Batches(h.c.Partition("g"))
		require.Len(t, batches, 1)
		require.EqualValues(t, 4, batches[0].Count())
	})
}

func TestCommitMetadata(t *testing.T) {
	run(t, group.Config{}, func(h *harness) {
		req := commitRequest(8, "g", "t", 1)
		for metadata, want := range map[string]int16{
			strings.Repeat("m", 4096): 0,
			strings.Repeat("m", 4097): kerr.OffsetMetadataTooLarge.Code,
			strings.Repeat("ö", 4096): 0,
			strings.Repeat("💥", 2048): 0,
			strings.Repeat("💥", 2049): kerr.OffsetMetadataTooLarge.Code,
		} {
			req.Topics[0].Partitions[0].Metadata = &metadata
			require.Equal(t, want, h.commit(req))
		}
		req.Topics[0].Partitions[0].Metadata = nil
		require.Zero(t, h.commit(req))
		require.Empty(t, *h.startFetch(fetchRequest(9, "g", "t", 0)).get().Groups[0].Topics[0].Partitions[0].Metadata)
		long := strings.Repeat("m", 5000)
		req = commitRequest(8, "other", "t", 1)
		req.Topics[0].Partitions[0].Metadata = &long
		require.Equal(t, kerr.OffsetMetadataTooLarge.Code, h.commit(req))
		require.Equal(t, "Dead", h.state("other"), "nothing was stored")
	})
}

// TestCommitsThatNoRecordHolds: a commit with a string that is too long for a record is
// refused, and does no harm to other groups.
func TestCommitsThatNoRecordHolds(t *testing.T) {
	run(t, group.Config{OffsetMetadataMaxBytes: 100_000}, func(h *harness) {
		long := strings.Repeat("g", 40_000)
		victim := "v"
		for h.c.Partition(victim) != h.c.Partition(long) {
			victim += "v"
		}
		require.Zero(t, h.commit(commitRequest(8, victim, "t", 7)))
		require.Equal(t, kerr.InvalidGroupID.Code, h.commit(commitRequest(8, long, "t", 1)))
		require.Equal(t, kerr.InvalidGroupID.Code, h.describe(6, long).ErrorCode)
		require.Equal(t, kerr.InvalidGroupID.Code, h.deleteGroup(long))
		require.Equal(t, kerr.InvalidGroupID.Code, h.deleteOffset(long, "t").ErrorCode)
		require.Equal(t, kerr.InvalidGroupID.Code, h.startFetch(fetchRequest(9, long, "t", 0)).get().Groups[0].ErrorCode)

		req := commitRequest(8, victim, "t", 8)
		req.Topics[0].Partitions[0].Metadata = new(strings.Repeat("m", 32_768))
		require.Equal(t, kerr.OffsetMetadataTooLarge.Code, h.commit(req))
		require.EqualValues(t, 7, h.offset(victim, "t"))

		topic := strings.Repeat("t", 40_000)
		h.topics.create(topic, 1)
		req = commitRequest(8, victim, "t", 8)
		req.Topics = append(req.Topics, commitRequest(8, victim, topic, 9).Topics...)
		for _, out := range h.startCommit(req).get().Topics {
			require.Equal(t, kerr.UnknownServerError.Code, out.Partitions[0].ErrorCode, "all or nothing")
		}
		require.EqualValues(t, 7, h.offset(victim, "t"))
		h.restart()
		require.EqualValues(t, 7, h.offset(victim, "t"))

		req = commitRequest(8, victim, "t", 8)
		req.Topics[0].Partitions[0].Metadata = new(strings.Repeat("m", 32_767))
		require.Zero(t, h.commit(req), "this one fits")
		h.restart()
		require.EqualValues(t, 8, h.offset(victim, "t"))
	})
}

func TestAnyOffsetIsStored(t *testing.T) {
	run(t, group.Config{}, func(h *harness) {
		for _, offset := range []int64{0, 1 << 62, -5} {
			require.Zero(t, h.commit(commitRequest(8, "", "t", offset)), "the empty group id may commit")
			require.Equal(t, offset, h.offset("", "t"))
		}
	})
}

func TestCommitWithAGenerationInAnUnknownGroup(t *testing.T) {
	run(t, group.Config{}, func(h *harness) {
		for version, want := range map[int16]*kerr.Error{8: kerr.IllegalGeneration, 9: kerr.GroupIDNotFound, 10: kerr.GroupIDNotFound} {
			req := commitRequest(version, "none", "t", 1)
			req.Generation, req.MemberID = 1, "x"
			require.Equal(t, want.Code, h.commit(req), version)
		}
	})
}

func TestTrap65SimpleCommits(t *testing.T) {
	run(t, group.Config{}, func(h *harness) {
		m := h.stable("g")
		require.Equal(t, kerr.UnknownMemberID.Code, h.commit(commitRequest(8, "g", "t", 1)))
		h.leave(leaveRequest(5, "g", m.id))
		require.Zero(t, h.commit(commitRequest(8, "g", "t", 1)))
		req := commitRequest(8, "g", "t", 2)
		req.MemberID = "anybody"
		require.Zero(t, h.commit(req))
		req.Generation = 1
		require.Equal(t, kerr.UnknownMemberID.Code, h.commit(req))
	})
}

func TestCommitOfMembers(t *testing.T) {
	run(t, group.Config{}, func(h *harness) {
		m := h.stable("g")
		require.Zero(t, m.commit(1))
		m.generation = 9
		require.Equal(t, kerr.IllegalGeneration.Code, m.commit(2))
		req := commitRequest(8, "g", "t", 3)
		req.Generation, req.MemberID = 1, "nobody"
		require.Equal(t, kerr.UnknownMemberID.Code, h.commit(req))
		req.MemberID, req.InstanceID = m.id, new("none")
		require.Equal(t, kerr.UnknownMemberID.Code, h.commit(req))
		require.EqualValues(t, 1, h.offset("g", "t"))
	})
}

func TestTrap66CommitWhileCompleting(t *testing.T) {
	run(t, group.Config{}, func(h *harness) {
		m := h.newMember("g")
		m.joins()
		require.Equal(t, kerr.RebalanceInProgress.Code, m.commit(1))
		m.syncs()
		joinB := h.newMember("g").startJoin()
		require.True(t, joinB.waits())
		require.Zero(t, m.commit(4), "while preparing it is stored")
		require.EqualValues(t, 4, h.offset("g", "t"))
	})
}

func TestTrap67NoCommit(t *testing.T) {
	run(t, group.Config{}, func(h *harness) {
		check := func(p kmsg.OffsetFetchResponseGroupTopicPartition) {
			require.Zero(t, p.ErrorCode)
			require.EqualValues(t, -1, p.Offset)
			require.EqualValues(t, -1, p.LeaderEpoch)
			require.Empty(t, *p.Metadata)
		}
		check(h.startFetch(fetchRequest(9, "g", "t", 0)).get().Groups[0].Topics[0].Partitions[0])
		check(h.startFetch(fetchRequest(9, "g", "none", 0)).get().Groups[0].Topics[0].Partitions[0])
		h.commit(commitRequest(8, "g", "t", 3))
		parts := h.startFetch(fetchRequest(9, "g", "t", 1, 0, 77)).get().Groups[0].Topics[0].Partitions
		require.Len(t, parts, 3)
		check(parts[0])
		require.EqualValues(t, 3, parts[1].Offset)
		check(parts[2])
	})
}

func TestTrap68AllOffsets(t *testing.T) {
	run(t, group.Config{}, func(h *harness) {
		h.commit(commitRequest(8, "g", "t", 3))
		h.commit(commitRequest(8, "g", "u", 4))
		h.deleteOffset("g", "u")
		for _, version := range []int16{2, 7, 8, 9, 10} {
			resp := h.startFetch(fetchRequest(version, "g", "")).get()
			if version < 8 {
				require.Len(t, resp.Topics, 1)
				require.Len(t, resp.Topics[0].Partitions, 1)
				continue
			}
			require.Len(t, resp.Groups[0].Topics, 1)
			require.Len(t, resp.Groups[0].Topics[0].Partitions, 1)
		}
		none := fetchRequest(9, "g", "")
		none.Groups[0].Topics = []kmsg.OffsetFetchRequestGroupTopic{}
		require.Empty(t, h.startFetch(none).get().Groups[0].Topics)
		require.Empty(t, h.startFetch(fetchRequest(9, "unknown", "")).get().Groups[0].Topics)

		h.topics.delete("t")
		require.Len(t, h.startFetch(fetchRequest(9, "g", "")).get().Groups[0].Topics, 1)
		require.Empty(t, h.startFetch(fetchRequest(10, "g", "")).get().Groups[0].Topics, "without an id it cannot be named")
	})
}

func TestFetchOfManyGroups(t *testing.T) {
	run(t, group.Config{}, func(h *harness) {
		ids := []string{"a", "b", "c", "d", "e", "a"}
		req := fetchRequest(8, "a", "t", 0)
		req.Groups = nil
		for i, id := range ids[:5] {
			h.commit(commitRequest(8, id, "t", int64(i)))
		}
		for _, id := range ids {
			req.Groups = append(req.Groups, fetchRequest(8, id, "t", 0).Groups...)
		}
		for i, g := range h.startFetch(req).get().Groups {
			require.Equal(t, ids[i], g.Group)
			require.EqualValues(t, i%5, g.Topics[0].Partitions[0].Offset)
		}
		req.Groups = nil
		require.Empty(t, h.startFetch(req).get().Groups)
	})
}

func TestTrap70FetchErrors(t *testing.T) {
	run(t, group.Config{}, func(h *harness) {
		h.logs.RefuseOpen(kerr.CoordinatorNotAvailable)
		require.Equal(t, kerr.NotCoordinator.Code, h.startFetch(fetchRequest(9, "g", "t", 0)).get().Groups[0].ErrorCode)
		require.Equal(t, kerr.NotCoordinator.Code, h.startFetch(fetchRequest(5, "g", "t", 0)).get().ErrorCode)
		require.Equal(t, kerr.CoordinatorNotAvailable.Code, h.commit(commitRequest(8, "g", "t", 1)), "others are told 15")
	})
}

func TestTrap101TopicIDs(t *testing.T) {
	run(t, group.Config{}, func(h *harness) {
		bad := commitRequest(10, "g", "none", 1)
		require.Equal(t, kerr.UnknownTopicID.Code, h.commit(bad))
		p := h.startFetch(fetchRequest(10, "g", "none", 0)).get().Groups[0].Topics[0].Partitions[0]
		require.Equal(t, kerr.UnknownTopicID.Code, p.ErrorCode)
		require.EqualValues(t, -1, p.Offset)

		require.Zero(t, h.commit(commitRequest(10, "g", "t", 5)))
		h.topics.delete("t")
		h.topics.create("t", 3)
		require.EqualValues(t, -1, h.offset("g", "t"), "the offset is of the topic that was deleted")
		require.Empty(t, h.startFetch(fetchRequest(9, "g", "")).get().Groups[0].Topics)
		require.Equal(t, kerr.UnknownTopicID.Code, h.commit(commitRequest(10, "g", "t", 5)), "the old id")
	})
}

func TestTrap102NewTopic(t *testing.T) {
	run(t, group.Config{}, func(h *harness) {
		h.topics.create("new", 1)
		p := h.startFetch(fetchRequest(10, "g", "new", 0)).get().Groups[0].Topics[0].Partitions[0]
		require.Zero(t, p.ErrorCode)
		require.EqualValues(t, -1, p.Offset)
	})
}

func TestTrap71OffsetsExpireFromWhenTheGroupBecameEmpty(t *testing.T) {
	cfg := group.Config{OffsetsRetention: time.Hour, OffsetsRetentionCheckInterval: time.Minute}
	run(t, cfg, func(h *harness) {
		m := h.stable("g")
		require.Zero(t, m.commit(1))
		for range 3 * 3600 / 20 {
			time.Sleep(20 * time.Second)
			require.Zero(t, m.heartbeats())
		}
		require.EqualValues(t, 1, h.offset("g", "t"), "idle for three hours, and alive")
		h.leave(leaveRequest(5, "g", m.id))
		time.Sleep(59 * time.Minute)
		require.EqualValues(t, 1, h.offset("g", "t"))
		time.Sleep(3 * time.Minute)
		require.EqualValues(t, -1, h.offset("g", "t"))
		require.Equal(t, "Dead", h.state("g"), "nothing is left of it")
		h.restart()
		require.Equal(t, "Dead", h.state("g"))
	})
}

func TestOffsetExpiry(t *testing.T) {
	cfg := group.Config{OffsetsRetention: time.Hour, OffsetsRetentionCheckInterval: time.Minute}
	run(t, cfg, func(h *harness) {
		require.Zero(t, h.commit(commitRequest(8, "simple", "t", 1)))
		explicit := commitRequest(4, "explicit", "t", 1)
		explicit.RetentionTimeMillis = (10 * time.Minute).Milliseconds()
		require.Zero(t, h.commit(explicit))
		m := h.newMember("live")
		m.joins()
		m.syncs(m.id, "A")
		require.Zero(t, m.commit(1)) // of topic t, which the member subscribes to
		other := commitRequest(8, "live", "u", 2)
		other.MemberID, other.Generation = m.id, m.generation
		require.Zero(t, h.commit(other))
		c := h.newMember("connect")
		c.req.ProtocolType = "connect"
		c.joins()
		sync := syncRequest("connect", c.id, 1, c.id, "A")
		sync.ProtocolType = new("connect")
		require.Zero(t, h.sync(sync).get().ErrorCode)
		require.Zero(t, c.commit(3))
		h.restart() // an explicit expiry time survives

		pass := func(d time.Duration) {
			for range d / (20 * time.Second) {
				time.Sleep(20 * time.Second)
				m.heartbeats()
				c.heartbeats()
			}
		}
		pass(12 * time.Minute)
		require.EqualValues(t, -1, h.offset("explicit", "t"))
		require.EqualValues(t, 1, h.offset("simple", "t"))
		pass(50 * time.Minute)
		require.EqualValues(t, -1, h.offset("simple", "t"))
		require.Equal(t, "Dead", h.state("simple"))
		require.EqualValues(t, 1, h.offset("live", "t"))
		require.EqualValues(t, -1, h.offset("live", "u"), "nobody subscribes to it")
		require.EqualValues(t, 3, h.offset("connect", "t"), "what connect subscribes to is not known")
	})
}

func TestEmptyGroupWithoutOffsetsExpires(t *testing.T) {
	run(t, group.Config{}, func(h *harness) {
		p := h.newMember("g")
		h.leave(leaveRequest(4, "g", p.id))
		require.Equal(t, "Empty", h.state("g"))
		time.Sleep(11 * time.Minute)
		require.Equal(t, "Dead", h.state("g"))
		p = h.newMember("g")
		time.Sleep(time.Second)
		p.joins()
	})
}

func TestTopicDeletion(t *testing.T) {
	run(t, group.Config{}, func(h *harness) {
		for _, id := range []string{"a", "b", "c", "d", "e"} {
			h.commit(commitRequest(8, id, "t", 3))
			h.commit(commitRequest(8, id, "u", 4))
		}
		h.commit(commitRequest(10, "with-id", "t", 5))
		ended, done := newCall[error]()
		h.topics.delete("t")
		h.logs.Hold()
		h.c.OnTopicDeleted("t", topicID("t", 2), done)
		require.True(t, ended.waits(), "until it is durable")
		h.logs.Release()
		require.NoError(t, ended.get())
		require.EqualValues(t, 5, h.offset("with-id", "t"), "of another topic with that name")
		h.restart()
		for _, id := range []string{"a", "b", "c", "d", "e"} {
			require.EqualValues(t, -1, h.offset(id, "t"))
			require.EqualValues(t, 4, h.offset(id, "u"))
		}
	})
}

func TestTopicDeletionWhileLoading(t *testing.T) {
	run(t, group.Config{}, func(h *harness) {
		h.commit(commitRequest(8, "g", "t", 3))
		h.c.Close()
		release := h.logs.HoldReads()
		h.start()
		ended, done := newCall[error]()
		h.c.OnTopicDeleted("t", topicID("t", 1), done)
		require.True(t, ended.waits())
		release()
		require.NoError(t, ended.get())
		require.EqualValues(t, -1, h.offset("g", "t"))
	})
}

func TestOffsetDelete(t *testing.T) {
	run(t, group.Config{}, func(h *harness) {
		require.Equal(t, kerr.GroupIDNotFound.Code, h.deleteOffset("none", "t").ErrorCode)
		h.commit(commitRequest(8, "g", "t", 3))
		require.Zero(t, h.deleteOffset("g", "u").Topics[0].Partitions[0].ErrorCode, "a missing offset is a success")
		resp := h.deleteOffset("g", "none")
		require.Zero(t, resp.ErrorCode)
		require.Equal(t, kerr.UnknownTopicOrPartition.Code, resp.Topics[0].Partitions[0].ErrorCode)
		require.Zero(t, h.deleteOffset("g", "t").Topics[0].Partitions[0].ErrorCode)
		require.EqualValues(t, -1, h.offset("g", "t"))

		require.Equal(t, kerr.GroupIDNotFound.Code, h.deleteOffset("none", "none").ErrorCode, "the group counts first")
		require.Equal(t, kerr.InvalidGroupID.Code, h.deleteOffset("", "t").ErrorCode)
		h.commit(commitRequest(8, "g", "t", 3))
		_, partitions, _ := h.topics.Lookup("t")
		for _, beyond := range []int32{partitions, -1} {
			resp = h.deleteOffset("g", "t", beyond, 0)
			require.Zero(t, resp.ErrorCode)
			require.Equal(t, kerr.UnknownTopicOrPartition.Code, resp.Topics[0].Partitions[0].ErrorCode)
			require.Zero(t, resp.Topics[0].Partitions[1].ErrorCode)
		}
		require.EqualValues(t, -1, h.offset("g", "t"))

		m := h.stable("active")
		m.commit(1)
		require.Equal(t, kerr.GroupSubscribedToTopic.Code, h.deleteOffset("active", "t").Topics[0].Partitions[0].ErrorCode)
		require.Zero(t, h.deleteOffset("active", "u").Topics[0].Partitions[0].ErrorCode)
		h.restart()
		require.Equal(t, kerr.GroupSubscribedToTopic.Code, h.deleteOffset("active", "t").Topics[0].Partitions[0].ErrorCode)

		c := h.newMember("connect")
		c.req.ProtocolType = "connect"
		c.joins()
		require.Equal(t, kerr.NonEmptyGroup.Code, h.deleteOffset("connect", "t").ErrorCode)
	})
}

func TestUnreadableSubscriptionOnlyDisablesChecks(t *testing.T) {
	run(t, group.Config{}, func(h *harness) {
		m := h.newMember("g")
		m.req.Protocols = []kmsg.JoinGroupRequestProtocol{offered("range", []byte{0xff, 0, 1})}
		require.Equal(t, []byte{0xff, 0, 1}, m.joins().Members[0].ProtocolMetadata)
		require.Equal(t, "\x00\xff", string(m.syncs(m.id, "\x00\xff").MemberAssignment))
		m.commit(1)
		require.Zero(t, h.deleteOffset("g", "t").Topics[0].Partitions[0].ErrorCode)
	})
}

func TestCommitsOfOneConnectionStayInOrder(t *testing.T) {
	run(t, group.Config{}, func(h *harness) {
		h.logs.Hold()
		var calls []call[*kmsg.OffsetCommitResponse]
		for i := range int64(100) {
			calls = append(calls, h.startCommit(commitRequest(8, "g", "t", i)))
		}
		synctest.Wait()
		h.logs.Release()
		for _, c := range calls {
			require.Zero(t, c.get().Topics[0].Partitions[0].ErrorCode)
		}
		require.EqualValues(t, 99, h.offset("g", "t"))
	})
}
