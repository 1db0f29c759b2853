// Package catalog is the rules of what the broker keeps besides records: topics
// and their configs, configs set at run time, and which producer IDs are taken.
//
// The truth is in a meta.Store; readers get it as an immutable [Snapshot], which
// costs one atomic load. A change is checked, stored, handed to the Applier,
// which opens or deletes the logs it needs, and then published, so that whoever
// sees a topic can use it. One change at a time is under way.
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

	turn chan struct{} // held by the one change that is under way, across syncs too
	pids producerIDs
}

// Open reads the store. Unclean says that the last run did not end cleanly, or
// is not known to have: leader epochs then grow by one.
func Open(ctx context.Context, store meta.Store, nodeID int32, static map[string]string, unclean bool) (*Catalog, error) {
	c := &Catalog{store: store, turn: make(chan struct{}, 1), brokers: brokerKey(strconv.Itoa(int(nodeID)))}
	run, err := c.countRun(ctx, unclean)
	if err != nil {
		return nil, err
	}
	s := newSnapshot(static, run)
	if err := c.readConfigs(ctx, s); err != nil {
		return nil, err
	}
	if err := c.readTopics(ctx, s); err != nil {
		return nil, err
	}
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

// takeTurn waits until no other change is under way. What it returns lets the next.
func (c *Catalog) takeTurn() (release func()) {
	c.turn <- struct{}{}
	return func() { <-c.turn }
}

func brokerKey(id string) string { return clusterKey + id }

// countRun stores and returns the number of this run.
func (c *Catalog) countRun(ctx context.Context, unclean bool) (int32, error) {
	e, err := c.store.Get(ctx, runKey)
	if err != nil && !errors.Is(err, meta.ErrNotFound) {
		return 0, fmt.Errorf("read the run: %w", err)
	}
	var run int32
	if e.Revision != 0 {
		if err := json.Unmarshal(e.Value, &run); err != nil {
			return 0, fmt.Errorf("read the run: %w", err)
		}
		if !unclean {
			return run, nil
		}
		run++
	}
	if e.Revision == 0 {
		if err := c.put(ctx, meta.Entry{}, clusterKey, newClusterConfig); err != nil {
			return 0, err
		}
	}
	return run, c.put(ctx, e, runKey, run)
}

// NextRun begins another run, so that partitions whose logs are opened again get a
// leader epoch that none of their lives had. It is on the disk when NextRun returns.
func (c *Catalog) NextRun(ctx context.Context) (*Snapshot, error) {
	defer c.takeTurn()()
	run, err := c.countRun(ctx, true)
	if err != nil {
		return nil, err
	}
	next := *c.Snapshot() // it shares its topics with the one before
	next.run = run
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

func (c *Catalog) readTopics(ctx context.Context, s *Snapshot) error {
	entries, _, err := c.store.List(ctx, topicPrefix, "", 0)
	if err != nil {
		return fmt.Errorf("read topics: %w", err)
	}
	for _, e := range entries {
		var r topicRecord
		if err := json.Unmarshal(e.Value, &r); err != nil {
			return fmt.Errorf("read %s: %w", e.Key, err)
		}
		id, err := topic.ParseID(r.ID)
		if err != nil {
			return fmt.Errorf("read %s: %w", e.Key, err)
		}
		t := &Topic{Name: strings.TrimPrefix(e.Key, topicPrefix), ID: id, Partitions: r.Partitions, Overrides: r.Config, Born: r.Born}
		t.Config = s.Layers(t).TopicConfig()
		s.put(t)
	}
	return nil
}

func (c *Catalog) readConfigs(ctx context.Context, s *Snapshot) error {
	entries, _, err := c.store.List(ctx, "c/", "", 0)
	if err != nil {
		return fmt.Errorf("read configs: %w", err)
	}
	for _, e := range entries {
		values := map[string]string{}
		if err := json.Unmarshal(e.Value, &values); err != nil {
			return fmt.Errorf("read %s: %w", e.Key, err)
		}
		switch {
		case e.Key == clusterKey:
			s.cluster = values
		case e.Key == c.brokers:
			s.dynamic = values
		case strings.HasPrefix(e.Key, groupPrefix):
			s.groups[strings.TrimPrefix(e.Key, groupPrefix)] = values
		}
	}
	return nil
}

// put stores a value as JSON, on top of the entry that was read.
func (c *Catalog) put(ctx context.Context, read meta.Entry, key string, value any) error {
	raw, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("encode %s: %w", key, err)
	}
	_, err = c.store.Txn(ctx, []meta.Cond{{Key: key, Revision: read.Revision}}, []meta.Op{{Key: key, Value: raw}})
	if err != nil {
		return fmt.Errorf("store %s: %w", key, err)
	}
	return nil
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
