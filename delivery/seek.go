package delivery

import (
	"context"
	"errors"
	"fmt"
)

// seek is a request to the goroutine that polls. Only that goroutine may move a
// position: between two of its polls no fetched record is on its way.
type seek struct {
	tp   TP
	to   Position
	done chan error
}

// Seek moves the position of an assigned partition. Queued records are dropped,
// running handlers are cancelled and their results ignored, and the partition
// starts afresh at the new position. Seek refuses a position outside the log; the
// end of the log is inside. It returns ErrNotAssigned for a partition that this
// member does not own. ctx bounds the wait.
func (l *Listener) Seek(ctx context.Context, tp TP, to Position) error {
	s := &seek{tp: tp, to: to, done: make(chan error, 1)}
	for _, c := range l.current() {
		if !c.askToSeek(s) {
			continue
		}
		select {
		case err := <-s.done:
			return err
		case <-ctx.Done():
			return fmt.Errorf("seek %s: %w", tp, context.Cause(ctx))
		}
	}
	return fmt.Errorf("seek %s: %w", tp, ErrNotAssigned)
}

// askToSeek hands a seek to the goroutine that polls. It reports false if the
// partition is not assigned. It looks for the lane and adds the seek while it
// holds mu. close first removes the lanes and then answers the seeks that are
// left, so a seek that were added after that would never be answered.
func (c *consumer) askToSeek(s *seek) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lanes[s.tp] == nil {
		return false
	}
	c.seeks = append(c.seeks, s)
	if c.interrupt != nil {
		c.interrupt()
	}
	return true
}

// applySeeks runs in the goroutine that polls.
func (c *consumer) applySeeks(ctx context.Context) {
	c.mu.Lock()
	seeks := c.seeks
	c.seeks = nil
	c.mu.Unlock()
	for _, s := range seeks {
		s.done <- c.applySeek(ctx, s)
	}
}

func (c *consumer) applySeek(ctx context.Context, s *seek) error {
	if err := c.turn.takeContext(ctx); err != nil {
		return fmt.Errorf("seek %s: %w", s.tp, err)
	}
	defer c.turn.give()
	old := c.lane(s.tp)
	if old == nil {
		return fmt.Errorf("seek %s: %w", s.tp, ErrNotAssigned)
	}
	at, err := s.to.seekTo(ctx, c.adm, s.tp, max(old.watermark(), 0))
	if err != nil {
		return fmt.Errorf("seek: %w", err)
	}
	c.restart(old, at)
	return nil
}

// failSeeks answers seeks that came after the last poll. The lanes are gone
// then, so no further seek comes.
func (c *consumer) failSeeks() {
	c.mu.Lock()
	seeks := c.seeks
	c.seeks = nil
	c.mu.Unlock()
	for _, s := range seeks {
		s.done <- fmt.Errorf("seek %s: %w", s.tp, errors.Join(ErrNotAssigned, ErrShutdown))
	}
}
