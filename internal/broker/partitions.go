package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"golang.org/x/sync/errgroup"

	"github.com/botehq/bote/internal/catalog"
	"github.com/botehq/bote/internal/cluster"
	"github.com/botehq/bote/internal/config"
	"github.com/botehq/bote/internal/partition"
	"github.com/botehq/bote/internal/storage"
	"github.com/botehq/bote/internal/storage/commitlog"
	"github.com/botehq/bote/internal/topic"
)

// errNotHere is the error of a partition that has ended here, or was replaced by a new
// one: clients look up the leader and try again.
var errNotHere error = kerr.NotLeaderForPartition

// openers is how many logs are opened at the same time.
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
	var gains []cluster.Gain
	for t := range s.Topics() {
		gains = append(gains, gainsOf(t, 0, s.LeaderEpoch(t))...)
	}
	return b.leaders.Gain(ctx, gains)
}

// gainsOf returns the partitions of a topic from the index from on.
func gainsOf(t *catalog.Topic, from, leaderEpoch int32) []cluster.Gain {
	gains := make([]cluster.Gain, 0, max(0, t.Partitions-from))
	for i := from; i < t.Partitions; i++ {
		gains = append(gains, cluster.Gain{Partition: cluster.Partition{Topic: t.ID, Index: i}, Epoch: leaderEpoch})
	}
	return gains
}

// Created implements catalog.Applier: this broker leads the new partitions. All of them
// are opened together. If that fails, each topic is tried separately, so that one
// failure does not affect the other topics.
func (b *Broker) Created(ctx context.Context, created []catalog.Created) []error {
	topics := make(map[topic.ID]*catalog.Topic, len(created))
	for _, c := range created {
		topics[c.Topic.ID] = c.Topic
	}
	b.topicsBeingCreated.Store(&topics)
	defer b.topicsBeingCreated.Store(nil)
	errs := make([]error, len(created))
	if err := b.gainAll(ctx, created); err == nil || len(created) == 1 {
		errs[0] = err
		return errs
	}
	for i := range created {
		errs[i] = b.gainAll(ctx, created[i:i+1])
	}
	return errs
}

// gainAll opens partitions. If one cannot be opened, all of them are deleted; they are
// new and empty.
func (b *Broker) gainAll(ctx context.Context, created []catalog.Created) error {
	var gains []cluster.Gain
	for _, c := range created {
		gains = append(gains, gainsOf(c.Topic, c.From, c.LeaderEpoch)...)
	}
	err := b.leaders.Gain(ctx, gains)
	if err == nil {
		return nil
	}
	var logs []*commitlog.Log
	for _, c := range created {
		for i := c.From; i < c.Topic.Partitions; i++ {
			if l := b.store.Opened(c.Topic.Name, i); l != nil {
				logs = append(logs, l)
			}
		}
	}
	if len(logs) == 0 {
		return err
	}
	return errors.Join(err, b.store.Delete(logs))
}

// topicOf returns the topic of a partition, even if the topic is being created.
func (b *Broker) topicOf(p cluster.Partition) *catalog.Topic {
	if creating := b.topicsBeingCreated.Load(); creating != nil {
		if t := (*creating)[p.Topic]; t != nil {
			return t
		}
	}
	return b.catalog.Snapshot().TopicByID(p.Topic)
}

// Gained implements cluster.Listener: it opens partitions, several at a time, and adds
// them to the set once all are open and durable. If a partition is in the set already,
// its log has failed and is reopened.
func (b *Broker) Gained(ctx context.Context, gains []cluster.Gain) error {
	opening := b.store.NewOpening()
	opened := make([]*partition.Partition, len(gains))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(openers)
	for i, g := range gains {
		group.Go(func() (err error) {
			if err := ctx.Err(); err != nil {
				return err
			}
			opened[i], err = b.openPartition(ctx, opening, g)
			return err
		})
	}
	err := group.Wait()
	if err == nil {
		err = opening.Settle()
	}
	if err != nil {
		opening.Abandon()
		return err
	}
	for i, g := range gains {
		if earlier := b.parts.Put(g.Topic, g.Index, opened[i]); earlier != nil {
			earlier.End(errNotHere) // its waiters look up the partition again, and find the new one
		}
	}
	return nil
}

// Lost implements cluster.Listener: the waiters of the partition are sent to the new
// leader, and the log is closed.
func (b *Broker) Lost(ctx context.Context, lost cluster.Partition) error {
	release, err := b.takeLives(ctx)
	if err != nil {
		return err
	}
	defer release()
	p := b.parts.Remove(lost.Topic, lost.Index)
	if p == nil {
		return nil
	}
	p.End(errNotHere)
	b.healer.forget(lost)
	if t := b.topicOf(lost); t != nil && t.Name == topic.ConsumerOffsets {
		b.groups.Unload(lost.Index)
	}
	return p.Log().Close()
}

