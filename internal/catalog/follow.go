package catalog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/botehq/bote/internal/meta"
)

// Follow brings in changes that others make in the store, until ctx ends or the store is
// closed. It reports errors, such as partitions that cannot be opened, and continues.
func (c *Catalog) Follow(ctx context.Context, report func(error)) error {
	events, err := c.beginToFollow(ctx, report)
	if err != nil {
		return ended(ctx, err)
	}
	defer c.endFollowing(ctx)
	defer events.Close()
	for {
		b, err := events.Next(ctx)
		if err != nil {
			return ended(ctx, err)
		}
		if err := ended(ctx, c.takeBatch(ctx, b)); err != nil {
			report(err)
		}
	}
}

// ended returns err, or nil if ctx has ended or the store is closed.
func ended(ctx context.Context, err error) error {
	if ctx.Err() == nil && !errors.Is(err, meta.ErrClosed) {
		return err
	}
	return nil
}

func (c *Catalog) beginToFollow(ctx context.Context, report func(error)) (meta.Events, error) {
	release, err := c.takeTurn(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	c.report = report
	err = c.catchUp(ctx)
	if err == nil {
		var events meta.Events
		if events, err = c.store.Watch(ctx, "", c.seenRevision+1); err == nil {
			return events, nil
		}
	}
	c.report = nil
	return nil, err //nolint:wrapcheck // it is the store's
}

// endFollowing stops remembering own transactions. If ctx has ended it may do nothing,
// because the broker is stopping.
func (c *Catalog) endFollowing(ctx context.Context) {
	if release, err := c.takeTurn(ctx); err == nil {
		c.report = nil
		clear(c.ownRevisions)
		release()
	}
}

// takeBatch brings in a batch of the watch.
func (c *Catalog) takeBatch(ctx context.Context, b meta.Batch) error {
	release, err := c.takeTurn(ctx)
	if err != nil {
		return err
	}
	defer release()
	if b.Resync {
		return c.catchUp(ctx)
	}
	var fresh []meta.Event
	for _, e := range b.Events {
		if e.Revision > c.seenRevision && !c.ownRevisions[e.Revision] {
			fresh = append(fresh, e)
		}
	}
	err = c.bringIn(ctx, fresh)
	c.sawUpTo(b.Revision)
	return err
}

// sawUpTo notes that the snapshot has all changes up to a revision.
func (c *Catalog) sawUpTo(revision int64) {
	c.seenRevision = max(c.seenRevision, revision)
	for r := range c.ownRevisions {
		if r <= c.seenRevision {
			delete(c.ownRevisions, r)
		}
	}
}

// catchUp reads the whole store and brings in the differences. It reports changes that
// cannot be brought in, and does not fail: one bad entry must not block all other changes.
// The caller has the turn.
func (c *Catalog) catchUp(ctx context.Context) error {
	entries, revision, err := c.store.List(ctx, "", "", 0)
	if err != nil {
		return fmt.Errorf("read the catalog: %w", err)
	}
	if err := c.bringIn(ctx, c.Snapshot().differences(entries, revision)); err != nil && c.report != nil {
		c.report(err)
	}
	c.sawUpTo(revision)
	return nil
}

// changes returns an event for each entry, as if it had just been written.
func changes(entries []meta.Entry) []meta.Event {
	events := make([]meta.Event, 0, len(entries))
	for _, e := range entries {
		events = append(events, meta.Event{Entry: e})
	}
	return events
}

// differences returns the events that turn the snapshot into the store's state: entries
// are all that the store has at the revision.
func (s *Snapshot) differences(entries []meta.Entry, revision int64) (events []meta.Event) {
	there := make(map[string]bool, len(entries))
	for _, e := range entries {
		there[e.Key] = true
		if s.revisionOf(e.Key) != e.Revision {
			events = append(events, meta.Event{Entry: e})
		}
	}
	gone := func(key string) {
		if !there[key] {
			events = append(events, meta.Event{Entry: meta.Entry{Key: key, Revision: revision}, Deleted: true})
		}
	}
	for t := range s.Topics() {
		gone(topicPrefix + t.Name)
	}
	for key := range s.revisions {
		gone(key)
	}
	return events
}

// revisionOf returns the revision of the entry that the snapshot has for a key, 0 if it
// has none.
func (s *Snapshot) revisionOf(key string) int64 {
	if name, ok := strings.CutPrefix(key, topicPrefix); ok {
		if t := s.Topic(name); t != nil {
			return t.revision
		}
		return 0
	}
	return s.revisions[key]
}

// difference is what the applier has to do for changes in the snapshot.
type difference struct {
	created []Created
	deleted []*Topic
	changed []*Topic
}

// bringIn publishes changes by others. It removes deleted topics from the snapshot before
// it deletes their partitions. It publishes new topics after it has opened their
// partitions, even if some cannot be opened here.
func (c *Catalog) bringIn(ctx context.Context, events []meta.Event) error {
	if len(events) == 0 {
		return nil
	}
	var d difference
	var errs []error
	now := c.Snapshot()
	next := now.edit(func(s *Snapshot) {
		var err error
		if d, err = s.take(now, c.brokers, events); err != nil {
			errs = append(errs, err)
		}
	})
	if len(d.deleted) > 0 {
		c.current.Store(now.edit(func(s *Snapshot) {
			for _, t := range d.deleted {
				s.remove(t)
			}
		}))
		errs = append(errs, c.applier.Deleted(ctx, d.deleted)...)
	}
	if len(d.created) > 0 {
		errs = append(errs, c.applier.Created(ctx, d.created)...)
	}
	c.current.Store(next)
	for _, t := range d.changed {
		c.applier.Changed(t)
	}
	return errors.Join(errs...)
}

// take applies events to the snapshot, which is a copy of before. An event that cannot be
// read leaves its key as it was and is returned as an error; the others are applied.
func (s *Snapshot) take(before *Snapshot, brokers string, events []meta.Event) (d difference, err error) {
	last := make(map[string]int, len(events))
	for i, e := range events {
		last[e.Key] = i
	}
	var errs []error
	var topics []meta.Event // applied after the configs, on which they depend
	for i, e := range events {
		switch {
		case last[e.Key] != i, e.Revision <= s.revisionOf(e.Key): // a later event, or the snapshot, has a newer value
		case strings.HasPrefix(e.Key, topicPrefix):
			topics = append(topics, e)
		case e.Key == runKey && !e.Deleted:
			run := int32(0)
			if err := json.Unmarshal(e.Value, &run); err != nil {
				errs = append(errs, fmt.Errorf("read %s: %w", e.Key, err))
			}
			s.run = max(s.run, run)
		case e.Key == clusterKey, e.Key == brokers, strings.HasPrefix(e.Key, groupPrefix):
			set := map[string]string{}
			if err := unmarshal(e, &set); err != nil {
				errs = append(errs, err)
				continue
			}
			if e.Deleted {
				e.Revision = 0
			}
			s.setConfig(brokers, e.Key, set, e.Revision)
		}
	}
	d.changed = s.resetConfigs(before)
	for _, e := range topics {
		if err := s.takeTopic(e, &d); err != nil {
			errs = append(errs, err)
		}
	}
	return d, errors.Join(errs...)
}

func unmarshal(e meta.Event, value any) error {
	if e.Deleted {
		return nil
	}
	if err := json.Unmarshal(e.Value, value); err != nil {
		return fmt.Errorf("read %s: %w", e.Key, err)
	}
	return nil
}

func (s *Snapshot) takeTopic(e meta.Event, d *difference) error {
	old := s.Topic(strings.TrimPrefix(e.Key, topicPrefix))
	if e.Deleted {
		if old != nil {
			s.remove(old)
			d.deleted = append(d.deleted, old)
		}
		return nil
	}
	t, err := parseTopic(e.Entry)
	if err != nil {
		return err
	}
	t.Config = s.Layers(t).TopicConfig()
	s.put(t)
	switch {
	case old == nil:
		d.created = append(d.created, Created{t, 0, s.LeaderEpoch(t)})
	case old.ID != t.ID:
		d.deleted = append(d.deleted, old)
		d.created = append(d.created, Created{t, 0, s.LeaderEpoch(t)})
	case t.Partitions > old.Partitions:
		d.created = append(d.created, Created{t, old.Partitions, s.LeaderEpoch(t)})
	default:
		d.changed = append(d.changed, t)
	}
	return nil
}
