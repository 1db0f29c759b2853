package delivery

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// lane is one assignment of one partition: its queue, its tracker, and the
// goroutine that hands its records to the handler. A partition that is
// revoked and comes back gets a new lane. What a handler of the old lane
// returns is then ignored, because its assignment is over.
//
//	running -> draining (drain closed: nothing new starts, waits end)
//	        -> cancelled (ctx ended: handlers should return)
//	        -> over (results are ignored, the watermark does not move)
//
// Which goroutine may call what:
//
//   - setSuspendedBefore and Client.register come before run.
//   - run and what it calls (awaitRunningBefore, runSerial, runUnordered, take, pop,
//     finished) belong to the lane's goroutine. work and moreWork belong to the
//     workers that it starts.
//   - Callers of gateClosed, land, markDone, signal, settlePauses, overLimit and
//     stalledDue hold mu.
//   - All other methods may be called from any goroutine.
type lane struct {
	c       *consumer
	l       *Listener
	role    Role
	tp      TP
	inChain int // position of the topic in the chain
	serial  bool
	log     *slog.Logger

	ctx             context.Context //nolint:containedctx // the life of the assignment, parent of every handler's context.
	cancel          context.CancelCauseFunc
	drain           chan struct{} // closed when nothing new starts and waits end
	stopped         chan struct{} // closed by stop: a publish does not wait for another try
	done            chan struct{} // closed when no goroutine of the lane runs any more
	wake            chan struct{}
	runningBefore   []*lane // lanes of earlier assignments, of any listener of the client, that still ran when this one was registered
	suspendedBefore []*lane // lanes that outages suspended; records that they finished may come again

	drainOnce   sync.Once
	stopOnce    sync.Once
	tasks       sync.WaitGroup
	working     atomic.Int64 // records handed out whose task has not ended
	idleWorkers atomic.Int64 // workers of an unordered lane that wait for a task

	mu              sync.Mutex // guards what follows
	tracker         *tracker
	queue           fifo[*item]
	popped          *item // the last record that pop returned; nil before the first one
	held            int   // records fetched and not done
	heldBytes       int
	inFlight        []flight // handlers running
	waits           map[*park]struct{}
	pauses          pauseSet
	resumed         chan struct{} // closed when PauseNow ends; nil unless it holds
	fetchPaused     bool          // full, and paused by pauseFetch
	fetching        bool          // whether franz-go was last told to fetch
	over            bool          // the assignment is over: results are ignored, the watermark does not move
	topicDeleted    bool          // the topic was deleted: nothing is committed any more
	committed       int64         // last offset that was committed, -1 if unknown
	end             int64         // end of the partition as last seen
	handled         int64         // deliveries, ever
	stalledSince    time.Time     // since when the watermark has not moved, while held > 0
	stalledReported bool          // EventStanding has reported that
	lastWaitEnd     time.Time     // when a wait or PauseNow last ended
}

// laneKey names a partition among all listeners of a Client.
type laneKey struct {
	group string
	tp    TP
}

// item is one record on its way through a lane.
type item struct {
	rec   *kgo.Record
	size  int
	batch *pollBatch
	done  bool // guarded by lane.mu
}

// recordOverhead is what a record occupies in memory besides its bytes: the
// record of franz-go, the item, and the tracker's entry.
const recordOverhead = 256

// flight is a handler that runs.
type flight struct {
	it       *item
	since    time.Time
	reported time.Time // when it was last reported as stuck
}

// park is a wait with a known end.
type park struct{ until time.Time }

// newLane makes the lane of a newly assigned partition.
func newLane(c *consumer, tp TP) *lane {
	ctx, cancel := context.WithCancelCause(context.Background())
	return &lane{
		c:         c,
		l:         c.l,
		role:      c.plan.Role,
		tp:        tp,
		inChain:   c.l.chain.position(tp.Topic),
		serial:    !c.l.cfg.unordered || c.plan.Role != RoleMain,
		log:       c.log.With(slog.String("topic", tp.Topic), slog.Int("partition", int(tp.Partition))),
		ctx:       ctx,
		cancel:    cancel,
		drain:     make(chan struct{}),
		stopped:   make(chan struct{}),
		done:      make(chan struct{}),
		wake:      make(chan struct{}, 1),
		tracker:   newTracker(-1),
		waits:     make(map[*park]struct{}),
		fetching:  true,
		committed: -1,
	}
}

