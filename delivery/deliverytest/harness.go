// Package deliverytest tests handlers and listeners without a cluster and
// without waiting: a Harness owns an in-memory broker, a Client, and a clock
// that moves only when the test says so.
//
//	h := deliverytest.New(t)
//	l, err := delivery.Listen(h.Client(), orders, "mail", handle, delivery.RetryTopics())
//	require.NoError(t, err)
//	h.Start(l)
//	h.Publish(orders, "key", order)
//	h.Advance(time.Second)              // the first retry
//	h.ExpectDeadLetter("orders-dlt", 0) // not yet
//
// Publish, Advance and Settle return when nothing is left to do at the
// current time: every record is handled, or waits for the clock.
//
// A Harness does not test what a network or a crash does; that needs a real broker.
package deliverytest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/botehq/bote/delivery"
)

const (
	// settleLimit is real time: how long work at one moment of the clock may
	// take before the test fails.
	settleLimit = 30 * time.Second
	settleLook  = time.Millisecond
)

// Harness is a broker, a client and a clock for one test.
type Harness struct {
	tb         testing.TB
	cluster    *kfake.Cluster
	client     *delivery.Client
	clock      *Clock
	partitions int32
	started    []*run
	clientOpts []delivery.ClientOption
}

// run is a listener that was started.
type run struct {
	l    *delivery.Listener
	done chan error
	over bool
}

// Option changes a Harness.
type Option func(*Harness)

// Partitions sets how many partitions main topics get. The default is 1.
func Partitions(n int32) Option { return func(h *Harness) { h.partitions = n } }

// ClientOptions adds options to the Harness's client, such as a logger: without
// one nothing is logged.
func ClientOptions(opts ...delivery.ClientOption) Option {
	return func(h *Harness) { h.clientOpts = append(h.clientOpts, opts...) }
}

// New starts a broker that lives as long as the test.
func New(tb testing.TB, opts ...Option) *Harness {
	tb.Helper()
	h := &Harness{tb: tb, clock: NewClock(), partitions: 1}
	for _, o := range opts {
		o(h)
	}
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	h.must(err, "start the broker")
	h.cluster = cluster
	tb.Cleanup(cluster.Close)
	quiet := delivery.WithLogger(slog.New(slog.DiscardHandler))
	clientOpts := slices.Concat([]delivery.ClientOption{quiet}, h.clientOpts, []delivery.ClientOption{delivery.WithClock(h.clock)})
	h.client, err = delivery.Dial(cluster.ListenAddrs(), clientOpts...)
	h.must(err, "dial")
	tb.Cleanup(h.client.Close)
	tb.Cleanup(h.stopAll)
	return h
}

// Client is the client to make listeners with.
func (h *Harness) Client() *delivery.Client { return h.client }

// Clock is the clock of the client. Moving it directly does not wait for
// anything; a test of a handler's timeout needs that.
func (h *Harness) Clock() *Clock { return h.clock }

// Cluster is the broker, to make it fail.
func (h *Harness) Cluster() *kfake.Cluster { return h.cluster }

// Start runs listeners until the end of the test and returns when their
// partitions are assigned. Main topics are created.
func (h *Harness) Start(ls ...*delivery.Listener) {
	h.tb.Helper()
	for _, l := range ls {
		h.CreateTopic(l.Topic(), h.partitions)
		r := &run{l: l, done: make(chan error, 1)}
		h.started = append(h.started, r)
		go func() { r.done <- l.Run(context.Background()) }()
	}
	h.Settle()
}

// Stop stops a listener and returns what its Run returned.
func (h *Harness) Stop(l *delivery.Listener) error {
	h.tb.Helper()
	for _, r := range h.started {
		if r.l == l && !r.over {
			return h.stop(r)
		}
	}
	h.tb.Fatal("stop: the listener was not started")
	return nil
}

