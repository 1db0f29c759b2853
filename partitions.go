package bote

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kerr"
	"golang.org/x/sync/errgroup"

	"github.com/botehq/bote/internal/catalog"
	"github.com/botehq/bote/internal/partition"
	"github.com/botehq/bote/internal/storage"
	"github.com/botehq/bote/internal/storage/commitlog"
	"github.com/botehq/bote/internal/topic"
)

var errClosing error = kerr.NotLeaderForPartition

// openers is how many logs are opened at once when the broker starts.
const openers = 8

// openPartitions opens the logs of all topics.
func (b *Broker) openPartitions(ctx context.Context) error {
	s := b.catalog.Snapshot()
	err := b.store.SetAside(func(name string, id topic.ID) bool {
		t := s.Topic(name)
		return t != nil && t.ID == id
	})
	if err != nil {
		return err
	}
	var group errgroup.Group
	group.SetLimit(openers)
	for _, t := range s.Topics() {
		group.Go(func() error { return b.Created(ctx, t, 0, s.LeaderEpoch(t)) })
	}
	return group.Wait()
}

// Created implements catalog.Applier: it opens partitions from an index on.
func (b *Broker) Created(ctx context.Context, t *catalog.Topic, from, leaderEpoch int32) error {
	var opened []*partition.Partition
	for i := from; i < t.Partitions; i++ {
		p, err := b.openPartition(ctx, t, i, leaderEpoch)
		if err != nil {
			return errors.Join(err, b.discard(t, opened))
		}
		opened = append(opened, p)
	}
	b.parts.Add(t.ID, opened...)
	return nil
}

func (b *Broker) openPartition(ctx context.Context, t *catalog.Topic, index, leaderEpoch int32) (*partition.Partition, error) {
	id := storage.Partition{Topic: t.Name, ID: t.ID, Index: index}
	cache := settingsCache{b: b, id: t.ID}
	cache.last.Store(&cachedSettings{of: t, is: storageSettings(t)})
	p, err := partition.Open(ctx, func(h storage.Hooks) (storage.Log, storage.Recovered, error) {
		return b.store.OpenLog(ctx, id, h)
	}, partition.Config{
		Epoch: leaderEpoch, Settings: cache.get, ProducerExpiry: b.settings.Logs.ProducerIDExpiry, Now: b.cfg.now,
		Logger: b.log.With(slog.String("topic", t.Name), slog.Int("partition", int(index))),
	})
	if err != nil {
		return nil, fmt.Errorf("open partition %s-%d: %w", t.Name, index, err)
	}
	return p, nil
}

// settingsCache translates a topic's configs once per change.
type settingsCache struct {
	b    *Broker
	id   topic.ID
	last atomic.Pointer[cachedSettings]
}

type cachedSettings struct {
	of *catalog.Topic
	is storage.Settings
}

// get returns the settings in force; those of a topic that was deleted are its
// last.
func (c *settingsCache) get() storage.Settings {
	last := c.last.Load()
	t := c.b.catalog.Snapshot().TopicByID(c.id)
	if t != nil && t != last.of {
		last = &cachedSettings{of: t, is: storageSettings(t)}
		c.last.Store(last)
	}
	return last.is
}

func storageSettings(t *catalog.Topic) storage.Settings {
	c := &t.Config
	return storage.Settings{
		SegmentBytes: int64(c.SegmentBytes), SegmentMs: c.SegmentMs, SegmentJitterMs: c.SegmentJitterMs,
		IndexBytes: int64(c.SegmentIndexBytes), IndexInterval: int64(c.IndexIntervalBytes),
		RetentionMs: c.RetentionMs, RetentionBytes: c.RetentionBytes, FileDeleteMs: c.FileDeleteDelayMs,
		DeleteByPolicy: c.CleanupDelete, AlwaysSync: topic.IsInternal(t.Name),
	}
}

// Changed implements catalog.Applier: configs are read from the snapshot.
func (b *Broker) Changed(*catalog.Topic) {}

// Deleted implements catalog.Applier: whoever waits is woken, and the logs go.
func (b *Broker) Deleted(_ context.Context, t *catalog.Topic) error {
	parts := b.parts.Remove(t.ID)
	for _, p := range parts {
		p.End(kerr.UnknownTopicOrPartition)
	}
	return b.discard(t, parts)
}

func (b *Broker) discard(t *catalog.Topic, parts []*partition.Partition) error {
	var logs []*commitlog.Log
	for _, p := range parts {
		if l, ok := p.Log().(*commitlog.Log); ok {
			logs = append(logs, l)
		}
	}
	if len(logs) == 0 {
		return nil
	}
	return b.store.Delete(logs, t.ID)
}
