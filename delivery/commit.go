package delivery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	// commitTimeout bounds one commit that a callback or a stop waits for.
	commitTimeout = 10 * time.Second
	// commitRetry is the pause after a commit that failed.
	commitRetry = time.Second
)

// errCommitTimeout is the cause of a commit's cancelled context.
var errCommitTimeout = errors.New("commit got no answer in time")

// commitPolicy says when watermarks are committed.
type commitPolicy struct {
	kind     commitKind
	interval time.Duration
	count    int
}

type commitKind int

const (
	commitEvery commitKind = iota
	commitEach
	commitBatch
	commitManual
	commitNow
)

func (p commitPolicy) manual() bool { return p.kind == commitManual || p.kind == commitNow }

func (p commitPolicy) valid() bool {
	switch p.kind {
	case commitEach, commitBatch:
		return true
	case commitEvery, commitManual, commitNow:
	}
	return p.interval > 0 && p.count > 0
}

// pollBatch counts the records of one poll that are not done.
type pollBatch struct {
	records int // handed to lanes; owned by the poll
	open    atomic.Int64
}

func (b *pollBatch) add(n int) {
	b.records += n
	b.open.Add(int64(n))
}

// committer commits the watermarks of one consumer. One commit is under way at
// a time, so a later one never lands before an earlier one.
type committer struct {
	c      *consumer
	policy commitPolicy
	kicked chan struct{}
	turn   token // held during a commit
	ended  sync.WaitGroup

	dirty atomic.Int64 // records done since the last commit began
	armed atomic.Bool  // timer is set

	mu    sync.Mutex
	timer func() bool // stops the timer, which runs from the first dirty record on
}

func newCommitter(c *consumer) *committer {
	return &committer{
		c: c, policy: c.l.cfg.commit,
		kicked: make(chan struct{}, 1), turn: newToken(),
	}
}

// start commits in the background until ctx ends.
func (cm *committer) start(ctx context.Context) {
	cm.ended.Go(func() {
		for {
			select {
			case <-cm.kicked:
				cm.background(ctx)
			case <-ctx.Done():
				cm.stopTimer()
				return
			}
		}
	})
}

// kick asks for a commit soon.
func (cm *committer) kick() {
	select {
	case cm.kicked <- struct{}{}:
	default:
	}
}

// note counts a record that is done.
func (cm *committer) note(b *pollBatch) {
	last := b.open.Add(-1) == 0
	switch cm.policy.kind {
	case commitEach:
		cm.kick()
		return
	case commitBatch:
		if last {
			cm.kick()
		}
		return
	case commitEvery, commitManual, commitNow:
	}
	if cm.dirty.Add(1) >= int64(cm.policy.count) {
		cm.dirty.Store(0)
		cm.kick()
		return
	}
	if !cm.armed.Load() {
		cm.arm(cm.policy.interval)
	}
}

// arm runs the timer if it does not run.
func (cm *committer) arm(d time.Duration) {
	cm.mu.Lock()
	defer cm.mu.Unlock()
	if cm.timer == nil {
		cm.armed.Store(true)
		cm.timer = cm.c.l.client.clock.AfterFunc(d, cm.kick)
	}
}

func (cm *committer) stopTimer() {
	cm.mu.Lock()
	defer cm.mu.Unlock()
	if cm.timer != nil {
		cm.timer()
		cm.timer = nil
		cm.armed.Store(false)
	}
}

// background commits what is due, and sets the timer to try again after a failure.
func (cm *committer) background(ctx context.Context) {
	cm.stopTimer()
	cm.dirty.Store(0)
	if err := cm.commit(ctx, cm.c.all()); err != nil && ctx.Err() == nil {
		cm.arm(commitRetry)
	}
}

