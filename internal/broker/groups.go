package broker

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/botehq/bote/internal/cluster"
	"github.com/botehq/bote/internal/coordinator"
	"github.com/botehq/bote/internal/coordinator/group"
	"github.com/botehq/bote/internal/partition"
	"github.com/botehq/bote/internal/record"
	"github.com/botehq/bote/internal/topic"
)

// groupConfig returns what the settings say about groups.
func (b *Broker) groupConfig() group.Config {
	g := b.settings.Groups
	return group.Config{
		InitialRebalanceDelay: g.InitialRebalanceDelay, MinSessionTimeout: g.MinSessionTimeout, MaxSessionTimeout: g.MaxSessionTimeout,
		MaxSize: int(g.MaxSize), MembersMaxBytes: g.MembersMaxBytes, OffsetMetadataMaxBytes: int(g.OffsetMetadataMaxBytes),
		OffsetsRetention: g.OffsetsRetention, OffsetsRetentionCheckInterval: g.OffsetsRetentionCheck,
	}
}

// openGroups makes the group coordinator.
func (b *Broker) openGroups(context.Context) (err error) {
	b.groups, err = group.New(b.groupConfig(), group.Deps{
		Logs: &offsetsTopic{b}, Topics: topicsView{b}, Logger: b.log, Registerer: b.cfg.Registerer, Now: b.cfg.Now,
	})
	return err
}

// offsetsTopic is __consumer_offsets for the coordinator's runtime.
type offsetsTopic struct{ b *Broker }

// Partitions implements coordinator.Logs.
func (o *offsetsTopic) Partitions() int32 {
	if t := o.b.catalog.Snapshot().Topic(topic.ConsumerOffsets); t != nil {
		return t.Partitions
	}
	return o.b.settings.Groups.OffsetsPartitions
}

// Exists implements coordinator.Logs.
func (o *offsetsTopic) Exists() bool {
	return o.b.catalog.Snapshot().Topic(topic.ConsumerOffsets) != nil
}

// Here implements coordinator.Logs.
func (o *offsetsTopic) Here(index int32) bool {
	t := o.b.catalog.Snapshot().Topic(topic.ConsumerOffsets)
	return t != nil && o.b.leaders.Here(cluster.Partition{Topic: t.ID, Index: index})
}

// errNotWritable is returned by Open while the partition's log refuses batches:
// replaying a state that cannot change afterwards is not worth it.
var errNotWritable = errors.New("the partition takes no batches")

// Open implements coordinator.Logs.
func (o *offsetsTopic) Open(ctx context.Context, index int32) (coordinator.Log, error) {
	t, err := o.b.api.OffsetsTopic(ctx)
	if err != nil {
		return nil, err
	}
	l := offsetsLog{parts: o.b.parts, topic: t.ID, index: index}
	p := o.b.parts.Get(l.topic, index)
	if p == nil {
		return nil, kerr.NotCoordinator
	}
	if err := p.Writable(); err != nil {
		return nil, fmt.Errorf("%w: %v", errNotWritable, err) //nolint:errorlint // the coordinator must try again, whatever code a client would get
	}
	// The shard may have been loaded before, and its appends may still be in progress.
	// Wait for them, or the replay would miss them.
	if err := p.Settle(ctx); err != nil {
		return nil, fmt.Errorf("wait for what was appended: %w", err)
	}
	l.epoch = p.LeaderEpoch()
	return l, nil
}

// offsetsLog is a partition of __consumer_offsets in one leader epoch. It keeps no
// partition: each call looks up the current one and returns NOT_COORDINATOR if its
// epoch is another.
type offsetsLog struct {
	parts *partition.Set
	topic topic.ID
	index int32
	epoch int32
}

// live returns the partition if it still has the epoch of this log.
func (l offsetsLog) live() (*partition.Partition, error) {
	p := l.parts.Get(l.topic, l.index)
	if p == nil || p.LeaderEpoch() != l.epoch {
		return nil, kerr.NotCoordinator
	}
	return p, nil
}

// Append implements coordinator.Log.
func (l offsetsLog) Append(batch []byte, done func(error)) (int64, error) {
	p, err := l.live()
	if err != nil {
		return -1, err
	}
	return p.AppendOrdered(record.Batch(batch), func(_ partition.Appended, err error) { done(err) })
}

// ReadAt implements coordinator.Log. The bytes are a copy: replay is rare.
func (l offsetsLog) ReadAt(ctx context.Context, offset int64, maxBytes int) ([]byte, error) {
	p, err := l.live()
	if err != nil {
		return nil, err
	}
	r, err := p.Read(ctx, partition.Read{Offset: offset, CurrentEpoch: -1, LastFetchedEpoch: -1, MaxBytes: maxBytes, AtLeastOne: true})
	if err != nil {
		return nil, err
	}
	defer r.Release()
	return bytes.Clone(r.Data), nil
}

// Bounds implements coordinator.Log.
func (l offsetsLog) Bounds() (start, high int64, err error) {
	p, err := l.live()
	if err != nil {
		return 0, 0, err
	}
	return p.LogStartOffset(), p.HighWatermark(), nil
}

// topicsView is the topics for the group coordinator.
type topicsView struct{ b *Broker }

// Lookup implements group.Topics.
func (v topicsView) Lookup(name string) (id [16]byte, partitions int32, ok bool) {
	t := v.b.catalog.Snapshot().Topic(name)
	if t == nil {
		return id, 0, false
	}
	return t.ID, t.Partitions, true
}

// Name implements group.Topics.
func (v topicsView) Name(id [16]byte) (string, bool) {
	t := v.b.catalog.Snapshot().TopicByID(id)
	if t == nil {
		return "", false
	}
	return t.Name, true
}
