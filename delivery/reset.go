package delivery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// outOfRange is a partition whose position lies outside its log. franz-go is
// told never to move such a position by itself. It would not say so, and the lane
// would take the records below its old position for records it had seen.
type outOfRange struct {
	tp  TP
	err error
}

// outOfRangeError reports whether a fetch error means a position outside the log.
func outOfRangeError(err error) bool {
	_, lost := errors.AsType[*kgo.ErrDataLoss](err)
	return lost || errors.Is(err, kerr.OffsetOutOfRange)
}

// applyResets moves the positions that the last poll found out of range. It
// runs in the goroutine that polls. If the bounds of a partition cannot be listed,
// the next fetch finds it out of range again.
func (c *consumer) applyResets(ctx context.Context, found []outOfRange) {
	for _, r := range found {
		if err := c.reset(ctx, r); err != nil && ctx.Err() == nil {
			key := "reset " + r.tp.String()
			c.l.health.degradeFor(key, err.Error(), fetchErrorLasts)
			c.warn(key, "position is out of range and cannot be moved yet", slog.String("topic", r.tp.Topic),
				slog.Int("partition", int(r.tp.Partition)), slog.Any("err", err))
		}
	}
}

func (c *consumer) reset(ctx context.Context, r outOfRange) error {
	if err := c.turn.takeContext(ctx); err != nil {
		return err
	}
	defer c.turn.give()
	old := c.lane(r.tp)
	if old == nil {
		return nil // it was revoked meanwhile.
	}
	start, err := Earliest().resolve(ctx, c.adm, r.tp, 0)
	if err != nil {
		return err
	}
	end, err := Latest().resolve(ctx, c.adm, r.tp, 0)
	if err != nil {
		return err
	}
	from := old.position()
	to, ok := c.resetTo(from, start, end)
	if loss, isLoss := errors.AsType[*kgo.ErrDataLoss](r.err); isLoss && ok {
		to = loss.ResetTo // franz-go asked the broker where the log diverged.
	}
	c.reportReset(r, from, to, start, end)
	switch {
	case !ok:
		c.l.halt(Event{Role: c.plan.Role, Topic: r.tp.Topic, Partition: r.tp.Partition, Offset: from},
			fmt.Errorf("partition %s: offset %d is out of range, the log holds %d to %d: %w", r.tp, from, start, end, r.err))
	case from < to:
		c.skipTo(old, to)
	default:
		c.restart(old, to)
	}
	return nil
}

// resetTo is where a partition goes on when its position is out of range. If the
// position is below the log's start, the records up to there are gone, and going
// on at the start loses nothing that is left. A position above the end means that
// this is not the log that was read before; then StartAt decides. With NoStart
// resetTo reports false in both cases.
func (c *consumer) resetTo(from, start, end int64) (to int64, ok bool) {
	kind := c.startPosition().kind
	switch {
	case kind == atCommit:
		return 0, false
	case from >= start && kind == atLatest:
		return min(from, end), true
	default:
		return start, true
	}
}

func (c *consumer) reportReset(r outOfRange, from, to, start, end int64) {
	c.l.count(MetricOffsetReset, r.tp.Topic, "")
	attrs := []any{
		slog.String("topic", r.tp.Topic), slog.Int("partition", int(r.tp.Partition)),
		slog.Int64("from", from), slog.Int64("to", to),
		slog.Int64("log_start_offset", start), slog.Int64("log_end_offset", end), slog.Any("err", r.err),
	}
	lost := []any{slog.Int64("first_lost", from), slog.Int64("last_lost", start-1)}
	switch below := from < start; {
	case below && c.plan.Role == RoleRetry:
		c.log.Error("records were deleted before they were retried", append(attrs, lost...)...)
	case below && c.plan.Role == RoleDeadLetter:
		c.log.Error("dead letters were deleted before they were handled", append(attrs, lost...)...)
	default:
		c.log.Warn("offset was out of range, position is moved", attrs...)
	}
	c.l.emit(Event{
		Kind: EventOffsetReset, Role: c.plan.Role, Topic: r.tp.Topic, Partition: r.tp.Partition, Offset: to, Err: r.err,
		Text: fmt.Sprintf("offset %d is out of range, the log holds %d to %d", from, start, end),
	})
}

// skipTo goes on after records that were deleted before they were read. What
// the lane holds is still handled. Callers hold turn.
func (c *consumer) skipTo(ln *lane, at int64) {
	ln.mu.Lock()
	ln.tracker.skipTo(at)
	ln.mu.Unlock()
	c.setOffset(ln.tp, at)
}

// restart replaces a lane by one that starts at an offset. What the old lane
// holds is dropped, and what its handlers return is ignored. Callers hold
// turn.
func (c *consumer) restart(old *lane, at int64) {
	gone := withSuspendedBefore([]*lane{old})
	stopLanes(gone)
	endLanes(gone, ErrSeek)

	ln := newLane(c, old.tp)
	ln.begin(at, true)
	c.mu.Lock()
	c.lanes[old.tp] = ln
	c.mu.Unlock()
	c.l.client.register(ln)
	c.setOffset(old.tp, at)
	ln.resumeAfresh()
	go ln.run() // ends by itself; shutdown waits for ln.done.
}

func (c *consumer) setOffset(tp TP, at int64) {
	c.cl.SetOffsets(map[string]map[int32]kgo.EpochOffset{
		tp.Topic: {tp.Partition: {Epoch: -1, Offset: at}},
	})
}

// warn logs a warning, unless the gate of the listener holds its class back.
func (c *consumer) warn(class, msg string, attrs ...slog.Attr) {
	if ok, suppressed := c.l.gate.allow(class); ok {
		if suppressed > 0 {
			attrs = append(attrs, slog.Int("suppressed", suppressed))
		}
		c.log.LogAttrs(context.Background(), slog.LevelWarn, msg, attrs...) //nolint:sloglint // callers pass constants.
	}
}