// commit writes the watermarks of lanes that moved and waits for the answer.
func (cm *committer) commit(ctx context.Context, lanes []*lane) error {
	if err := cm.turn.takeContext(ctx); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	defer cm.turn.give()
	moved := map[TP]*lane{}
	offsets := map[string]map[int32]kgo.EpochOffset{}
	for _, ln := range lanes {
		at, ok := ln.uncommitted()
		if !ok {
			continue
		}
		if offsets[ln.tp.Topic] == nil {
			offsets[ln.tp.Topic] = map[int32]kgo.EpochOffset{}
		}
		offsets[ln.tp.Topic][ln.tp.Partition] = kgo.EpochOffset{Epoch: -1, Offset: at}
		moved[ln.tp] = ln
	}
	if len(offsets) == 0 {
		return nil
	}
	return cm.send(ctx, moved, offsets)
}

func (cm *committer) send(ctx context.Context, moved map[TP]*lane, offsets map[string]map[int32]kgo.EpochOffset) error {
	var errs []error
	cm.c.l.client.at("before commit")
	cm.c.cl.CommitOffsetsSync(ctx, offsets, func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("commit: %w", err))
			return
		}
		if resp == nil {
			return
		}
		for _, t := range resp.Topics {
			for _, p := range t.Partitions {
				if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
					errs = append(errs, fmt.Errorf("commit %s-%d: %w", t.Topic, p.Partition, err))
					continue
				}
				tp := TP{t.Topic, p.Partition}
				if ln := moved[tp]; ln != nil {
					ln.noteCommitted(offsets[t.Topic][p.Partition].Offset)
				}
			}
		}
	})
	return cm.report(errs)
}

// report counts the commit and returns its error. A commit that was refused
// because the group has moved on is dropped: the new owner of the partition
// delivers the records again.
func (cm *committer) report(errs []error) error {
	l := cm.c.l
	key := "commit of " + cm.c.plan.Group
	err := errors.Join(errs...)
	switch {
	case err == nil:
		l.count(MetricCommits, "", "ok")
		l.health.clear(key)
		return nil
	case errors.Is(err, context.Canceled):
		return err
	case fencedError(err):
		l.count(MetricCommits, "", "fenced")
		cm.c.log.Info("commit came too late, the group has moved on", slog.Any("err", err))
		return err
	}
	l.count(MetricCommits, "", "failed")
	l.health.degrade(key, err.Error())
	if ok, suppressed := l.gate.allow(key); ok {
		cm.c.log.Warn("commit", slog.Any("err", err), slog.Int("suppressed", suppressed))
	}
	return err
}

// fencedError reports whether the group no longer accepts commits of this member.
func fencedError(err error) bool {
	for _, e := range []error{
		kerr.IllegalGeneration, kerr.UnknownMemberID, kerr.FencedInstanceID,
		kerr.RebalanceInProgress, kerr.StaleMemberEpoch, kerr.FencedMemberEpoch,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// final commits for a revoke or a stop. It waits at most commitTimeout.
func (cm *committer) final(ctx context.Context, lanes []*lane) {
	ctx, cancel := withTimeout(ctx, cm.c.l.client.clock, commitTimeout, errCommitTimeout)
	defer cancel()
	if err := cm.commit(ctx, lanes); err != nil {
		cm.c.log.Warn("last commit of partitions", slog.Any("err", err))
	}
}

// uncommitted is the watermark if it is not committed yet.
func (ln *lane) uncommitted() (int64, bool) {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	at := ln.tracker.watermark()
	return at, !ln.topicDeleted && at >= 0 && at != ln.committed && (ln.committed >= 0 || ln.tracker.moved())
}

func (ln *lane) noteCommitted(at int64) {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	ln.committed = at
}

// ack is Message.Ack.
func (ln *lane) ack(ctx context.Context, it *item) error {
	policy := ln.l.cfg.commit
	if !policy.manual() {
		return ErrAckUnused
	}
	if !ln.finishAcked(it) {
		if ln.isOver() {
			return ErrRevoked
		}
		return nil
	}
	if policy.kind != commitNow {
		return nil
	}
	return ln.c.commits.commit(ctx, []*lane{ln})
}
