package dlt

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/botehq/bote/delivery"
)

// Defaults of a redrive.
const (
	defaultRate        = 100 // records a second
	defaultMaxRedrives = 3
	watched            = 100 // how many of the first records are watched
	maxFailures        = 5   // percent of them that may come back
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
// is no retry topic they go to the main topic, with a header that makes bote's
// listeners of other groups skip them.
func ToGroup(group string) Target { return Target{kind: toGroup, group: group} }

// ToOrigin sends records to the topic they were first read from, for all its
// groups.
func ToOrigin() Target { return Target{kind: toOrigin} }

// ToTopic sends records to any topic.
func ToTopic(topic string) Target { return Target{kind: toTopic, topic: topic} }

// Option changes a redrive.
type Option func(*redrive)

// Rate sets how many records are sent a second. The default is 100.
func Rate(perSecond float64) Option { return func(r *redrive) { r.rate = perSecond } }

// DryRun selects and counts, and sends nothing.
func DryRun() Option { return func(r *redrive) { r.dryRun = true } }

// Actor names who redrives, for the record.
func Actor(name string) Option { return func(r *redrive) { r.actor = name } }

// Tier sets the retry topic for ToGroup, for records that do not name one.
func Tier(topic string) Option { return func(r *redrive) { r.tier = topic } }

// MaxRedrives sets how often a record may be redriven before it goes to
// <main topic>-parked instead. The default is 3.
func MaxRedrives(n int) Option { return func(r *redrive) { r.maxRedrives = n } }

// Task is what a redrive did, or would do.
type Task struct {
	ID       string
	Selected int
	Sent     int
	Parked   int
	CameBack int            // seen again in the dead-letter topic meanwhile
	Targets  map[string]int // records by the topic they went, or would go, to
	Last     *Place         // the last letter that was dealt with
}

type redrive struct {
	d           *DLT
	target      Target
	rate        float64
	dryRun      bool
	actor       string
	tier        string
	maxRedrives int

	task       Task
	partitions map[string]int // by topic, 0 = does not exist
	tail       *kgo.Client
	next       time.Time
}

// Redrive sends the selected letters back in the order of the topic. Key,
// value and foreign headers stay as they are; what steered retries and told
// the failure is taken off. It returns what was done also with an error, and a
// second run goes on where the first one stopped.
func (d *DLT) Redrive(ctx context.Context, f Filter, to Target, opts ...Option) (Task, error) {
	r := &redrive{
		d: d, target: to, rate: defaultRate, maxRedrives: defaultMaxRedrives,
		task:       Task{ID: newID(d.c.Clock().Now()), Targets: map[string]int{}},
		partitions: map[string]int{},
	}
	for _, o := range opts {
		o(r)
	}
	if r.rate <= 0 || math.IsNaN(r.rate) {
		return r.task, fmt.Errorf("redrive: rate %v is not positive", r.rate)
	}
	if err := r.check(); err != nil {
		return r.task, err
	}
	if !r.dryRun {
		if err := r.openTail(ctx); err != nil {
			return r.task, err
		}
		defer r.tail.Close()
	}
	err := d.scan(ctx, f, nil, func(l Letter) error { return r.one(ctx, l) })
	if err != nil {
		return r.task, fmt.Errorf("redrive: %w", err)
	}
	d.c.Logger().Info("redrive finished", slog.String("topic", d.topic), slog.String("redrive_id", r.task.ID),
		slog.Int("sent", r.task.Sent), slog.Int("parked", r.task.Parked))
	return r.task, nil
}

func (r *redrive) check() error {
	switch {
	case r.target.kind == toGroup && r.target.group == "":
		return errors.New("redrive: group is empty")
	case r.target.kind == toTopic && r.target.topic == "":
		return errors.New("redrive: topic is empty")
	case r.target.kind == toTopic && r.target.topic == r.d.topic:
		return errors.New("redrive: target is the dead-letter topic itself")
	}
	return nil
}

// one redrives one letter: publish, then note.
func (r *redrive) one(ctx context.Context, l Letter) error {
	topic, only, err := r.destination(ctx, l)
	if err != nil {
		return fmt.Errorf("%s: %w", l.Place(), err)
	}
	action := ActionRedriven
	if l.Redrives >= r.maxRedrives {
		topic, only, action = r.mainTopic(l)+parkedSuffix, false, ActionParked
	}
	r.task.Selected++
	r.task.Targets[topic]++
	if r.dryRun {
		return nil
	}
	if err := r.throttle(ctx); err != nil {
		return err
	}
	if err := r.comeback(); err != nil {
		return err
	}
	if action == ActionParked {
		if err := r.ensureParked(ctx, topic); err != nil {
			return err
		}
	}
	rec, err := r.record(ctx, l, topic, only)
	if err != nil {
		return err
	}
	if err := r.d.c.Kgo().ProduceSync(ctx, rec).FirstErr(); err != nil {
		return fmt.Errorf("send %s to %s: %w", l.Place(), topic, err)
	}
	place := l.Place()
	err = r.d.note(ctx, place, State{
		Action: action, Actor: r.actor, At: r.d.c.Clock().Now().UTC(), RedriveID: r.task.ID, Target: topic,
	})
	if err != nil {
		return err
	}
	r.task.Last = &place
	if action == ActionParked {
		r.task.Parked++
	} else {
		r.task.Sent++
	}
	return nil
}

// record is the letter on its way back: the original partition if the target
// has it, and base64 that a Java writer made undone.
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
	return rec, nil
}

