package delivery

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// errSendTimeout is the cause of a record given up after recordTimeout.
var errSendTimeout = errors.New("no broker took the record in time")

const (
	// unknownGrace is how long past its timeout a record may stay without outcome.
	unknownGrace = 5 * time.Second
	// joinFor is how long records may join the first one of a sendGroup.
	joinFor = time.Second
)

// sendGroup is a set of records that were sent with one context at about the same
// time. They share a derived context and a timer, because one of each per record
// would cost more than the rest of a send. The timer starts with the first record,
// so a later one may be given up too early by as much as joinFor.
type sendGroup struct {
	client *Client
	parent context.Context //nolint:containedctx // the sender's, to know it again.
	ctx    context.Context //nolint:containedctx // the life of the records.
	cancel context.CancelCauseFunc
	until  time.Time // records may join before this time

	// Guarded by sendGroups.mu.
	stop   func() bool
	gaveUp bool // ctx has ended
	open   map[*sending]struct{}
}

// sendGroups knows the group that records may join.
type sendGroups struct {
	mu     sync.Mutex
	newest *sendGroup
}

// sending is one record on its way.
type sending struct {
	client  *Client
	group   *sendGroup
	topic   string
	id      string
	lookups int  // forgotten.count when the record was produced
	again   bool // sent a second time, because its topic was recreated
	done    func(Result)
}

// produce sends a record and calls done exactly once. If the connection breaks
// while the record is on the wire, franz-go cannot take the record back, and waits
// for a broker without end. After a while done then gets ErrUnknownOutcome.
func (c *Client) produce(ctx context.Context, rec *kgo.Record, messageID string, done func(Result)) {
	s := &sending{client: c, topic: rec.Topic, id: messageID, done: done, lookups: c.forgotten.count(rec.Topic)}
	c.join(ctx, s)
	c.sends.Produce(s.group.ctx, rec, s.produced)
}

// join puts a record into the newest group, if that has its context and is
// young enough, or into a new one.
func (c *Client) join(ctx context.Context, s *sending) {
	now := c.clock.Now()
	c.sending.mu.Lock()
	defer c.sending.mu.Unlock()
	g := c.sending.newest
	if g == nil || g.gaveUp || !now.Before(g.until) || !sameContext(g.parent, ctx) {
		g = &sendGroup{client: c, parent: ctx, until: now.Add(joinFor), open: make(map[*sending]struct{})}
		g.ctx, g.cancel = context.WithCancelCause(ctx)
		g.stop = c.clock.AfterFunc(recordTimeout, g.late)
		c.sending.newest = g
	}
	s.group = g
	g.open[s] = struct{}{}
}

// sameContext compares contexts of types that can be compared.
func sameContext(a, b context.Context) bool {
	return reflect.TypeOf(a).Comparable() && reflect.TypeOf(b).Comparable() && a == b
}

// late runs after recordTimeout, when it cancels the group, and again after
// unknownGrace, when it ends the records that still have no outcome.
func (g *sendGroup) late() {
	g.client.sending.mu.Lock()
	if !g.gaveUp {
		g.gaveUp = true
		g.stop = g.client.clock.AfterFunc(unknownGrace, g.late)
		g.client.sending.mu.Unlock()
		g.cancel(errSendTimeout) // franz-go's own limit counts from the record's timestamp.
		return
	}
	var open []*sending
	for s := range g.open {
		open = append(open, s)
	}
	g.client.sending.mu.Unlock()
	for _, s := range open {
		s.finish(Result{Topic: s.topic, MessageID: s.id, Err: fmt.Errorf("send to %s: %w", s.topic, ErrUnknownOutcome)})
	}
}

// leave takes a record out of its group, and ends the group with its last one.
// It reports false if the record had left before.
func (s *sending) leave() bool {
	groups, g := &s.client.sending, s.group
	groups.mu.Lock()
	_, in := g.open[s]
	delete(g.open, s)
	over := in && len(g.open) == 0
	if over && groups.newest == g {
		groups.newest = nil
	}
	stop := g.stop
	groups.mu.Unlock()
	if over {
		stop()
		g.cancel(nil)
	}
	return in
}

// produced is the callback of franz-go. A record for a topic that was recreated is
// sent once more. It cannot become a duplicate: nothing is left of the topic that
// was deleted.
func (s *sending) produced(r *kgo.Record, err error) {
	if !s.again && s.stale(err) {
		s.again = true
		go func() { // ends with the look-up; franz-go's callbacks must not wait for it.
			s.client.forgetProduced(s.group.ctx, s.topic, s.lookups, err)
			s.client.sends.Produce(s.group.ctx, r, s.produced)
		}()
		return
	}
	if err == nil && s.client.forgotten.taken(s.topic) {
		go s.client.learn(s.topic) // ends with the client
	}
	res := Result{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Timestamp: r.Timestamp, MessageID: s.id}
	if err != nil {
		if errors.Is(context.Cause(s.group.ctx), errSendTimeout) {
			err = fmt.Errorf("%w: %w", errSendTimeout, err)
		}
		if errors.Is(err, kerr.UnknownTopicOrPartition) {
			err = fmt.Errorf("%w: %w", ErrTopicMissing, err)
		}
		res.Err = fmt.Errorf("send to %s: %w", r.Topic, err)
	}
	s.finish(res)
}

// stale reports whether the error comes from a topic that is gone: the broker does
// not know its ID, or the producers were made to forget it meanwhile.
func (s *sending) stale(err error) bool {
	return errors.Is(err, kerr.UnknownTopicID) ||
		err != nil && s.group.ctx.Err() == nil && !errors.Is(err, kgo.ErrClientClosed) && s.client.forgotten.count(s.topic) != s.lookups
}

func (s *sending) finish(res Result) {
	if s.leave() {
		s.done(res)
	}
}
