package delivery

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A topic of the chain is deleted and recreated while the listener runs:
// the new topic is read from its start, and nothing of the old one's offsets
// reaches it.
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

// The same without a record in between: the topic is missing for minutes.
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

// A broker that does not know a topic's ID for a while, as after its start: the
// topic is still the same, and is not read again.
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

// The same for a producer: it must not begin its sequence numbers anew, or the broker
// takes new records for repetitions of the first ones.
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
