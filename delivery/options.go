package delivery

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Option changes a Listener. Of options that exclude each other, such as
// CommitEach and CommitBatch, the last one counts: what many listeners share
// may stand first.
type Option func(*config)

// Handler handles undecoded messages. It is what middleware wraps, and what a
// dead-letter handler is.
type Handler = func(ctx context.Context, m *Message[[]byte]) error

// Middleware wraps the handler of each delivery. The value is not decoded yet;
// decoding happens in the innermost handler, so next returns a DecodeError.
type Middleware func(next Handler) Handler

// config is what the options of a listener say. newConfig fills in defaults
// before it applies options, so zero is a legal choice.
type config struct {
	unordered   bool
	concurrency int
	commit      commitPolicy

	blocking    retryPlan
	blockingSet bool
	blockingIf  func(error) bool
	tiers       *retryPlan
	retryIf     func(error) bool

	deadLetter     *deadLetterPlan
	exhausted      ExhaustedAction
	onExhausted    func(context.Context, *Message[[]byte], error) error
	recoveryFailed ExhaustedAction
	family         Family

	dltHandler Handler
	dltFailure dltFailure

	springLayout bool
	autoCreate   bool
	aliases      []string
	queueRecords int
	queueBytes   int
	bufferBytes  int
	gapLimit     int

	handlerTimeout time.Duration
	stuckAfter     time.Duration
	expireAfter    time.Duration
	revokeWait     time.Duration
	drainTimeout   time.Duration
	killGrace      time.Duration
	idleAfter      time.Duration

	start      Position
	instanceID string

	sessionTimeout time.Duration
	requireTopics  bool
	haltOnAuth     bool
	logKeys        bool
	filter         func(*Message[[]byte]) bool
	middleware     []Middleware
	events         func(Event)
	kgoOpts        []kgo.Opt

	sessionSet bool // a SessionTimeout was given, if only of 0

	problems []string
}

// rebalanceTimeout is what members get to finish before a rebalance.
const rebalanceTimeout = time.Minute

func newConfig(opts []Option) *config {
	c := &config{
		concurrency:  64,
		commit:       commitPolicy{kind: commitEvery, interval: time.Second, count: 1000},
		blocking:     defaultBlocking(),
		deadLetter:   &deadLetterPlan{suffix: "-dlt"},
		autoCreate:   true,
		queueRecords: 5000,
		queueBytes:   16 << 20,
		bufferBytes:  16 << 20,
		gapLimit:     10_000,
		stuckAfter:   time.Minute,
		revokeWait:   min(20*time.Second, rebalanceTimeout/2),
		drainTimeout: 30 * time.Second,
		killGrace:    5 * time.Second,
		start:        Earliest(),
		events:       func(Event) {},
	}
	for i, o := range opts {
		if o == nil {
			c.problem("option %d is nil", i+1)
			continue
		}
		o(c)
	}
	return c.finish()
}

func (c *config) problem(format string, args ...any) {
	c.problems = append(c.problems, fmt.Sprintf(format, args...))
}

// needs notes a function that is nil.
func (c *config) needs(option string, isNil bool) {
	if isNil {
		c.problem("%s needs a function", option)
	}
}

// ByPartition hands out the records of a partition one after the other, in
// order. It is the default. Partitions run side by side.
func ByPartition() Option { return func(c *config) { c.unordered = false } }

// Unordered hands out records of one partition side by side, up to
// Concurrency of them.
func Unordered() Option { return func(c *config) { c.unordered = true } }

// Concurrency sets how many handlers of the listener run at once: those of all
// partitions of the main topic, of retry topics, and dead-letter handlers. It
// is a limit, not a number of consumers as in Spring: partitions run side by
// side without it, and records of one partition only with Unordered. The
// default is 64.
func Concurrency(n int) Option { return func(c *config) { c.concurrency = n } }

