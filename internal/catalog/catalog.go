// Package catalog is the rules of what the broker keeps besides records: topics
// and their configs, configs set at run time, and which producer IDs are taken.
//
// The truth is in a meta.Store; readers get it as an immutable [Snapshot], which
// costs one atomic load. A change is checked, stored, handed to the Applier,
// which opens or deletes the logs it needs, and then published, so that whoever
// sees a topic can use it. One change at a time is under way.
//
// Others may change the same store. Each change is a transaction that happens only if
// what it was decided by is still so; if it is not, it is decided again, some times. What
// others changed comes in by [Catalog.Follow], and whenever a change met it.
//
// Keys: "t/<topic>" a topic, "c/broker/<id>" and "c/group/<id>" configs, "pid" the
// next free producer ID, "runs" how often logs were opened that had not been closed
// cleanly: by a broker that began after an unclean stop, or after a log failed.
// Values are JSON; see docs/formats/meta.md.
package catalog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/botehq/bote/internal/meta"
	"github.com/botehq/bote/internal/topic"
)

// Created is a topic that is new, or has new partitions: those from an index on.
type Created struct {
	Topic       *Topic
	From        int32
	LeaderEpoch int32
}

// Applier makes a change real before it is published.
type Applier interface {
	// Created opens partitions, and returns for each topic why its own cannot be used:
	// then none of them is there.
	Created(ctx context.Context, created []Created) []error
	// Changed announces configs.
	Changed(t *Topic)
	// Deleted deletes the partitions of topics that are no longer in any snapshot, and
	// returns what went wrong for each.
	Deleted(ctx context.Context, deleted []*Topic) []error
}

// Catalog is the owner of the snapshots.
type Catalog struct {
	store   meta.Store
	brokers string // the key of this broker's configs
	applier Applier
	current atomic.Pointer[Snapshot]

	// turn is held by the one change that is under way, across syncs too, and by
	// whoever brings in what others changed.
	turn   chan struct{}
	seen   int64          // what others changed up to here is in the snapshot; guarded by turn
	own    map[int64]bool // revisions of this catalog's own transactions that the watch has not told yet; guarded by turn
	report func(error)    // called with the error if a change by another broker cannot be applied; nil unless Follow runs; guarded by turn

	taking chan struct{} // held by whoever takes a producer ID
	pids   producerIDs   // guarded by taking
}

// Open reads the store. Unclean says that the last run did not end cleanly, or
// is not known to have: leader epochs then grow by one.
func Open(ctx context.Context, store meta.Store, nodeID int32, static map[string]string, unclean bool) (*Catalog, error) {
	c := &Catalog{
		store: store, turn: make(chan struct{}, 1), taking: make(chan struct{}, 1), own: map[int64]bool{}, brokers: brokerKey(strconv.Itoa(int(nodeID))),
	}
	if _, err := c.countRun(ctx, unclean); err != nil {
		return nil, err
	}
	entries, revision, err := store.List(ctx, "", "", 0)
	if err != nil {
		return nil, fmt.Errorf("read the catalog: %w", err)
	}
	s := newSnapshot(static)
	if _, err := s.take(newSnapshot(static), c.brokers, changes(entries)); err != nil {
		return nil, err
	}
	c.seen = revision
	c.current.Store(s)
	return c, nil
}

// SetApplier must be called before the first change.
func (c *Catalog) SetApplier(a Applier) { c.applier = a }

// Snapshot returns the present state.
func (c *Catalog) Snapshot() *Snapshot { return c.current.Load() }

const (
	topicPrefix = "t/"
	groupPrefix = "c/group/"
	clusterKey  = "c/broker/"
	runKey      = "runs"
)

func brokerKey(id string) string { return clusterKey + id }

