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

// Shard is a machine's handle on its partition. Only the shard's goroutine may call
// the exported methods: code that the runtime calls runs there.
type Shard struct {
	partition int32
	cfg       *Config
	newState  func(*Shard) Machine
	metrics   *metrics
	slots     chan struct{}
	running   *sync.WaitGroup
	wake      chan struct{} // one slot: something was queued
	reloadNow chan struct{} // one slot: Reload was called; load without further wait

	mu              sync.Mutex // guards the fields below, down to acks
	state           state
	reason          error // in failed: why operations are refused
	closed          bool
	knownEmpty      bool               // in idle: the partition is known to be empty
	reloadRequested bool               // Reload was called since load began
	cancel          context.CancelFunc // ends the goroutine
	items           []item
	acks            []ack

	loaded // owned by the shard's goroutine
}

// loaded is what a shard has from its load until drop.
type loaded struct {
	log      Log
	machine  Machine
	serving  bool // machine.Loaded was called
	timers   timers
	unsynced []*unsyncedAppend // the appends from the first that is not durable, in order
	broken   error             // why the shard must be given up; nil if it need not
}

// unsyncedAppend is an append that is not known to be durable, and the callbacks that wait for
// it.
type unsyncedAppend struct {
	durable bool
	waiting []func(error)
}

// ack says how an append ended.
type ack struct {
	p   *unsyncedAppend
	err error
}

// Partition is the shard's partition of the internal topic.
func (s *Shard) Partition() int32 { return s.partition }

// Now is the wall clock.
func (s *Shard) Now() time.Time { return s.cfg.Now() }

// Append writes records as one batch and applies them. done, if not nil, is
// called once on the shard's goroutine: with nil when the batch is durable, else
// with a kerr. If Append returns an error, done is not called. The error is
// kerr.MessageTooLarge or kerr.RecordListTooLarge if only the batch was refused; then
// nothing was applied. After any other error the shard is given up when the current
// operation returns.
func (s *Shard) Append(records []KeyValue, done func(error)) error {
	if s.broken != nil {
		return s.broken
	}
	batch := record.Build(s.Now().UnixMilli(), records...)
	batch.SetProducer(record.NoProducer, -1, 0) // Kafka's coordinators write sequence 0 here
	p := &unsyncedAppend{}
	base, err := s.log.Append(batch, func(err error) { s.acknowledge(ack{p, err}) })
	if err != nil {
		err = fmt.Errorf("append %d records to partition %d: %w", len(records), s.partition, err)
		if errors.Is(err, kerr.MessageTooLarge) || errors.Is(err, kerr.RecordListTooLarge) {
			return err
		}
		return s.breakDown(err)
	}
	s.unsynced = append(s.unsynced, p)
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
// already is. An answer that shows state which may be ahead of the disk waits for it.
func (s *Shard) Settled(done func(error)) {
	switch {
	case s.broken != nil:
		done(s.broken)
	case len(s.unsynced) == 0:
		done(nil)
	default:
		last := s.unsynced[len(s.unsynced)-1]
		last.waiting = append(last.waiting, done)
	}
}

// breakDown marks the shard to be given up, and returns the error for clients. Only the
// first reason counts.
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

// work handles the queued acknowledgements, then the queued operations.
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

// settle calls, in order of the appends, the callbacks that waited for durable ones. An
// ack of a log that was given up already has no effect.
func (s *Shard) settle(a ack) {
	if a.err != nil {
		if slices.Contains(s.unsynced, a.p) {
			_ = s.breakDown(fmt.Errorf("make durable in partition %d: %w", s.partition, a.err))
		}
		return
	}
	a.p.durable = true
	for s.broken == nil && len(s.unsynced) > 0 && s.unsynced[0].durable {
		waiting := s.unsynced[0].waiting
		s.unsynced[0] = nil
		s.unsynced = s.unsynced[1:]
		for _, done := range waiting {
			done(nil)
		}
	}
	if len(s.unsynced) == 0 {
		s.unsynced = nil
	}
}

// drop gives up the state and answers all waiting callbacks and parked requests.
func (s *Shard) drop(err error) {
	s.broken = err
	for _, p := range s.unsynced {
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
	s.loaded = loaded{}
}
