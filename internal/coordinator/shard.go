package coordinator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/botehq/bote/internal/record"
)

// Shard is the handle that a machine has on its partition. Its exported methods
// are for the shard's goroutine: for code that the runtime calls.
type Shard struct {
	partition int32
	cfg       *Config
	newState  func(*Shard) Machine
	metrics   *metrics
	slots     chan struct{}
	running   *sync.WaitGroup
	wake      chan struct{} // one slot: something was queued
	again     chan struct{} // one slot: the partition began another life

	mu     sync.Mutex
	state  state
	reason error // why operations are refused, in failed
	closed bool
	blank  bool               // in idle: the partition is known to be empty
	stale  bool               // the partition began another life since it was loaded, or began to be
	cancel context.CancelFunc // ends the goroutine
	items  []item
	acks   []ack

	// The rest is the goroutine's.
	log     Log
	machine Machine
	serving bool // the machine has been told that it is loaded
	timers  timers
	pending []*pending // appended, in order, the first not durable yet
	broken  error      // the state is ahead of a log that will not follow
}

// pending is an append that is not durable yet, and who waits for it.
type pending struct {
	durable bool
	waiting []func(error)
}

// ack says how an append ended.
type ack struct {
	p   *pending
	err error
}

// Partition is the shard's partition of the internal topic.
func (s *Shard) Partition() int32 { return s.partition }

// Now is the wall clock.
func (s *Shard) Now() time.Time { return s.cfg.Now() }

// Append writes records as one batch and applies them. done, if not nil, is
// called once on the shard's goroutine: with nil when the batch is durable, else
// with a kerr. If Append returns an error nothing was applied and done is not
// called; unless that is about the size of the batch, the shard is given up
// after the current operation.
func (s *Shard) Append(records []KeyValue, done func(error)) error {
	if s.broken != nil {
		return s.broken
	}
	batch := record.Build(s.Now().UnixMilli(), records...)
	batch.SetProducer(record.NoProducer, -1, 0) // Kafka's coordinators write sequence 0 here
	p := &pending{}
	base, err := s.log.Append(batch, func(err error) { s.acknowledge(ack{p, err}) })
	if err != nil {
		err = fmt.Errorf("append %d records to partition %d: %w", len(records), s.partition, err)
		if errors.Is(err, kerr.MessageTooLarge) || errors.Is(err, kerr.RecordListTooLarge) {
			return err
		}
		return s.breakDown(err)
	}
	s.pending = append(s.pending, p)
	for i, r := range records {
		if err := s.machine.Apply(Record{Offset: base + int64(i), ProducerID: record.NoProducer, Key: r.Key, Value: r.Value}); err != nil {
			return s.breakDown(fmt.Errorf("apply what was appended at %d: %w", base, err))
		}
	}
	if done != nil {
		p.waiting = append(p.waiting, done)
	}
	return nil
}

// Settled calls done when everything appended so far is durable, at once if it
// is. It gates answers that show state which may be ahead of the disk.
func (s *Shard) Settled(done func(error)) {
	switch {
	case s.broken != nil:
		done(s.broken)
	case len(s.pending) == 0:
		done(nil)
	default:
		last := s.pending[len(s.pending)-1]
		last.waiting = append(last.waiting, done)
	}
}

// breakDown marks the shard as to be given up and returns what to tell clients.
func (s *Shard) breakDown(err error) error {
	if s.broken == nil {
		s.broken = fmt.Errorf("%w: %w", kerr.NotCoordinator, err)
	}
	return s.broken
}

// serve runs operations, acknowledgements and timers until the shard breaks or
// ends. It returns a kerr.
func (s *Shard) serve(ctx context.Context) error {
	alarm := time.NewTimer(time.Hour)
	defer alarm.Stop()
	for {
		s.work(ctx)
		next, armed := s.fireDue()
		switch {
		case s.broken != nil:
			return s.broken
		case ctx.Err() != nil:
			return kerr.NotCoordinator
		case armed:
			alarm.Reset(time.Until(next))
		default:
			alarm.Stop()
		}
		select {
		case <-s.wake:
		case <-alarm.C:
		case <-ctx.Done():
		}
	}
}

// work handles what is queued.
func (s *Shard) work(ctx context.Context) {
	items, acks := s.take()
	for _, a := range acks {
		s.settle(a)
	}
	for i, it := range items {
		if s.broken != nil || ctx.Err() != nil {
			s.giveBack(items[i:], kerr.NotCoordinator)
			return
		}
		it.op(s.machine)
	}
}

// settle releases, in order, what waited for durable appends. The ack of a log
// that was given up already finds nobody.
func (s *Shard) settle(a ack) {
	if a.err != nil {
		if slices.Contains(s.pending, a.p) {
			_ = s.breakDown(fmt.Errorf("make durable in partition %d: %w", s.partition, a.err))
		}
		return
	}
	a.p.durable = true
	for s.broken == nil && len(s.pending) > 0 && s.pending[0].durable {
		waiting := s.pending[0].waiting
		s.pending[0] = nil
		s.pending = s.pending[1:]
		for _, done := range waiting {
			done(nil)
		}
	}
	if len(s.pending) == 0 {
		s.pending = nil
	}
}

// drop gives up the state and answers whoever waits.
func (s *Shard) drop(err error) {
	s.broken = err
	for _, p := range s.pending {
		for _, done := range p.waiting {
			done(err)
		}
	}
	if s.machine != nil {
		s.machine.Unloaded(err)
	}
	if s.serving {
		s.metrics.loaded.Dec()
	}
	for _, t := range s.timers {
		t.place = 0
	}
	s.log, s.machine, s.serving = nil, nil, false
	s.timers, s.pending, s.broken = nil, nil, nil
}
