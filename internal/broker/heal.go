package broker

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/botehq/bote/internal/cluster"
	"github.com/botehq/bote/internal/storage"
	"github.com/botehq/bote/internal/storage/commitlog"
	"github.com/botehq/bote/internal/topic"
)

// healer reopens logs that failed because of their disk. It tries firstAttempt after the
// failure, and doubles the wait after each attempt, up to lastAttempt. Attempts that are
// due at about the same time are one round, and the round starts one new run of the
// catalog. So each log that is reopened gets a leader epoch that it never had.
//
// Until a reopened log has served for calmAfter, the wait does not get shorter, and the
// broker's log has at most three lines about it: that the log failed, why it cannot be
// reopened yet, and that it is open again.
//
// The healer owns one goroutine, and some more during a round. A disk that does not
// answer at all blocks only these.
type healer struct {
	b            *Broker
	failedSignal chan struct{} // one slot; has a value if a log failed
	cancel       context.CancelFunc
	done         chan struct{} // nil until start

	mu   sync.Mutex // guards what follows
	logs map[cluster.Partition]*failedLog
}

const (
	firstAttempt = time.Second
	lastAttempt  = time.Minute
	calmAfter    = time.Minute
	// roundSlack is how much before it is due an attempt may join a round: the logs of one
	// disk fail within moments of each other.
	roundSlack = firstAttempt / 2
)

// failedLog is a partition whose log failed and has not served for calmAfter since.
type failedLog struct {
	topic    string
	began    time.Time
	attempts int
	wait     time.Duration // before the next attempt
	due      time.Time     // of the next attempt; zero while the log is open
	healed   time.Time     // time of the last success; zero if there was none
	// Whether the broker's log has these lines already.
	toldRefused, toldHealed bool
}

func newHealer(b *Broker) *healer {
	return &healer{b: b, failedSignal: make(chan struct{}, 1), logs: map[cluster.Partition]*failedLog{}}
}

func (h *healer) start() {
	ctx, cancel := context.WithCancel(context.Background())
	h.cancel, h.done = cancel, make(chan struct{})
	go h.run(ctx)
}

// stop ends the attempts and waits for one that is in progress. It may be called before
// start.
func (h *healer) stop() {
	if h.done == nil {
		return
	}
	h.cancel()
	<-h.done
}

// failed notes that a partition's log refuses batches. A log that another broker has
// taken over (storage.ErrFenced) is not reopened.
func (h *healer) failed(p cluster.Partition, topicName string, err error) {
	if errors.Is(err, storage.ErrFenced) {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	e := h.logs[p]
	if e == nil || !e.healed.IsZero() && now.Sub(e.healed) >= calmAfter {
		e = &failedLog{topic: topicName, began: now, wait: firstAttempt}
		h.logs[p] = e
		h.b.log.Error("log failed; it takes no batches until it is opened again, which is tried from now on", e.attrs(p, slog.Any("err", err))...)
	}
	e.due = now.Add(e.wait)
	select {
	case h.failedSignal <- struct{}{}:
	default:
	}
}

// forget removes a partition that is no longer here.
func (h *healer) forget(p cluster.Partition) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.logs, p)
}

func (e *failedLog) attrs(p cluster.Partition, more ...any) []any {
	return append([]any{slog.String("topic", e.topic), slog.Int("partition", int(p.Index))}, more...)
}

func (h *healer) run(ctx context.Context) {
	defer close(h.done)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for ctx.Err() == nil { // if ctx ends a round, its logs stay due
		due, next := h.look(time.Now())
		if len(due) > 0 {
			h.round(ctx, due)
			continue
		}
		timer.Reset(next)
		select {
		case <-h.failedSignal:
		case <-timer.C:
		case <-ctx.Done():
		}
	}
}

