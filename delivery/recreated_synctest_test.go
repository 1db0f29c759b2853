package delivery

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A topic of the chain is deleted and recreated while the listener runs. The new
// topic is read from its start, and no offset of the old topic is committed to it.
func TestTopicRecreated(t *testing.T) {
	log := newLogged()
	bubble(t, func(t *testing.T, b *bed) {
		t.Helper()
		b.create("m", 2)
		seen := newTally()
		l := b.listen("m", "g", func(_ context.Context, m *Message[string]) error {
			seen.add(m.Value)
			return nil
		}, CommitEach())
		b.send("m", 2, "a", "b", "c", "d", "e", "f", "g", "h")
		b.wait(time.Minute, "handled", func() bool { return seen.distinct() == 8 })
		b.wait(time.Minute, "committed", func() bool { return b.committed("g", "m") == 8 })

		require.NoError(t, b.cluster.DeleteTopic("m"))
		b.create("m", 2)
		b.send("m", 2, "i", "j")
		b.wait(5*time.Minute, "the new topic is read", func() bool { return seen.distinct() == 10 })
		b.send("m", 2, "k", "l")
		b.wait(time.Minute, "the new topic is read on", func() bool { return seen.distinct() == 12 })
		b.wait(time.Minute, "committed", func() bool { return b.committed("g", "m") == 4 })
		require.Equal(t, 1, seen.count("k"))
		require.NotZero(t, log.count("WARN topic was deleted or recreated, it is read from its start"))
		require.LessOrEqual(t, log.count("WARN topic was deleted or recreated, it is read from its start"), 2)
		b.wait(time.Minute, "healthy", func() bool { return l.Health().Status == StatusOK })
		require.NoError(t, l.stop())
	}, WithLogger(slog.New(log)))
}

// Another member had a partition of a recreated topic first. When the partition comes
// back, it goes on at that member's commit, even if that is the offset to which the
// deleted topic was read.
func TestRecreatedPartitionComesBackLater(t *testing.T) {
	for name, tc := range map[string]struct{ old, fresh int }{
		"fewer records than before": {40, 8},
		"as many as before":         {20, 20},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, b *bed) {
				t.Helper()
				comesBackLater(t, b, tc.old, tc.fresh)
			})
		})
	}
}

func comesBackLater(t *testing.T, b *bed, old, fresh int) {
	t.Helper()
	b.create("m", 2)
	seen := newTally()
	l := b.listen("m", "g", func(_ context.Context, m *Message[string]) error {
		seen.add(m.Value)
		return nil
	}, CommitEach(), RevokeWait(time.Second))
	b.send("m", 2, numbered("old", old)...)
	b.wait(time.Minute, "handled", func() bool { return seen.distinct() == old })
	b.wait(time.Minute, "committed", func() bool { return b.committed("g", "m") == int64(old) })
	require.NoError(t, b.cluster.DeleteTopic("m"))
	b.dropCommits("g", "m")
	time.Sleep(2 * time.Minute)

	other := startOtherMember(t, b)
	time.Sleep(2 * time.Minute)
	b.create("m", 2)
	c := b.dial()
	for i, v := range numbered("new", fresh) {
		_, err := NewTopic("m", text).Send(t.Context(), c, "k", v, Partition(int32(i%2)))
		require.NoError(t, err)
	}
	b.wait(20*time.Minute, "the new topic is read", func() bool { return b.committed("g", "m") == int64(fresh) })
	had := other.leave()
	require.NotEmpty(t, had)
	b.wait(20*time.Minute, "all partitions are back", func() bool { return len(l.Snapshot()) == 2 })
	time.Sleep(5 * time.Minute)
	for v := range had {
		require.Zero(t, seen.count(v), "%s was handled by the other member, and committed", v)
	}
	require.Equal(t, old+fresh, seen.distinct()+len(had))
	require.NoError(t, l.stop())
}

// dropCommits deletes the commits of a deleted topic, as a broker does. kfake does not.
func (b *bed) dropCommits(group, topic string) {
	b.t.Helper()
	found, err := kadm.NewClient(b.client.sends).FetchOffsets(b.t.Context(), group)
	require.NoError(b.t, err)
	responses, err := kadm.NewClient(b.client.sends).DeleteOffsets(b.t.Context(), group, found.Offsets().TopicsSet())
	require.NoError(b.t, err)
	require.NoError(b.t, responses.Error())
	require.NotContains(b.t, found, "none of another topic than "+topic)
}

func numbered(prefix string, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("%s %d", prefix, i)
	}
	return out
}

// otherMember is a member of group g, on topic m, that is not a Listener.
type otherMember struct {
	t    *testing.T
	cl   *kgo.Client
	stop context.CancelFunc
	done chan map[string]bool
}

func startOtherMember(t *testing.T, b *bed) *otherMember {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers("localhost:9092"), kgo.Dialer(b.net.dial), kgo.ConsumerGroup("g"), kgo.ConsumeTopics("m"),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit())
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	t.Cleanup(cl.Close)
	m := &otherMember{t: t, cl: cl, stop: cancel, done: make(chan map[string]bool, 1)}
	go func() {
		had := map[string]bool{}
		for ctx.Err() == nil {
			cl.PollFetches(ctx).EachRecord(func(r *kgo.Record) { had[string(r.Value)] = true })
			_ = cl.CommitUncommittedOffsets(context.Background())
		}
		m.done <- had
	}()
	return m
}