// begin tells the lane where its partition starts. commit asks for that
// position to be committed.
func (ln *lane) begin(offset int64, commit bool) {
	ln.mu.Lock()
	ln.tracker.skipTo(offset)
	if commit {
		ln.tracker.dirty = true
	} else {
		ln.committed = offset
	}
	ln.mu.Unlock()
	if commit {
		ln.c.commits.kick()
	}
}

// run hands out records until the lane drains.
func (ln *lane) run() {
	switch {
	case !ln.awaitRunningBefore():
		ln.finished()
	case ln.serial:
		ln.runSerial(&task{ln: ln}, false)
	default:
		ln.runUnordered()
	}
}

// runSerial hands out one record after the other, and calls the handler
// itself. A handler that calls runtime.Goexit ends this goroutine; then another
// goroutine goes on with the same task, with resumed set.
func (ln *lane) runSerial(t *task, resumed bool) {
	returned := false
	defer func() {
		if returned {
			ln.finished()
		} else {
			go ln.runSerial(t, true) // ends by itself; shutdown waits for ln.done.
		}
	}()
	for {
		if !resumed {
			it, ok := ln.take()
			if !ok {
				break
			}
			t.begin(it)
		}
		t.run(resumed)
		ln.working.Add(-1)
		resumed = false
	}
	returned = true
}

// runUnordered hands records to workers, up to the listener's concurrency.
// Workers are kept for further records, because each new goroutine has to grow
// its stack again.
func (ln *lane) runUnordered() {
	work := make(chan *task)
	for {
		it, ok := ln.take()
		if !ok {
			break
		}
		t := &task{ln: ln}
		t.begin(it)
		if !t.acquire() {
			ln.working.Add(-1)
			break
		}
		select {
		case work <- t:
		default:
			ln.tasks.Add(1)
			go ln.work(t, false, work) // finished waits for it.
		}
	}
	close(work)
	ln.tasks.Wait()
	ln.finished()
}

// work runs tasks to their end. Like runSerial it goes on after a
// runtime.Goexit.
func (ln *lane) work(t *task, resumed bool, more <-chan *task) {
	returned := false
	defer func() {
		if returned {
			ln.tasks.Done()
		} else {
			go ln.work(t, true, more) // finished waits for it.
		}
	}()
	for t != nil {
		t.run(resumed)
		ln.working.Add(-1)
		resumed = false
		t = ln.moreWork(more)
	}
	returned = true
}

// moreWork waits for another task. It returns nil if enough workers wait already,
// or when the lane ends.
func (ln *lane) moreWork(more <-chan *task) *task {
	defer ln.idleWorkers.Add(-1)
	if ln.idleWorkers.Add(1) > int64(ln.l.cfg.concurrency) {
		return nil
	}
	return <-more
}

// finished says that no goroutine of the lane runs any more.
func (ln *lane) finished() {
	ln.l.client.unregister(ln)
	close(ln.done)
}

// awaitRunningBefore waits for handlers of earlier assignments, so that one record is
// never in two handlers of one Client. It reports false when the lane drains.
func (ln *lane) awaitRunningBefore() bool {
	for _, before := range ln.runningBefore {
		select {
		case <-before.done:
		case <-ln.drain:
			return false
		}
	}
	return true
}

// offer appends polled records to the queue. If the first record lies below the
// lane's position, the log was replaced: offer then takes nothing, and returns
// the record's offset and false.
func (ln *lane) offer(p kgo.FetchPartition, batch *pollBatch) (below int64, ok bool) {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	if ln.over {
		return 0, true
	}
	ln.end = p.HighWatermark
	if len(p.Records) == 0 {
		return 0, true
	}
	if first := p.Records[0].Offset; first < ln.tracker.next {
		return first, false
	}
	if ln.held == 0 {
		ln.stalledSince = ln.l.client.clock.Now()
		ln.l.watch.need(ln.stalledSince)
	}
	items := make([]item, len(p.Records))
	for i, r := range p.Records {
		ln.tracker.add(r.Offset, r.LeaderEpoch)
		it := &items[i]
		it.rec, it.batch, it.size = r, batch, len(r.Key)+len(r.Value)+recordOverhead
		ln.queue.push(it)
		ln.heldBytes += it.size
	}
	batch.add(len(items))
	ln.held += len(items)
	ln.settlePauses()
	ln.signal()
	return 0, true
}

