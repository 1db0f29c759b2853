package dlt_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/delivery"
	"github.com/botehq/bote/delivery/codec"
	"github.com/botehq/bote/delivery/dlt"
)

// bed is a broker on an in-memory network inside a synctest bubble, where minutes
// pass in no time.
type bed struct {
	t       *testing.T
	net     kfake.VirtualNetwork
	cluster *kfake.Cluster
	c       *delivery.Client
}

func bubble(t *testing.T, f func(t *testing.T, b *bed)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bed{t: t}
		var err error
		b.cluster, err = kfake.NewCluster(kfake.NumBrokers(1), kfake.ListenFn(b.net.Listen), kfake.Ports(9092))
		require.NoError(t, err)
		t.Cleanup(b.cluster.Close)
		b.c = b.dial(b.net.DialContext)
		f(t, b)
	})
}

func (b *bed) dial(dialer func(ctx context.Context, network, addr string) (net.Conn, error)) *delivery.Client {
	b.t.Helper()
	c, err := delivery.Dial([]string{"localhost:9092"}, delivery.WithKgo(kgo.Dialer(dialer)), delivery.WithLogger(slog.New(slog.DiscardHandler)))
	require.NoError(b.t, err)
	b.t.Cleanup(c.Close)
	return c
}

// mail is a listener of group mail on topic m. It fails for the values that fails
// selects.
type mail struct {
	*delivery.Listener

	t     *testing.T
	mu    sync.Mutex
	fails func(value string) bool
	ok    map[string]int
	done  chan error
}

func (m *mail) handle(_ context.Context, msg *delivery.Message[string]) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fails(msg.Value) {
		return errBoom
	}
	m.ok[msg.Value]++
	return nil
}

// repair makes everything succeed from now on, except the values that still selects.
func (m *mail) repair(still func(value string) bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fails = still
}

func never(string) bool  { return false }
func always(string) bool { return true }

// handled is how many records succeeded, and how often the most frequent one did.
func (m *mail) handled() (n, most int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, times := range m.ok {
		most = max(most, times)
	}
	return len(m.ok), most
}

func (m *mail) stop() {
	require.NoError(m.t, m.Stop(context.Background()))
	require.NoError(m.t, <-m.done)
}

// letters makes n dead letters of group mail.
func (b *bed) letters(n int, opts ...delivery.Option) *mail {
	b.t.Helper()
	require.NoError(b.t, b.cluster.CreateTopic("m", 1, nil))
	m := &mail{t: b.t, fails: always, ok: map[string]int{}, done: make(chan error, 1)}
	var err error
	m.Listener, err = delivery.Listen(b.c, orders, "mail", m.handle, opts...)
	require.NoError(b.t, err)
	go func() { m.done <- m.Run(context.Background()) }()
	b.t.Cleanup(func() { _ = m.StopNow(context.Background()) })
	batch := make([]delivery.Outgoing[string], n)
	for i := range batch {
		batch[i] = delivery.Outgoing[string]{Key: "k", Value: fmt.Sprint(i)}
	}
	_, err = orders.SendBatch(b.t.Context(), b.c, batch)
	require.NoError(b.t, err)
	b.wait("dead letters", func() bool { return b.size("m-dlt") == n })
	return m
}

func (b *bed) wait(what string, ok func() bool) {
	b.t.Helper()
	for end := time.Now().Add(time.Hour); !ok(); time.Sleep(100 * time.Millisecond) {
		require.True(b.t, time.Now().Before(end), what)
	}
}

func (b *bed) size(topic string) (n int) {
	for _, p := range b.cluster.PartitionInfos(topic) {
		n += int(p.HighWatermark - p.LogStartOffset)
	}
	return n
}

func (b *bed) open() *dlt.DLT { return dlt.Open(b.c, "m-dlt") }

func (b *bed) count() dlt.Counts {
	b.t.Helper()
	c, err := b.open().Count(b.t.Context(), dlt.Filter{})
	require.NoError(b.t, err)
	return c
}

// The cause is not repaired. The first hundred records come back after 7 seconds,
// through three retry topics, and nothing else is sent.
func TestRedriveStopsWhenTheFirstComeBack(t *testing.T) {
	t.Parallel()
	for name, opt := range map[string]delivery.Option{"retry topics": chain, "in place": delivery.BlockingRetry(delivery.Attempts(2))} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, b *bed) {
				b.letters(250, opt)
				got, err := b.open().Redrive(t.Context(), dlt.Filter{}, dlt.ToGroup("mail"))
				require.ErrorIs(t, err, dlt.ErrTooManyFailures)
				require.LessOrEqual(t, got.Sent, 100)
				require.Greater(t, got.CameBack, 5)
				c := b.count()
				require.Equal(t, got.Sent, c.Redriven)
				require.Equal(t, 250-got.Sent+got.CameBack, c.Open, "the rest is open, and so is what came back")
			})
		})
	}
}

