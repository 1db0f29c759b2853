package delivery

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// lane is one assignment of one partition: its queue, its tracker, and the
// goroutine that hands its records to the handler. A partition that is
// revoked and comes back gets a new lane; nothing a handler of the old one
// returns is heard (its assignment is over).
//
//	running -> draining (drain closed: nothing new starts, waits end)
//	        -> cancelled (ctx ended: handlers shall return)
//	        -> frozen (results are ignored, the watermark stands still)
//
// All methods may be called from any goroutine.
type lane struct {
	c      *consumer
	tp     TP
	pos    int // position of the topic in the chain
	serial bool
	log    *slog.Logger

	ctx    context.Context //nolint:containedctx // the life of the assignment, parent of every handler's context.
	cancel context.CancelCauseFunc
	drain  chan struct{} // closed when nothing new starts and waits end
	depart chan struct{} // closed when publishing need not succeed any more
	done   chan struct{} // closed when no goroutine of the lane runs any more
	wake   chan struct{}
	priors []*lane // earlier lanes of the partition that still run
	former []*lane // lanes that outages of the cluster ended, whose records may come again

	drainOnce sync.Once
	leaveOnce sync.Once
	tasks     sync.WaitGroup

	mu        sync.Mutex
	tracker   *tracker
	queue     []*item
	held      int // records not done
	heldBytes int
	inFlight  map[*item]time.Time // handlers running, and since when
	parks     map[*park]struct{}
	pauses    pauseSet
	fetching  bool // as franz-go was last told
	frozen    bool
	committed int64     // last offset that was committed, -1 if unknown
	end       int64     // end of the partition as last seen
	working   int       // records handed out whose task has not ended
	handled   int64     // deliveries, ever
	stood     time.Time // since when the watermark stands, while records are open
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

// park is a wait with a known end.
type park struct{ until time.Time }

// newLane makes the lane of a newly assigned partition.
func newLane(c *consumer, tp TP) *lane {
	ctx, cancel := context.WithCancelCause(context.Background())
	pos := c.l.chain.position(tp.Topic)
	return &lane{
		c:         c,
		tp:        tp,
		pos:       pos,
		serial:    !c.l.cfg.unordered || c.plan.Role != RoleMain,
		log:       c.log.With(slog.String("topic", tp.Topic), slog.Int("partition", int(tp.Partition))),
		ctx:       ctx,
		cancel:    cancel,
		drain:     make(chan struct{}),
		depart:    make(chan struct{}),
		done:      make(chan struct{}),
		wake:      make(chan struct{}, 1),
		tracker:   newTracker(-1),
		inFlight:  make(map[*item]time.Time),
		parks:     make(map[*park]struct{}),
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
		ln.tracker.any = true
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
	defer close(ln.done)
	defer ln.c.l.client.unregister(ln)
	if !ln.awaitPriors() {
		return
	}
	for {
		it, ok := ln.take()
		if !ok {
			break
		}
		t := newTask(ln, it)
		if ln.serial {
			ln.work(t)
			continue
		}
		if !t.acquire() {
			break
		}
		ln.tasks.Go(func() { ln.work(t) })
	}
	ln.tasks.Wait()
}

// work runs a task to its end.
func (ln *lane) work(t *task) {
	defer func() {
		ln.mu.Lock()
		ln.working--
		ln.mu.Unlock()
	}()
	t.run()
}

// awaitPriors waits for handlers of earlier assignments: one record is never
// in two handlers of this process.
func (ln *lane) awaitPriors() bool {
	for _, p := range ln.priors {
		select {
		case <-p.done:
		case <-ln.drain:
			return false
		}
	}
	return true
}

// offer appends polled records to the queue.
func (ln *lane) offer(p kgo.FetchPartition, batch *pollBatch) {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	if ln.frozen {
		return
	}
	ln.end = max(ln.end, p.HighWatermark)
	if ln.held == 0 {
		ln.stood = ln.c.l.client.clock.Now()
	}
	ln.noteReset(p.LogStartOffset)
	for _, r := range p.Records {
		if !ln.tracker.add(r.Offset) {
			continue
		}
		it := &item{rec: r, size: len(r.Key) + len(r.Value) + 64, batch: batch}
		batch.add()
		ln.queue = append(ln.queue, it)
		ln.held++
		ln.heldBytes += it.size
	}
	ln.settlePauses()
	ln.signal()
}

// noteReset reports that the log now starts behind the position: what lay
// between was deleted before it was read.
func (ln *lane) noteReset(logStart int64) {
	next := ln.tracker.next
	if next < 0 || logStart <= next || ln.held > 0 {
		return
	}
	ln.tracker.skipTo(logStart)
	ln.c.l.count(MetricOffsetReset, ln.tp.Topic, "")
	ln.log.Error("records were deleted before they were read",
		slog.Int64("offset", next), slog.Int64("log_start_offset", logStart))
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
	if len(ln.queue) == 0 || ln.pauses.has(pauseNow) || ln.pauses.has(pauseGap) {
		return nil
	}
	it := ln.queue[0]
	ln.queue[0] = nil
	ln.queue = ln.queue[1:]
	ln.working++
	return it
}

// finish marks a record as done. It reports false, and does nothing, when the
// assignment is over or the record was done before.
func (ln *lane) finish(it *item) bool {
	ln.mu.Lock()
	if ln.frozen || it.done || !ln.tracker.finish(it.rec.Offset) {
		ln.mu.Unlock()
		return false
	}
	it.done = true
	if ln.tracker.watermark() > it.rec.Offset {
		ln.stood = ln.c.l.client.clock.Now()
	}
	ln.held--
	ln.heldBytes -= it.size
	ln.settlePauses()
	ln.signal()
	ln.mu.Unlock()
	ln.c.commits.note(it.batch)
	return true
}

// stop ends the handing out and all waits.
func (ln *lane) stop() {
	ln.suspend()
	ln.leaveOnce.Do(func() { close(ln.depart) })
}

// suspend ends the handing out. What runs goes on, and may forward its record:
// the cluster is away, so nobody else has the partition yet.
func (ln *lane) suspend() { ln.drainOnce.Do(func() { close(ln.drain) }) }

// inherit makes f the lane before an outage, together with the lanes before it
// whose records f has not all seen again.
func (ln *lane) inherit(f *lane) {
	if f == nil {
		return
	}
	ln.former = []*lane{f}
	at := f.watermark()
	for _, older := range f.former {
		if older.position() > at {
			ln.former = append(ln.former, older)
		}
	}
}

// position is the next offset to be fetched, -1 if unknown.
func (ln *lane) position() int64 {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	return ln.tracker.next
}

// doneBefore tells a record that the lane before an outage saw to its end.
func (ln *lane) doneBefore(offset int64) bool {
	for _, f := range ln.former {
		f.mu.Lock()
		done := f.tracker.isDone(offset)
		f.mu.Unlock()
		if done {
			return true
		}
	}
	return false
}

// freeze ends the assignment: results no longer count.
func (ln *lane) freeze() {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	ln.frozen = true
	ln.queue = nil
	ln.parks = make(map[*park]struct{})
}

// over tells whether results still count.
func (ln *lane) over() bool {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	return ln.frozen
}

// park waits until due by the listener's clock. It reports false when the lane
// drains first.
func (ln *lane) park(due time.Time) bool { return ln.parkUnless(due, ln.drain) }

// parkUnless arms the timer before the wait shows in the lane's state: whoever
// moves a clock by that state then finds the timer.
func (ln *lane) parkUnless(due time.Time, end <-chan struct{}) bool {
	clock := ln.c.l.client.clock
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
	ln.mu.Lock()
	defer ln.mu.Unlock()
	if on {
		ln.parks[p] = struct{}{}
	} else {
		delete(ln.parks, p)
	}
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