// look returns the logs whose attempt is due, or will be within together, and how long it
// takes until the next one is. It removes logs that have served for calmAfter.
func (h *healer) look(now time.Time) (due []cluster.Partition, next time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	next = time.Hour
	for p, e := range h.logs {
		switch {
		case e.due.IsZero() && now.Sub(e.healed) >= calmAfter:
			delete(h.logs, p)
		case e.due.IsZero():
			next = min(next, calmAfter-now.Sub(e.healed))
		case !e.due.After(now.Add(roundSlack)):
			due = append(due, p)
		default:
			next = min(next, e.due.Sub(now))
		}
	}
	if !slices.ContainsFunc(due, func(p cluster.Partition) bool { return !h.logs[p].due.After(now) }) {
		for _, p := range due {
			next = min(next, h.logs[p].due.Sub(now))
		}
		due = nil
	}
	return due, next
}

// round tries to reopen logs. It starts a new run only if the disk answers again.
func (h *healer) round(ctx context.Context, due []cluster.Partition) {
	due = h.each(ctx, due, h.mend)
	if len(due) == 0 {
		return
	}
	s, err := h.b.catalog.NextRun(ctx)
	if err != nil {
		for _, p := range due {
			h.ended(ctx, p, err)
		}
		return
	}
	release, err := h.b.takeLives(ctx)
	if err != nil {
		return // the broker is closing
	}
	defer release()
	h.each(ctx, due, func(ctx context.Context, p cluster.Partition) error {
		t := s.TopicByID(p.Topic)
		if t == nil || h.b.parts.Get(p.Topic, p.Index) == nil {
			h.forget(p)
			return nil
		}
		h.begins(p)
		err := h.b.leaders.Gain(ctx, []cluster.Gain{{Partition: p, Epoch: s.LeaderEpoch(t)}})
		h.ended(ctx, p, err)
		if err == nil && t.Name == topic.ConsumerOffsets {
			h.b.groups.Reload(p.Index)
		}
		return err
	})
}

// each runs step for the partitions, several at a time, and returns those for which it
// succeeded.
func (h *healer) each(ctx context.Context, parts []cluster.Partition, step func(context.Context, cluster.Partition) error) []cluster.Partition {
	var group errgroup.Group
	group.SetLimit(openers)
	errs := make([]error, len(parts))
	for i, p := range parts {
		group.Go(func() error {
			if errs[i] = ctx.Err(); errs[i] == nil {
				errs[i] = step(ctx, p)
			}
			return nil
		})
	}
	_ = group.Wait() // errs has the errors
	var good []cluster.Partition
	for i, p := range parts {
		if errs[i] == nil {
			good = append(good, p)
		}
	}
	return good
}

// mend prepares the files of a failed log for reopening, which shows whether the disk
// answers.
func (h *healer) mend(ctx context.Context, p cluster.Partition) error {
	part := h.b.parts.Get(p.Topic, p.Index)
	if part == nil {
		h.forget(p)
		return errNotHere
	}
	err := part.Log().(*commitlog.Log).Mend(ctx) // there is only one storage engine
	if err != nil {
		h.ended(ctx, p, err)
	}
	return err
}

// begins notes that a log is being opened. If the log fails again before ended is called,
// another attempt is due.
func (h *healer) begins(p cluster.Partition) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if e := h.logs[p]; e != nil {
		e.due = time.Time{}
	}
}

// ended notes how an attempt ended.
func (h *healer) ended(ctx context.Context, p cluster.Partition, err error) {
	if err != nil && ctx.Err() != nil {
		return // the broker is closing: the error says nothing about the log
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	e := h.logs[p]
	if e == nil {
		return
	}
	e.attempts++
	e.wait = min(2*e.wait, lastAttempt)
	now := time.Now()
	if err != nil {
		e.due = now.Add(e.wait)
		if !e.toldRefused {
			h.b.log.Warn("log cannot be opened again yet; further attempts follow", e.attrs(p, slog.Any("err", err))...)
		}
		e.toldRefused = true
		return
	}
	e.healed = now
	if !e.toldHealed {
		h.b.log.Info("log is open again", e.attrs(p, slog.Int("attempts", e.attempts), slog.Duration("took", now.Sub(e.began)))...)
	}
	e.toldHealed = true
}
