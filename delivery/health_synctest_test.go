package delivery

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Health over the life of a listener: starting, ok, stopped.
func TestHealthOfALife(t *testing.T) {
	bubble(t, func(t *testing.T, b *bed) {
		l := b.listen("m", "g", func(context.Context, *Message[string]) error { return nil }, RetryTopics())
		time.Sleep(time.Second)
		require.Equal(t, StatusDegraded, l.Health().Status, "the main topic is missing")
		b.create("m", 1)
		never, err := Listen(b.client, NewTopic("m", text), "g2", func(context.Context, *Message[string]) error { return nil })
		require.NoError(t, err)
		require.Equal(t, StatusStarting, never.Health().Status)
		b.wait(time.Minute, "ok", func() bool { return l.Health().Status == StatusOK })
		require.Len(t, l.Snapshot(), 2)
		surplus := b.listen("m", "g", func(context.Context, *Message[string]) error { return nil }, RetryTopics())
		b.wait(time.Minute, "a member without partitions is ok", func() bool { return surplus.Health().Status == StatusOK })
		require.NoError(t, surplus.stop())
		require.NoError(t, l.stop())
		require.Equal(t, StatusStopped, l.Health().Status)
	})
}

func TestHealthAfterFailure(t *testing.T) {
	bubble(t, func(t *testing.T, b *bed) {
		l, err := Listen(b.client, NewTopic("none", text), "g", func(context.Context, *Message[string]) error { return nil }, RequireTopics())
		require.NoError(t, err)
		require.ErrorIs(t, l.Run(t.Context()), ErrTopicMissing)
		require.Equal(t, StatusFailed, l.Health().Status)
		require.Contains(t, l.Health().Reasons[0], "does not exist")
	})
}

// A stuck handler degrades health until it returns.
func TestHealthOfAStuckHandler(t *testing.T) {
	bubble(t, func(t *testing.T, b *bed) {
		b.create("m", 1)
		release := make(chan struct{})
		l := b.listen("m", "g", func(context.Context, *Message[string]) error {
			<-release
			return nil
		})
		b.wait(time.Minute, "ok", func() bool { return l.Health().Status == StatusOK })
		b.send("m", 1, "a")
		time.Sleep(59 * time.Second)
		require.Equal(t, StatusOK, l.Health().Status)
		time.Sleep(2 * time.Second)
		require.Equal(t, Health{StatusDegraded, []string{"handlers: stuck"}}, l.Health())
		close(release)
		time.Sleep(time.Second)
		require.Equal(t, StatusOK, l.Health().Status)
		require.NoError(t, l.stop())
	})
}

// A handler that goes on after its Ack still counts as running. It is reported as
// stuck after a while, and a stop names it.
func TestHandlerThatHangsAfterAck(t *testing.T) {
	bubble(t, func(t *testing.T, b *bed) {
		b.create("m", 1)
		acked, release := make(chan struct{}), make(chan struct{})
		defer close(release)
		var stuck atomic.Int64
		l := b.listen("m", "g", func(ctx context.Context, m *Message[string]) error {
			err := m.Ack(ctx)
			close(acked)
			<-release
			return err
		}, CommitManual(), OnEvent(func(e Event) {
			if e.Kind == EventStuck {
				stuck.Add(1)
			}
		}))
		b.send("m", 1, "a")
		<-acked
		require.Equal(t, 1, l.Snapshot()[0].InFlight)
		require.Zero(t, l.Snapshot()[0].Open)
		time.Sleep(61 * time.Second)
		require.Equal(t, int64(1), stuck.Load())
		require.Equal(t, Health{StatusDegraded, []string{"handlers: stuck"}}, l.Health())
		var hung *HungError
		require.ErrorAs(t, l.stop(), &hung)
		require.Equal(t, []string{"g m-0@0"}, hung.Handlers)
		require.Equal(t, int64(1), b.committed("g", "m"))
	})
}