// takeTurn waits until no other change is under way. What it returns lets the next.
func (c *Catalog) takeTurn(ctx context.Context) (release func(), err error) {
	select {
	case c.turn <- struct{}{}:
		return func() { <-c.turn }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// attempts is how often a change is tried: another broker may be faster, and the outcome
// of a transaction may be unknown.
const attempts = 10

// errAgain asks for another attempt: the snapshot has been read again.
var errAgain = errors.New("the decision has to be made again")

var (
	errBusy    = &RefusedError{Code: kerr.NotController, Message: "Others change the same at the same time; try again."}
	errUnknown = &RefusedError{Code: kerr.RequestTimedOut, Message: "It is not known whether this was done; try again."}
)

// txn is how the catalog changes the store: what the watch tells of it later is nothing
// new. The caller has the turn.
func (c *Catalog) txn(ctx context.Context, conds []meta.Cond, ops []meta.Op) (revision int64, err error) {
	revision, err = c.store.Txn(ctx, conds, ops)
	if err == nil && c.report != nil {
		c.own[revision] = true
	}
	return revision, err //nolint:wrapcheck // the callers tell conflicts from unclear outcomes
}

// commit stores a change whose conditions are what the snapshot was decided by. If it
// did not hold, or nobody knows what came of it, the snapshot is read anew, and the error
// matches errAgain: what was unclear can be seen there. Unclear says that it was. The
// caller has the turn.
func (c *Catalog) commit(ctx context.Context, conds []meta.Cond, ops []meta.Op) (revision int64, unclear bool, err error) {
	revision, err = c.txn(ctx, conds, ops)
	if err == nil {
		return revision, false, nil
	}
	unclear = errors.Is(err, meta.ErrUnclear)
	if !unclear && !errors.Is(err, meta.ErrConflict) {
		return 0, false, err
	}
	if rerr := c.catchUp(context.WithoutCancel(ctx)); rerr != nil {
		if unclear {
			return 0, true, errors.Join(errUnknown, err, rerr)
		}
		return 0, false, errors.Join(errBusy, rerr)
	}
	return 0, unclear, errAgain
}

// decide repeats a decision until it was stored upon the state that it was made by. Each
// attempt gets whether an earlier one may have been stored, and returns whether it may
// have been stored itself; errAgain asks for another.
func (c *Catalog) decide(attempt func(unclear bool) (nowUnclear bool, err error)) error {
	unclear := false
	for range attempts {
		nowUnclear, err := attempt(unclear)
		if !errors.Is(err, errAgain) {
			return err
		}
		unclear = unclear || nowUnclear
	}
	if unclear {
		return errUnknown
	}
	return errBusy
}

// countRun stores and returns the number of this run. If it is not known whether it was
// stored, one number is skipped. The caller has the turn, or has not shared the catalog yet.
func (c *Catalog) countRun(ctx context.Context, unclean bool) (run int32, err error) {
	for range attempts {
		run, err = c.tryCountRun(ctx, unclean)
		if !errors.Is(err, meta.ErrConflict) && !errors.Is(err, meta.ErrUnclear) {
			break
		}
	}
	if err != nil {
		return 0, fmt.Errorf("count the run: %w", err)
	}
	return run, nil
}

func (c *Catalog) tryCountRun(ctx context.Context, unclean bool) (run int32, err error) {
	e, err := c.get(ctx, runKey)
	if err != nil {
		return 0, err
	}
	var ops []meta.Op
	if e.Revision != 0 {
		if err := json.Unmarshal(e.Value, &run); err != nil || !unclean {
			return run, err
		}
		run++
	} else if _, err := c.store.Get(ctx, clusterKey); errors.Is(err, meta.ErrNotFound) {
		ops = append(ops, putJSON(clusterKey, newClusterConfig))
	} else if err != nil {
		return 0, err
	}
	_, err = c.txn(ctx, []meta.Cond{{Key: runKey, Revision: e.Revision}}, append(ops, putJSON(runKey, run)))
	return run, err
}

// get returns an entry; one that is not there has revision 0.
func (c *Catalog) get(ctx context.Context, key string) (meta.Entry, error) {
	e, err := c.store.Get(ctx, key)
	if errors.Is(err, meta.ErrNotFound) {
		return meta.Entry{Key: key}, nil
	}
	return e, err
}

// putJSON writes a value as JSON. All that the catalog keeps can be encoded.
func putJSON(key string, value any) meta.Op {
	raw, err := json.Marshal(value)
	if err != nil {
		panic(fmt.Sprintf("encode %s: %v", key, err))
	}
	return meta.Put(key, raw)
}

// NextRun begins another run, so that partitions whose logs are opened again get a
// leader epoch that none of their lives had. It is on the disk when NextRun returns.
func (c *Catalog) NextRun(ctx context.Context) (*Snapshot, error) {
	release, err := c.takeTurn(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	run, err := c.countRun(ctx, true)
	if err != nil {
		return nil, err
	}
	next := *c.Snapshot() // it shares its topics with the one before
	next.run = max(next.run, run)
	c.current.Store(&next)
	return &next, nil
}

// newClusterConfig is set in a new cluster, as Kafka does where eligible leader
// replicas are on (KIP-966).
var newClusterConfig = map[string]string{"min.insync.replicas": "1"}

// topicRecord is the value of a topic's key. It reaches disk.
type topicRecord struct {
	ID         string            `json:"id"`
	Partitions int32             `json:"partitions"`
	Config     map[string]string `json:"config,omitempty"`
	Born       int32             `json:"born"`
}

func (t *Topic) record() topicRecord {
	return topicRecord{ID: t.ID.String(), Partitions: t.Partitions, Config: t.Overrides, Born: t.Born}
}

// parseTopic reads a topic's entry. What is in force is not known yet.
func parseTopic(e meta.Entry) (*Topic, error) {
	var r topicRecord
	if err := json.Unmarshal(e.Value, &r); err != nil {
		return nil, fmt.Errorf("read %s: %w", e.Key, err)
	}
	id, err := topic.ParseID(r.ID)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", e.Key, err)
	}
	return &Topic{Name: strings.TrimPrefix(e.Key, topicPrefix), ID: id, Partitions: r.Partitions, Overrides: r.Config, Born: r.Born, revision: e.Revision}, nil
}

// RefusedError is a change that is not made: the code that the client gets, and why.
type RefusedError struct {
	Code    *kerr.Error
	Message string
}

// Error makes a RefusedError an error; it is the sentence that the client gets.
func (r *RefusedError) Error() string { return r.Message }

// Unwrap is the error that the client gets.
func (r *RefusedError) Unwrap() error { return r.Code }

func refuse(code *kerr.Error, format string, args ...any) error {
	return &RefusedError{Code: code, Message: fmt.Sprintf(format, args...)}
}
