package partition

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/botehq/bote/internal/record"
	"github.com/botehq/bote/internal/storage"
	"github.com/botehq/bote/internal/token"
)

// Config is what a partition needs besides its log.
type Config struct {
	// Epoch is the leader epoch of this Partition. One that replaces it has a newer one.
	Epoch int32
	// Settings returns the storage settings in force.
	Settings func() storage.Settings
	// ProducerExpiry returns how long an idle producer ID is remembered: the setting
	// in force.
	ProducerExpiry func() time.Duration
	// Failed is called once when the log fails and takes no more batches. It must not
	// block.
	Failed func(err error)
	// Now is the wall clock; nil is time.Now.
	Now func() time.Time
	// Logger gets what an operator would miss; nil discards it.
	Logger *slog.Logger
}

// Opener opens the partition's log, or opens it again.
type Opener func(storage.Hooks) (storage.Log, storage.Recovered, error)

// Partition is one live partition. All methods may be called concurrently.
type Partition struct {
	cfg      Config
	log      storage.Log
	turn     token.Token // the appender's token
	state    *producers  // guarded by turn
	stateEnd int64       // state covers exactly the batches below it; guarded by turn

	rebuilt atomic.Bool // Open has rebuilt state completely

	highWatermark atomic.Int64 // the high watermark
	wakeups       atomic.Int64 // how often wakeAll ran
	appendedBytes int64        // appended since Open; guarded by turn

	mu           sync.Mutex // guards the fields below
	pending      []pending  // appends that are not durable yet, by end
	visibleBytes int64      // the value of appendedBytes at the high watermark
	watchers     watchers
	service      service
}

// service is whom a partition serves: readers and writers, readers only once its log has
// failed, and nobody after End.
type service struct {
	logFailed error // nothing more will become durable
	ended     error // the reason given to End
}

// readable returns why nothing can be read, or nil.
func (s service) readable() error { return s.ended }

// writable returns why nothing can be appended, or nil.
func (s service) writable() error {
	if s.ended != nil {
		return s.ended
	}
	return s.logFailed
}

// pending is an append, or the repetition of one, that waits for the high
// watermark to reach end.
type pending struct {
	end   int64
	bytes int64 // Partition.appendedBytes after the batch; 0 for a repetition
	done  func(error)
}

// Watcher is told when a partition has more to read. Its type must be comparable, as a
// pointer is. Neither method may block or call the partition.
type Watcher interface {
	// Notify says how many more bytes became visible. Wake says that there is nothing
	// to wait for: the partition ended, its log failed, or its start moved.
	Notify(bytes int64)
	Wake()
}

// Open opens the log and rebuilds the state of its producers from the snapshot and
// the headers of the batches after it.
func Open(ctx context.Context, open Opener, cfg Config) (*Partition, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	p := &Partition{cfg: cfg, turn: token.New("append turn of a partition"), state: newProducers()}
	log, rec, err := open(storage.Hooks{
		Settings:      cfg.Settings,
		Durable:       p.advance,
		Failed:        p.fail,
		Snapshot:      p.snapshot,
		Rebuilt:       p.rebuilt.Load,
		ValidSnapshot: validSnapshot,
		Deletable:     p.HighWatermark,
		Turn:          p.inTurn,
		StartMoved:    func(int64) { p.wakeAll() },
	})
	if err != nil {
		return nil, err
	}
	p.log = log
	from := rec.SnapshotEnd
	if rec.Snapshot != nil {
		if err := p.state.load(rec.Snapshot, from); err != nil {
			cfg.Logger.Warn("producer snapshot unusable; reading all batches", slog.Int64("offset", from), slog.Any("err", err))
			p.state, from = newProducers(), log.Start()
		}
	}
	err = log.Headers(ctx, from, func(h record.Batch) error {
		p.state.replay(h)
		return nil
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("rebuild producers from %d: %w", from, err), log.Close())
	}
	p.highWatermark.Store(log.End())
	p.stateEnd = log.End()
	p.rebuilt.Store(true)
	return p, nil
}

// Log is the log underneath.
func (p *Partition) Log() storage.Log { return p.log }

// LeaderEpoch is the leader epoch of this Partition.
func (p *Partition) LeaderEpoch() int32 { return p.cfg.Epoch }

// LogStartOffset is the first offset that may be read.
func (p *Partition) LogStartOffset() int64 { return p.log.Start() }