// Five of a hundred may come back.
func TestRedriveBearsAFewFailures(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, b *bed) {
		m := b.letters(250, chain)
		m.repair(func(v string) bool { return len(v) == 1 && v < "5" })
		got, err := b.open().Redrive(t.Context(), dlt.Filter{}, dlt.ToGroup("mail"), dlt.Rate(1000))
		require.NoError(t, err)
		require.Equal(t, 250, got.Sent)
		require.Equal(t, 5, got.CameBack)
		b.wait("the rest", func() bool { n, _ := m.handled(); return n == 245 })
		m.repair(never)
		got, err = b.open().Redrive(t.Context(), dlt.Filter{}, dlt.ToOrigin())
		require.NoError(t, err)
		require.Equal(t, 5, got.Sent)
	})
}

// Redrive to the origin also waits: the group that failed reads the records there.
func TestRedriveToOriginWaits(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, b *bed) {
		m := b.letters(150, chain)
		m.repair(never)
		begun := time.Now()
		got, err := b.open().Redrive(t.Context(), dlt.Filter{}, dlt.ToOrigin())
		require.NoError(t, err)
		require.Equal(t, 150, got.Sent)
		require.Less(t, time.Since(begun), 10*time.Second, "it waits no longer than the first records need")
		b.wait("all", func() bool { n, most := m.handled(); return n == 150 && most == 1 })
	})
}

// Nobody handles the first hundred.
func TestRedriveStopsWhenNothingHappens(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, b *bed) {
		m := b.letters(120, chain)
		m.stop()
		got, err := b.open().Redrive(t.Context(), dlt.Filter{}, dlt.ToGroup("mail"))
		require.ErrorIs(t, err, dlt.ErrNotHandled)
		require.Equal(t, 100, got.Sent)
		got, err = b.open().Redrive(t.Context(), dlt.Filter{}, dlt.ToGroup("mail"), dlt.Unwatched())
		require.NoError(t, err)
		require.Equal(t, 20, got.Sent)
	})
}

func TestRedriveRate(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, b *bed) {
		m := b.letters(21, chain)
		m.repair(never)
		begun := time.Now()
		got, err := b.open().Redrive(t.Context(), dlt.Filter{}, dlt.ToGroup("mail"), dlt.Rate(10))
		require.NoError(t, err)
		require.Equal(t, 21, got.Sent)
		require.GreaterOrEqual(t, time.Since(begun), 2*time.Second)
		require.Less(t, time.Since(begun), 3*time.Second)
	})
}

// Two people redrive at once, or a cron job overlaps itself.
func TestTwoRedrivesAtOnce(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, b *bed) {
		m := b.letters(50, chain)
		m.repair(never)
		var wg sync.WaitGroup
		sent, busy := make([]int, 4), make([]bool, 4)
		for i := range sent {
			wg.Go(func() {
				got, err := dlt.Open(b.dial(b.net.DialContext), "m-dlt").Redrive(context.Background(), dlt.Filter{}, dlt.ToGroup("mail"))
				sent[i], busy[i] = got.Sent, errors.Is(err, dlt.ErrBusy)
			})
		}
		wg.Wait()
		require.ElementsMatch(t, []int{0, 0, 0, 50}, sent)
		require.ElementsMatch(t, []bool{true, true, true, false}, busy)
		b.wait("all", func() bool { n, _ := m.handled(); return n == 50 })
		_, most := m.handled()
		require.Equal(t, 1, most)
	})
}

// A slow redrive gives signs of life, and releases its claim at the end.
func TestSlowRedriveKeepsItsClaim(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, b *bed) {
		m := b.letters(10, chain)
		m.repair(never)
		done := make(chan error, 1)
		go func() {
			_, err := b.open().Redrive(context.Background(), dlt.Filter{}, dlt.ToGroup("mail"), dlt.Rate(1.0/50), dlt.Actor("kim"))
			done <- err
		}()
		for range 8 {
			time.Sleep(55 * time.Second)
			got, err := b.open().Redrive(t.Context(), dlt.Filter{}, dlt.ToGroup("mail"))
			busy := &dlt.BusyError{}
			require.ErrorAs(t, err, &busy)
			require.Equal(t, "kim", busy.Claim.Actor)
			require.Zero(t, got.Sent)
			_, err = b.open().Redrive(t.Context(), dlt.Filter{}, dlt.ToGroup("mail"), dlt.DryRun())
			require.ErrorIs(t, err, dlt.ErrBusy, "a dry run says what the real run would")
			_, err = b.open().Discard(t.Context(), dlt.Filter{}, "lee", "")
			require.ErrorIs(t, err, dlt.ErrBusy)
		}
		require.NoError(t, <-done)
		n, err := b.open().Discard(t.Context(), dlt.Filter{}, "lee", "")
		require.NoError(t, err)
		require.Zero(t, n)
	})
}

