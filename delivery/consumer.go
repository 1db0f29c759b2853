package delivery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// fetchWait is how long a fetch waits for records. A partition that is resumed
// waits at most this long until it is fetched again.
const fetchWait = 500 * time.Millisecond

// fetchErrorLasts is how long a fetch error degrades health if it does not come
// again. A refused partition is fetched, and refused, several times in that time.
// So no further error means that fetches succeed, even if no record comes.
const fetchErrorLasts = 10 * time.Second

// heartbeatsPerSession is how many heartbeats fit into a session timeout, as
// in Java's defaults.
const heartbeatsPerSession = 15

// errorPause spaces polls that bring nothing but errors.
const errorPause = 100 * time.Millisecond

// manyRetries makes patience the only limit of retries.
const manyRetries = 1 << 20

// patience is how long a request is tried again, by its API key. Heartbeats go
// on through an outage of any length, as those of Java's client do: the member
// keeps its partitions, and its handlers, unless the group says otherwise.
func patience(key int16) time.Duration {
	switch kmsg.Key(key) {
	case kmsg.Heartbeat, kmsg.ConsumerGroupHeartbeat:
		return 0 // no limit.
	case kmsg.JoinGroup, kmsg.SyncGroup:
		return rebalanceTimeout
	default:
		return 30 * time.Second
	}
}

// consumer is one group membership: a franz-go client, the goroutine that
// polls it, the goroutine that commits, and a lane for each partition.
type consumer struct {
	l       *Listener
	plan    Membership
	cl      *kgo.Client
	adm     *kadm.Client
	log     *slog.Logger
	commits *committer

	// turn is held by rebalance callbacks, and while a position is moved (by a
	// seek or a reset), so that a partition cannot be revoked meanwhile. close
	// holds it while it ends the lanes.
	turn    token
	closing bool // guarded by turn

	polling  sync.WaitGroup
	stopPoll context.CancelFunc
	idle     *idleWatch

	assigned   atomic.Bool  // partitions were assigned at least once, perhaps none
	dialFailed atomic.Int64 // unix ns of the last connection that could not be opened

	roomy     chan struct{} // has a token when a lane may have room
	laneCount atomic.Int64

	mu        sync.Mutex
	lanes     map[TP]*lane
	suspended map[TP]*lane // lanes that an outage suspended; they may still run
	seeks     []*seek
	interrupt context.CancelFunc // ends the poll that waits

	// leftCommits has an entry for each partition of a topic that was deleted or
	// recreated, until that partition is assigned again.
	leftCommits map[TP]leftCommitRange
}

func newConsumer(l *Listener, plan Membership) (*consumer, error) {
	c := &consumer{
		l:     l,
		plan:  plan,
		log:   l.log.With(slog.String("member_of", plan.Group)),
		turn:  newToken(),
		lanes: make(map[TP]*lane),
		roomy: make(chan struct{}, 1),

		suspended: make(map[TP]*lane),
	}
	defaults := []kgo.Opt{
		kgo.FetchMaxWait(fetchWait),
		kgo.FetchMaxBytes(fetchBytes),
		kgo.FetchMaxPartitionBytes(fetchPartitionBytes),
		kgo.RequestRetries(manyRetries),
		kgo.RetryTimeoutFn(patience),
	}
	if d := l.cfg.sessionTimeout; d > 0 {
		defaults = append(defaults, kgo.SessionTimeout(d), kgo.HeartbeatInterval(d/heartbeatsPerSession))
	}
	owned := []kgo.Opt{
		kgo.ConsumerGroup(plan.Group),
		kgo.ConsumeTopics(plan.Topics...),
		kgo.ConsumeStartOffset(c.startPosition().kgoOffset()),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()), // see outOfRange.
		kgo.DisableAutoCommit(),
		kgo.BlockRebalanceOnPoll(),
		kgo.RebalanceTimeout(rebalanceTimeout),
		kgo.OnPartitionsAssigned(c.onAssigned),
		kgo.OnPartitionsRevoked(c.onRevoked),
		kgo.OnPartitionsLost(c.onLost),
		kgo.AdjustFetchOffsetsFn(c.adjustOffsets),
		kgo.WithHooks(dialHook{l.client.clock, &c.dialFailed}),
	}
	if l.cfg.instanceID != "" {
		owned = append(owned, kgo.InstanceID(l.cfg.instanceID))
	}
	c.commits = newCommitter(c)
	c.idle = newIdleWatch(l, plan.Role)
	c.turn.take() // the client joins at once: callbacks wait until c is whole.
	defer c.turn.give()
	cl, err := l.client.newKgo(plan.Group, c.log, defaults, l.cfg.kgoOpts, owned)
	if err != nil {
		return nil, fmt.Errorf("consume %v: %w", plan.Topics, err)
	}
	c.cl = cl
	c.adm = kadm.NewClient(cl)
	return c, nil
}