// LogEndOffset is the next offset to be written.
func (p *Partition) LogEndOffset() int64 { return p.log.End() }

// HighWatermark is the first offset that readers may not see.
func (p *Partition) HighWatermark() int64 { return p.highWatermark.Load() }

// Size is the number of bytes in the log.
func (p *Partition) Size() int64 { return p.log.Size() }

// advance moves the high watermark, answers the appends that it passed, in
// order, and tells the watchers. The log calls it.
func (p *Partition) advance(end int64) {
	p.mu.Lock()
	if end <= p.highWatermark.Load() {
		p.mu.Unlock()
		return
	}
	p.highWatermark.Store(end)
	n := 0
	visible := p.visibleBytes
	for n < len(p.pending) && p.pending[n].end <= end {
		visible = max(visible, p.pending[n].bytes)
		n++
	}
	ready := p.pending[:n:n]
	p.pending = p.pending[n:]
	if len(p.pending) == 0 {
		p.pending = nil
	}
	more := visible - p.visibleBytes
	p.visibleBytes = visible
	told := p.watchers.walk()
	p.mu.Unlock()
	for _, w := range ready {
		w.done(nil)
	}
	for _, w := range told {
		w.Notify(more)
	}
}

// fail answers all waiting appends with an error and wakes the watchers. The log calls
// it when it takes no more batches. The log may be opened again, and a new Partition may
// then replace this one.
func (p *Partition) fail(cause error) {
	err := asClientError(cause)
	p.mu.Lock()
	p.service.logFailed = err
	waiting := p.pending
	p.pending = nil
	p.mu.Unlock()
	for _, w := range waiting {
		w.done(err)
	}
	p.wakeAll()
	if p.cfg.Failed != nil {
		p.cfg.Failed(cause)
	}
}

// inTurn takes the turn and runs f, so nothing is appended meanwhile.
func (p *Partition) inTurn(f func() error) error {
	p.turn.Take()
	defer p.turn.Give()
	return f()
}

// Watch registers w: it is told of every change until Unwatch. It must not be registered
// already.
func (p *Partition) Watch(w Watcher) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.watchers.add(w)
}

// Unwatch removes w, if it is registered. A notification that has already started may
// still arrive.
func (p *Partition) Unwatch(w Watcher) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.watchers.remove(w)
}

// Progress is how far a partition has come. It changes with each change that watchers
// are told of.
type Progress struct {
	high, woken int64
}

// Progress returns how far the partition has come. Nobody is told of a change between
// a look at the partition and Watch: a caller that does both compares the progress
// before the look with the progress after Watch.
func (p *Partition) Progress() Progress { return Progress{p.highWatermark.Load(), p.wakeups.Load()} }

func (p *Partition) wakeAll() {
	p.wakeups.Add(1)
	p.mu.Lock()
	told := p.watchers.walk()
	p.mu.Unlock()
	for _, w := range told {
		w.Wake()
	}
}

// End takes the partition out of service: waiting appends, and all later appends and
// reads, get reason, and watchers are woken. It does not close the log.
func (p *Partition) End(reason error) {
	p.mu.Lock()
	if p.service.ended == nil {
		p.service.ended = reason
	}
	waiting := p.pending
	p.pending = nil
	p.mu.Unlock()
	for _, w := range waiting {
		w.done(reason)
	}
	p.wakeAll()
}

// Writable returns why nothing can be appended, or nil.
func (p *Partition) Writable() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.service.writable()
}

// alive returns the reason given to End, or nil.
func (p *Partition) alive() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.service.readable()
}

// asClientError turns an error of a log into one that a client may see.
func asClientError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, storage.ErrTooLarge):
		return kerr.RecordListTooLarge
	case errors.Is(err, storage.ErrOutOfRange):
		return kerr.OffsetOutOfRange
	case errors.Is(err, storage.ErrClosed), errors.Is(err, storage.ErrFenced):
		return fmt.Errorf("%w: %w", kerr.NotLeaderForPartition, err)
	}
	if _, ok := errors.AsType[*kerr.Error](err); ok || gaveUp(err) || errors.Is(err, storage.ErrWouldWait) {
		return err
	}
	return fmt.Errorf("%w: %w", kerr.KafkaStorageError, err)
}

// gaveUp reports whether err only says that the caller cancelled or ran out of time.
// Such an error says nothing about the disk.
func gaveUp(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
