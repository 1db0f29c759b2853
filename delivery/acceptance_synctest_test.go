package delivery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/delivery/codec"
)

var errBoom = errors.New("boom")

// The broker is away for two minutes while a record is on its way to the
// dead-letter topic. The handler runs only once, and the record arrives only once.
func TestBrokerStopsDuringDeadLetter(t *testing.T) {
	bubble(t, func(t *testing.T, b *bed) {
		t.Helper()
		b.create("m", 1)
		seen, sent := newTally(), make(chan struct{})
		l := b.listen("m", "g", func(_ context.Context, m *Message[string]) error {
			seen.add(m.Value)
			<-sent // the record may be here before its sender knows
			b.net.cut()
			return Permanent(errBoom)
		})
		b.wait(time.Minute, "assigned", func() bool { return len(l.Snapshot()) == 1 })
		b.send("m", 1, "a")
		close(sent)
		b.wait(time.Minute, "handled", func() bool { return seen.count("a") == 1 })
		b.wait(time.Minute, "degraded", func() bool { return l.Health().Status == StatusDegraded })
		time.Sleep(2 * time.Minute)
		require.Equal(t, 0, b.size("m-dlt"))
		b.net.mend()
		b.wait(time.Minute, "dead-lettered", func() bool { return b.size("m-dlt") == 1 })
		b.wait(time.Minute, "healthy", func() bool { return l.Health().Status == StatusOK })
		b.wait(time.Minute, "committed", func() bool { return b.committed("g", "m") == 1 })
		require.NoError(t, l.stop())
		require.Equal(t, 1, seen.count("a"))
		require.Equal(t, 1, b.size("m-dlt"))
	})
}

// A poison pill amid 10000 records: one dead letter, all others handled.
func TestPoisonPill(t *testing.T) {
	bubble(t, func(t *testing.T, b *bed) {
		t.Helper()
		b.create("m", 1)
		values := make([]string, 10_000)
		for i := range values {
			values[i] = fmt.Sprintf("%d", i)
		}
		values[5000] = "{oops"
		b.send("m", 1, values...)
		var handled atomic.Int64
		l, err := Listen(b.client, NewTopic("m", codec.JSON[int]()), "g", func(context.Context, *Message[int]) error {
			handled.Add(1)
			return nil
		})
		require.NoError(t, err)
		r := b.run(l)
		b.wait(time.Minute, "all handled", func() bool { return handled.Load() == 9999 && b.size("m-dlt") == 1 })
		require.NoError(t, r.stop())
		dead := b.records("m-dlt")
		require.Equal(t, "{oops", string(dead[0].Value))
		require.Equal(t, ReasonDecode, ReadFailure(dead[0].Headers).Reason)
		require.Equal(t, int64(10_000), b.committed("g", "m"))
	})
}

// Members join and leave each second, with cooperative and with eager
// assignment, while retries wait: every record is handled, none is lost, and
// no partition stays paused.
func TestRebalanceStorm(t *testing.T) {
	for name, balancer := range map[string]kgo.GroupBalancer{
		"cooperative": kgo.CooperativeStickyBalancer(),
		"eager":       kgo.RangeBalancer(),
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, b *bed) {
				t.Helper()
				storm(t, b, balancer)
			})
		})
	}
}

