// Package coordinatortest provides an in-memory internal topic for tests of
// coordinators. The test controls durability: it can hold appends back, make the logs
// fail, and open partitions again with their durable batches only.
package coordinatortest

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/botehq/bote/internal/coordinator"
	"github.com/botehq/bote/internal/record"
)

// ErrLog is the error that logs fail with after [Logs.Fail].
var ErrLog = errors.New("the log failed")

// Logs is an internal topic. It implements [coordinator.Logs] and may be used
// concurrently.
type Logs struct {
	n int32

	mu      sync.Mutex
	disks   map[int32]*disk
	held    bool          // appends do not become durable
	limit   int           // largest batch in bytes, 0 for no limit
	opens   int           // number of calls of Open
	openErr error         // returned by Open
	gate    chan struct{} // not nil: reads wait until it is closed
}

// disk is the contents of a partition.
type disk struct {
	batches []record.Batch
	durable int // how many of batches are below the high watermark
	start   int64
	end     int64
	log     *log // the open incarnation
}

// New returns a topic with n empty partitions.
func New(n int32) *Logs { return &Logs{n: n, disks: make(map[int32]*disk)} }

// Partitions implements [coordinator.Logs].
func (l *Logs) Partitions() int32 { return l.n }

// Here implements [coordinator.Logs]: every partition is here.
func (l *Logs) Here(int32) bool { return true }

// Exists implements [coordinator.Logs].
func (l *Logs) Exists() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.disks) > 0
}

// Open implements [coordinator.Logs]. It drops the batches that are not durable.
func (l *Logs) Open(_ context.Context, partition int32) (coordinator.Log, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.opens++
	if l.openErr != nil {
		return nil, l.openErr
	}
	d := l.disk(partition)
	d.batches = d.batches[:d.durable]
	d.end = 0
	if len(d.batches) > 0 {
		d.end = d.batches[len(d.batches)-1].NextOffset()
	}
	d.log = &log{l: l, d: d}
	return d.log, nil
}

func (l *Logs) disk(partition int32) *disk {
	d := l.disks[partition]
	if d == nil {
		d = &disk{}
		l.disks[partition] = d
	}
	return d
}

// Opens returns how often Open was called.
func (l *Logs) Opens() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.opens
}

// RefuseOpen makes Open return err until RefuseOpen is called with nil.
func (l *Logs) RefuseOpen(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.openErr = err
}

// Limit makes logs refuse batches of more than bytes with MESSAGE_TOO_LARGE; 0 ends that.
func (l *Logs) Limit(bytes int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.limit = bytes
}

// HoldReads makes reads wait until release is called.
func (l *Logs) HoldReads() (release func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	gate := make(chan struct{})
	l.gate = gate
	return sync.OnceFunc(func() {
		l.mu.Lock()
		l.gate = nil
		l.mu.Unlock()
		close(gate)
	})
}

// Hold keeps appends from becoming durable until Release.
func (l *Logs) Hold() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held = true
}

// Release makes the held appends durable. Later appends are durable at once.
func (l *Logs) Release() {
	l.mu.Lock()
	l.held = false
	var waiting []func(error)
	for _, d := range l.disks {
		d.durable = len(d.batches)
		if d.log != nil {
			waiting = append(waiting, d.log.waiting...)
			d.log.waiting = nil
		}
	}
	l.mu.Unlock()
	for _, done := range waiting {
		done(nil)
	}
}

// Fail makes all open logs fail. The appends that they hold are lost.
func (l *Logs) Fail() {
	l.mu.Lock()
	l.held = false
	var waiting []func(error)
	for _, d := range l.disks {
		d.batches = d.batches[:d.durable]
		if d.log != nil {
			waiting = append(waiting, d.log.waiting...)
			d.log.waiting, d.log.failed = nil, true
		}
	}
	l.mu.Unlock()
	for _, done := range waiting {
		done(ErrLog)
	}
}

// Put appends a batch to a partition behind the coordinator's back.
func (l *Logs) Put(partition int32, b record.Batch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	d := l.disk(partition)
	b = slices.Clone(b)
	b.SetBaseOffset(d.end)
	d.batches = append(d.batches, b)
	d.durable = len(d.batches)
	d.end = b.NextOffset()
}

// SetStart moves the log start offset of a partition, as DeleteRecords does.
func (l *Logs) SetStart(partition int32, offset int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.disk(partition).start = offset
}

// AcknowledgeLast acknowledges the last of the held appends, before the others.
func (l *Logs) AcknowledgeLast(partition int32) {
	l.mu.Lock()
	g := l.disk(partition).log
	last := len(g.waiting) - 1
	done := g.waiting[last]
	g.waiting = g.waiting[:last]
	l.mu.Unlock()
	done(nil)
}

// Batches returns the durable batches of a partition.
func (l *Logs) Batches(partition int32) []record.Batch {
	l.mu.Lock()
	defer l.mu.Unlock()
	d := l.disk(partition)
	return slices.Clone(d.batches[:d.durable])
}

// log is one incarnation of a partition.
type log struct {
	l       *Logs
	d       *disk
	failed  bool
	waiting []func(error)
}

func (g *log) Append(batch []byte, done func(error)) (int64, error) {
	g.l.mu.Lock()
	defer g.l.mu.Unlock()
	switch {
	case g.failed || g.d.log != g:
		return 0, ErrLog
	case g.l.limit > 0 && len(batch) > g.l.limit:
		return 0, kerr.MessageTooLarge
	}
	b := record.Batch(batch)
	base := g.d.end
	b.SetBaseOffset(base)
	g.d.batches = append(g.d.batches, b)
	g.d.end = b.NextOffset()
	if g.l.held {
		g.waiting = append(g.waiting, done)
		return base, nil
	}
	g.d.durable = len(g.d.batches)
	done(nil)
	return base, nil
}

func (g *log) ReadAt(ctx context.Context, offset int64, maxBytes int) ([]byte, error) {
	g.l.mu.Lock()
	gate := g.l.gate
	g.l.mu.Unlock()
	if gate != nil {
		select {
		case <-gate:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	g.l.mu.Lock()
	defer g.l.mu.Unlock()
	var out []byte
	for _, b := range g.d.batches[:g.d.durable] {
		if b.NextOffset() <= offset {
			continue
		}
		if len(out) > 0 && len(out)+len(b) > maxBytes {
			break
		}
		out = append(out, b...)
	}
	return out, nil
}

func (g *log) Bounds() (start, high int64, err error) {
	g.l.mu.Lock()
	defer g.l.mu.Unlock()
	if g.d.durable > 0 {
		high = g.d.batches[g.d.durable-1].NextOffset()
	}
	return g.d.start, high, nil
}