// BlockingRetry sets the deliveries in place, with the partition waiting. The
// default without retry topics is 10 attempts, 100 ms doubling up to 5 s; with
// retry topics it is 1.
func BlockingRetry(opts ...RetryOption) Option {
	return func(c *config) {
		p := defaultBlocking()
		c.applyRetry("BlockingRetry", &p, opts)
		c.blocking = p
		c.blockingSet = true
	}
}

func (c *config) applyRetry(name string, p *retryPlan, opts []RetryOption) {
	for i, o := range opts {
		if o == nil {
			c.problem("%s: option %d is nil", name, i+1)
			continue
		}
		o.applyRetry(p)
	}
}

// BlockingIf limits deliveries in place to errors for which match is true.
func BlockingIf(match func(error) bool) Option { return func(c *config) { c.blockingIf = match } }

// RetryTopics retries through topics: a failed record moves on and the
// partition does not wait. The default is 3 attempts, 1 s apart.
func RetryTopics(opts ...RetryOption) Option {
	return func(c *config) {
		p := defaultTiers()
		c.applyRetry("RetryTopics", &p, opts)
		c.tiers = &p
	}
}

// RetryIf limits retries of both kinds to errors for which match is true; other
// errors are permanent. It is not asked about panics, timeouts and errors with
// a mark (RetryAfter, Permanent, Drop, Halt): panics and timeouts are always
// retried.
func RetryIf(match func(error) bool) Option { return func(c *config) { c.retryIf = match } }

// CommitEach commits after each record.
func CommitEach() Option {
	return func(c *config) { c.commit = commitPolicy{kind: commitEach} }
}

// CommitBatch commits when all records of a poll are done.
func CommitBatch() Option {
	return func(c *config) { c.commit = commitPolicy{kind: commitBatch} }
}

// CommitEvery commits when d has passed or n records are done, whichever is
// first. It is the default, with 1 s and 1000.
func CommitEvery(d time.Duration, n int) Option {
	return func(c *config) { c.commit = commitPolicy{kind: commitEvery, interval: d, count: n} }
}

// CommitManual makes a record done when the handler calls Ack, in any order.
// Commits happen as with CommitEvery.
func CommitManual() Option {
	return func(c *config) {
		c.commit = commitPolicy{kind: commitManual, interval: time.Second, count: 1000}
	}
}

// CommitNow is CommitManual with an Ack that waits for its commit.
func CommitNow() Option {
	return func(c *config) {
		c.commit = commitPolicy{kind: commitNow, interval: time.Second, count: 1000}
	}
}

// OnExhausted says what becomes of a record whose attempts are used up. The
// default is DeadLetterAction.
func OnExhausted(a ExhaustedAction) Option {
	return func(c *config) {
		c.exhausted = a
		if a == LogAndSkip {
			c.dltHandler = nil
		}
	}
}

// OnExhaustedFunc calls f for a record whose attempts are used up. The record
// is done when f returns nil, else f is called again with a back-off.
func OnExhaustedFunc(f func(ctx context.Context, m *Message[[]byte], err error) error) Option {
	return func(c *config) { c.exhausted, c.onExhausted = customAction, f }
}

// NoDLT logs and skips a record whose attempts are used up; there is no
// dead-letter topic.
func NoDLT() Option { return OnExhausted(LogAndSkip) }

// OnRecoveryFailure says what becomes of a record that no dead-letter topic
// takes because it is too large. By default its partition waits, and an ERROR
// is logged every 30 s.
func OnRecoveryFailure(a ExhaustedAction) Option { return func(c *config) { c.recoveryFailed = a } }

// HeaderFamily chooses the origin and failure headers that are written.
func HeaderFamily(f Family) Option { return func(c *config) { c.family = f } }

// SpringLayout gives each retry tier a group of its own, named as Spring names
// it, so that Java and Go members of one service can share the work.
func SpringLayout() Option { return func(c *config) { c.springLayout = true } }

// AutoCreate says whether missing retry and dead-letter topics are created.
// The default is true.
func AutoCreate(on bool) Option { return func(c *config) { c.autoCreate = on } }

