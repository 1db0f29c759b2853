package group

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/botehq/bote/internal/coordinator"
)

// Coordinator coordinates all groups of one broker. Its methods may be called
// concurrently and, except Close, do not block. A method for a request calls reply once,
// on the caller's goroutine or on a shard's; reply must not block either. Until then the
// caller must not change the request, or the buffer that its strings point into. The
// coordinator copies what it keeps longer.
type Coordinator struct {
	cfg              Config
	topics           Topics
	log              *slog.Logger
	newID            func() string
	metrics          *metrics
	shards           *coordinator.Runtime[*shard]
	memberBytesInUse atomic.Int64 // bytes that members and promises occupy, see memory.go
}

// New returns a coordinator that has loaded nothing.
func New(cfg Config, deps Deps) (*Coordinator, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("group coordinator: %w", err)
	}
	if deps.Topics == nil {
		return nil, errors.New("group coordinator: no topics")
	}
	if deps.Logger == nil {
		deps.Logger = slog.New(slog.DiscardHandler)
	}
	if deps.NewID == nil {
		deps.NewID = newUUID
	}
	c := &Coordinator{cfg: cfg, topics: deps.Topics, log: deps.Logger, newID: deps.NewID}
	if c.metrics, err = newMetrics(deps.Registerer); err != nil {
		return nil, fmt.Errorf("register metrics of the group coordinator: %w", err)
	}
	c.shards, err = coordinator.New(coordinator.Config{
		Name: "group", Logs: deps.Logs, Logger: deps.Logger, Registerer: deps.Registerer, Now: deps.Now,
	}, func(s *coordinator.Shard) *shard { return newShard(c, s) })
	if err != nil {
		return nil, err
	}
	return c, nil
}

// Partition returns the partition of __consumer_offsets that keeps a group.
func (c *Coordinator) Partition(group string) int32 {
	return coordinator.Partition(group, c.shards.Partitions())
}

// LoadAll starts to load all groups and does not wait.
func (c *Coordinator) LoadAll() { c.shards.LoadAll() }

// Unload gives up the groups of a partition that is no longer this broker's;
// parked members get NOT_COORDINATOR.
func (c *Coordinator) Unload(partition int32) { c.shards.Unload(partition) }

// Reload loads the groups of a partition again, because its log was opened again.
func (c *Coordinator) Reload(partition int32) { c.shards.Reload(partition) }

// Close gives up all groups and answers parked members NOT_COORDINATOR. It may be
// called twice.
func (c *Coordinator) Close() { c.shards.Close() }

// do runs op on the shard of a group, or calls refuse. It refuses a group whose name
// is too long for a record.
func (c *Coordinator) do(group string, op func(*shard), refuse func(code int16)) {
	if !fitsRecord(group) {
		refuse(kerr.InvalidGroupID.Code)
		return
	}
	c.shards.Do(c.Partition(group), op, func(err error) { refuse(clientCode(err)) })
}

// clientCode translates an error of the runtime into the code that a client sees. A batch
// that is too large is UNKNOWN_SERVER_ERROR, because the client cannot make it
// smaller.
func clientCode(err error) int16 {
	var e *kerr.Error
	switch {
	case err == nil:
		return 0
	case !errors.As(err, &e):
		return kerr.NotCoordinator.Code
	}
	switch {
	case errors.Is(e, kerr.MessageTooLarge), errors.Is(e, kerr.RecordListTooLarge):
		return kerr.UnknownServerError.Code
	case errors.Is(e, kerr.KafkaStorageError), errors.Is(e, kerr.NotLeaderForPartition):
		return kerr.NotCoordinator.Code
	case errors.Is(e, kerr.UnknownTopicOrPartition), errors.Is(e, kerr.NotEnoughReplicas), errors.Is(e, kerr.RequestTimedOut):
		return kerr.CoordinatorNotAvailable.Code
	}
	return e.Code
}

// gather returns a function that calls done at its n-th call, or at once if n is 0.
func gather(n int, done func()) func() {
	if n == 0 {
		done()
		return nil
	}
	var left atomic.Int64
	left.Store(int64(n))
	return func() {
		if left.Add(-1) == 0 {
			done()
		}
	}
}

// newUUID returns a random UUID, version 4, in text form.
func newUUID() string {
	var u [16]byte
	_, _ = rand.Read(u[:]) // never fails
	u[6] = u[6]&0x0f | 0x40
	u[8] = u[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}

func millis(ms int32) time.Duration { return time.Duration(ms) * time.Millisecond }
