// Package catalog holds the rules for what the broker keeps besides records: topics
// and their configs, configs set at run time, and which producer IDs are taken.
//
// A meta.Store has the truth; readers get it as an immutable [Snapshot], which
// costs one atomic load. A change is checked, stored, handed to the Applier,
// which opens or deletes the logs it needs, and then published. So a topic that is in a
// snapshot can be used. There is one change at a time.
//
// Other brokers may change the same store. Each change is a transaction whose conditions
// are the revisions of the entries that it was decided by. If one of them has changed, the
// change is decided again, several times at most. Changes by others come in through
// [Catalog.Follow], and whenever a change of ours conflicts with one.
//
// Keys: "t/<topic>" is a topic; "c/broker/<id>" and "c/group/<id>" are configs; "pid" is
// the next free producer ID; "runs" is the number of runs that began after an unclean
// stop of the broker, or after a log failed and was opened again.
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
	"github.com/botehq/bote/internal/token"
	"github.com/botehq/bote/internal/topic"
)

// Created is a topic that is new, or has new partitions: those from index From on.
type Created struct {
	Topic       *Topic
	From        int32
	LeaderEpoch int32
}

// Applier makes a change real before it is published.
type Applier interface {
	// Created opens partitions. It returns an error, or nil, for each topic. After an
	// error none of the topic's new partitions is open.
	Created(ctx context.Context, created []Created) []error
	// Changed announces that the configs of a topic changed.
	Changed(t *Topic)
	// Deleted deletes the partitions of topics that the snapshot no longer has. It
	// returns an error, or nil, for each topic.
	Deleted(ctx context.Context, deleted []*Topic) []error
}

// Catalog owns the snapshots. Its methods may be called concurrently.
type Catalog struct {
	store   meta.Store
	brokers string // the key of this broker's configs
	applier Applier
	current atomic.Pointer[Snapshot]

	// turn is a token. A change holds it from its decision until it is published, and
	// across syncs. So does the goroutine that brings in changes by others.
	turn         token.Token
	seenRevision int64          // the snapshot has all changes by others up to this revision; guarded by turn
	ownRevisions map[int64]bool // revisions of own transactions that the watch has not reported yet; guarded by turn
	report       func(error)    // told of changes by others that cannot be applied; nil unless Follow runs; guarded by turn

	pidTurn token.Token // token of the goroutine that takes a producer ID
	pids    producerIDs // guarded by pidTurn
}

