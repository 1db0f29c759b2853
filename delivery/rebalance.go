package delivery

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// onAssigned opens a lane for each new partition. Nothing is inherited from an
// earlier assignment but pauses that the user asked for.
func (c *consumer) onAssigned(_ context.Context, _ *kgo.Client, parts map[string][]int32) {
	c.turn <- struct{}{}
	defer func() { <-c.turn }()
	c.l.count(MetricRebalances, "", "assigned")
	c.l.health.clear("group " + c.plan.Group)
	for tp := range partitions(parts) {
		ln := newLane(c, tp)
		c.mu.Lock()
		c.lanes[tp] = ln
		ln.inherit(c.suspended[tp])
		delete(c.suspended, tp)
		c.mu.Unlock()
		c.l.client.register(ln)
		ln.resumeAfresh()
		c.log.Info("partition assigned", slog.String("topic", tp.Topic), slog.Int("partition", int(tp.Partition)))
		c.l.emit(Event{Kind: EventAssigned, Role: c.plan.Role, Topic: tp.Topic, Partition: tp.Partition})
		go ln.run() // ends by itself; shutdown waits for ln.done.
	}
	c.giveUpSuspended()
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
	lanes = withFormer(lanes)
	stopLanes(lanes)
	endLanes(lanes, ErrLost)
}

// onRevoked gives running handlers RevokeWait to finish, then commits. It
// returns also if a handler hangs: what the handler returns is not heard.
func (c *consumer) onRevoked(ctx context.Context, _ *kgo.Client, parts map[string][]int32) {
	c.turn <- struct{}{}
	defer func() { <-c.turn }()
	lanes := c.detach(parts)
	if len(lanes) == 0 {
		return
	}
	c.l.count(MetricRebalances, "", "revoked")
	all := withFormer(lanes)
	stopLanes(all)
	c.waitLanes(all, c.l.cfg.revokeWait)
	endLanes(all, ErrRevoked)
	c.commits.final(ctx, lanes)
	c.emitAll(EventRevoked, lanes)
}

// outageWindow is how recent a failed connection must be to explain a loss.
const outageWindow = 5 * time.Second