// take waits for the next record to hand out. It reports false when the lane
// drains.
func (ln *lane) take() (*item, bool) {
	for {
		select {
		case <-ln.drain:
			return nil, false
		default:
		}
		if it := ln.pop(); it != nil {
			return it, true
		}
		select {
		case <-ln.wake:
		case <-ln.drain:
			return nil, false
		}
	}
}

func (ln *lane) pop() *item {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	if ln.queue.len() == 0 || ln.gateClosed() || ln.pauses.has(pauseGap) {
		return nil
	}
	it := ln.queue.all()[0]
	ln.queue.drop(1)
	ln.popped = it
	ln.working.Add(1)
	return it
}

// gateClosed reports whether the gate before the handler is closed. After a Halt and
// during PauseNow no record passes it, whether the record comes from the queue,
// from a wait, or from waiting for a slot. Callers hold mu.
func (ln *lane) gateClosed() bool { return ln.pauses.has(pauseNow) || ln.l.halted.Load() != nil }

// enter notes that a handler runs, and reports true. If the gate is closed, it
// reports false and returns a channel that is closed when the gate may be open
// again, or nil if the gate stays closed, as after a Halt.
func (ln *lane) enter(it *item, at time.Time) (again <-chan struct{}, ok bool) {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	if ln.gateClosed() {
		if ln.l.halted.Load() != nil {
			return nil, false
		}
		return ln.resumed, false
	}
	ln.inFlight = append(ln.inFlight, flight{it: it, since: at})
	ln.handled++
	return nil, true
}

// leave notes that the handler has returned.
func (ln *lane) leave(it *item) {
	ln.mu.Lock()
	stuck := ln.land(it)
	ln.mu.Unlock()
	if stuck {
		ln.l.stuck(ln.tp.Topic, -1)
	}
}

// land removes a flight, and tells whether it was reported as stuck. Callers
// hold mu.
func (ln *lane) land(it *item) (stuck bool) {
	for i := range ln.inFlight {
		if ln.inFlight[i].it == it {
			stuck = !ln.inFlight[i].reported.IsZero()
			last := len(ln.inFlight) - 1
			ln.inFlight[i] = ln.inFlight[last]
			ln.inFlight[last] = flight{}
			ln.inFlight = ln.inFlight[:last]
			return stuck
		}
	}
	return false
}

// finish marks a record as done. Its handler, if one ran, has returned. finish
// reports false when the assignment is over or the record was done before.
func (ln *lane) finish(it *item) bool {
	ln.mu.Lock()
	stuck := ln.land(it)
	counts, unstalled := ln.markDone(it)
	ln.mu.Unlock()
	if stuck {
		ln.l.stuck(ln.tp.Topic, -1)
	}
	ln.noteDone(it, counts, unstalled)
	return counts
}

// finishAcked is finish for a record whose handler may still run. The task calls
// leave when the handler has returned.
func (ln *lane) finishAcked(it *item) bool {
	ln.mu.Lock()
	counts, unstalled := ln.markDone(it)
	ln.mu.Unlock()
	ln.noteDone(it, counts, unstalled)
	return counts
}

// markDone marks a record as done. counts is false, and nothing is marked, when
// the assignment is over or the record was done before. unstalled is true if the
// watermark was reported as stalled and now moves. Callers hold mu, release it,
// and then call noteDone.
func (ln *lane) markDone(it *item) (counts, unstalled bool) {
	if ln.over || it.done || !ln.tracker.finish(it.rec.Offset) {
		return false, false
	}
	it.done = true
	ln.held--
	ln.heldBytes -= it.size
	if ln.tracker.watermark() > it.rec.Offset {
		unstalled, ln.stalledReported = ln.stalledReported, false
		ln.stalledSince = ln.l.client.clock.Now()
	}
	ln.settlePauses()
	return true, unstalled
}

func (ln *lane) noteDone(it *item, counts, unstalled bool) {
	if unstalled {
		ln.l.health.clear(ln.stalledKey())
	}
	if counts {
		ln.c.commits.note(it.batch)
	}
}

// wasDone tells whether a record is done.
func (ln *lane) wasDone(it *item) bool {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	return it.done
}