// startPosition is where a partition without a commit begins.
func (c *consumer) startPosition() Position {
	if c.plan.Role == RoleMain {
		return c.l.cfg.start
	}
	return Earliest()
}

// start polls and commits until close.
func (c *consumer) start(ctx context.Context) {
	ctx, c.stopPoll = context.WithCancel(ctx)
	c.polling.Go(func() { c.poll(ctx) })
	c.commits.start(ctx)
	c.idle.start()
}

// poll moves records from the client to the lanes. It waits for room in a
// lane, but not for a handler; heartbeats go on meanwhile, so the member stays
// in its group however slow handlers are.
func (c *consumer) poll(ctx context.Context) {
	for ctx.Err() == nil {
		wait, cancel := context.WithCancel(ctx)
		c.mu.Lock()
		c.interrupt = cancel
		pending := len(c.seeks) > 0
		c.mu.Unlock()
		if pending {
			cancel()
		}
		full := c.awaitRoom(wait)
		fetches := c.cl.PollFetches(wait)
		for _, ln := range full { // before anything else, see awaitRoom.
			ln.pauseFetch()
		}
		cancel()
		found := c.enqueue(fetches)
		c.applyResets(ctx, found.outOfRange)
		c.applySeeks(ctx)
		c.cl.AllowRebalance()
		if fetches.IsClientClosed() {
			return
		}
		c.forgetTopics(ctx, found.gone)
		if found.refused {
			c.pauseAfterErrors(ctx)
		}
	}
}

// pauseAfterErrors waits for errorPause, so that a refused partition is not
// fetched, and refused, in a tight loop.
func (c *consumer) pauseAfterErrors(ctx context.Context) {
	expired, stop := timerChan(systemClock{}, errorPause) // the network is real, whatever the clock says.
	defer stop()
	select {
	case <-expired:
	case <-ctx.Done():
	}
}

// findings are what a poll brought besides records.
type findings struct {
	outOfRange []outOfRange
	gone       map[string][16]byte // topics whose ID the broker does not know, and that ID
	refused    bool                // there was an error and no record
}

// enqueue hands the records of a poll to the lanes, and returns what else the
// poll brought. No rebalance happens meanwhile. But a partition that was revoked
// before has no lane any more, and its records are dropped.
func (c *consumer) enqueue(fetches kgo.Fetches) (found findings) {
	batch := &pollBatch{}
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		tp := TP{p.Topic, p.Partition}
		switch {
		case p.Err == nil:
			c.l.health.clear("fetch " + tp.String())
		case outOfRangeError(p.Err):
			found.outOfRange = append(found.outOfRange, outOfRange{tp, p.Err})
		case errors.Is(p.Err, kerr.UnknownTopicID):
			found.gone = idsOf(fetches, found.gone, p.Topic)
			found.refused = true
		default:
			found.refused = c.fetchError(p) || found.refused
		}
		ln := c.lane(tp)
		if ln == nil {
			return
		}
		if at, ok := ln.offer(p.FetchPartition, batch); !ok {
			found.outOfRange = append(found.outOfRange, outOfRange{tp, fmt.Errorf("%w: record %d lies below the position", kerr.OffsetOutOfRange, at)})
		}
	})
	if batch.records > 0 {
		found.refused = false
		c.idle.touch()
	}
	return found
}

// idsOf adds to gone the ID with which a topic was fetched.
func idsOf(fetches kgo.Fetches, gone map[string][16]byte, topic string) map[string][16]byte {
	if gone == nil {
		gone = make(map[string][16]byte)
	}
	fetches.EachTopic(func(t kgo.FetchTopic) {
		if t.Topic == topic {
			gone[topic] = t.TopicID
		}
	})
	return gone
}