// destination is where a letter goes; only asks for the header that makes
// other groups skip it.
func (r *redrive) destination(ctx context.Context, l Letter) (topic string, only bool, err error) {
	switch r.target.kind {
	case toTopic:
		return r.target.topic, false, r.mustExist(ctx, r.target.topic)
	case toOrigin:
		main := r.mainTopic(l)
		return main, false, r.mustExist(ctx, main)
	case toGroup:
	}
	for _, tier := range []string{r.tier, delivery.Headers(l.Record.Headers).Text(delivery.HeaderFirstTier)} {
		if tier == "" {
			continue
		}
		if err := r.mustExist(ctx, tier); err != nil {
			return "", false, err
		}
		return tier, false, nil
	}
	main := r.mainTopic(l)
	if tier, err := r.smallestTier(ctx, main); tier != "" || err != nil {
		return tier, false, err
	}
	return main, true, r.mustExist(ctx, main)
}

// mainTopic is where the letter was first read. Without origin headers that is
// the dead-letter topic's name without its suffix.
func (r *redrive) mainTopic(l Letter) string {
	if l.Origin.Topic != r.d.topic {
		return l.Origin.Topic
	}
	for _, s := range Suffixes() {
		if main, ok := strings.CutSuffix(r.d.topic, s); ok && main != "" {
			return main
		}
	}
	return ""
}

func (r *redrive) mustExist(ctx context.Context, topic string) error {
	if topic == "" {
		return ErrNoTarget
	}
	n, err := r.count(ctx, topic)
	if err == nil && n == 0 {
		err = &delivery.TopicError{Topic: topic, Err: delivery.ErrTopicMissing}
	}
	return err
}

// count is the number of partitions of a topic, 0 if it does not exist.
func (r *redrive) count(ctx context.Context, topic string) (int, error) {
	if n, ok := r.partitions[topic]; ok {
		return n, nil
	}
	topics, err := r.d.c.Partitions(ctx, topic)
	if err != nil {
		return 0, fmt.Errorf("look for topic %s: %w", topic, err)
	}
	r.partitions[topic] = topics[topic]
	return topics[topic], nil
}

// smallestTier is the retry topic of main with the smallest delay, by its
// name; "" if there is none.
func (r *redrive) smallestTier(ctx context.Context, main string) (string, error) {
	topics, err := r.d.c.Partitions(ctx)
	if err != nil {
		return "", fmt.Errorf("list topics: %w", err)
	}
	return smallestTier(main, slices.Sorted(maps.Keys(topics))), nil
}

func smallestTier(main string, topics []string) string {
	best, bestDelay := "", int64(math.MaxInt64)
	for _, t := range topics {
		tail, ok := strings.CutPrefix(t, main+"-retry")
		if !ok {
			continue
		}
		delay := int64(0)
		if tail != "" {
			first, _, _ := strings.Cut(strings.TrimPrefix(tail, "-"), "-")
			n, err := strconv.ParseInt(first, 10, 64)
			if err != nil || !strings.HasPrefix(tail, "-") {
				continue
			}
			delay = n
		}
		if delay < bestDelay {
			best, bestDelay = t, delay
		}
	}
	return best
}

// throttle spaces the records by the rate. It goes by real time, whatever the
// client's clock: the load is real.
func (r *redrive) throttle(ctx context.Context) error {
	now := time.Now()
	wait := r.next.Sub(now)
	r.next = now.Add(max(wait, 0)).Add(time.Duration(float64(time.Second) / r.rate))
	if wait <= 0 {
		return nil
	}
	due := time.NewTimer(wait)
	defer due.Stop()
	select {
	case <-due.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// openTail watches the dead-letter topic from its end on.
func (r *redrive) openTail(ctx context.Context) error {
	ranges, err := r.d.ranges(ctx, r.d.topic)
	if err != nil {
		return err
	}
	offsets := map[int32]kgo.Offset{}
	for _, rg := range ranges {
		offsets[rg.partition] = kgo.NewOffset().At(rg.to)
	}
	r.tail, err = r.d.c.NewKgo(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{r.d.topic: offsets}))
	if err != nil {
		return fmt.Errorf("watch %s: %w", r.d.topic, err)
	}
	return nil
}

// comeback counts redriven records that failed again, and stops the redrive
// when there are too many among the first.
func (r *redrive) comeback() error {
	gone, cancel := context.WithCancel(context.Background())
	cancel() // only what is there already.
	for _, rec := range r.tail.PollFetches(gone).Records() {
		if delivery.Headers(rec.Headers).Text(delivery.HeaderRedriveID) == r.task.ID {
			r.task.CameBack++
		}
	}
	if r.task.CameBack > watched*maxFailures/100 && r.task.Sent <= 2*watched {
		return fmt.Errorf("%d of %d: %w", r.task.CameBack, r.task.Sent, ErrTooManyFailures)
	}
	return nil
}

// ensureParked creates the topic for records that were redriven too often, as
// large as the dead-letter topic and without an end of retention.
func (r *redrive) ensureParked(ctx context.Context, topic string) error {
	if n, err := r.count(ctx, topic); err != nil || n > 0 {
		return err
	}
	n, err := r.count(ctx, r.d.topic)
	if err != nil {
		return err
	}
	forever := "-1"
	_, err = r.d.adm.CreateTopic(ctx, int32(max(n, 1)), -1, map[string]*string{"retention.ms": &forever}, topic)
	if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
		return fmt.Errorf("create %s: %w", topic, err)
	}
	r.partitions[topic] = max(n, 1)
	return nil
}

// newID is unique enough to tell redrives of one topic apart, and sorts by time.
func newID(now time.Time) string { return delivery.NewMessageID(now) }