// stop ends handing out records, and all waits.
func (ln *lane) stop() {
	ln.suspend()
	ln.stopOnce.Do(func() { close(ln.stopped) })
}

// suspend ends handing out records, and all waits except those of a publish.
// Handlers that run go on, and their records may still be forwarded. When the
// cluster is away, a lane is only suspended: no other member has the partition yet.
func (ln *lane) suspend() { ln.drainOnce.Do(func() { close(ln.drain) }) }

// setSuspendedBefore sets ln.suspendedBefore: to s, which an outage suspended, and to
// those lanes of s.suspendedBefore whose position lies above the watermark of s. s has
// not finished all of their records again. s may be nil. A lane of a deleted topic is
// left out, because it says nothing about the records to come.
func (ln *lane) setSuspendedBefore(s *lane) {
	if s == nil || s.ofDeletedTopic() {
		return
	}
	ln.suspendedBefore = []*lane{s}
	at := s.watermark()
	for _, older := range s.suspendedBefore {
		if older.position() > at {
			ln.suspendedBefore = append(ln.suspendedBefore, older)
		}
	}
}

// ofDeletedTopic tells whether the lane's topic was found to be deleted.
func (ln *lane) ofDeletedTopic() bool {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	return ln.topicDeleted
}

// position is the next offset to be fetched, -1 if unknown.
func (ln *lane) position() int64 {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	return ln.tracker.next
}

// doneBefore reports whether a lane from before an outage finished the record.
func (ln *lane) doneBefore(r *kgo.Record) bool {
	for _, before := range ln.suspendedBefore {
		before.mu.Lock()
		done := !before.topicDeleted && before.tracker.isDone(r.Offset, r.LeaderEpoch)
		before.mu.Unlock()
		if done {
			return true
		}
	}
	return false
}

// setOver says that the assignment is over.
func (ln *lane) setOver() {
	ln.mu.Lock()
	ln.over = true
	ln.queue = fifo[*item]{}
	ln.waits = make(map[*park]struct{})
	reported := ln.stalledReported
	ln.stalledReported = false
	ln.mu.Unlock()
	if reported {
		ln.l.health.clear(ln.stalledKey())
	}
}

// isOver tells whether the assignment is over.
func (ln *lane) isOver() bool {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	return ln.over
}

// park waits until due by the listener's clock. It reports false when the lane
// drains first.
func (ln *lane) park(due time.Time) bool { return ln.parkUnless(due, ln.drain) }

// parkUnless is park that reports false when end is closed first. It sets the
// timer before the wait shows in the lane's state: a test that sees the wait and
// moves its clock then finds the timer.
func (ln *lane) parkUnless(due time.Time, end <-chan struct{}) bool {
	clock := ln.l.client.clock
	for {
		d := due.Sub(clock.Now())
		if d <= 0 {
			return true
		}
		expired, stop := timerChan(clock, d)
		p := &park{until: due}
		ln.setPark(p, true)
		select {
		case <-expired:
			ln.setPark(p, false)
		case <-end:
			stop()
			ln.setPark(p, false)
			return false
		}
	}
}

func (ln *lane) setPark(p *park, on bool) {
	now := ln.l.client.clock.Now()
	ln.mu.Lock()
	defer ln.mu.Unlock()
	if on {
		ln.waits[p] = struct{}{}
		return
	}
	delete(ln.waits, p)
	ln.lastWaitEnd = now
}

// watermark is the offset to commit, -1 if nothing is known to be done.
func (ln *lane) watermark() int64 {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	return ln.tracker.watermark()
}

// signal wakes take. Callers hold mu.
func (ln *lane) signal() {
	select {
	case ln.wake <- struct{}{}:
	default:
	}
}

// handlers names the handlers of the lane that still run. If none runs, it names
// the record that the lane is at.
func (ln *lane) handlers() []string {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	name := func(offset int64) string { return fmt.Sprintf("%s %s@%d", ln.l.group, ln.tp, offset) }
	if len(ln.inFlight) == 0 {
		return []string{name(ln.tracker.watermark())}
	}
	var out []string
	for _, f := range ln.inFlight {
		out = append(out, name(f.it.rec.Offset))
	}
	slices.Sort(out)
	return out
}

// runsNoHandler tells whether no handler of the lane runs.
func (ln *lane) runsNoHandler() bool {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	return len(ln.inFlight) == 0
}