// GroupAliases names groups this listener had before: records of theirs on
// retry and dead-letter topics, and records redriven to them, are handled
// instead of being skipped as foreign.
func GroupAliases(old ...string) Option {
	return func(c *config) { c.aliases = append(c.aliases, old...) }
}

// QueueLimit sets how many records and bytes of one partition are held before
// no more are fetched. The answer to one fetch, by default 128 KiB for a
// partition, may exceed it. The default is 5000 records and 16 MiB.
func QueueLimit(records, bytes int) Option {
	return func(c *config) { c.queueRecords, c.queueBytes = records, bytes }
}

// BufferLimit sets how many bytes of records each group of the listener holds,
// all its partitions together; each partition gets an equal share. The memory
// of the records counts, not their size on the wire. The default is 16 MiB.
func BufferLimit(bytes int) Option { return func(c *config) { c.bufferBytes = bytes } }

// GapLimit sets how many records may be done behind one that is not before
// the partition waits for it. The default is 10000.
func GapLimit(records int) Option { return func(c *config) { c.gapLimit = records } }

// HandlerTimeout cancels the handler's context after d, with the cause
// ErrHandlerTimeout. The partition still waits for the handler to return. The
// default is no timeout.
func HandlerTimeout(d time.Duration) Option { return func(c *config) { c.handlerTimeout = d } }

// StuckAfter sets when a running handler is reported as stuck. The default is
// one minute; the report is repeated every 30 s.
func StuckAfter(d time.Duration) Option { return func(c *config) { c.stuckAfter = d } }

// ExpireAfter dead-letters a record older than d instead of handling it. The
// age is measured from the record's first timestamp. The default is never.
func ExpireAfter(d time.Duration) Option { return func(c *config) { c.expireAfter = d } }

// RevokeWait sets how long running handlers get when their partition moves to
// another member. The default is 20 s.
func RevokeWait(d time.Duration) Option { return func(c *config) { c.revokeWait = d } }

// DrainTimeout sets how long running handlers get when the listener stops,
// before their context is cancelled. The default is 30 s.
func DrainTimeout(d time.Duration) Option { return func(c *config) { c.drainTimeout = d } }

// KillGrace sets how long handlers get after their context was cancelled. The
// default is 5 s.
func KillGrace(d time.Duration) Option { return func(c *config) { c.killGrace = d } }

// IdleAfter emits an idle event when no record came for d, and five times as
// long before the first record. The default is never.
func IdleAfter(d time.Duration) Option { return func(c *config) { c.idleAfter = d } }

// StartAt sets where a partition without a commit starts. The default is
// Earliest. Retry and dead-letter topics always start at the earliest record.
func StartAt(p Position) Option { return func(c *config) { c.start = p } }

// SessionTimeout sets how long the group waits for the heartbeats of a member
// that vanished, as after kill -9, before it gives the member's partitions to
// others. Until then they stand still. The default is 45 s, as in Java; the
// broker refuses what lies outside its group.min.session.timeout.ms and
// group.max.session.timeout.ms. Heartbeats are sent 15 times as often.
func SessionTimeout(d time.Duration) Option {
	return func(c *config) { c.sessionTimeout, c.sessionSet = d, true }
}

// InstanceID makes the listener a static member of its group.
func InstanceID(id string) Option { return func(c *config) { c.instanceID = id } }

// RequireTopics makes Run fail when the main topic is missing, instead of
// waiting for it.
func RequireTopics() Option { return func(c *config) { c.requireTopics = true } }

// HaltOnAuth stops the listener when the cluster refuses it, instead of trying
// again.
func HaltOnAuth() Option { return func(c *config) { c.haltOnAuth = true } }

// LogKeys puts record keys in logs. The default is a hash of them.
func LogKeys() Option { return func(c *config) { c.logKeys = true } }

// Filter handles only records for which keep is true. The others are done at
// once, and are not decoded.
func Filter(keep func(*Message[[]byte]) bool) Option { return func(c *config) { c.filter = keep } }