func storm(t *testing.T, b *bed, balancer kgo.GroupBalancer) {
	t.Helper()
	const parts, records = 6, 240
	b.create("m", parts)
	seen := newTally()
	handle := func(_ context.Context, m *Message[string]) error {
		seen.add(m.Value)
		if m.Attempt() == 1 && strings.HasSuffix(m.Value, "7") {
			return errBoom
		}
		return nil
	}
	start := func() *running {
		return b.listen("m", "g", handle, Kgo(kgo.Balancers(balancer)),
			RetryTopics(Attempts(3), Fixed(3*time.Second)), QueueLimit(4, 1<<20))
	}
	steady := start()
	values := make([]string, records)
	for i := range values {
		values[i] = fmt.Sprintf("%03d", i)
	}
	b.send("m", parts, values...)
	for range 10 {
		r := start()
		time.Sleep(time.Second)
		require.NoError(t, r.stop())
	}
	b.wait(5*time.Minute, "all done", func() bool {
		return b.committed("g", "m") == records && b.size("m-retry") == int(b.committed("g-retry", "m-retry"))
	})
	for i := range records {
		v := fmt.Sprintf("%03d", i)
		want := 1
		if strings.HasSuffix(v, "7") {
			want = 2
		}
		require.GreaterOrEqual(t, seen.count(v), want, v)
	}
	b.wait(time.Minute, "all partitions are back", func() bool { return len(steady.Snapshot()) == 2*parts })
	for _, s := range steady.Snapshot() {
		require.Empty(t, s.Paused, s.TP)
	}
	require.Equal(t, 0, b.size("m-dlt"))
	require.NoError(t, steady.stop())
}

// A record of a failing partition reaches the dead-letter topic on time although
// a healthy partition is busy.
func TestHealthyBesideFailing(t *testing.T) {
	bubble(t, func(t *testing.T, b *bed) {
		b.create("m", 2)
		begun := time.Now()
		var dead atomic.Int64
		seen := newTally()
		l := b.listen("m", "g", func(_ context.Context, m *Message[string]) error {
			seen.add(m.Value)
			if m.Value == "bad" {
				return errBoom
			}
			time.Sleep(100 * time.Millisecond)
			return nil
		}, RetryTopics(Attempts(3), Fixed(time.Second)), OnEvent(func(e Event) {
			if e.Kind == EventDeadLettered {
				dead.Store(int64(time.Since(begun)))
			}
		}))
		b.wait(time.Minute, "assigned", func() bool { return len(l.Snapshot()) == 4 })
		values := make([]string, 200)
		for i := range values {
			values[i] = fmt.Sprintf("ok %d", i)
		}
		begun = time.Now()
		b.send("m", 1, values...)
		_, err := NewTopic("m", text).Send(t.Context(), b.client, "k", "bad", Partition(1))
		require.NoError(t, err)
		b.wait(time.Minute, "all handled", func() bool { return seen.distinct() == 201 && dead.Load() > 0 })
		require.InDelta(t, 2*time.Second, dead.Load(), float64(100*time.Millisecond))
		require.NoError(t, l.stop())
	})
}

// Stop during a back-off of ten minutes returns at once, and does not commit the
// record.
func TestStopDuringBackOff(t *testing.T) {
	bubble(t, func(t *testing.T, b *bed) {
		b.create("m", 1)
		b.send("m", 1, "a")
		seen := newTally()
		l := b.listen("m", "g", func(_ context.Context, m *Message[string]) error {
			seen.add(m.Value)
			return errBoom
		}, BlockingRetry(Fixed(10*time.Minute)))
		b.wait(time.Minute, "handled", func() bool { return seen.count("a") == 1 })
		time.Sleep(time.Minute)
		begun := time.Now()
		require.NoError(t, l.stop())
		require.Less(t, time.Since(begun), time.Second)
		require.Equal(t, int64(0), b.committed("g", "m"))
		require.Equal(t, 0, b.size("m-dlt"))
	})
}

// Records that were handled but not committed before an outage are not handled again
// after it. They are recognised by offset and leader epoch, because the log may have
// been truncated in the outage. The records of a deleted topic do not count.
func TestDoneBeforeAnOutage(t *testing.T) {
	bubble(t, func(t *testing.T, b *bed) {
		b.create("m", 1)
		b.send("m", 1, "a", "b", "c")
		seen := newTally()
		l := b.listen("m", "g", func(_ context.Context, m *Message[string]) error {
			seen.add(m.Value)
			return nil
		}, CommitEvery(time.Hour, 1000))
		b.wait(time.Minute, "handled", func() bool { return seen.distinct() == 3 })
		c, tp, parts := l.current()[0], TP{"m", 0}, map[string][]int32{"m": {0}}
		outage := func() *lane {
			c.dialFailed.Store(time.Now().UnixNano())
			c.onLost(t.Context(), c.cl, parts)
			c.onAssigned(t.Context(), c.cl, parts)
			return c.lane(tp)
		}
		ln := outage()
		for _, r := range b.records("m") {
			require.True(t, ln.doneBefore(r))
			r.LeaderEpoch++
			require.False(t, ln.doneBefore(r), "another record at its offset")
		}
		c.abandonLanes(t.Context(), "m")
		ln = outage()
		for _, r := range b.records("m") {
			require.False(t, ln.doneBefore(r))
		}
		require.NoError(t, l.stop())
	})
}

