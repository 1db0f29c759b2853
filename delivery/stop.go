package delivery

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// shutdown drains the listener. Nothing new starts. Running handlers have
// DrainTimeout to finish; then they are cancelled and have KillGrace to return.
// Last, the watermarks are committed and the groups are left.
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
	hung := l.awaitHandlers()
	var wg sync.WaitGroup
	for _, c := range consumers {
		wg.Go(func() { c.close(ctx) })
	}
	wg.Wait()
	l.watch.end()
	if len(hung) == 0 {
		return nil
	}
	err := &HungError{Handlers: hung}
	l.log.Error("handlers did not return", slog.Any("err", err))
	return err
}

// lastLook is how long a lane may take to end when its handler has just returned.
const lastLook = time.Second

// awaitHandlers waits until no handler runs any more, including handlers whose
// partition was given up before. It names those that did not return in time.
func (l *Listener) awaitHandlers() (names []string) {
	wait := l.cfg.drainTimeout
	if l.skip.Load() {
		wait = 0
	}
	hung := l.waitLanes(l.client.lanesOf(l), wait)
	for _, ln := range hung {
		ln.cancel(ErrShutdown)
	}
	if len(hung) > 0 {
		hung = l.waitLanes(hung, l.cfg.killGrace)
	}
	if slices.ContainsFunc(hung, (*lane).runsNoHandler) {
		hung = l.waitLanes(hung, lastLook)
	}
	for _, ln := range hung {
		names = append(names, ln.handlers()...)
	}
	slices.Sort(names)
	return names
}

// waitLanes waits until all lanes have ended, at most d. It returns those that
// have not.
func (l *Listener) waitLanes(lanes []*lane, d time.Duration) []*lane {
	expired, stop := timerChan(l.client.clock, d)
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

// close commits, leaves the group and ends the client. Lanes have drained or
// are given up.
func (c *consumer) close(ctx context.Context) {
	c.commits.ended.Wait()
	c.turn.take()
	c.closing = true
	lanes := c.all()
	stopLanes(withSuspendedBefore(lanes)) // a rebalance may have brought more since the others were stopped.
	endLanes(withSuspendedBefore(lanes), ErrShutdown)
	c.commits.final(ctx, lanes)
	c.mu.Lock()
	c.lanes = map[TP]*lane{}
	c.mu.Unlock()
	c.giveUpSuspended()
	c.turn.give()
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

// Stop stops the listener, as the end of Run's context does, and waits until Run
// has returned. It returns what Run returned, or an error if ctx ends first. A
// second Stop only waits. A Stop before Run makes Run return at once.
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