func (h *Harness) stop(r *run) error {
	r.over = true
	ctx, cancel := context.WithTimeout(context.Background(), settleLimit)
	defer cancel()
	if err := r.l.Stop(ctx); err != nil {
		return err
	}
	return <-r.done
}

func (h *Harness) stopAll() {
	for _, r := range h.started {
		if r.over {
			continue
		}
		var halted *delivery.HaltError
		if err := h.stop(r); err != nil && !errors.As(err, &halted) {
			h.tb.Errorf("stop listener of %s: %v", r.l.Topic(), err)
		}
	}
}

// CreateTopic creates a topic unless it exists.
func (h *Harness) CreateTopic(topic string, partitions int32) {
	h.tb.Helper()
	_, err := h.admin().CreateTopic(context.Background(), partitions, 1, nil, topic)
	if !errors.Is(err, kerr.TopicAlreadyExists) {
		h.must(err, "create topic")
	}
}

func (h *Harness) admin() *kadm.Client { return kadm.NewClient(h.client.Kgo()) }

// Publisher is a delivery.Topic of any type.
type Publisher interface {
	Name() string
	SendAny(ctx context.Context, c *delivery.Client, key string, v any, opts ...delivery.SendOption) (delivery.Result, error)
}

// Publish sends one record, creating its topic if need be, and waits until
// everything that it starts is done or waits for the clock.
func (h *Harness) Publish(topic Publisher, key string, v any, opts ...delivery.SendOption) delivery.Result {
	h.tb.Helper()
	h.CreateTopic(topic.Name(), h.partitions)
	r, err := topic.SendAny(context.Background(), h.client, key, v, opts...)
	h.must(err, "publish")
	h.Settle()
	return r
}

// Advance moves the clock by d, stopping at each timer on the way until its
// work is done.
func (h *Harness) Advance(d time.Duration) {
	h.tb.Helper()
	end := h.clock.Now().Add(d)
	for {
		h.Settle()
		at, ok := h.clock.next()
		if !ok || at.After(end) {
			break
		}
		h.clock.moveTo(at)
	}
	h.clock.moveTo(end)
	h.Settle()
}

// Settle waits until every record is handled, forwarded, or waits for the
// clock. The test fails if that takes too long, as with a handler that hangs.
func (h *Harness) Settle() {
	h.tb.Helper()
	limit := time.NewTimer(settleLimit)
	defer limit.Stop()
	look := time.NewTicker(settleLook)
	defer look.Stop()
	for {
		why := h.busy()
		if why == "" {
			return
		}
		select {
		case <-look.C:
		case <-limit.C:
			h.tb.Fatalf("not settled after %s: %s", settleLimit, why)
		}
	}
}

// busy says what is still going on, "" if nothing is. It looks at the state of all
// partitions, then at the ends of all topics, then at the partitions again. If the
// two states are equal, nothing happened meanwhile.
func (h *Harness) busy() string {
	if err := h.client.Flush(context.Background()); err != nil {
		return err.Error()
	}
	before := h.look()
	if why := h.unsettled(before); why != "" {
		return why
	}
	if !reflect.DeepEqual(before, h.look()) {
		return "records are on their way"
	}
	return ""
}

func (h *Harness) look() map[string]delivery.PartitionState {
	out := map[string]delivery.PartitionState{}
	for _, r := range h.running() {
		for _, m := range r.l.Memberships() {
			for _, s := range r.l.Snapshot() {
				for _, topic := range m.Topics {
					if s.Topic == topic {
						s.Committed = 0 // commits may still happen.
						s.End = 0       // so may empty fetches.
						out[m.Group+" "+s.TP.String()] = s
					}
				}
			}
		}
	}
	return out
}

// running are the listeners that were neither stopped nor ended by themselves.
func (h *Harness) running() []*run {
	var out []*run
	for _, r := range h.started {
		select {
		case err := <-r.done:
			r.done <- err
		default:
			if !r.over {
				out = append(out, r)
			}
		}
	}
	return out
}

