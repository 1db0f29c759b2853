package coordinator

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kerr"
)

// Config is what a [Runtime] is made of. Name and Logs are required.
type Config struct {
	Name       string // of the coordinator, in logs and metrics
	Logs       Logs
	Logger     *slog.Logger          // default: discard
	Registerer prometheus.Registerer // default: none
	Now        func() time.Time      // wall clock of the records, default time.Now
}

// Runtime runs the shards of one internal topic, each with a machine of type M.
// It may be used concurrently.
type Runtime[M Machine] struct {
	cfg     Config
	machine func(*Shard) M
	metrics *metrics
	slots   chan struct{} // bounds the shards that replay at the same time

	mu     sync.Mutex
	shards map[int32]*Shard
	closed bool

	running sync.WaitGroup
}

// loadsAtOnce bounds the disk reads and buffers of a start.
const loadsAtOnce = 4

// New returns a runtime that has loaded nothing. machine makes the empty state
// of a shard.
func New[M Machine](cfg Config, machine func(*Shard) M) (*Runtime[M], error) {
	switch {
	case cfg.Name == "":
		return nil, errors.New("coordinator: no name")
	case cfg.Logs == nil:
		return nil, errors.New("coordinator: no logs")
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	m, err := newMetrics(cfg.Registerer, cfg.Name)
	if err != nil {
		return nil, fmt.Errorf("register metrics of the %s coordinator: %w", cfg.Name, err)
	}
	return &Runtime[M]{
		cfg:     cfg,
		machine: machine,
		metrics: m,
		slots:   make(chan struct{}, loadsAtOnce),
		shards:  make(map[int32]*Shard),
	}, nil
}

// Partitions is the number of shards.
func (r *Runtime[M]) Partitions() int32 { return r.cfg.Logs.Partitions() }

// Do runs op on the shard of a partition, in the order of the calls, and loads
// the shard if need be. Exactly one of op and refuse is called: op on the
// shard's goroutine, refuse there or before Do returns, with a kerr. Neither may
// block.
func (r *Runtime[M]) Do(partition int32, op func(M), refuse func(error)) {
	s := r.shard(partition)
	if s == nil {
		refuse(kerr.NotCoordinator)
		return
	}
	s.submit(item{op: func(m Machine) { op(m.(M)) }, refuse: refuse})
}

// All runs op once on every shard of this broker that holds something and calls done when all
// have called theirs, with the errors joined. Shards that cannot run it now, as
// they are being loaded, count as having failed.
func (r *Runtime[M]) All(op func(m M, done func(error)), done func(error)) {
	r.all(op, done, false)
}

// AllEventually is All, but for shards that are being loaded it waits. done may
// come late, or with an error when the runtime is closed first.
func (r *Runtime[M]) AllEventually(op func(m M, done func(error)), done func(error)) {
	r.all(op, done, true)
}

// LoadAll starts to load every shard that holds something, and does not wait.
func (r *Runtime[M]) LoadAll() {
	r.all(func(_ M, done func(error)) { done(nil) }, func(error) {}, true)
}

func (r *Runtime[M]) all(op func(m M, done func(error)), done func(error), wait bool) {
	if !r.cfg.Logs.Exists() {
		done(nil)
		return
	}
	n := r.Partitions()
	if n == 0 {
		done(nil)
		return
	}
	c := &countdown{left: int(n), done: done}
	for p := range n {
		if !r.cfg.Logs.Here(p) {
			c.finish(nil)
			continue
		}
		s := r.shard(p)
		if s == nil {
			c.finish(kerr.NotCoordinator)
			continue
		}
		s.submit(item{
			op:     func(m Machine) { op(m.(M), c.finish) },
			refuse: c.finish,
			empty:  func() { c.finish(nil) },
			wait:   wait,
		})
	}
}

// Unload gives up the state of a partition that is no longer this broker's.
// Callers get NOT_COORDINATOR; the next operation loads it again.
func (r *Runtime[M]) Unload(partition int32) {
	if s := r.shard(partition); s != nil {
		s.stop(false)
	}
}

// Reload has a shard loaded anew, at once, because its partition began another life:
// whatever the shard has is of the one before.
func (r *Runtime[M]) Reload(partition int32) {
	if s := r.shard(partition); s != nil {
		s.reload()
	}
}

// Close gives up all shards and returns when their goroutines have ended. It may
// be called twice.
func (r *Runtime[M]) Close() {
	r.mu.Lock()
	r.closed = true
	shards := r.shards
	r.shards = nil
	r.mu.Unlock()
	for _, s := range shards {
		s.stop(true)
	}
	r.running.Wait()
}

// shard returns the shard of a partition, nil when there is none any more.
func (r *Runtime[M]) shard(partition int32) *Shard {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || partition < 0 {
		return nil
	}
	s, ok := r.shards[partition]
	if !ok {
		s = &Shard{
			partition: partition,
			cfg:       &r.cfg,
			newState:  func(s *Shard) Machine { return r.machine(s) },
			metrics:   r.metrics,
			slots:     r.slots,
			running:   &r.running,
			wake:      make(chan struct{}, 1),
			again:     make(chan struct{}, 1),
		}
		r.shards[partition] = s
	}
	return s
}

// countdown joins the ends of many operations.
type countdown struct {
	mu   sync.Mutex
	left int
	errs []error
	done func(error)
}

func (c *countdown) finish(err error) {
	c.mu.Lock()
	c.left--
	if err != nil {
		c.errs = append(c.errs, err)
	}
	last, errs := c.left == 0, c.errs
	c.mu.Unlock()
	if last {
		c.done(errors.Join(errs...))
	}
}