// Discard counts the letters that it noted, not the one whose note failed.
func TestDiscardThatFails(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, b *bed) {
		b.letters(5, delivery.BlockingRetry(delivery.Attempts(1)))
		written := 0
		b.cluster.ControlKey(int16(kmsg.Produce), func(q kmsg.Request) (kmsg.Response, error, bool) {
			b.cluster.KeepControl()
			if written++; written <= 3 { // the claim and two notes
				return nil, nil, false
			}
			resp := q.ResponseKind().(*kmsg.ProduceResponse)
			for _, rt := range q.(*kmsg.ProduceRequest).Topics {
				topic := kmsg.NewProduceResponseTopic()
				topic.Topic, topic.TopicID = rt.Topic, rt.TopicID
				p := kmsg.NewProduceResponseTopicPartition()
				p.ErrorCode = kerr.TopicAuthorizationFailed.Code
				topic.Partitions = append(topic.Partitions, p)
				resp.Topics = append(resp.Topics, topic)
			}
			return resp, nil, true
		})
		n, err := b.open().Discard(t.Context(), dlt.Filter{}, "kim", "")
		require.ErrorIs(t, err, kerr.TopicAuthorizationFailed)
		require.Equal(t, 2, n)
		require.Equal(t, 2, b.count().Discarded)
	})
}

// line is a network connection that can be cut for good, as by kill -9.
type line struct {
	b *bed

	mu    sync.Mutex
	cut   bool
	conns []net.Conn
}

func (l *line) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cut {
		return nil, &net.OpError{Op: "dial", Err: errors.New("cut")}
	}
	c, err := l.b.net.DialContext(ctx, network, addr)
	l.conns = append(l.conns, c)
	return c, err
}

func (l *line) kill() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = true
	for _, c := range l.conns {
		_ = c.Close()
	}
}

// A redrive that is killed keeps its claim for a minute. The next one goes on
// where it stopped.
func TestKilledRedrive(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, b *bed) {
		m := b.letters(90, chain)
		m.repair(never)
		l := &line{b: b}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		killed := make(chan dlt.Task, 1)
		c := b.dial(l.dial)
		go func() {
			got, err := dlt.Open(c, "m-dlt").Redrive(ctx, dlt.Filter{}, dlt.ToGroup("mail"), dlt.Rate(10))
			if err == nil {
				t.Error("the killed redrive ended well")
			}
			killed <- got
		}()
		time.Sleep(3 * time.Second)
		l.kill()
		_, err := b.open().Redrive(t.Context(), dlt.Filter{}, dlt.ToGroup("mail"))
		require.ErrorIs(t, err, dlt.ErrBusy)
		time.Sleep(time.Minute)
		got, err := b.open().Redrive(t.Context(), dlt.Filter{}, dlt.ToGroup("mail"))
		require.NoError(t, err)
		first := <-killed
		require.Greater(t, first.Sent, 20)
		require.InDelta(t, 90, first.Sent+got.Sent, 1)
		b.wait("all", func() bool { n, _ := m.handled(); return n == 90 })
		require.LessOrEqual(t, b.size("m-retry-1000"), 90+90+1, "at most the record that was in flight is sent twice")
		require.Zero(t, b.count().Open)
	})
}

// A dead-letter topic is deleted and filled again. What was done with the old letters
// does not count for the new letters at their places.
func TestDeadLetterTopicRecreated(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, b *bed) {
		m := b.letters(5, delivery.BlockingRetry(delivery.Attempts(1)))
		n, err := b.open().Discard(t.Context(), dlt.Filter{}, "kim", "old")
		require.NoError(t, err)
		require.Equal(t, 5, n)
		n, err = b.open().Discard(t.Context(), dlt.Filter{}, "kim", "again")
		require.NoError(t, err)
		require.Zero(t, n)
		require.NoError(t, b.cluster.DeleteTopic("m-dlt"))
		_, err = orders.SendBatch(t.Context(), b.c, []delivery.Outgoing[string]{{Key: "k", Value: "new"}, {Key: "k", Value: "newer"}})
		require.NoError(t, err)
		b.wait("dead letters", func() bool { return b.size("m-dlt") == 2 })
		require.Equal(t, 2, b.count().Open)
		m.repair(never)
		got, err := b.open().Redrive(t.Context(), dlt.Filter{}, dlt.ToGroup("mail"))
		require.NoError(t, err)
		require.Equal(t, 2, got.Sent)
		require.Zero(t, b.count().Open)
	})
}