// Use adds middleware around each delivery, the first one outermost.
func Use(m ...Middleware) Option {
	return func(c *config) {
		c.needs("Use", slices.ContainsFunc(m, func(m Middleware) bool { return m == nil }))
		c.middleware = append(c.middleware, m...)
	}
}

// OnEvent calls f for each event, one after the other in the order they
// happen, in a goroutine of its own: f may call any method of the listener.
// Events that f is too slow for wait; beyond some thousands they are dropped,
// and a warning is logged.
func OnEvent(f func(Event)) Option {
	return func(c *config) {
		c.needs("OnEvent", f == nil)
		c.events = f
	}
}

// Kgo adds options to the franz-go clients of this listener. Listen refuses
// options that the library sets itself, such as groups, topics, offsets,
// callbacks and commits.
func Kgo(opts ...kgo.Opt) Option {
	return func(c *config) { c.kgoOpts = append(c.kgoOpts, opts...) }
}

// DeadLetter changes the dead-letter topics of a listener. It ends an earlier
// NoDLT or OnExhausted(LogAndSkip).
func DeadLetter(opts ...DeadLetterOption) Option {
	return func(c *config) {
		c.wantDeadLetters()
		for i, o := range opts {
			if o == nil {
				c.problem("DeadLetter: option %d is nil", i+1)
				continue
			}
			o.applyDeadLetter(c.deadLetter)
		}
	}
}

func (c *config) wantDeadLetters() {
	if c.exhausted == LogAndSkip {
		c.exhausted = DeadLetterAction
	}
}

// DeadLetterOption changes the dead-letter topics of a listener.
type DeadLetterOption interface{ applyDeadLetter(*deadLetterPlan) }

type deadLetterOptionFunc func(*deadLetterPlan)

func (f deadLetterOptionFunc) applyDeadLetter(p *deadLetterPlan) { f(p) }

// deadLetterPlan names the dead-letter topics of a chain.
type deadLetterPlan struct {
	suffix string
	topic  string // overrides main + suffix
	routes []deadLetterRoute
}

type deadLetterRoute struct {
	suffix string
	match  func(error) bool
}

// SuffixOption is a suffix for retry topics or for the dead-letter topic.
type SuffixOption string

// Suffix sets what is put behind the main topic's name: in RetryTopics
// instead of "-retry", in DeadLetter instead of "-dlt".
func Suffix(s string) SuffixOption { return SuffixOption(s) }

func (s SuffixOption) applyRetry(p *retryPlan)           { p.suffix = string(s) }
func (s SuffixOption) applyDeadLetter(p *deadLetterPlan) { p.suffix = string(s) }

// DeadLetterTopic sets the whole name of the general dead-letter topic.
func DeadLetterTopic(name string) DeadLetterOption {
	return deadLetterOptionFunc(func(p *deadLetterPlan) { p.topic = name })
}

// DeadLetterIf sends records that failed with a matching error to the topic
// <main><suffix><dead-letter suffix>. The first match counts.
func DeadLetterIf(suffix string, match func(error) bool) DeadLetterOption {
	return deadLetterOptionFunc(func(p *deadLetterPlan) {
		p.routes = append(p.routes, deadLetterRoute{suffix: suffix, match: match})
	})
}

// dltFailure is what happens when a dead-letter handler fails.
type dltFailure int

const (
	dltRetry dltFailure = iota
	dltRequeue
	dltSkip
)

// DeadLetterHandlerOption changes a dead-letter handler.
type DeadLetterHandlerOption func(*config)

// DLTRequeue puts a dead letter whose handler failed at the end of its topic,
// as Spring does by default, but after a wait that grows with each time: 1 s
// doubling up to a minute.
func DLTRequeue() DeadLetterHandlerOption { return func(c *config) { c.dltFailure = dltRequeue } }

// DLTSkip logs a dead letter whose handler failed and goes on.
func DLTSkip() DeadLetterHandlerOption { return func(c *config) { c.dltFailure = dltSkip } }