// Partitions that a rebalance brings while the listener stops are not read, and their
// lanes end with the listener. The bubble fails if a goroutine is left.
func TestAssignedWhileStopping(t *testing.T) {
	bubble(t, func(t *testing.T, b *bed) {
		b.create("m", 1)
		b.send("m", 1, "a")
		release, handling := make(chan struct{}), make(chan struct{})
		l := b.listen("m", "g", func(context.Context, *Message[string]) error {
			close(handling)
			<-release
			return nil
		})
		<-handling
		c := l.current()[0]
		go func() { _ = l.Stop(context.Background()) }()
		time.Sleep(time.Second) // the present lanes have been stopped
		late := map[string][]int32{"m": {1}}
		c.onAssigned(t.Context(), c.cl, late)
		require.NotNil(t, c.lane(TP{"m", 1}))
		close(release)
		require.NoError(t, <-l.done)
		c.onAssigned(t.Context(), c.cl, late)
		require.Empty(t, c.all())
		require.Equal(t, int64(1), b.committed("g", "m"))
	})
}

// All seeks are answered, whether they come before, during or after a stop.
func TestSeekWhileStopping(t *testing.T) {
	bubble(t, func(t *testing.T, b *bed) {
		b.create("m", 1)
		l := b.listen("m", "g", func(context.Context, *Message[string]) error { return nil })
		b.wait(time.Minute, "assigned", func() bool { return len(l.Snapshot()) == 1 })
		tp := TP{"m", 0}
		var seeking sync.WaitGroup
		for range 4 {
			seeking.Go(func() {
				for !errors.Is(l.Seek(context.Background(), tp, Earliest()), ErrNotAssigned) {
					time.Sleep(time.Millisecond)
				}
			})
		}
		time.Sleep(time.Second)
		c := l.current()[0]
		require.NoError(t, l.stop())
		seeking.Wait()
		require.False(t, c.askToSeek(&seek{tp: tp, to: Earliest(), done: make(chan error, 1)}))
		require.ErrorIs(t, l.Seek(t.Context(), tp, Earliest()), ErrNotAssigned)
	})
}

// A handler ignores its context. Stop waits for DrainTimeout and KillGrace, returns
// the handler's name, and does not commit its record.
func TestHungHandler(t *testing.T) {
	bubble(t, func(t *testing.T, b *bed) {
		b.create("m", 1)
		b.send("m", 1, "a", "b")
		seen := newTally()
		release := make(chan struct{})
		var cause atomic.Value
		l := b.listen("m", "g", func(ctx context.Context, m *Message[string]) error {
			seen.add(m.Value)
			<-release
			cause.Store(context.Cause(ctx))
			return nil
		})
		b.wait(time.Minute, "handled", func() bool { return seen.count("a") == 1 })
		begun := time.Now()
		err := l.stop()
		var hung *HungError
		require.ErrorAs(t, err, &hung)
		require.Equal(t, []string{"g m-0@0"}, hung.Handlers)
		require.InDelta(t, 35*time.Second, time.Since(begun), float64(time.Second))
		require.Equal(t, int64(0), b.committed("g", "m"))
		close(release)
		time.Sleep(time.Second)
		require.ErrorIs(t, cause.Load().(error), ErrShutdown)
		require.Equal(t, int64(0), b.committed("g", "m"))
		require.Equal(t, 0, seen.count("b"))
	})
}

