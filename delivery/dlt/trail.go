package dlt

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/botehq/bote/delivery"
)

// headerLetter holds the place of the dead letter that a redriven record was.
// Like all headers with this prefix, it is removed by the next redrive.
const headerLetter = "bote-redrive-letter"

// trailWait is how long a fetch waits for records. A topic that is added waits at
// most this long until it is read.
const trailWait = 500 * time.Millisecond

// catchUpLimit bounds how long a look waits until the records that exist have been read.
const catchUpLimit = 2 * time.Second

// trail follows the first records of a redrive through the retry topics of
// their chain. It follows a record until the record is in the dead-letter topic
// again, or until a group has committed a higher offset and the record is in no
// further topic. It is safe for concurrent use.
type trail struct {
	d    *DLT
	id   string // of the redrive
	cl   *kgo.Client
	stop context.CancelFunc
	done chan struct{}

	mu       sync.Mutex
	next     map[delivery.TP]int64 // the next offset to read
	topics   map[string]bool       // topics that are read
	open     map[Place]*step       // the first records, as long as they are on their way
	steps    int                   // how often one of them moved or arrived
	cameBack int
	badFirst int // how many of the first records came back
}

// step is where a redriven record is now.
type step struct {
	main, group string
	topic       string // "" until it is known
	partition   int32
	offset      int64
	attempt     int // of the delivery that it waits for; it grows with each step
	due         time.Time
}

// openTrail reads the dead-letter topic from its end on.
func (d *DLT) openTrail(ctx context.Context, id string) (*trail, error) {
	t := &trail{
		d: d, id: id, done: make(chan struct{}),
		next: map[delivery.TP]int64{}, topics: map[string]bool{}, open: map[Place]*step{},
	}
	offsets, err := t.add(ctx, []string{d.topic})
	if err != nil {
		return nil, err
	}
	t.cl, err = d.c.NewKgo(kgo.ConsumePartitions(offsets), kgo.FetchMaxWait(trailWait), kgo.KeepControlRecords())
	if err != nil {
		return nil, fmt.Errorf("watch %s: %w", d.topic, err)
	}
	var reading context.Context
	reading, t.stop = context.WithCancel(context.WithoutCancel(ctx))
	go t.read(reading)
	return t, nil
}

func (t *trail) close() {
	t.stop()
	<-t.done
	t.cl.Close()
}

// watch reads topics from their ends on.
func (t *trail) watch(ctx context.Context, topics []string) error {
	t.mu.Lock()
	topics = slices.DeleteFunc(slices.Clone(topics), func(topic string) bool { return t.topics[topic] })
	t.mu.Unlock()
	if len(topics) == 0 {
		return nil
	}
	offsets, err := t.add(ctx, topics)
	if err != nil {
		return err
	}
	t.cl.AddConsumePartitions(offsets)
	return nil
}

// add notes topics, and where to read them from.
func (t *trail) add(ctx context.Context, topics []string) (map[string]map[int32]kgo.Offset, error) {
	ends, err := t.ends(ctx, topics)
	if err != nil {
		return nil, err
	}
	offsets := map[string]map[int32]kgo.Offset{}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, topic := range topics {
		t.topics[topic] = true
		offsets[topic] = map[int32]kgo.Offset{}
	}
	for tp, end := range ends {
		t.next[tp] = end
		offsets[tp.Topic][tp.Partition] = kgo.NewOffset().At(end)
	}
	return offsets, nil
}

// ends are the ends of topics as they are now.
func (t *trail) ends(ctx context.Context, topics []string) (map[delivery.TP]int64, error) {
	ends, err := listed(t.d.adm.ListEndOffsets(ctx, topics...))
	if err != nil {
		return nil, fmt.Errorf("watch %s: %w", strings.Join(topics, ", "), err)
	}
	return ends, nil
}

// listed are the offsets of an answer.
func listed(answer kadm.ListedOffsets, err error) (map[delivery.TP]int64, error) {
	if err == nil {
		err = answer.Error()
	}
	if err != nil {
		return nil, err
	}
	out := map[delivery.TP]int64{}
	answer.Each(func(o kadm.ListedOffset) { out[delivery.TP{Topic: o.Topic, Partition: o.Partition}] = o.Offset })
	return out, nil
}

// read takes what arrives until ctx ends.
func (t *trail) read(ctx context.Context) {
	defer close(t.done)
	for {
		fetches := t.cl.PollFetches(ctx)
		if ctx.Err() != nil || fetches.IsClientClosed() {
			return
		}
		t.mu.Lock()
		fetches.EachRecord(t.take)
		t.mu.Unlock()
	}
}

// take sees one record. The caller holds mu.
func (t *trail) take(rec *kgo.Record) {
	tp := delivery.TP{Topic: rec.Topic, Partition: rec.Partition}
	t.next[tp] = max(t.next[tp], rec.Offset+1)
	h := delivery.Headers(rec.Headers)
	if rec.Attrs.IsControl() || h.Text(delivery.HeaderRedriveID) != t.id {
		return
	}
	p, err := ParsePlace(h.Text(headerLetter))
	if err != nil {
		return
	}
	s := t.open[p]
	switch {
	case rec.Topic == t.d.topic:
		t.cameBack++
		if s != nil {
			t.badFirst++
			t.steps++
			delete(t.open, p)
		}
	case s != nil && attempt(h) > s.attempt: // topics are read in any order
		*s = step{
			main: s.main, group: s.group, topic: rec.Topic, partition: rec.Partition, offset: rec.Offset,
			attempt: attempt(h), due: dueTime(h),
		}
		t.steps++
	}
}