// A watermark that does not move because nothing is acked degrades health, with an
// event. A record that waits for its retry does not degrade health.
func TestHealthOfAStandingWatermark(t *testing.T) {
	bubble(t, func(t *testing.T, b *bed) {
		b.create("m", 1)
		var standing atomic.Int64
		var kept atomic.Pointer[Message[string]]
		l := b.listen("m", "g", func(_ context.Context, m *Message[string]) error {
			kept.Store(m)
			return nil
		}, CommitManual(), OnEvent(func(e Event) {
			if e.Kind == EventStanding {
				standing.Add(1)
			}
		}))
		b.send("m", 1, "a")
		b.wait(time.Minute, "handled", func() bool { return kept.Load() != nil })
		time.Sleep(30 * time.Second)
		require.Equal(t, StatusOK, l.Health().Status)
		time.Sleep(10 * time.Minute)
		require.Equal(t, StatusDegraded, l.Health().Status)
		require.Equal(t, int64(1), standing.Load())
		require.NoError(t, kept.Load().Ack(t.Context()))
		require.Equal(t, StatusOK, l.Health().Status)
		require.NoError(t, l.stop())

		b.create("n", 1)
		waits := b.listen("n", "g", func(context.Context, *Message[string]) error { return errBoom }, BlockingRetry(Fixed(time.Hour), Attempts(2)))
		b.send("n", 1, "a")
		for range 50 {
			time.Sleep(time.Minute)
			require.Equal(t, StatusOK, waits.Health().Status)
		}
		require.NoError(t, waits.stop())
	})
}

// When fetches are no longer refused, health recovers, even on a quiet topic.
func TestHealthAfterRefusedFetches(t *testing.T) {
	bubble(t, func(t *testing.T, b *bed) {
		b.create("m", 1)
		l := b.listen("m", "g", func(context.Context, *Message[string]) error { return nil })
		b.wait(time.Minute, "ok", func() bool { return l.Health().Status == StatusOK })
		fault := b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: "m", Err: kerr.TopicAuthorizationFailed, Count: 100})
		begun := time.Now()
		b.wait(time.Minute, "degraded", func() bool { return l.Health().Status == StatusDegraded })
		b.wait(time.Minute, "refused", func() bool { return fault.Hits() == 100 })
		require.Greater(t, time.Since(begun), 5*time.Second, "errors are spaced")
		b.wait(time.Minute, "ok again", func() bool { return l.Health().Status == StatusOK })
		require.NoError(t, l.stop())
	})
}

// Once Run has returned, a reason that degraded the listener causes no more events.
func TestNoEventsOfHealthAfterRun(t *testing.T) {
	bubble(t, func(t *testing.T, b *bed) {
		b.create("m", 1)
		var after atomic.Int64
		var returned atomic.Bool
		l := b.listen("m", "g", func(context.Context, *Message[string]) error { return nil }, OnEvent(func(Event) {
			if returned.Load() {
				after.Add(1)
			}
		}))
		b.wait(time.Minute, "ok", func() bool { return l.Health().Status == StatusOK })
		b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: "m", Err: kerr.TopicAuthorizationFailed, Count: 100})
		b.wait(time.Minute, "degraded", func() bool { return l.Health().Status == StatusDegraded })
		require.NoError(t, l.stop())
		returned.Store(true)
		time.Sleep(time.Minute)
		require.Zero(t, after.Load())
		l.health.clear("handlers") // as a hung handler does when it returns now.
		l.degradeSlow("publish")
		time.Sleep(time.Minute)
		require.Zero(t, after.Load())
	})
}

// If the timer of a slow publish fires just when the answer comes, health does not
// stay degraded.
func TestSlowPublishLeavesNothing(t *testing.T) {
	bubble(t, func(t *testing.T, b *bed) {
		l, err := Listen(b.client, NewTopic("m", text), "g", func(context.Context, *Message[string]) error { return nil })
		require.NoError(t, err)
		answered := l.degradeSlow("publish")
		time.Sleep(publishSlow) // the timer and this goroutine wake at the same time.
		answered()
		l.health.clear("publish")
		time.Sleep(time.Minute)
		require.Empty(t, l.health.now().Reasons)
		l.degradeSlow("other")
		time.Sleep(time.Minute)
		require.Len(t, l.health.now().Reasons, 1)
	})
}