// takeLives waits for lifeToken and takes it. release gives it back.
func (b *Broker) takeLives(ctx context.Context) (release func(), err error) {
	if err := b.lifeToken.TakeContext(ctx); err != nil {
		return nil, err //nolint:wrapcheck // it is the context's
	}
	return b.lifeToken.Give, nil
}

func (b *Broker) openPartition(ctx context.Context, opening *commitlog.Opening, g cluster.Gain) (*partition.Partition, error) {
	t := b.topicOf(g.Partition)
	if t == nil {
		return nil, fmt.Errorf("open partition %d of topic ID %s: %w", g.Index, g.Topic, kerr.UnknownTopicID)
	}
	id := storage.Partition{Topic: t.Name, ID: t.ID, Index: g.Index}
	cache := settingsCache{b: b, id: t.ID}
	cache.last.Store(&cachedSettings{of: t, is: b.storageSettings(t)})
	open := func(h storage.Hooks) (storage.Log, storage.Recovered, error) { return opening.OpenLog(ctx, id, h) }
	if earlier := b.parts.Get(g.Topic, g.Index); earlier != nil {
		failed := earlier.Log().(*commitlog.Log) // there is only one storage engine
		open = func(h storage.Hooks) (storage.Log, storage.Recovered, error) {
			return opening.ReopenLog(ctx, failed, h)
		}
	}
	p, err := partition.Open(ctx, open, partition.Config{
		Epoch: g.Epoch, Settings: cache.get, ProducerExpiry: b.producerExpiry, Now: b.cfg.Now,
		Failed: func(err error) { b.healer.failed(g.Partition, t.Name, err) },
		Logger: b.log.With(slog.String("topic", t.Name), slog.Int("partition", int(g.Index))),
	})
	if err != nil {
		return nil, fmt.Errorf("open partition %s-%d: %w", t.Name, g.Index, err)
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

// get returns the settings in force; for a deleted topic, the last ones.
func (c *settingsCache) get() storage.Settings {
	last := c.last.Load()
	t := c.b.catalog.Snapshot().TopicByID(c.id)
	if t != nil && t != last.of {
		last = &cachedSettings{of: t, is: c.b.storageSettings(t)}
		c.last.Store(last)
	}
	return last.is
}

// asksForSyncs reports whether a topic's flush.messages or flush.ms require more than
// the broker's log.flush does. If so, every batch is synced before it is answered,
// which is more than Kafka does.
func (b *Broker) asksForSyncs(c *config.Topic) bool {
	return c.FlushMessages < math.MaxInt64 || config.Duration(c.FlushMs) < b.settings.FlushInterval
}

// producerExpiry returns producer.id.expiration.ms, which kafka-configs may change.
func (b *Broker) producerExpiry() time.Duration {
	return b.catalog.Snapshot().Layers(nil).ProducerIDExpiry()
}

func (b *Broker) storageSettings(t *catalog.Topic) storage.Settings {
	c := &t.Config
	s := storage.Settings{
		SegmentBytes: int64(c.SegmentBytes), SegmentMs: c.SegmentMs, SegmentJitterMs: c.SegmentJitterMs,
		IndexBytes: int64(c.SegmentIndexBytes), IndexInterval: int64(c.IndexIntervalBytes),
		RetentionMs: c.RetentionMs, RetentionBytes: c.RetentionBytes, FileDeleteMs: c.FileDeleteDelayMs,
		DeleteByPolicy: c.CleanupDelete, AlwaysSync: topic.IsInternal(t.Name) || b.asksForSyncs(c),
	}
	b.cfg.Tune(&s)
	return s
}

// Changed implements catalog.Applier. It does nothing: configs are read from the
// snapshot.
func (b *Broker) Changed(*catalog.Topic) {}

// Deleted implements catalog.Applier: waiters are woken, and the logs are deleted.
func (b *Broker) Deleted(ctx context.Context, deleted []*catalog.Topic) []error {
	errs := make([]error, len(deleted))
	release, err := b.takeLives(ctx)
	if err != nil {
		for i := range errs {
			errs[i] = err
		}
		return errs
	}
	defer release()
	var logs []*commitlog.Log
	var of []int // for each log, the index of its topic in deleted
	for at, t := range deleted {
		for i := range t.Partitions {
			gone := cluster.Partition{Topic: t.ID, Index: i}
			b.leaders.Forget(gone)
			b.healer.forget(gone)
			if p := b.parts.Remove(t.ID, i); p != nil {
				p.End(kerr.UnknownTopicOrPartition)
				logs, of = append(logs, p.Log().(*commitlog.Log)), append(of, at)
			}
		}
	}
	if len(logs) == 0 {
		return errs
	}
	for i, err := range b.store.DeleteEach(logs) {
		if err != nil && errs[of[i]] == nil { // one error per topic is enough
			errs[of[i]] = err
		}
	}
	return errs
}
