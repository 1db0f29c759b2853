package delivery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
)

// Listener consumes one main topic in a group, together with the retry and
// dead-letter topics of its chain.
//
// Run may be called once. All other methods may be called at any time, from
// any goroutine.
type Listener struct {
	client  *Client
	cfg     *config
	chain   *chain
	group   string
	handler Handler                            // decodes and calls the user's handler, in middleware
	direct  func(context.Context, *task) error // the same in one step, nil if there is middleware
	log     *slog.Logger
	gate    *logGate
	health  *health
	events  *events
	watch   *watch
	pauses  *pauses
	slots   chan struct{} // one per handler that may run

	started    atomic.Bool
	sayRunning sync.Once
	stopping   chan struct{} // closed to stop the listener
	stopOnce   sync.Once
	skip       atomic.Bool   // StopNow: no drain
	ended      chan struct{} // closed when Run is over
	runErr     error         // set before ended is closed
	halted     atomic.Pointer[HaltError]
	stuckNow   atomic.Int64 // handlers reported as stuck

	mu        sync.Mutex
	consumers []*consumer
}

// TP names a partition.
type TP struct {
	Topic     string
	Partition int32
}

func (tp TP) String() string { return fmt.Sprintf("%s-%d", tp.Topic, tp.Partition) }

// Listen makes a listener of topic in group. Wrong options are a ConfigError.
// Listen does not contact the cluster; Run does.
func Listen[T any](
	c *Client, topic Topic[T], group string,
	handler func(ctx context.Context, m *Message[T]) error, opts ...Option,
) (*Listener, error) {
	if handler == nil {
		return nil, &ConfigError{Problems: []string{"handler is nil"}}
	}
	inner := func(ctx context.Context, m *Message[[]byte]) error {
		var v T
		if m.delivery.rec.Value != nil {
			var err error
			if v, err = topic.codec.Decode(m.Value, m.Headers); err != nil {
				return &DecodeError{Err: err}
			}
		}
		return handler(ctx, withValue(m, v))
	}
	l, err := newListener(c, topic.name, group, inner, newConfig(opts))
	if err == nil && len(l.cfg.middleware) == 0 {
		l.direct = func(ctx context.Context, t *task) error {
			m := newTyped[T](t)
			if r := t.it.rec; r.Value != nil {
				var err error
				if m.Value, err = topic.codec.Decode(r.Value, r.Headers); err != nil {
					return &DecodeError{Err: err}
				}
			}
			return handler(ctx, m)
		}
	}
	return l, err
}

func newListener(c *Client, topic, group string, handler Handler, cfg *config) (*Listener, error) {
	problems := cfg.problems
	if group == "" {
		problems = append(problems, "group is empty")
	}
	ch, err := newChain(topic, cfg.tiers, cfg.deadLetter)
	if err != nil && !cfg.noSuffix() { // else that is the problem
		problems = append(problems, err.Error())
	}
	if len(problems) > 0 {
		return nil, &ConfigError{Problems: problems}
	}
	l := &Listener{
		client:   c,
		cfg:      cfg,
		chain:    ch,
		group:    group,
		handler:  cfg.wrap(handler),
		log:      c.log.With(slog.String("group", group)),
		gate:     newLogGate(c.clock),
		pauses:   newPauses(),
		slots:    make(chan struct{}, max(cfg.concurrency, 1)),
		stopping: make(chan struct{}),
		ended:    make(chan struct{}),
	}
	l.watch = &watch{l: l}
	l.events = &events{f: cfg.events, log: l.log, gate: l.gate}
	l.health = newHealth(c.clock, l.emit)
	l.guardPredicates()
	return l, nil
}

// guardPredicates wraps the user's functions that judge errors, so that a panic
// in one does not end the process. The answer is then true for RetryIf, and false
// for BlockingIf and DeadLetterIf.
func (l *Listener) guardPredicates() {
	wrap := func(what string, match func(error) bool, fallback bool) func(error) bool {
		if match == nil {
			return nil
		}
		return func(err error) bool { return l.ask(what, match, err, fallback) }
	}
	l.cfg.retryIf = wrap("RetryIf", l.cfg.retryIf, true)
	l.cfg.blockingIf = wrap("BlockingIf", l.cfg.blockingIf, false)
	for i, r := range l.chain.routes {
		l.chain.routes[i].match = wrap("DeadLetterIf", r.match, false)
	}
}

// Group is the listener's group.
func (l *Listener) Group() string { return l.group }

// Topic is the listener's main topic.
func (l *Listener) Topic() string { return l.chain.main }

// RetryTopics are the retry topics the listener consumes, in order.
func (l *Listener) RetryTopics() []string { return l.chain.retryTopics() }

// DeadLetterTopics are the topics the listener dead-letters to, the general
// one first.
func (l *Listener) DeadLetterTopics() []string { return l.chain.deadLetterTopics() }

