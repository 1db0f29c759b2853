package dlt

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/botehq/bote/delivery"
)

// Defaults of a redrive.
const (
	defaultRate        = 100 // records a second
	defaultMaxRedrives = 3
	firstRecords       = 100 // how many records Redrive waits for before it sends the rest
	mostDeadAgain      = 5   // how many of them may come back
)

// Waiting for the first records.
const (
	lookPause  = 500 * time.Millisecond // between two looks
	quietLimit = time.Minute            // how long nothing may happen, once the records are due
)

// Target is where redriven records go.
type Target struct {
	kind  targetKind
	group string
	topic string
}

type targetKind int

const (
	toGroup targetKind = iota
	toOrigin
	toTopic
)

// ToGroup sends records to the first retry topic of a group's chain, due at
// once, so that other groups of the main topic do not see them again. If there
// is no retry topic, they go to the main topic, with a header that makes bote's
// listeners of other groups skip them.
//
// The group must exist (see ForceGroup), because all listeners would skip the
// records of a group whose name is misspelt. Unless Filter.Group is set, only
// letters of that group are selected.
func ToGroup(group string) Target { return Target{kind: toGroup, group: group} }

// ToOrigin sends records to the topic they were first read from, for all its
// groups.
func ToOrigin() Target { return Target{kind: toOrigin} }

// ToTopic sends records to any topic. Redrive does not know what reads that topic,
// so it does not wait for the first records.
func ToTopic(topic string) Target { return Target{kind: toTopic, topic: topic} }

// Option changes a redrive.
type Option func(*redrive)

// Rate sets how many records are sent a second. The default is 100.
func Rate(perSecond float64) Option { return func(r *redrive) { r.rate = perSecond } }

// DryRun selects and counts, and sends nothing.
func DryRun() Option { return func(r *redrive) { r.dryRun = true } }

// Actor names who redrives. The name is kept in the notes.
func Actor(name string) Option { return func(r *redrive) { r.actor = name } }

// Tier sets the retry topic for ToGroup, for records that do not name one.
func Tier(topic string) Option { return func(r *redrive) { r.tier = topic } }

// MaxRedrives sets how often a record may be redriven before it goes to
// <main topic>-parked instead. The default is 3.
func MaxRedrives(n int) Option { return func(r *redrive) { r.maxRedrives = n } }

// ForceGroup lets ToGroup name a group that does not exist, such as one that
// will be started later.
func ForceGroup() Option { return func(r *redrive) { r.forceGroup = true } }

// Unwatched sends all records without waiting to see what happens to the first
// hundred.
func Unwatched() Option { return func(r *redrive) { r.unwatched = true } }

// Task is what a redrive did, or with DryRun would do.
type Task struct {
	ID          string
	Selected    int
	Sent        int
	Parked      int            // sent to <main topic>-parked, because they were redriven too often
	OtherGroups int            // not selected, only because another group or none had failed
	CameBack    int            // seen again in the dead-letter topic meanwhile
	Targets     map[string]int // records that were sent back, by topic
	Last        *Place         // the last letter that was dealt with
}

type redrive struct {
	d           *DLT
	target      Target
	rate        float64
	dryRun      bool
	actor       string
	tier        string
	maxRedrives int
	forceGroup  bool
	unwatched   bool

	task       Task
	partitions map[string]int // by topic, 0 = does not exist
	names      []string       // of all topics, nil until they are needed
	claim      *heldClaim
	trail      *trail
	next       time.Time
}

// Redrive sends the selected letters back in the order of the topic. Key,
// value and foreign headers stay as they are; retry and failure headers are
// removed. Redrive returns what it did even with an error. A second run goes on
// where the first one stopped.
//
// After the first hundred records Redrive waits until each of them has been
// handled or is dead again. It returns ErrTooManyFailures if more than 5 of them
// are dead again, and ErrNotHandled if nothing happens to them. While it runs,
// another redrive or discard of the topic gets ErrBusy.
func (d *DLT) Redrive(ctx context.Context, f Filter, to Target, opts ...Option) (Task, error) {
	r := &redrive{
		d: d, target: to, rate: defaultRate, maxRedrives: defaultMaxRedrives,
		task:       Task{ID: newID(d.c.Clock().Now()), Targets: map[string]int{}},
		partitions: map[string]int{},
	}
	for _, o := range opts {
		o(r)
	}
	err := r.check(ctx)
	if err == nil && r.dryRun {
		err = d.free(ctx, r.task.ID)
	}
	if err != nil {
		return r.task, fmt.Errorf("redrive: %w", err)
	}
	if r.dryRun {
		err = r.all(ctx, f)
	} else {
		err = r.claimed(ctx, f)
	}
	if err != nil {
		return r.task, fmt.Errorf("redrive: %w", err)
	}
	if r.dryRun {
		return r.task, nil
	}
	d.c.Logger().Info("redrive finished", slog.String("topic", d.topic), slog.String("redrive_id", r.task.ID),
		slog.Int("sent", r.task.Sent), slog.Int("parked", r.task.Parked))
	return r.task, nil
}

