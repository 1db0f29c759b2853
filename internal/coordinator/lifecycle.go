package coordinator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

type state int8

// The states of a shard; the package doc has the picture. A shard has a
// goroutine in all of them but idle.
const (
	idle state = iota
	opening
	loading
	active
	failed
	retiring
)

// item is a queued operation.
type item struct {
	op           func(Machine)
	refuse       func(error)
	onEmpty      func() // not nil: called instead of op if the partition is empty
	waitsForLoad bool   // stays queued in loading and failed, where others are refused
}

// submit queues an operation and starts the goroutine if there is none, or refuses the
// operation.
func (s *Shard) submit(it item) {
	queued, refusal := s.accept(it)
	switch {
	case refusal != nil:
		it.refuse(refusal)
	case !queued:
		it.onEmpty()
	}
}

func (s *Shard) accept(it item) (queued bool, refusal error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return false, kerr.NotCoordinator
	case s.state == loading && !it.waitsForLoad:
		return false, kerr.CoordinatorLoadInProgress
	case s.state == failed && !it.waitsForLoad:
		return false, s.reason
	case s.state == idle && s.knownEmpty && it.onEmpty != nil:
		return false, nil
	}
	s.items = append(s.items, it)
	if s.state == idle {
		s.start()
	}
	s.ring()
	return true, nil
}

// start starts the shard's goroutine. The caller holds mu.
func (s *Shard) start() {
	ctx, cancel := context.WithCancel(context.Background())
	s.state, s.knownEmpty, s.cancel = opening, false, cancel
	s.running.Go(func() {
		defer cancel()
		s.run(ctx)
	})
}

// stop ends the goroutine, if there is one, without waiting for it.
func (s *Shard) stop(closed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = s.closed || closed
	s.knownEmpty = false
	if s.state != idle {
		s.state = retiring
		s.cancel()
	}
}

// errReopened makes run load the shard again at once: its partition was reopened.
var errReopened = fmt.Errorf("%w: the partition began another life", kerr.NotCoordinator)

// reload makes the shard's goroutine load again, and ends its wait for the next attempt.
func (s *Shard) reload() {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch s.state {
	case idle, retiring: // no goroutine will use the old log
		s.knownEmpty = false
	case active:
		s.items = append(s.items, item{op: func(Machine) { s.broken = errReopened }, refuse: func(error) {}})
		s.ring()
	case opening, loading, failed:
		s.reloadRequested = true
		select {
		case s.reloadNow <- struct{}{}:
		default:
		}
	}
}

// acknowledge queues the outcome of an append. The log calls it, on any goroutine.
func (s *Shard) acknowledge(a ack) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.acks = append(s.acks, a)
	s.ring()
}

func (s *Shard) ring() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// take empties the queues.
func (s *Shard) take() (items []item, acks []ack) {
	s.mu.Lock()
	defer s.mu.Unlock()
	items, acks = s.items, s.acks
	s.items, s.acks = nil, nil
	return items, acks
}

// These bound the wait before a failed shard is loaded again. The wait doubles with each
// failure until the shard has served for calmAfter.
const (
	firstRetry = 500 * time.Millisecond
	lastRetry  = 30 * time.Second
	calmAfter  = lastRetry
)

// run is the shard's goroutine.
func (s *Shard) run(ctx context.Context) {
	e := failedShard{s: s}
	for ctx.Err() == nil {
		empty, err := s.load(ctx)
		if err == nil && empty && s.rest() {
			return
		}
		if err == nil {
			err = s.activate()
		}
		if err == nil {
			e.serves()
			err = s.serve(ctx)
		}
		s.drop(err)
		switch {
		case ctx.Err() != nil:
		case errors.Is(err, errOpenRefused):
			s.retire(err)
			return
		case errors.Is(err, errReopened):
			s.enter(opening)
		default:
			s.suspend(ctx, err, e.failed(err))
		}
	}
	s.retire(kerr.NotCoordinator)
}

// failedShard is an episode of failures of a shard. It ends when the shard has served
// for calmAfter. An episode logs at most two lines: that the shard failed, and that it
// serves again.
type failedShard struct {
	s              *Shard
	wait           time.Duration // the last wait; 0 before the first failure
	since          time.Time     // when the shard began to serve; zero after a failure
	recoveryLogged bool          // the line that it serves again is logged
}

// failed notes a failure and returns how long to wait before the shard is loaded again.
func (e *failedShard) failed(err error) time.Duration {
	s := e.s
	s.metrics.failures.Inc()
	if !e.since.IsZero() && time.Since(e.since) >= calmAfter {
		*e = failedShard{s: s}
	}
	if e.wait == 0 {
		s.cfg.Logger.Error("coordinator shard failed; it is loaded again, as often as needed", slog.String("coordinator", s.cfg.Name),
			slog.Int("partition", int(s.partition)), slog.Any("err", err))
	}
	e.since = time.Time{}
	e.wait = max(firstRetry, min(2*e.wait, lastRetry))
	return e.wait
}

// serves notes that the shard is loaded.
func (e *failedShard) serves() {
	e.since = time.Now()
	if e.wait > 0 && !e.recoveryLogged {
		e.recoveryLogged = true
		e.s.cfg.Logger.Info("coordinator shard serves again", slog.String("coordinator", e.s.cfg.Name), slog.Int("partition", int(e.s.partition)))
	}
}

// activate opens the shard for operations, unless Reload was called while it was being
// loaded.
func (s *Shard) activate() error {
	s.mu.Lock()
	if s.reloadRequested {
		s.mu.Unlock()
		return errReopened
	}
	if s.state != retiring {
		s.state = active
	}
	s.mu.Unlock()
	s.serving = true
	s.metrics.loaded.Inc()
	s.machine.Loaded()
	return nil
}

// rest makes an empty shard idle and answers the queued operations of All and LoadAll.
// It does nothing and returns false if an operation for this shard in particular is
// queued, or if the shard was stopped or reloaded meanwhile.
func (s *Shard) rest() bool {
	s.mu.Lock()
	items := s.items
	for _, it := range items {
		if it.onEmpty == nil {
			s.mu.Unlock()
			return false
		}
	}
	if s.state == retiring || s.reloadRequested {
		s.mu.Unlock()
		return false
	}
	s.items, s.acks, s.log, s.machine = nil, nil, nil, nil
	s.state, s.knownEmpty = idle, true
	s.mu.Unlock()
	for _, it := range items {
		it.onEmpty()
	}
	return true
}

// suspend refuses operations for d, or until reload or the end of ctx.
func (s *Shard) suspend(ctx context.Context, err error, d time.Duration) {
	s.mu.Lock()
	items := s.items
	s.items, s.reason = nil, err
	if s.state != retiring {
		s.state = failed
	}
	s.mu.Unlock()
	s.giveBack(items, err)
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-s.reloadNow:
	case <-ctx.Done():
	}
	s.enter(opening)
}

// giveBack refuses the items, except those with wait, which it puts back at the head of
// the queue.
func (s *Shard) giveBack(items []item, err error) {
	var kept []item
	for _, it := range items {
		if it.waitsForLoad {
			kept = append(kept, it)
			continue
		}
		it.refuse(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.items = append(kept, s.items...)
}

// enter changes the state, unless the shard is retiring.
func (s *Shard) enter(next state) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != retiring {
		s.state = next
	}
}

// retire makes the shard idle at the end of its goroutine, and refuses all queued items.
func (s *Shard) retire(err error) {
	s.mu.Lock()
	items := s.items
	s.items, s.acks, s.state = nil, nil, idle
	s.mu.Unlock()
	for _, it := range items {
		it.refuse(err)
	}
}