// A handler hangs while its listener stops and another listener of this process gets
// the partition. The stop returns. The record is not delivered again before the
// handler has returned, and what the handler returns is ignored.
func TestHandlerOutlivesItsListener(t *testing.T) {
	bubble(t, func(t *testing.T, b *bed) {
		b.create("m", 1)
		b.send("m", 1, "a")
		seen := newTally()
		var inside, most atomic.Int64
		release := make(chan struct{})
		handle := func(ctx context.Context, m *Message[string]) error {
			n := inside.Add(1)
			defer inside.Add(-1)
			most.Store(max(most.Load(), n))
			if seen.add(m.Value) > 1 {
				return nil
			}
			<-release
			require.ErrorIs(t, context.Cause(ctx), ErrShutdown)
			return Permanent(errBoom) // must be ignored.
		}
		first := b.listen("m", "g", handle, DrainTimeout(time.Second), KillGrace(time.Second))
		b.wait(time.Minute, "handled", func() bool { return seen.count("a") == 1 })
		var hung *HungError
		require.ErrorAs(t, first.stop(), &hung)
		second := b.listen("m", "g", handle)
		b.wait(time.Minute, "assigned", func() bool { return len(second.Snapshot()) == 1 })
		time.Sleep(time.Minute)
		require.Equal(t, 1, seen.count("a"))
		close(release)
		b.wait(time.Minute, "handled again", func() bool { return seen.count("a") == 2 })
		require.NoError(t, second.stop())
		require.Equal(t, int64(1), most.Load())
		require.Equal(t, 0, b.size("m-dlt"))
		require.Equal(t, int64(1), b.committed("g", "m"))
	})
}

// During a revoke the handler has RevokeWait to finish. Then its context ends with
// ErrRevoked, and the attempt does not count.
func TestRevokeCancelsHandlers(t *testing.T) {
	bubble(t, func(t *testing.T, b *bed) {
		b.create("m", 1)
		b.send("m", 1, "a")
		var cause atomic.Value
		var started atomic.Bool
		l := b.listen("m", "g", func(ctx context.Context, _ *Message[string]) error {
			started.Store(true)
			<-ctx.Done()
			cause.Store(context.Cause(ctx))
			return ctx.Err()
		}, RevokeWait(3*time.Second))
		b.wait(time.Minute, "started", started.Load)
		c := l.current()[0]
		begun := time.Now()
		c.onRevoked(t.Context(), c.cl, map[string][]int32{"m": {0}})
		require.Equal(t, 3*time.Second, time.Since(begun))
		time.Sleep(time.Millisecond)
		require.ErrorIs(t, cause.Load().(error), ErrRevoked)
		require.Equal(t, 0, b.size("m-dlt"))
		require.Empty(t, l.Snapshot())
		require.NoError(t, l.stop())
		require.Equal(t, int64(0), b.committed("g", "m"))
	})
}

// When a partition is lost, its handler is cancelled at once and nothing is committed.
func TestLostCancelsAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, b *bed) {
		b.create("m", 1)
		b.send("m", 1, "a", "b")
		var cause atomic.Value
		l := b.listen("m", "g", func(ctx context.Context, m *Message[string]) error {
			if m.Value == "a" {
				return nil
			}
			<-ctx.Done()
			cause.Store(context.Cause(ctx))
			return nil
		}, CommitEvery(time.Hour, 1000))
		b.wait(time.Minute, "at b", func() bool {
			s := l.Snapshot()
			return len(s) == 1 && s[0].Watermark == 1 && s[0].InFlight == 1
		})
		c := l.current()[0]
		begun := time.Now()
		c.onLost(t.Context(), c.cl, map[string][]int32{"m": {0}})
		require.Zero(t, time.Since(begun))
		time.Sleep(time.Millisecond)
		require.ErrorIs(t, cause.Load().(error), ErrLost)
		require.NoError(t, l.stop())
		require.Equal(t, int64(0), b.committed("g", "m"))
	})
}