func (r *redrive) check(ctx context.Context) error {
	switch {
	case r.rate <= 0 || math.IsNaN(r.rate):
		return fmt.Errorf("rate %v is not positive", r.rate)
	case r.target.kind == toGroup && r.target.group == "":
		return errors.New("group is empty")
	case r.target.kind == toTopic && r.target.topic == "":
		return errors.New("topic is empty")
	case r.target.kind == toTopic && r.target.topic == r.d.topic:
		return errors.New("target is the dead-letter topic itself")
	}
	if err := r.mustExist(ctx, r.d.topic); err != nil {
		return err
	}
	if r.target.kind != toGroup || r.forceGroup {
		return nil
	}
	return r.d.CheckGroup(ctx, r.target.group)
}

// claimed redrives while it holds the claim on the topic.
func (r *redrive) claimed(ctx context.Context, f Filter) (err error) {
	if r.claim, err = r.d.claim(ctx, r.task.ID, r.actor); err != nil {
		return err
	}
	defer r.claim.release(ctx)
	if r.trail, err = r.d.openTrail(ctx, r.task.ID); err != nil {
		return err
	}
	defer func() {
		r.task.CameBack, _ = r.trail.deadAgain()
		r.trail.close()
	}()
	return r.all(ctx, f)
}

// all redrives the selected letters. It checks group and limit itself, instead of
// scan, because it counts the letters that only their group excludes.
func (r *redrive) all(ctx context.Context, f Filter) error {
	limit, group := f.Limit, ""
	f.Limit = 0
	if r.target.kind == toGroup && f.Group == "" {
		group = r.target.group
	}
	return r.d.scan(ctx, f, nil, func(l Letter) error {
		switch {
		case group != "" && l.Origin.Group != group:
			r.task.OtherGroups++
			return nil
		case limit > 0 && r.task.Selected == limit:
			return errStop
		}
		return r.one(ctx, l)
	})
}

// one redrives one letter: publish, then note.
func (r *redrive) one(ctx context.Context, l Letter) error {
	action := ActionRedriven
	if l.Redrives >= r.maxRedrives {
		action = ActionParked
	}
	topic, only, err := r.route(ctx, l, action)
	if err != nil {
		return fmt.Errorf("%s: %w", l.Place(), err)
	}
	r.task.Selected++
	if r.dryRun {
		r.published(action, topic)
		return nil
	}
	return r.send(ctx, l, action, topic, only)
}

// published counts a letter that was published, whether or not that could be noted.
func (r *redrive) published(action Action, topic string) {
	if action == ActionParked {
		r.task.Parked++
		return
	}
	r.task.Sent++
	r.task.Targets[topic]++
}

// send waits for the letter's turn, publishes it and notes that.
func (r *redrive) send(ctx context.Context, l Letter, action Action, topic string, only bool) error {
	if r.task.Sent == firstRecords && !r.unwatched && r.target.kind != toTopic {
		if err := r.settle(ctx); err != nil {
			return err
		}
		r.unwatched = true
	}
	if err := r.throttle(ctx); err != nil {
		return err
	}
	if err := r.guard(); err != nil {
		return err
	}
	limited, cancel := r.claim.limit(ctx)
	defer cancel()
	if err := r.publish(limited, l, action, topic, only); err != nil {
		return err
	}
	place := l.Place()
	r.task.Last = &place
	r.published(action, topic)
	return r.d.note(limited, l, State{
		Action: action, Actor: r.actor, At: r.d.c.Clock().Now().UTC(), RedriveID: r.task.ID, Target: topic,
	})
}