// leave leaves the group, and returns which records the member had.
func (m *otherMember) leave() map[string]bool {
	m.t.Helper()
	m.stop()
	had := <-m.done
	require.NoError(m.t, m.cl.LeaveGroupContext(m.t.Context()))
	return had
}

// A topic is deleted, and created again only after minutes.
func TestTopicDeletedForAWhile(t *testing.T) {
	bubble(t, func(t *testing.T, b *bed) {
		b.create("m", 1)
		seen := newTally()
		l := b.listen("m", "g", func(_ context.Context, m *Message[string]) error {
			seen.add(m.Value)
			return nil
		})
		b.send("m", 1, "a", "b", "c")
		b.wait(time.Minute, "handled", func() bool { return seen.distinct() == 3 })
		require.NoError(t, b.cluster.DeleteTopic("m"))
		time.Sleep(3 * time.Minute)
		b.create("m", 1)
		b.wait(10*time.Minute, "sent", func() bool {
			_, err := NewTopic("m", text).Send(t.Context(), b.client, "k", "d")
			return err == nil
		})
		b.wait(10*time.Minute, "the new topic is read", func() bool { return seen.count("d") > 0 })
		require.NoError(t, l.stop())
	})
}

// Retry and dead-letter topics that are deleted while they are in use are
// created again, written to, and read.
func TestChainTopicsRecreated(t *testing.T) {
	bubble(t, func(t *testing.T, b *bed) {
		b.create("m", 1)
		seen := newTally()
		l := b.listen("m", "g", func(_ context.Context, m *Message[string]) error {
			seen.add(m.Value)
			return errBoom
		}, RetryTopics(Attempts(2), Fixed(time.Second)))
		b.send("m", 1, "a")
		b.wait(time.Minute, "dead-lettered", func() bool { return b.size("m-dlt") == 1 })
		require.Equal(t, 2, seen.count("a"))

		require.NoError(t, b.cluster.DeleteTopic("m-retry"))
		require.NoError(t, b.cluster.DeleteTopic("m-dlt"))
		b.send("m", 1, "b")
		b.wait(10*time.Minute, "dead-lettered again", func() bool { return b.size("m-dlt") == 1 })
		require.Equal(t, 2, seen.count("b"))
		b.send("m", 1, "c")
		b.wait(time.Minute, "all is as before", func() bool { return b.size("m-dlt") == 2 })
		b.wait(time.Minute, "healthy", func() bool { return l.Health().Status == StatusOK })
		require.NoError(t, l.stop())
	})
}

// A broker does not know a topic's ID for a while, as after its start. The topic is
// still the same, and is not read again.
func TestTopicIDUnknownForAWhile(t *testing.T) {
	log := newLogged()
	bubble(t, func(t *testing.T, b *bed) {
		t.Helper()
		b.create("m", 1)
		seen := newTally()
		l := b.listen("m", "g", func(_ context.Context, m *Message[string]) error {
			seen.add(m.Value)
			return nil
		}, CommitEach())
		b.send("m", 1, "a", "b")
		b.wait(time.Minute, "handled", func() bool { return seen.distinct() == 2 })
		b.wait(time.Minute, "committed", func() bool { return b.committed("g", "m") == 2 })
		fault := b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: "m", Err: kerr.UnknownTopicID, Count: 40})
		b.wait(10*time.Minute, "refused", func() bool { return fault.Hits() == 40 })
		b.send("m", 1, "c")
		b.wait(time.Minute, "handled", func() bool { return seen.count("c") == 1 })
		require.Equal(t, 1, seen.count("a"))
		require.Zero(t, log.count("WARN topic was deleted or recreated, it is read from its start"))
		require.NoError(t, l.stop())
	}, WithLogger(slog.New(log)))
}

// A producer must not restart its sequence numbers either when a broker does not know
// the topic's ID for a while: the broker would take new records for duplicates.
func TestTopicIDUnknownToProducersForAWhile(t *testing.T) {
	log := newLogged()
	bubble(t, func(t *testing.T, b *bed) {
		t.Helper()
		b.create("m", 1)
		send := func(value string) error {
			_, err := NewTopic("m", text).Send(t.Context(), b.client, "k", value)
			return err
		}
		require.NoError(t, send("a"))
		b.wait(time.Minute, "the ID is known", func() bool {
			b.client.forgotten.mu.Lock()
			defer b.client.forgotten.mu.Unlock()
			return b.client.forgotten.topic("m").id != [16]byte{}
		})
		fault := b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: "m", Err: kerr.UnknownTopicID, Count: 6})
		for fault.Hits() < 6 {
			_ = send("refused or not")
		}
		before := len(b.records("m"))
		for _, value := range []string{"b", "c"} {
			require.NoError(t, send(value))
		}
		require.Len(t, b.records("m"), before+2)
		require.Zero(t, log.count("WARN topic was deleted or recreated, it is looked up again"))
	}, WithLogger(slog.New(log)))
}