// A handler that runs longer than its timeout blocks its partition until it returns,
// and is reported as stuck. Its error is a failed attempt for ReasonTimeout.
func TestHandlerTimeout(t *testing.T) {
	bubble(t, func(t *testing.T, b *bed) {
		b.create("m", 1)
		b.send("m", 1, "late but fine", "fails")
		var stuck atomic.Int64
		l := b.listen("m", "g", func(ctx context.Context, m *Message[string]) error {
			<-ctx.Done()
			require.ErrorIs(t, context.Cause(ctx), ErrHandlerTimeout)
			time.Sleep(2 * time.Minute)
			if m.Value == "fails" {
				return ctx.Err()
			}
			return nil
		}, HandlerTimeout(time.Second), BlockingRetry(Attempts(1)), OnEvent(func(e Event) {
			if e.Kind == EventStuck {
				stuck.Add(1)
			}
		}))
		b.wait(10*time.Minute, "dead-lettered", func() bool { return b.size("m-dlt") == 1 })
		f := ReadFailure(b.records("m-dlt")[0].Headers)
		require.Equal(t, ReasonTimeout, f.Reason)
		require.Equal(t, int64(6), stuck.Load()) // at 60, 90 and 120 s, twice.
		require.NoError(t, l.stop())
	})
}

// Without any broker, health says so after 30 s, and Run still ends.
func TestClusterDown(t *testing.T) {
	bubble(t, func(t *testing.T, b *bed) {
		b.create("m", 1)
		l := b.listen("m", "g", func(context.Context, *Message[string]) error { return nil })
		b.wait(time.Minute, "assigned", func() bool { return len(l.Snapshot()) == 1 })
		b.net.cut()
		time.Sleep(31 * time.Second)
		h := l.Health()
		require.Equal(t, StatusDegraded, h.Status)
		begun := time.Now()
		require.NoError(t, l.stop())
		require.Less(t, time.Since(begun), time.Minute)
		b.net.mend()
	})
}

// A send whose context ends while a broker has the record and does not answer has an
// unknown outcome. While no broker can be reached, a send ends after its timeout.
func TestSendOutcome(t *testing.T) {
	bubble(t, func(t *testing.T, b *bed) {
		b.create("m", 1)
		topic := NewTopic("m", text)
		_, err := topic.Send(t.Context(), b.client, "k", "a")
		require.NoError(t, err)
		within := func(v string) error {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err := topic.Send(ctx, b.client, "k", v)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			return err
		}
		b.cluster.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
			b.cluster.SleepControl(func() { time.Sleep(10 * time.Second) })
			return nil, nil, false
		})
		require.ErrorIs(t, within("slow"), ErrUnknownOutcome)
		b.wait(time.Minute, "the record was written", func() bool { return b.size("m") == 2 })
		b.net.cut()
		_ = within("b") // franz-go may not know yet that the record was not written
		begun := time.Now()
		_, err = topic.Send(t.Context(), b.client, "k", "c")
		require.Error(t, err)
		require.InDelta(t, 30*time.Second, time.Since(begun), float64(5*time.Second))
		b.net.mend()
		b.wait(time.Minute, "sends work again", func() bool {
			_, err := topic.Send(t.Context(), b.client, "k", "d")
			return err == nil
		})
	})
}

// Each record that is given up is an ERROR line; the lines of first failures are
// limited.
func TestLogs(t *testing.T) {
	log := newLogged()
	bubble(t, func(t *testing.T, b *bed) {
		t.Helper()
		b.create("m", 1)
		l := b.listen("m", "g", func(context.Context, *Message[string]) error { return errBoom }, NoDLT(), BlockingRetry(Attempts(1)))
		b.send("m", 1, make([]string, 25)...)
		b.wait(time.Minute, "all skipped", func() bool { return log.count("ERROR record skipped") == 25 })
		require.Equal(t, gateLines, log.count("WARN delivery failed"))
		require.NoError(t, l.stop())
	}, WithLogger(slog.New(log)))
}
