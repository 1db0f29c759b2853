package meta

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Leases is the leases of a store that only one process uses.
type Leases struct {
	// deleteKeys deletes the keys of a lease that has ended. It is called without a mutex held.
	deleteKeys func(ctx context.Context, id LeaseID) error

	mu          sync.Mutex // guards the fields below
	last        LeaseID
	live        map[LeaseID]*lease
	closed      bool
	expirations sync.WaitGroup // timers' calls of end that are in progress
}

// NewLeases returns a Leases that begins leases with IDs above last. It calls end to
// delete the keys of a lease, when Alive is false for that lease.
func NewLeases(last LeaseID, end func(ctx context.Context, id LeaseID) error) *Leases {
	return &Leases{last: last, live: map[LeaseID]*lease{}, deleteKeys: end}
}

type lease struct {
	of    *Leases
	id    LeaseID
	ttl   time.Duration
	timer *time.Timer
	due   time.Time
}

// Begin begins a lease.
func (l *Leases) Begin(ttl time.Duration) (Lease, error) {
	if ttl <= 0 {
		return nil, errors.New("a lease needs a time to live")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, ErrClosed
	}
	l.last++
	e := &lease{of: l, id: l.last, ttl: ttl, due: time.Now().Add(ttl)}
	l.live[e.id] = e
	e.timer = time.AfterFunc(ttl, e.expire)
	return e, nil
}

// Alive reports whether a lease has not ended. The driver calls it within the transaction
// that binds keys to the lease.
func (l *Leases) Alive(id LeaseID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.live[id]
	return e != nil && time.Now().Before(e.due)
}

// Close stops the timers of all leases, and waits for the timers' calls of end that are in
// progress.
func (l *Leases) Close() {
	l.mu.Lock()
	l.closed = true
	for _, e := range l.live {
		e.timer.Stop()
	}
	l.mu.Unlock()
	l.expirations.Wait()
}

// retryEnd is how long after a failed deletion of a lease's keys it is tried again.
const retryEnd = time.Second

// expire is the function of the timer. It ends the lease unless KeepAlive was called
// meanwhile.
func (e *lease) expire() {
	l := e.of
	l.mu.Lock()
	left := time.Until(e.due)
	if l.closed || left > 0 {
		if !l.closed {
			e.timer.Reset(left)
		}
		l.mu.Unlock()
		return
	}
	delete(l.live, e.id)
	l.expirations.Add(1)
	l.mu.Unlock()
	defer l.expirations.Done()
	if err := l.deleteKeys(context.Background(), e.id); err != nil {
		e.endLater()
	}
}

// endLater schedules another attempt to delete the keys of a lease that has ended.
func (e *lease) endLater() {
	l := e.of
	l.mu.Lock()
	defer l.mu.Unlock()
	e.due = time.Now()
	if !l.closed {
		e.timer.Reset(retryEnd)
	}
}

func (e *lease) ID() LeaseID { return e.id }

func (e *lease) KeepAlive(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	e.of.mu.Lock()
	defer e.of.mu.Unlock()
	now := time.Now()
	switch {
	case e.of.closed:
		return ErrClosed
	case e.of.live[e.id] != e || !now.Before(e.due):
		return ErrLeaseEnded
	}
	e.due = now.Add(e.ttl)
	e.timer.Reset(e.ttl)
	return nil
}

func (e *lease) End(ctx context.Context) error {
	e.of.mu.Lock()
	if e.of.closed {
		e.of.mu.Unlock()
		return ErrClosed
	}
	e.timer.Stop()
	delete(e.of.live, e.id)
	e.of.mu.Unlock()
	err := e.of.deleteKeys(ctx, e.id)
	if err != nil {
		e.endLater()
	}
	return err
}