// Open reads the store. Unclean says that the last run did not end cleanly, or may
// not have: leader epochs then grow by one.
//
// Open refuses a store with an entry that cannot be read. Without its entry a topic would
// not exist: the start would set its partitions aside, and a client could create it anew.
// [Catalog.Follow] goes on instead, because a broker that runs keeps the value that it has.
func Open(ctx context.Context, store meta.Store, nodeID int32, static map[string]string, unclean bool) (*Catalog, error) {
	c := &Catalog{
		store: store, turn: token.New("change of the catalog"), pidTurn: token.New("producer IDs"), ownRevisions: map[int64]bool{}, brokers: brokerKey(strconv.Itoa(int(nodeID))),
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
	c.seenRevision = revision
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

// takeTurn waits for the turn. The caller must call release when it is done.
func (c *Catalog) takeTurn(ctx context.Context) (release func(), err error) {
	if err := c.turn.TakeContext(ctx); err != nil {
		return nil, err //nolint:wrapcheck // it is the context's
	}
	return c.turn.Give, nil
}

// attempts is how often a change is tried. An attempt fails if another broker is faster,
// or if the outcome of its transaction is unclear.
const attempts = 10

// errAgain asks for another attempt. The snapshot is up to date with the store again.
var errAgain = errors.New("the decision has to be made again")

var (
	errBusy    = &RefusedError{Code: kerr.NotController, Message: "Others change the same at the same time; try again."}
	errUnknown = &RefusedError{Code: kerr.RequestTimedOut, Message: "It is not known whether this was done; try again."}
)

// txn runs a transaction of the catalog, and remembers its revision in own, so that the
// watch's report of it is ignored. The caller has the turn.
func (c *Catalog) txn(ctx context.Context, conds []meta.Cond, ops []meta.Op) (revision int64, err error) {
	revision, err = c.store.Txn(ctx, conds, ops)
	if err == nil && c.report != nil {
		c.ownRevisions[revision] = true
	}
	return revision, err //nolint:wrapcheck // the callers tell conflicts from unclear outcomes
}

// commit stores a change. conds are the entries of the snapshot by which it was decided.
// If a condition did not hold, or the outcome is unclear, commit brings the snapshot up to
// date and returns errAgain: the caller can see the outcome there. unclear says that the
// change may have been stored in spite of the error. The caller has the turn.
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

// decide calls attempt until it returns something else than errAgain, a limited number of
// times. An attempt decides by the present snapshot and stores the change. It is told
// whether an earlier attempt may have been stored, and returns whether this one may have
// been.
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

// countRun returns the number of this run. In a new store it is 0. If unclean is set, it
// is one more than the stored number, and stored. If it is unclear whether it was stored,
// countRun may skip one number. The caller has the turn, or has not shared the catalog
// yet.
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

// get returns an entry. If the key is not there, its revision is 0.
func (c *Catalog) get(ctx context.Context, key string) (meta.Entry, error) {
	e, err := c.store.Get(ctx, key)
	if errors.Is(err, meta.ErrNotFound) {
		return meta.Entry{Key: key}, nil
	}
	return e, err
}

// putJSON returns an operation that writes value as JSON. It panics if value cannot be
// encoded; everything that the catalog keeps can be.
func putJSON(key string, value any) meta.Op {
	raw, err := json.Marshal(value)
	if err != nil {
		panic(fmt.Sprintf("encode %s: %v", key, err))
	}
	return meta.Put(key, raw)
}

// NextRun begins another run, so that partitions whose logs are opened again get a
// leader epoch that they never had before. The run is durable when NextRun returns.
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
	next := *c.Snapshot() // shares its maps with the present snapshot
	next.run = max(next.run, run)
	c.current.Store(&next)
	return &next, nil
}

// newClusterConfig is the dynamic config of a new cluster. Kafka sets the same if
// eligible leader replicas are enabled (KIP-966).
var newClusterConfig = map[string]string{"min.insync.replicas": "1"}

// topicRecord is the value of a topic's key. It reaches disk.
type topicRecord struct {
	ID         string            `json:"id"`
	Partitions int32             `json:"partitions"`
	Config     map[string]string `json:"config,omitempty"`
	Born       int32             `json:"born"`
}

func (t *Topic) record() topicRecord {
	return topicRecord{ID: t.ID.String(), Partitions: t.Partitions, Config: t.Overrides, Born: t.BornInRun}
}

// parseTopic reads a topic's entry. The caller has to set Config.
func parseTopic(e meta.Entry) (*Topic, error) {
	var r topicRecord
	if err := json.Unmarshal(e.Value, &r); err != nil {
		return nil, fmt.Errorf("read %s: %w", e.Key, err)
	}
	id, err := topic.ParseID(r.ID)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", e.Key, err)
	}
	return &Topic{Name: strings.TrimPrefix(e.Key, topicPrefix), ID: id, Partitions: r.Partitions, Overrides: r.Config, BornInRun: r.Born, revision: e.Revision}, nil
}

// RefusedError says that a change was not made: the code that the client gets, and the
// reason.
type RefusedError struct {
	Code    *kerr.Error
	Message string
}

// Error returns the sentence that the client gets.
func (r *RefusedError) Error() string { return r.Message }

// Unwrap returns the Kafka error that the client gets.
func (r *RefusedError) Unwrap() error { return r.Code }

func refuse(code *kerr.Error, format string, args ...any) error {
	return &RefusedError{Code: code, Message: fmt.Sprintf(format, args...)}
}