func (h *Harness) unsettled(states map[string]delivery.PartitionState) string {
	now := h.clock.Now()
	for _, r := range h.running() {
		if n := r.l.PendingEvents(); n > 0 {
			return fmt.Sprintf("%d events are not handled", n)
		}
		for _, m := range r.l.Memberships() {
			for _, topic := range m.Topics {
				infos := h.cluster.PartitionInfos(topic)
				if len(infos) == 0 {
					return fmt.Sprintf("topic %s does not exist", topic)
				}
				for _, info := range infos {
					tp := delivery.TP{Topic: topic, Partition: info.Partition}
					s, ok := states[m.Group+" "+tp.String()]
					if !ok {
						return fmt.Sprintf("%s is not assigned in group %s", tp, m.Group)
					}
					if why := unsettledPartition(s, info.HighWatermark, now); why != "" {
						return tp.String() + ": " + why
					}
				}
			}
		}
	}
	return ""
}

func unsettledPartition(s delivery.PartitionState, end int64, now time.Time) string {
	switch {
	case s.InFlight > 0:
		return "a handler runs"
	case slices.Contains(s.Paused, "user"):
		return ""
	case s.Waiting > 0 && !s.NextWait.After(now):
		return "a wait ends"
	case s.Waiting > 0 && s.Serial:
		return "" // all other records come after that one.
	case slices.Contains(s.Paused, "gap") && s.Working <= s.Waiting:
		return "" // it waits until the oldest record is done.
	case s.Queued > 0 || max(s.Position, 0) < end:
		return fmt.Sprintf("at offset %d of %d", s.Position, end)
	case s.Working > s.Waiting:
		return "a record is being worked on"
	}
	return ""
}

// Records are all records of a topic, by partition and offset.
func (h *Harness) Records(topic string) []*kgo.Record {
	h.tb.Helper()
	offsets := map[int32]kgo.Offset{}
	want := 0
	for _, p := range h.cluster.PartitionInfos(topic) {
		if p.HighWatermark > p.LogStartOffset {
			offsets[p.Partition] = kgo.NewOffset().AtStart()
			want += int(p.HighWatermark - p.LogStartOffset)
		}
	}
	if want == 0 {
		return nil
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(h.cluster.ListenAddrs()...),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: offsets}))
	h.must(err, "read "+topic)
	defer cl.Close()
	ctx, cancel := context.WithTimeout(context.Background(), settleLimit)
	defer cancel()
	var out []*kgo.Record
	for len(out) < want {
		fetches := cl.PollFetches(ctx)
		h.must(fetches.Err(), "read "+topic)
		out = append(out, fetches.Records()...)
	}
	return out
}

// ExpectRecords settles, fails the test unless the topic has n records, and
// returns them.
func (h *Harness) ExpectRecords(topic string, n int) []*kgo.Record {
	h.tb.Helper()
	h.Settle()
	got := h.Records(topic)
	if len(got) != n {
		h.tb.Fatalf("topic %s has %d records, want %d", topic, len(got), n)
	}
	return got
}

// DeadLetter is a dead letter with what its headers say.
type DeadLetter struct {
	Record  *kgo.Record
	Origin  delivery.Origin
	Failure *delivery.Failure
}

// ExpectDeadLetter settles, fails the test unless the dead-letter topic has n
// records, and returns them.
func (h *Harness) ExpectDeadLetter(topic string, n int) []DeadLetter {
	h.tb.Helper()
	var out []DeadLetter
	for _, r := range h.ExpectRecords(topic, n) {
		out = append(out, DeadLetter{
			Record: r, Origin: delivery.ReadOrigin(r), Failure: delivery.ReadFailure(r.Headers),
		})
	}
	return out
}

func (h *Harness) must(err error, step string) {
	h.tb.Helper()
	if err != nil {
		h.tb.Fatalf("%s: %v", step, err)
	}
}