// fetchError logs why a partition could not be fetched. franz-go tries again by
// itself. fetchError reports false if the error does not come from the cluster.
func (c *consumer) fetchError(p kgo.FetchTopicPartition) bool {
	err := p.Err
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, kgo.ErrClientClosed) {
		return false
	}
	if _, ok := errors.AsType[*kgo.ErrGroupSession](err); ok {
		c.groupError(err)
		return true
	}
	key := "fetch " + TP{p.Topic, p.Partition}.String()
	if authError(err) && c.l.cfg.haltOnAuth {
		at := Event{Role: c.plan.Role, Topic: p.Topic, Partition: p.Partition}
		if ln := c.lane(TP{p.Topic, p.Partition}); ln != nil {
			at.Offset = ln.position()
		}
		c.l.halt(at, fmt.Errorf("fetch %s-%d@%d: %w", at.Topic, at.Partition, at.Offset, err))
		return true
	}
	c.l.health.degradeFor(key, err.Error(), fetchErrorLasts)
	c.warn(key, "fetch", slog.String("topic", p.Topic), slog.Int("partition", int(p.Partition)), slog.Any("err", err))
	return true
}

// groupError handles an error that kept the member out of its group. It stops the
// listener if the cluster would refuse the member again and again.
func (c *consumer) groupError(err error) {
	at := Event{Role: c.plan.Role}
	switch {
	case errors.Is(err, kerr.InvalidSessionTimeout):
		c.l.halt(at, fmt.Errorf("group %s: the broker refuses a session timeout of %s%s, change SessionTimeout: %w",
			c.plan.Group, c.cl.OptValue(kgo.SessionTimeout), c.sessionLimits(), err))
	case errors.Is(err, kerr.InvalidGroupID), authError(err) && c.l.cfg.haltOnAuth:
		c.l.halt(at, fmt.Errorf("group %s: %w", c.plan.Group, err))
	default:
		c.l.health.degrade("group "+c.plan.Group, err.Error())
	}
}

// sessionLimits says which session timeouts a broker accepts, "" if that is not known.
func (c *consumer) sessionLimits() string {
	ctx, cancel := context.WithTimeout(c.cl.Context(), 5*time.Second)
	defer cancel()
	brokers, err := c.adm.ListBrokers(ctx)
	if err != nil || len(brokers) == 0 {
		return ""
	}
	described, err := c.adm.DescribeBrokerConfigs(ctx, brokers[0].NodeID)
	if err != nil || len(described) == 0 {
		return ""
	}
	limits := map[string]time.Duration{}
	for _, o := range described[0].Configs {
		if ms, err := strconv.Atoi(o.MaybeValue()); err == nil {
			limits[o.Key] = time.Duration(ms) * time.Millisecond
		}
	}
	least, most := limits["group.min.session.timeout.ms"], limits["group.max.session.timeout.ms"]
	if least == 0 || most == 0 {
		return ""
	}
	return fmt.Sprintf(" (it takes %s to %s)", least, most)
}

// authError reports whether authentication or authorisation failed.
func authError(err error) bool {
	for _, e := range []error{
		kerr.SaslAuthenticationFailed, kerr.TopicAuthorizationFailed,
		kerr.GroupAuthorizationFailed, kerr.ClusterAuthorizationFailed,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

func (c *consumer) lane(tp TP) *lane {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lanes[tp]
}

// all are the lanes of all assigned partitions.
func (c *consumer) all() []*lane {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make([]*lane, 0, len(c.lanes))
	for _, ln := range c.lanes {
		out = append(out, ln)
	}
	return out
}

// everything is all, plus the lanes that outages suspended.
func (c *consumer) everything() []*lane {
	out := c.all()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, ln := range c.suspended {
		out = append(out, ln)
	}
	return withSuspendedBefore(out)
}

// adjustOffsets gets the committed offsets from franz-go before fetching begins.
// If a partition has no commit and starts at the end, that position is committed
// now. Otherwise a quiet group that restarts would skip the records that arrived
// before its first commit.
func (c *consumer) adjustOffsets(ctx context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	for topic, ps := range offsets {
		for p, o := range ps {
			tp := TP{topic, p}
			at := o.EpochOffset().Offset
			if start, ok := c.startOfRecreated(ctx, tp, at); ok {
				ps[p] = kgo.NewOffset().At(start)
				if ln := c.lane(tp); ln != nil {
					ln.begin(start, true)
				}
				continue
			}
			if at == -1 && c.plan.Role == RoleMain && c.l.cfg.start.kind == atLatest {
				end, err := Latest().resolve(ctx, c.adm, tp, 0)
				if err != nil {
					c.log.Warn("find the end of a partition", slog.String("topic", topic), slog.Int("partition", int(p)), slog.Any("err", err))
					continue
				}
				ps[p] = kgo.NewOffset().At(end)
				if ln := c.lane(tp); ln != nil {
					ln.begin(end, true)
				}
				continue
			}
			if ln := c.lane(tp); ln != nil && at >= 0 {
				ln.begin(at, false)
			}
		}
	}
	return offsets, nil
}