// Stop waits for a handler whose partition was given up before, and names it if it
// does not return.
func TestStopWaitsForDetachedHandlers(t *testing.T) {
	bubble(t, func(t *testing.T, b *bed) {
		b.create("m", 1)
		b.send("m", 1, "a")
		release := make(chan struct{})
		var running atomic.Int64
		handle := func(context.Context, *Message[string]) error {
			running.Add(1)
			defer running.Add(-1)
			<-release
			return nil
		}
		for _, lose := range []func(*consumer){
			func(c *consumer) { c.onLost(t.Context(), c.cl, map[string][]int32{"m": {0}}) },
			func(c *consumer) { c.onRevoked(t.Context(), c.cl, map[string][]int32{"m": {0}}) },
		} {
			l := b.listen("m", "g", handle, RevokeWait(time.Second))
			b.wait(2*time.Minute, "running", func() bool { return running.Load() == 1 })
			lose(l.current()[0])
			begun := time.Now()
			err := l.stop()
			var hung *HungError
			require.ErrorAs(t, err, &hung)
			require.Equal(t, []string{"g m-0@0"}, hung.Handlers)
			require.InDelta(t, 35*time.Second, time.Since(begun), float64(2*time.Second))
			release <- struct{}{}
			b.wait(time.Minute, "returned", func() bool { return running.Load() == 0 })
		}
		l := b.listen("m", "g", handle)
		b.wait(2*time.Minute, "running", func() bool { return running.Load() == 1 })
		c := l.current()[0]
		c.onLost(t.Context(), c.cl, map[string][]int32{"m": {0}})
		time.AfterFunc(10*time.Second, func() { release <- struct{}{} })
		require.NoError(t, l.stop())
		require.Zero(t, running.Load())
	})
}

// A HungError names at least one handler, even when handlers return just as time is
// up.
func TestHungErrorIsNeverEmpty(t *testing.T) {
	bubble(t, func(t *testing.T, b *bed) {
		b.create("m", 1)
		b.send("m", 1, "a")
		var inside atomic.Bool
		l := b.listen("m", "g", func(context.Context, *Message[string]) error {
			inside.Store(true)
			defer inside.Store(false)
			time.Sleep(35 * time.Second)
			return nil
		})
		b.wait(time.Minute, "running", inside.Load)
		if err := l.stop(); err != nil {
			var hung *HungError
			require.ErrorAs(t, err, &hung)
			require.NotEmpty(t, hung.Handlers)
		}
	})
}

// SessionTimeout sets the session timeout of the member, with heartbeats to match.
func TestSessionTimeout(t *testing.T) {
	bubble(t, func(t *testing.T, b *bed) {
		b.create("m", 1)
		l := b.listen("m", "g", func(context.Context, *Message[string]) error { return nil }, SessionTimeout(15*time.Second))
		b.wait(time.Minute, "assigned", func() bool { return len(l.Snapshot()) == 1 })
		cl := l.current()[0].cl
		require.Equal(t, 15*time.Second, cl.OptValue(kgo.SessionTimeout))
		require.Equal(t, time.Second, cl.OptValue(kgo.HeartbeatInterval))
		require.NoError(t, l.stop())
	})
}

// A session timeout that the broker refuses ends Run, with one error that says which
// values the broker accepts.
func TestSessionTimeoutRefused(t *testing.T) {
	var log bytes.Buffer
	bubble(t, func(t *testing.T, b *bed) {
		b.create("m", 1)
		l := b.listen("m", "g", func(context.Context, *Message[string]) error { return nil }, SessionTimeout(time.Second))
		select {
		case err := <-l.done:
			var halted *HaltError
			require.ErrorAs(t, err, &halted)
			require.ErrorIs(t, err, kerr.InvalidSessionTimeout)
			require.Regexp(t, `group g: the broker refuses a session timeout of 1s \(it takes 6s to .*\), change SessionTimeout`, err.Error())
		case <-time.After(time.Minute):
			t.Fatal("Run goes on")
		}
		require.Equal(t, StatusHalted, l.Health().Status)
	}, WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	text := log.String()
	require.LessOrEqual(t, strings.Count(text, "group manage loop"), 1, text)
	for line := range strings.Lines(text) {
		require.LessOrEqual(t, strings.Count(line, " group="), 1, line)
	}
}