// expect prepares for a record that is about to be published. chain are the
// topics it may pass.
func (t *trail) expect(ctx context.Context, p Place, main, group string, chain []string, first bool) error {
	if !first {
		return nil
	}
	if err := t.watch(ctx, chain); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.open[p] = &step{main: main, group: group}
	return nil
}

// published notes where the record was published, unless the record has moved on
// already.
func (t *trail) published(p Place, rec *kgo.Record) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s := t.open[p]; s != nil && s.topic == "" {
		s.topic, s.partition, s.offset = rec.Topic, rec.Partition, rec.Offset
	}
}

// deadAgain counts the redriven records that came back, and those of them
// that are among the first.
func (t *trail) deadAgain() (all, first int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.cameBack, t.badFirst
}

// onTheWay is what a look saw.
type onTheWay struct {
	followed   int       // records that can be seen to be handled
	unfollowed int       // records that cannot
	steps      int       // how often any record moved or arrived
	latest     time.Time // when the last one is due
}

// look finds out which records were handled. A record was handled if its
// group has committed a higher offset, and the record is in no further topic
// by then: a consumer forwards a record before it commits.
func (t *trail) look(ctx context.Context) (onTheWay, error) {
	passed, err := t.passed(ctx)
	if err != nil {
		return onTheWay{}, err
	}
	caughtUp, err := t.catchUp(ctx)
	if err != nil {
		return onTheWay{}, err
	}
	if !caughtUp {
		passed = nil // some of them may lie in what was not read.
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for p, before := range passed {
		if s := t.open[p]; s != nil && *s == before {
			delete(t.open, p)
			t.steps++
		}
	}
	w := onTheWay{steps: t.steps}
	for _, s := range t.open {
		if s.group == "" {
			w.unfollowed++
		} else {
			w.followed++
		}
		if s.due.After(w.latest) {
			w.latest = s.due
		}
	}
	return w, nil
}

// passed are the records whose group has committed a higher offset.
func (t *trail) passed(ctx context.Context) (map[Place]step, error) {
	t.mu.Lock()
	open := make(map[Place]step, len(t.open))
	var groups []string
	for p, s := range t.open {
		open[p] = *s
		for _, g := range s.readers() {
			if !slices.Contains(groups, g) {
				groups = append(groups, g)
			}
		}
	}
	t.mu.Unlock()
	out := map[Place]step{}
	if len(groups) == 0 {
		return out, nil
	}
	committed := t.d.adm.FetchManyOffsets(ctx, groups...)
	if committed.AllFailed() {
		return nil, fmt.Errorf("read commits: %w", committed.Error())
	}
	for p, s := range open {
		for _, g := range s.readers() {
			if o, ok := committed[g].Fetched.Lookup(s.topic, s.partition); ok && o.Err == nil && o.At > s.offset {
				out[p] = s
			}
		}
	}
	return out, nil
}

// readers are the groups that may read the record where it is. On the main topic
// that is the group itself, on retry topics also the groups that bote and Spring
// name after it.
func (s step) readers() []string {
	if s.group == "" || s.topic == "" {
		return nil
	}
	out := []string{s.group}
	if tail, ok := strings.CutPrefix(s.topic, s.main); ok && tail != "" {
		out = append(out, s.group+tail)
		if retry := s.group + "-retry"; retry != out[1] {
			out = append(out, retry)
		}
	}
	return out
}

// catchUp waits until all records that exist now have been read or deleted. It
// reports false if that takes longer than catchUpLimit, because the caller has to
// keep the claim meanwhile.
func (t *trail) catchUp(ctx context.Context) (bool, error) {
	t.mu.Lock()
	topics := make([]string, 0, len(t.topics))
	for topic := range t.topics {
		topics = append(topics, topic)
	}
	t.mu.Unlock()
	ends, err := t.ends(ctx, topics)
	if err != nil {
		return false, err
	}
	late := time.NewTimer(catchUpLimit)
	defer late.Stop()
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for !t.reached(ends) {
		select {
		case <-look.C:
		case <-late.C:
			return t.reachedOrDeleted(ctx, topics, ends)
		case <-ctx.Done():
			return false, context.Cause(ctx)
		}
	}
	return true, nil
}

// reachedOrDeleted is reached for topics whose records may have been deleted
// before they were read.
func (t *trail) reachedOrDeleted(ctx context.Context, topics []string, ends map[delivery.TP]int64) (bool, error) {
	starts, err := listed(t.d.adm.ListStartOffsets(ctx, topics...))
	if err != nil {
		return false, fmt.Errorf("watch %s: %w", strings.Join(topics, ", "), err)
	}
	t.mu.Lock()
	for tp, start := range starts {
		t.next[tp] = max(t.next[tp], start)
	}
	t.mu.Unlock()
	return t.reached(ends), nil
}

// reached tells whether everything before the ends was read.
func (t *trail) reached(ends map[delivery.TP]int64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for tp, end := range ends {
		if next, known := t.next[tp]; known && next < end {
			return false
		}
	}
	return true
}