// DeadLetterHandler consumes the dead-letter topics with h. While h fails, the
// record is delivered again, for ever: first after 1 s, then after twice as long
// each time, up to 5 min. DeadLetterHandler ends an earlier NoDLT or
// OnExhausted(LogAndSkip).
func DeadLetterHandler(h Handler, opts ...DeadLetterHandlerOption) Option {
	return func(c *config) {
		c.wantDeadLetters()
		c.needs("DeadLetterHandler", h == nil)
		c.dltHandler = h
		for i, o := range opts {
			if o == nil {
				c.problem("DeadLetterHandler: option %d is nil", i+1)
				continue
			}
			o(c)
		}
	}
}

// finish settles what depends on several options, and collects problems.
func (c *config) finish() *config {
	if c.tiers != nil && !c.blockingSet {
		c.blocking.attempts = 1
	}
	if c.family == FamilyAuto {
		c.family = FamilyDeadLetter
		if c.tiers != nil {
			c.family = FamilyRetry
		}
	}
	c.contradictions()
	if c.exhausted == LogAndSkip {
		c.deadLetter = nil
	}
	c.validate()
	return c
}

// contradictions refuses options that have no effect where they stand.
func (c *config) contradictions() {
	if b := c.blocking; b.suffix != "" || b.byIndex || b.multiple || len(b.drain) > 0 {
		c.problem("blocking retry: Suffix, NameByIndex, MultipleTopics and AlsoDrain are for RetryTopics only")
	}
	if c.sessionSet && c.sessionTimeout == 0 {
		c.problem("session timeout must be positive")
	}
	if at := c.start.startProblem(); at != "" {
		c.problem("%s", at)
	}
	for _, r := range c.deadLetter.routes {
		c.needs("DeadLetterIf", r.match == nil)
	}
}

// noSuffix tells that the dead-letter topic would have the main topic's name.
func (c *config) noSuffix() bool {
	return c.deadLetter != nil && c.deadLetter.suffix == "" && c.deadLetter.topic == ""
}

func (c *config) validate() {
	check := func(ok bool, problem string) {
		if !ok {
			c.problems = append(c.problems, problem)
		}
	}
	check(!c.noSuffix(), "dead-letter suffix must not be empty")
	check(c.concurrency >= 1, "concurrency must be at least 1")
	check(c.queueRecords >= 1 && c.queueBytes >= 1, "queue limit must be at least 1 record and 1 byte")
	check(c.bufferBytes >= 1, "buffer limit must be at least 1 byte")
	check(c.gapLimit >= 1, "gap limit must be at least 1")
	check(c.commit.valid(), "CommitEvery needs a positive interval and count")
	for _, e := range []struct {
		name string
		d    time.Duration
	}{
		{"handler timeout", c.handlerTimeout},
		{"stuck after", c.stuckAfter},
		{"expire after", c.expireAfter},
		{"revoke wait", c.revokeWait},
		{"drain timeout", c.drainTimeout},
		{"kill grace", c.killGrace},
		{"idle after", c.idleAfter},
		{"session timeout", c.sessionTimeout},
	} {
		check(e.d >= 0, e.name+" must not be negative")
	}
	c.problems = append(c.problems, refusedOpts("Kgo", c.kgoOpts, slices.Concat(ownedByClient, ownedByListener)...)...)
	check(c.revokeWait < rebalanceTimeout, fmt.Sprintf("revoke wait must be below the rebalance timeout of %s", rebalanceTimeout))
	check(c.exhausted != customAction || c.onExhausted != nil, "OnExhaustedFunc needs a function")
	c.problems = append(c.problems, c.blocking.problems("blocking retry")...)
	if c.tiers != nil {
		c.problems = append(c.problems, c.tiers.problems("retry topics")...)
		check(c.tiers.suffix != "", "retry suffix must not be empty")
	}
}

// wrap puts the middleware around the handler, the first one outermost.
func (c *config) wrap(h Handler) Handler {
	for _, m := range slices.Backward(c.middleware) {
		h = m(h)
	}
	return h
}