// Earlier versions noted no timestamp. Their notes still count.
func TestStateOfAnEarlierVersion(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, b *bed) {
		b.letters(2, delivery.BlockingRetry(delivery.Attempts(1)))
		require.NoError(t, b.cluster.CreateTopic("m-dlt-bote-state", 1, nil))
		note := `{"action":"redriven","actor":"kim","time":"2026-01-01T00:00:00Z","redrive_id":"1","target":"m"}`
		_, err := delivery.NewTopic("m-dlt-bote-state", codec.Text()).Send(t.Context(), b.c, "0:1", note)
		require.NoError(t, err)
		c := b.count()
		require.Equal(t, 1, c.Open)
		require.Equal(t, 1, c.Redriven)
	})
}

// The records that a redrive waits for are deleted before it reads them. It does not
// wait for them without end.
func TestRedriveWhoseTrailIsDeleted(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, b *bed) {
		m := b.letters(120, chain)
		m.stop()
		fault := b.refuseFetches("m-retry-1000")
		done := make(chan error, 1)
		go func() {
			_, err := dlt.Open(b.dial(b.dialSlow), "m-dlt").Redrive(context.Background(), dlt.Filter{}, dlt.ToGroup("mail"))
			done <- err
		}()
		b.wait("the first are sent", func() bool { return b.size("m-retry-1000") == 220 })
		b.deleteRecords("m-retry-1000")
		fault.Remove()
		select {
		case err := <-done:
			require.ErrorIs(t, err, dlt.ErrNotHandled)
		case <-time.After(10 * time.Minute):
			t.Fatal("the redrive still waits")
		}
	})
}

// A redrive that cannot read a retry topic gives up waiting, but keeps its claim.
func TestRedriveWhoseTrailIsRefused(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, b *bed) {
		m := b.letters(120, chain)
		m.stop()
		b.refuseFetches("m-retry-1000")
		begun := time.Now()
		_, err := dlt.Open(b.dial(b.dialSlow), "m-dlt").Redrive(t.Context(), dlt.Filter{}, dlt.ToGroup("mail"))
		require.ErrorIs(t, err, dlt.ErrNotHandled)
		require.Less(t, time.Since(begun), 3*time.Minute)
	})
}

// A scan does not wait for letters that are deleted between two of its steps.
func TestLettersDeletedDuringAScan(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, b *bed) {
		b.letters(5, chain)
		fault := b.refuseFetches("m-dlt")
		counted := make(chan int, 1)
		go func() {
			c, err := b.open().Count(context.Background(), dlt.Filter{})
			if err != nil {
				t.Error(err)
			}
			counted <- c.Total
		}()
		b.wait("the scan reads", func() bool { return fault.Hits() > 0 })
		b.deleteRecords("m-dlt")
		fault.Remove()
		select {
		case n := <-counted:
			require.Zero(t, n)
		case <-time.After(10 * time.Minute):
			t.Fatal("the scan still waits")
		}
	})
}

// slowConn needs time for each request. Without it, the time of the bubble would stand
// still while refused fetches are tried again at once.
type slowConn struct{ net.Conn }

func (c slowConn) Write(p []byte) (int, error) {
	time.Sleep(50 * time.Millisecond)
	return c.Conn.Write(p)
}

func (b *bed) dialSlow(ctx context.Context, network, addr string) (net.Conn, error) {
	c, err := b.net.DialContext(ctx, network, addr)
	return slowConn{c}, err
}

func (b *bed) refuseFetches(topic string) *kfake.FaultHandle {
	return b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: topic, Err: kerr.LeaderNotAvailable, Count: -1})
}

// deleteRecords deletes all records of a topic.
func (b *bed) deleteRecords(topic string) {
	b.t.Helper()
	adm := kadm.NewClient(b.c.Kgo())
	ends, err := adm.ListEndOffsets(b.t.Context(), topic)
	require.NoError(b.t, err)
	_, err = adm.DeleteRecords(b.t.Context(), ends.Offsets())
	require.NoError(b.t, err)
	require.Zero(b.t, b.size(topic))
}
