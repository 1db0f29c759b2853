package delivery

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// onAssigned opens a lane for each new partition. The lane takes over the user's
// pauses and, after an outage, which records are done. It takes over nothing else
// from an earlier assignment.
func (c *consumer) onAssigned(_ context.Context, _ *kgo.Client, parts map[string][]int32) {
	c.turn.take()
	defer c.turn.give()
	if c.closing { // the consumer is leaving the group: a lane started now would never be stopped
		return
	}
	c.l.count(MetricRebalances, "", "assigned")
	c.l.health.clear("group " + c.plan.Group)
	for tp := range partitions(parts) {
		ln := newLane(c, tp)
		c.mu.Lock()
		c.lanes[tp] = ln
		c.laneCount.Store(int64(len(c.lanes)))
		ln.setSuspendedBefore(c.suspended[tp])
		delete(c.suspended, tp)
		c.mu.Unlock()
		c.l.client.register(ln)
		ln.resumeAfresh()
		ln.log.Debug("partition assigned")
		c.l.emit(Event{Kind: EventAssigned, Role: c.plan.Role, Topic: tp.Topic, Partition: tp.Partition})
		go ln.run() // ends by itself; shutdown waits for ln.done.
	}
	c.giveUpSuspended()
	c.signalRoom()
	c.logPartitions("partitions assigned", parts)
	c.assigned.Store(true)
	if !c.l.starting() { // two groups may get their partitions at the same time, and both see that none is missing.
		c.l.sayRunning.Do(func() {
			c.l.log.Info("listener running", slog.String("topic", c.l.chain.main), slog.Any("retry_topics", c.l.chain.retryTopics()))
		})
	}
}

// logPartitions writes one line for a rebalance, with how many partitions of
// each topic it is about.
func (c *consumer) logPartitions(msg string, parts map[string][]int32) {
	counts := make([]any, 0, len(parts))
	for _, topic := range slices.Sorted(maps.Keys(parts)) {
		counts = append(counts, slog.Int(topic, len(parts[topic])))
	}
	if len(counts) > 0 {
		c.log.LogAttrs(context.Background(), slog.LevelInfo, msg, slog.Group("partitions", counts...)) //nolint:sloglint // callers pass constants.
	}
}

// giveUpSuspended ends lanes that an outage suspended and that did not come
// back with the next assignment: their partitions belong to others now.
func (c *consumer) giveUpSuspended() {
	c.mu.Lock()
	var lanes []*lane
	for _, ln := range c.suspended {
		lanes = append(lanes, ln)
	}
	clear(c.suspended)
	c.mu.Unlock()
	lanes = withSuspendedBefore(lanes)
	stopLanes(lanes)
	endLanes(lanes, ErrLost)
}

// onRevoked gives running handlers RevokeWait to finish, then commits. It returns
// even if a handler hangs; what that handler returns later is ignored.
func (c *consumer) onRevoked(ctx context.Context, _ *kgo.Client, parts map[string][]int32) {
	c.turn.take()
	defer c.turn.give()
	lanes := c.detach(parts)
	if len(lanes) == 0 {
		return
	}
	c.l.count(MetricRebalances, "", "revoked")
	all := withSuspendedBefore(lanes)
	stopLanes(all)
	c.l.waitLanes(all, c.l.cfg.revokeWait)
	endLanes(all, ErrRevoked)
	c.commits.final(ctx, lanes)
	c.emitAll(EventRevoked, lanes)
}

// outageWindow is how recent a failed connection must be to explain a loss.
const outageWindow = 5 * time.Second

// onLost ends lanes at once and commits nothing: the partitions have other owners.
//
// franz-go also calls it when the group's coordinator cannot be reached. Then
// nobody has said that the partitions are gone, and most often this member gets
// them back. So the lanes are only suspended: handlers finish, a record on its way
// to a dead-letter topic arrives there, and the next lane does not repeat what is
// done.
func (c *consumer) onLost(_ context.Context, _ *kgo.Client, parts map[string][]int32) {
	c.turn.take()
	defer c.turn.give()
	lanes := c.detach(parts)
	if len(lanes) == 0 {
		return
	}
	c.l.count(MetricRebalances, "", "lost")
	if c.l.client.clock.Now().Sub(time.Unix(0, c.dialFailed.Load())) < outageWindow {
		for _, ln := range lanes {
			ln.suspend()
		}
		c.mu.Lock()
		for _, ln := range lanes {
			c.suspended[ln.tp] = ln
		}
		c.mu.Unlock()
	} else {
		stopLanes(withSuspendedBefore(lanes))
		endLanes(withSuspendedBefore(lanes), ErrLost)
	}
	c.emitAll(EventLost, lanes)
}

// detach takes lanes out of the assignment.
func (c *consumer) detach(parts map[string][]int32) []*lane {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []*lane
	for tp := range partitions(parts) {
		if ln := c.lanes[tp]; ln != nil {
			delete(c.lanes, tp)
			out = append(out, ln)
		}
	}
	c.laneCount.Store(int64(len(c.lanes)))
	c.signalRoom()
	return out
}

func (c *consumer) emitAll(kind EventKind, lanes []*lane) {
	parts := map[string][]int32{}
	for _, ln := range lanes {
		parts[ln.tp.Topic] = append(parts[ln.tp.Topic], ln.tp.Partition)
		ln.log.Debug("partition given up", slog.String("event", string(kind)))
		c.l.emit(Event{Kind: kind, Role: c.plan.Role, Topic: ln.tp.Topic, Partition: ln.tp.Partition})
	}
	c.logPartitions("partitions "+string(kind), parts)
}

// partitions ranges over the partitions franz-go names.
func partitions(parts map[string][]int32) func(func(TP) bool) {
	return func(yield func(TP) bool) {
		for topic, ps := range parts {
			for _, p := range ps {
				if !yield(TP{topic, p}) {
					return
				}
			}
		}
	}
}

// withSuspendedBefore adds the lanes that outages suspended and that may still run.
func withSuspendedBefore(lanes []*lane) []*lane {
	out := slices.Clone(lanes)
	for _, ln := range lanes {
		out = append(out, ln.suspendedBefore...)
	}
	return out
}

func stopLanes(lanes []*lane) {
	for _, ln := range lanes {
		ln.stop()
	}
}

// endLanes ends the assignments of lanes: handlers should return, and their results
// are ignored.
func endLanes(lanes []*lane, cause error) {
	for _, ln := range lanes {
		ln.cancel(cause)
		ln.setOver()
	}
}

// register notes a lane, and which earlier lanes of its partition still run. They
// may belong to any listener of the Client.
func (c *Client) register(ln *lane) {
	key := laneKey{ln.c.plan.Group, ln.tp}
	c.mu.Lock()
	defer c.mu.Unlock()
	ln.runningBefore = slices.Clone(c.running[key])
	c.running[key] = append(c.running[key], ln)
}

// lanesOf are all lanes of a listener that have not ended. That includes lanes
// whose partition was given up while a handler still runs.
func (c *Client) lanesOf(l *Listener) []*lane {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []*lane
	for _, lanes := range c.running {
		for _, ln := range lanes {
			if ln.l == l {
				out = append(out, ln)
			}
		}
	}
	return out
}

func (c *Client) unregister(ln *lane) {
	key := laneKey{ln.c.plan.Group, ln.tp}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running[key] = slices.DeleteFunc(c.running[key], func(o *lane) bool { return o == ln })
	if len(c.running[key]) == 0 {
		delete(c.running, key)
	}
}
