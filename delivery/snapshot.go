package delivery

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"
)

// PartitionState is what a listener does with one partition right now.
type PartitionState struct {
	TP
	Role      Role
	Watermark int64     // next offset to commit, -1 if unknown
	Committed int64     // last committed offset, -1 if unknown
	Position  int64     // next offset to fetch, -1 if unknown
	End       int64     // end of the partition when it was last fetched
	Queued    int       // fetched, not handed out
	Open      int       // fetched, not done
	Working   int       // handed out and not yet done, forwarded or left to Ack
	InFlight  int       // handlers running
	Waiting   int       // records waiting for a time
	NextWait  time.Time // earliest end of those waits
	Handled   int64     // deliveries so far
	Serial    bool      // records are handed out one by one
	Paused    []string  // why it is paused
	Stood     time.Time // since when the watermark has not moved; zero if nothing is open
}

// String is all of the state on one line. Without it, %+v would show only the
// partition, because it would use the String of TP.
func (s PartitionState) String() string {
	return fmt.Sprintf("%s role=%s watermark=%d committed=%d position=%d end=%d queued=%d open=%d working=%d in_flight=%d waiting=%d handled=%d paused=%v",
		s.TP, s.Role, s.Watermark, s.Committed, s.Position, s.End, s.Queued, s.Open, s.Working, s.InFlight, s.Waiting, s.Handled, s.Paused)
}

// Snapshot is the state of all assigned partitions, sorted.
func (l *Listener) Snapshot() []PartitionState {
	var out []PartitionState
	for _, c := range l.current() {
		for _, ln := range c.all() {
			out = append(out, ln.state())
		}
	}
	slices.SortFunc(out, func(a, b PartitionState) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	return out
}

// Now is the time by the listener's clock. The times in a Snapshot are by that
// clock, too.
func (l *Listener) Now() time.Time { return l.client.clock.Now() }

func (ln *lane) state() PartitionState {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	s := PartitionState{
		TP: ln.tp, Role: ln.role, Watermark: ln.tracker.watermark(), Committed: ln.committed,
		Position: ln.tracker.next, End: ln.end, Queued: ln.queue.len(), Open: ln.held,
		Working: int(ln.working.Load()), InFlight: len(ln.inFlight), Waiting: len(ln.waits), Handled: ln.handled,
		Serial: ln.serial, Paused: ln.pauses.names(),
	}
	if ln.held > 0 {
		s.Stood = ln.stalledSince
	}
	for p := range ln.waits {
		if s.NextWait.IsZero() || p.until.Before(s.NextWait) {
			s.NextWait = p.until
		}
	}
	return s
}

// Lag is how far a listener is behind.
type Lag struct {
	Main        map[TP]int64  // end - committed of the main topic
	Retry       int64         // records on retry topics not yet done
	OldestDue   time.Duration // how long ago the oldest retry that is not handled yet was due, 0 if none is due
	DeadLetters int64         // records in the dead-letter topics
}

// Total is the lag of all partitions of the main topic.
func (g Lag) Total() int64 {
	var n int64
	for _, v := range g.Main {
		n += v
	}
	return n
}

// Lag asks the cluster how far the listener's group is behind, all its members
// together. Only OldestDue is about this member alone.
func (l *Listener) Lag(ctx context.Context) (Lag, error) {
	out := Lag{Main: map[TP]int64{}}
	adm := l.client.admin()
	for _, p := range l.Memberships() {
		if p.Role == RoleDeadLetter {
			continue
		}
		committed, err := adm.FetchOffsets(ctx, p.Group)
		if err != nil {
			return Lag{}, fmt.Errorf("lag: fetch offsets of %s: %w", p.Group, err)
		}
		starts, err := adm.ListStartOffsets(ctx, p.Topics...)
		if err != nil {
			return Lag{}, fmt.Errorf("lag: list start offsets: %w", err)
		}
		ends, err := adm.ListEndOffsets(ctx, p.Topics...)
		if err != nil {
			return Lag{}, fmt.Errorf("lag: list end offsets: %w", err)
		}
		for _, topic := range p.Topics {
			for part, end := range ends[topic] {
				at := starts[topic][part].Offset
				if c, ok := committed.Lookup(topic, part); ok {
					at = max(at, c.At)
				}
				behind := max(end.Offset-at, 0)
				if p.Role == RoleMain {
					out.Main[TP{topic, part}] = behind
				} else {
					out.Retry += behind
				}
			}
		}
	}
	n, err := l.countDeadLetters(ctx)
	if err == nil && l.chain.dlt != "" {
		l.client.metrics.Gauge(MetricDLTOpen, l.tags(l.chain.dlt), float64(n))
	}
	out.DeadLetters = n
	out.OldestDue = l.oldestDue()
	return out, err
}

func (l *Listener) countDeadLetters(ctx context.Context) (int64, error) {
	topics := l.DeadLetterTopics()
	if len(topics) == 0 {
		return 0, nil
	}
	adm := l.client.admin()
	starts, err := adm.ListStartOffsets(ctx, topics...)
	if err != nil {
		return 0, fmt.Errorf("lag: list start offsets: %w", err)
	}
	ends, err := adm.ListEndOffsets(ctx, topics...)
	if err != nil {
		return 0, fmt.Errorf("lag: list end offsets: %w", err)
	}
	var n int64
	for topic, ps := range ends {
		for p, end := range ps {
			n += max(end.Offset-starts[topic][p].Offset, 0)
		}
	}
	return n, nil
}

// oldestDue looks at the records of this member's retry partitions that were
// fetched and are not handled yet. The first record of a partition need not be the
// first one that is due, because jitter changes their order.
func (l *Listener) oldestDue() time.Duration {
	now := l.client.clock.Now()
	var oldest time.Duration
	for _, c := range l.current() {
		if c.plan.Role != RoleRetry {
			continue
		}
		for _, ln := range c.all() {
			for _, it := range ln.unhandled() {
				due, _ := readDue(it.rec.Headers, now, l.chain.maxAhead())
				oldest = max(oldest, now.Sub(due))
			}
		}
	}
	return oldest
}

// unhandled are the records of a serial lane that are queued, and the one that the
// task has.
func (ln *lane) unhandled() []*item {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	out := slices.Clone(ln.queue.all())
	if ln.working.Load() > 0 {
		out = append(out, ln.popped)
	}
	return out
}
