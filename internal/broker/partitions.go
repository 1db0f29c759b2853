package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
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
	err := b.store.SetAside(func(name string) (topic.ID, bool) {
		if t := s.Topic(name); t != nil {
			return t.ID, true
		}
		return topic.ID{}, false
	})
	if err != nil {
		return err
	}
	_, err = b.openTopics(ctx, s.Topics(), func(*catalog.Topic) int32 { return 0 }, s.LeaderEpoch)
	return err
}

// Created implements catalog.Applier: it opens partitions from an index on. If
// one cannot be opened, all of them go: they are new.
func (b *Broker) Created(ctx context.Context, t *catalog.Topic, from, leaderEpoch int32) error {
	opened, err := b.openTopics(ctx, []*catalog.Topic{t}, func(*catalog.Topic) int32 { return from }, func(*catalog.Topic) int32 { return leaderEpoch })
	if err != nil {
		return errors.Join(err, b.discard(opened))
	}
	return nil
}

// openTopics opens the partitions of topics, many at once, and adds them to the
// set when all are open and durable. If it fails it returns those that it opened.
func (b *Broker) openTopics(ctx context.Context, topics []*catalog.Topic, from, leaderEpoch func(*catalog.Topic) int32) ([]*partition.Partition, error) {
	opening := b.store.NewOpening()
	opened := make([][]*partition.Partition, len(topics))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(openers)
	for i, t := range topics {
		first := from(t)
		opened[i] = make([]*partition.Partition, max(0, t.Partitions-first))
		for j := range opened[i] {
			group.Go(func() (err error) {
				if err := ctx.Err(); err != nil {
					return err
				}
				opened[i][j], err = b.openPartition(ctx, opening, t, first+int32(j), leaderEpoch(t))
				return err
			})
		}
	}
	err := group.Wait()
	if err == nil {
		err = opening.Settle()
	}
	if err != nil {
		return slices.DeleteFunc(slices.Concat(opened...), func(p *partition.Partition) bool { return p == nil }), err
	}
	for i, t := range topics {
		b.parts.Add(t.ID, opened[i]...)
	}
	return nil, nil
}

func (b *Broker) openPartition(ctx context.Context, opening *commitlog.Opening, t *catalog.Topic, index, leaderEpoch int32) (*partition.Partition, error) {
	id := storage.Partition{Topic: t.Name, ID: t.ID, Index: index}
	cache := settingsCache{b: b, id: t.ID}
	cache.last.Store(&cachedSettings{of: t, is: b.storageSettings(t)})
	p, err := partition.Open(ctx, func(h storage.Hooks) (storage.Log, storage.Recovered, error) {
		return opening.OpenLog(ctx, id, h)
	}, partition.Config{
		Epoch: leaderEpoch, Settings: cache.get, ProducerExpiry: b.settings.Logs.ProducerIDExpiry, Now: b.cfg.Now,
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
		last = &cachedSettings{of: t, is: c.b.storageSettings(t)}
		c.last.Store(last)
	}
	return last.is
}

func (b *Broker) storageSettings(t *catalog.Topic) storage.Settings {
	c := &t.Config
	s := storage.Settings{
		SegmentBytes: int64(c.SegmentBytes), SegmentMs: c.SegmentMs, SegmentJitterMs: c.SegmentJitterMs,
		IndexBytes: int64(c.SegmentIndexBytes), IndexInterval: int64(c.IndexIntervalBytes),
		RetentionMs: c.RetentionMs, RetentionBytes: c.RetentionBytes, FileDeleteMs: c.FileDeleteDelayMs,
		DeleteByPolicy: c.CleanupDelete, AlwaysSync: topic.IsInternal(t.Name),
	}
	b.cfg.Tune(&s)
	return s
}

// Changed implements catalog.Applier: configs are read from the snapshot.
func (b *Broker) Changed(*catalog.Topic) {}

// Deleted implements catalog.Applier: whoever waits is woken, and the logs go.
func (b *Broker) Deleted(_ context.Context, t *catalog.Topic) error {
	parts := b.parts.Remove(t.ID)
	for _, p := range parts {
		p.End(kerr.UnknownTopicOrPartition)
	}
	return b.discard(parts)
}

func (b *Broker) discard(parts []*partition.Partition) error {
	var logs []*commitlog.Log
	for _, p := range parts {
		if l, ok := p.Log().(*commitlog.Log); ok {
			logs = append(logs, l)
		}
	}
	if len(logs) == 0 {
		return nil
	}
	return b.store.Delete(logs)
}