func (r *redrive) publish(ctx context.Context, l Letter, action Action, topic string, only bool) error {
	if action == ActionParked {
		if err := r.ensureParked(ctx, topic); err != nil {
			return err
		}
	}
	rec, err := r.record(ctx, l, topic, only)
	if err != nil {
		return err
	}
	if action == ActionRedriven {
		if err := r.follow(ctx, l, topic); err != nil {
			return err
		}
	}
	if err := r.d.produce(ctx, rec); err != nil {
		return fmt.Errorf("send %s to %s: %w", l.Place(), topic, err)
	}
	r.trail.published(l.Place(), rec)
	return nil
}

// follow lets the trail expect the letter, before it is published.
func (r *redrive) follow(ctx context.Context, l Letter, topic string) error {
	group := l.Origin.Group
	if r.target.kind == toGroup {
		group = r.target.group
	}
	chain := []string{topic}
	if r.target.kind != toTopic {
		tiers, err := r.tiers(ctx, l)
		if err != nil {
			return err
		}
		chain = append(chain, tiers...)
	}
	return r.trail.expect(ctx, l.Place(), r.mainTopic(l), group, chain, r.task.Sent < firstRecords)
}

// record is the record that sends the letter back. It goes to the original
// partition if the target has that. Base64 that a Java producer made is undone.
func (r *redrive) record(ctx context.Context, l Letter, topic string, onlyGroup bool) (*kgo.Record, error) {
	n, err := r.count(ctx, topic)
	if err != nil {
		return nil, err
	}
	rec := &kgo.Record{Topic: topic, Partition: -1, Key: l.Key, Value: l.Value, Timestamp: r.d.c.Clock().Now()}
	if int(l.Origin.Partition) < n {
		rec.Partition = l.Origin.Partition
	}
	group := r.target.group
	for _, h := range delivery.RedriveHeaders(l.Record.Headers, r.task.ID, group, onlyGroup) {
		if l.Restored && string(h.Value) == "[B" && strings.HasSuffix(h.Key, "TypeId__") {
			continue
		}
		rec.Headers = append(rec.Headers, h)
	}
	rec.Headers = append(rec.Headers, kgo.RecordHeader{Key: headerLetter, Value: []byte(l.Place().String())})
	return rec, nil
}

// throttle spaces the records by the rate. It goes by real time, whatever the
// client's clock: the load is real.
func (r *redrive) throttle(ctx context.Context) error {
	now := time.Now()
	at := r.next
	if at.Before(now) {
		at = now
	}
	r.next = at.Add(time.Duration(float64(time.Second) / r.rate))
	return r.waitUntil(ctx, at)
}

// waitUntil waits, and keeps the claim meanwhile.
func (r *redrive) waitUntil(ctx context.Context, at time.Time) error {
	for {
		if err := r.claim.keep(ctx); err != nil {
			return err
		}
		wait := min(time.Until(at), claimBeat)
		if wait <= 0 {
			return nil
		}
		due := time.NewTimer(wait)
		select {
		case <-due.C:
		case <-ctx.Done():
			due.Stop()
			return context.Cause(ctx)
		}
	}
}

// guard stops the redrive when too many of the first records are dead again.
func (r *redrive) guard() error {
	if _, first := r.trail.deadAgain(); first > mostDeadAgain {
		return fmt.Errorf("%d of the first %d: %w", first, min(r.task.Sent, firstRecords), ErrTooManyFailures)
	}
	return nil
}

// settle waits until each of the first records has been handled or is dead
// again. If the group of a record is unknown, settle cannot see that the record
// was handled; it waits for such records only as long as something happens.
func (r *redrive) settle(ctx context.Context) error {
	steps, until := 0, time.Now().Add(quietLimit)
	for {
		if err := r.guard(); err != nil {
			return err
		}
		w, err := r.trail.look(ctx)
		if err != nil {
			return err
		}
		if w.followed+w.unfollowed == 0 {
			return r.guard()
		}
		if w.steps != steps {
			steps, until = w.steps, time.Now().Add(quietLimit)
		}
		if waitForDue := time.Now().Add(w.latest.Sub(r.d.c.Clock().Now())).Add(quietLimit); waitForDue.After(until) {
			until = waitForDue
		}
		if time.Now().After(until) {
			if w.followed > 0 {
				return fmt.Errorf("%d of %d, nothing happens to them: %w", w.followed, firstRecords, ErrNotHandled)
			}
			return nil
		}
		if err := r.waitUntil(ctx, time.Now().Add(lookPause)); err != nil {
			return err
		}
	}
}

// newID is unique enough to tell redrives of one topic apart, and sorts by time.
func newID(now time.Time) string { return delivery.NewMessageID(now) }