// onLost ends lanes at once and commits nothing: the group has other owners.
//
// franz-go also calls it when the group's coordinator cannot be reached. Then
// nobody told us that the partitions are gone, and most often they come back
// to us: handlers finish, a record on its way to a dead-letter topic gets
// there, and the lane that comes next does not repeat what is done.
func (c *consumer) onLost(_ context.Context, _ *kgo.Client, parts map[string][]int32) {
	c.turn <- struct{}{}
	defer func() { <-c.turn }()
	lanes := c.detach(parts)
	if len(lanes) == 0 {
		return
	}
	c.l.count(MetricRebalances, "", "lost")
	if time.Since(time.Unix(0, c.dialFailed.Load())) < outageWindow {
		for _, ln := range lanes {
			ln.suspend()
		}
		c.mu.Lock()
		for _, ln := range lanes {
			c.suspended[ln.tp] = ln
		}
		c.mu.Unlock()
	} else {
		stopLanes(withFormer(lanes))
		endLanes(withFormer(lanes), ErrLost)
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
	return out
}

func (c *consumer) emitAll(kind EventKind, lanes []*lane) {
	for _, ln := range lanes {
		c.log.Info("partition given up", slog.String("event", string(kind)),
			slog.String("topic", ln.tp.Topic), slog.Int("partition", int(ln.tp.Partition)))
		c.l.emit(Event{Kind: kind, Role: c.plan.Role, Topic: ln.tp.Topic, Partition: ln.tp.Partition})
	}
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

// withFormer adds the lanes that outages ended and that may still run.
func withFormer(lanes []*lane) []*lane {
	out := slices.Clone(lanes)
	for _, ln := range lanes {
		out = append(out, ln.former...)
	}
	return out
}

func stopLanes(lanes []*lane) {
	for _, ln := range lanes {
		ln.stop()
	}
}

func endLanes(lanes []*lane, cause error) {
	for _, ln := range lanes {
		ln.cancel(cause)
		ln.freeze()
	}
}

// waitLanes waits until all lanes have ended, at most d. It returns those that
// have not.
func (c *consumer) waitLanes(lanes []*lane, d time.Duration) []*lane {
	expired, stop := timerChan(c.l.client.clock, d)
	defer stop()
	var running []*lane
	for _, ln := range lanes {
		select {
		case <-ln.done:
			continue
		default:
		}
		select {
		case <-ln.done:
		case <-expired:
			running = append(running, ln)
		}
	}
	return running
}

// register notes a lane, and which earlier lanes of its partition still run in
// this process, whichever listener they belong to.
func (c *Client) register(ln *lane) {
	key := laneKey{ln.c.plan.Group, ln.tp}
	c.mu.Lock()
	defer c.mu.Unlock()
	ln.priors = slices.Clone(c.running[key])
	c.running[key] = append(c.running[key], ln)
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

// shutdown drains the listener: nothing new starts, running handlers finish
// within DrainTimeout, are cancelled, get KillGrace, then watermarks are
// committed and the groups left.
func (l *Listener) shutdown(ctx context.Context) error {
	consumers := l.current()
	for _, c := range consumers {
		c.stopPoll()
		c.idle.stop()
	}
	for _, c := range consumers {
		c.polling.Wait()
		stopLanes(c.everything())
	}
	wait := l.cfg.drainTimeout
	if l.skip.Load() {
		wait = 0
	}
	hung := l.waitAll(consumers, wait)
	for _, ln := range hung {
		ln.cancel(ErrShutdown)
	}
	if len(hung) > 0 {
		hung = l.waitAll(consumers, l.cfg.killGrace)
	}
	var wg sync.WaitGroup
	for _, c := range consumers {
		wg.Go(func() { c.close(ctx) })
	}
	wg.Wait()
	if len(hung) == 0 {
		return nil
	}
	err := &HungError{}
	for _, ln := range hung {
		err.Handlers = append(err.Handlers, ln.handlers()...)
	}
	l.log.Error("handlers did not return", slog.Any("err", err))
	return err
}

// waitAll waits for the lanes of all consumers under one deadline.
func (l *Listener) waitAll(consumers []*consumer, d time.Duration) []*lane {
	var lanes []*lane
	for _, c := range consumers {
		lanes = append(lanes, c.everything()...)
	}
	if len(consumers) == 0 {
		return nil
	}
	return consumers[0].waitLanes(lanes, d)
}

// close commits, leaves the group and ends the client. Lanes have drained or
// are given up.
func (c *consumer) close(ctx context.Context) {
	c.commits.ended.Wait()
	c.turn <- struct{}{}
	lanes := c.all()
	endLanes(withFormer(lanes), ErrShutdown)
	c.commits.final(ctx, lanes)
	c.mu.Lock()
	c.lanes = map[TP]*lane{}
	c.mu.Unlock()
	c.giveUpSuspended()
	<-c.turn
	c.failSeeks()
	leave, cancel := withTimeout(ctx, c.l.client.clock, commitTimeout, errCommitTimeout)
	defer cancel()
	c.cl.AllowRebalance()
	if c.l.cfg.instanceID == "" {
		if err := c.cl.LeaveGroupContext(leave); err != nil {
			c.log.Info("leave the group", slog.Any("err", err))
		}
	}
	c.cl.CloseAllowingRebalance()
	c.emitAll(EventRevoked, lanes)
}

// handlers names the handlers of the lane that still run.
func (ln *lane) handlers() []string {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	var out []string
	for it := range ln.inFlight {
		out = append(out, fmt.Sprintf("%s %s@%d", ln.c.l.group, ln.tp, it.rec.Offset))
	}
	slices.Sort(out)
	return out
}

// Stop ends the listener as the end of Run's context does, and waits for it.
// It returns what Run returns. A second Stop only waits. Before Run, Stop
// makes Run return at once.
func (l *Listener) Stop(ctx context.Context) error {
	l.requestStop()
	if !l.started.Load() {
		return nil
	}
	select {
	case <-l.ended:
		return l.runErr
	case <-ctx.Done():
		return fmt.Errorf("stop: %w", context.Cause(ctx))
	}
}

// StopNow is Stop without a drain: handlers are cancelled at once.
func (l *Listener) StopNow(ctx context.Context) error {
	l.skip.Store(true)
	return l.Stop(ctx)
}