// Run consumes until ctx ends or Stop is called, drains, and returns nil. It
// returns a TopicError if a topic of the chain is missing or unfit, a HaltError
// after Halt, and a HungError if handlers never returned.
func (l *Listener) Run(ctx context.Context) error {
	if !l.started.CompareAndSwap(false, true) {
		return ErrStarted
	}
	err := l.run(ctx)
	l.health.end()
	l.runErr = err
	close(l.ended)
	l.events.flush()
	return err
}

func (l *Listener) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { // ends with Run.
		select {
		case <-l.stopping:
			cancel()
		case <-ctx.Done():
		}
	}()
	if err := l.provision(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	if err := l.open(ctx); err != nil {
		return err
	}
	<-ctx.Done()
	err := l.shutdown(context.WithoutCancel(ctx))
	if h := l.halted.Load(); h != nil {
		return errors.Join(h, err)
	}
	return err
}

// open starts the consumers: one for the main topic, one for all tiers or one
// for each, one for each dead-letter group.
func (l *Listener) open(ctx context.Context) error {
	for _, p := range l.Memberships() {
		c, err := newConsumer(l, p)
		if err != nil {
			return errors.Join(err, l.shutdown(context.WithoutCancel(ctx)))
		}
		l.mu.Lock()
		l.consumers = append(l.consumers, c)
		l.mu.Unlock()
		c.start(context.WithoutCancel(ctx))
	}
	return nil
}

// Membership is one group a listener is a member of.
type Membership struct {
	Role   Role
	Group  string
	Topics []string
}

// Role is what a topic is in the chain of a listener.
type Role string

// The roles.
const (
	RoleMain       Role = "main"
	RoleRetry      Role = "retry"
	RoleDeadLetter Role = "dead-letter"
)

// Memberships are the groups the listener joins, and what it reads in each:
// the main topic, the tiers together or one by one, and the dead-letter topics
// if there is a handler for them.
func (l *Listener) Memberships() []Membership {
	plans := []Membership{{Role: RoleMain, Group: l.group, Topics: []string{l.chain.main}}}
	suffixGroup := func(topic string) string { return l.group + topic[len(l.chain.main):] }
	tiers := l.chain.retryTopics()
	switch {
	case len(tiers) == 0:
	case l.cfg.springLayout:
		for _, t := range tiers {
			plans = append(plans, Membership{Role: RoleRetry, Group: suffixGroup(t), Topics: []string{t}})
		}
	default:
		plans = append(plans, Membership{Role: RoleRetry, Group: l.group + "-retry", Topics: tiers})
	}
	if l.cfg.dltHandler == nil || l.cfg.deadLetter == nil {
		return plans
	}
	dlts := l.chain.deadLetterTopics()
	if !l.cfg.springLayout {
		return append(plans, Membership{Role: RoleDeadLetter, Group: l.group + "-dlt", Topics: dlts})
	}
	for i, t := range dlts {
		suffix := l.cfg.deadLetter.suffix
		if i > 0 {
			suffix = l.cfg.deadLetter.routes[i-1].suffix + suffix
		}
		plans = append(plans, Membership{Role: RoleDeadLetter, Group: l.group + suffix, Topics: []string{t}})
	}
	return plans
}

// emit hands an event to the user's event function, without waiting for it.
func (l *Listener) emit(e Event) {
	e.Group = l.group
	l.events.add(e)
}

// PendingEvents is how many events the function of OnEvent has not finished.
// Package deliverytest waits until there are none.
func (l *Listener) PendingEvents() int { return l.events.pending() }

// ours tells whether, by the given header, a record belongs to this listener's
// group. A record without the header belongs to all groups.
func (l *Listener) ours(h Headers, header string) bool {
	g, ok := h.Get(header)
	return !ok || string(g) == l.group || slices.Contains(l.cfg.aliases, string(g))
}

// halt stops the listener because of err. at says where it happened, and is
// the event that is emitted.
func (l *Listener) halt(at Event, err error) {
	h := &HaltError{Err: err}
	if !l.halted.CompareAndSwap(nil, h) {
		return
	}
	l.health.halt(err.Error())
	var attrs []any
	if at.Topic != "" {
		attrs = append(attrs, slog.String("topic", at.Topic), slog.Int("partition", int(at.Partition)), slog.Int64("offset", at.Offset))
	}
	l.log.Error("listener halted", append(attrs, slog.Any("err", err))...)
	at.Kind, at.Err = EventHalted, err
	l.emit(at)
	l.requestStop()
}

func (l *Listener) requestStop() { l.stopOnce.Do(func() { close(l.stopping) }) }

// current is the list of running consumers.
func (l *Listener) current() []*consumer {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.consumers)
}

func (l *Listener) count(m Metric, topic, value string) {
	l.client.metrics.Count(m, Tags{Group: l.group, Topic: topic, Value: value}, 1)
}
