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

// Config configures a [Runtime]. Name and Logs are required.
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
	slots   chan struct{} // its capacity bounds how many shards replay at the same time

	mu     sync.Mutex
	shards map[int32]*Shard
	closed bool

	running sync.WaitGroup
}

// loadsAtOnce is how many shards replay at the same time. It bounds the disk reads and
// the buffers while a broker starts.
const loadsAtOnce = 4

// New returns a runtime that has loaded nothing. machine returns the empty machine
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
// the shard if necessary. Exactly one of op and refuse is called: op on the
// shard's goroutine; refuse, with a kerr, on that goroutine or before Do returns.
// Neither may block.
func (r *Runtime[M]) Do(partition int32, op func(M), refuse func(error)) {
	s := r.shard(partition)
	if s == nil {
		refuse(kerr.NotCoordinator)
		return
	}
	s.submit(item{op: func(m Machine) { op(m.(M)) }, refuse: refuse})
}

// All runs op once on every shard of this broker that holds something. When every op
// has called its done, All calls done with the errors joined. A shard that is being
// loaded, or has failed, refuses at once, and its error is joined too.
func (r *Runtime[M]) All(op func(m M, done func(error)), done func(error)) {
	r.all(op, done, false)
}

// AllEventually is All, but it waits for shards that are being loaded or have failed, so
// done may be called late. It is called with an error if the runtime is closed first.
func (r *Runtime[M]) AllEventually(op func(m M, done func(error)), done func(error)) {
	r.all(op, done, true)
}

// LoadAll starts to load every shard of this broker that holds something, and does not
// wait.
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
			op:           func(m Machine) { op(m.(M), c.finish) },
			refuse:       c.finish,
			onEmpty:      func() { c.finish(nil) },
			waitsForLoad: wait,
		})
	}
}

// Unload gives up the shard of a partition that is no longer this broker's.
// Waiting callers get NOT_COORDINATOR; the next operation loads the shard again.
func (r *Runtime[M]) Unload(partition int32) {
	if s := r.shard(partition); s != nil {
		s.stop(false)
	}
}

// Reload loads a shard again, at once, because its partition was opened again. The
// shard's state and log belong to the earlier incarnation.
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

// shard returns the shard of a partition, which it creates if necessary. It returns nil
// if the runtime is closed or the partition is negative.
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
			reloadNow: make(chan struct{}, 1),
		}
		r.shards[partition] = s
	}
	return s
}

// countdown calls done when left operations have finished, with their errors joined.
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
