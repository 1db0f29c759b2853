package model_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/botehq/bote/internal/api"
	"github.com/botehq/bote/internal/catalog"
	"github.com/botehq/bote/internal/cluster"
	"github.com/botehq/bote/internal/config"
	"github.com/botehq/bote/internal/coordinator"
	"github.com/botehq/bote/internal/coordinator/group"
	"github.com/botehq/bote/internal/meta"
	"github.com/botehq/bote/internal/partition"
	"github.com/botehq/bote/internal/record"
	"github.com/botehq/bote/internal/storage"
	"github.com/botehq/bote/internal/storage/commitlog"
	"github.com/botehq/bote/internal/storage/vfs"
	"github.com/botehq/bote/internal/topic"
	"github.com/botehq/bote/internal/wire"
)

// broker is the parts of a broker, joined as package bote joins them, on a file
// system and a store of the test's.
type broker struct {
	settings settings
	server   config.Server
	store    *commitlog.Store
	catalog  *catalog.Catalog
	parts    *partition.Set
	groups   *group.Coordinator
	api      *api.Broker
	wire     *wire.Server
	doors    *doors
}

// dataDir has a parent that has to be made, too.
const dataDir = "/var/bote"

func openBroker(ctx context.Context, set settings, fs vfs.FS, kept meta.Store) (_ *broker, err error) {
	b := &broker{settings: set, parts: partition.NewSet(), doors: newDoors()}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.close())
		}
	}()
	b.server, _, err = config.ParseServer(map[string]string{
		"node.id": "1", "process.roles": "broker,controller", "log.dirs": dataDir, "listeners": "PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093",
		"controller.listener.names": "CONTROLLER", "controller.quorum.voters": "1@localhost:9093", "group.initial.rebalance.delay.ms": "0",
		"offsets.topic.num.partitions": "2", "offsets.retention.minutes": "1000000", "producer.id.expiration.ms": "2000000000",
	})
	if err != nil {
		return nil, err
	}
	id, err := commitlog.ReadIdentity(fs, dataDir)
	if errors.Is(err, commitlog.ErrNotFormatted) {
		id = commitlog.Identity{ClusterID: cluster.NewID(), NodeID: 1, DirectoryID: cluster.NewID()}
		err = commitlog.WriteIdentity(fs, dataDir, id)
	}
	if err != nil {
		return nil, err
	}
	b.store, err = commitlog.Open(commitlog.Config{
		FS: fs, Dir: dataDir, Flush: set.flush, FlushEvery: time.Second, CheckpointEvery: set.checkpoint, RetentionEvery: set.retention,
	})
	if err != nil {
		return nil, err
	}
	if b.catalog, err = catalog.Open(ctx, kept, 1, b.server.Static, !b.store.Clean()); err != nil {
		return nil, err
	}
	b.catalog.SetApplier(b)
	if err := b.openPartitions(ctx); err != nil {
		return nil, err
	}
	b.groups, err = group.New(group.Config{
		MinSessionTimeout: time.Second, MaxSessionTimeout: time.Hour, OffsetMetadataMaxBytes: 4096,
		OffsetsRetention: b.server.Groups.OffsetsRetention, OffsetsRetentionCheckInterval: b.server.Groups.OffsetsRetentionCheck,
	}, group.Deps{Logs: offsetsTopic{b}, Topics: topicsView{b}})
	if err != nil {
		return nil, err
	}
	b.api = api.New(api.Deps{
		Node:    &cluster.Node{ID: 1, ClusterID: id.ClusterID, Endpoints: map[string]cluster.Endpoint{"PLAINTEXT": {Host: "model", Port: 9092}}},
		Catalog: b.catalog, Partitions: b.parts, Groups: b.groups, Config: b.server, Dirs: b.store, Now: time.Now, Logger: slog.New(slog.DiscardHandler),
	})
	b.groups.LoadAll()
	b.wire = wire.NewServer(b.api, wire.Config{IdleTimeout: 24 * time.Hour})
	b.wire.Serve(wire.NewListener("PLAINTEXT", b.doors))
	return b, nil
}

func (b *broker) openPartitions(ctx context.Context) error {
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
	_, err = b.openTopics(ctx, s.Topics(), 0, s.LeaderEpoch)
	return err
}

// Created implements catalog.Applier.
func (b *broker) Created(ctx context.Context, t *catalog.Topic, from, leaderEpoch int32) error {
	opened, err := b.openTopics(ctx, []*catalog.Topic{t}, from, func(*catalog.Topic) int32 { return leaderEpoch })
	if err != nil {
		return errors.Join(err, b.discard(t, opened))
	}
	return nil
}

// openTopics opens partitions. If it fails it returns those that it opened.
func (b *broker) openTopics(ctx context.Context, topics []*catalog.Topic, from int32, leaderEpoch func(*catalog.Topic) int32) (opened []*partition.Partition, err error) {
	opening := b.store.NewOpening()
	of := map[topic.ID][]*partition.Partition{}
	for _, t := range topics {
		for i := from; i < t.Partitions; i++ {
			p, err := partition.Open(ctx, func(h storage.Hooks) (storage.Log, storage.Recovered, error) {
				return opening.OpenLog(ctx, storage.Partition{Topic: t.Name, ID: t.ID, Index: i}, h)
			}, partition.Config{Epoch: leaderEpoch(t), Settings: b.logSettings(t), ProducerExpiry: b.server.Logs.ProducerIDExpiry})
			if err != nil {
				return opened, fmt.Errorf("open partition %s-%d: %w", t.Name, i, err)
			}
			opened = append(opened, p)
			of[t.ID] = append(of[t.ID], p)
		}
	}
	if err := opening.Settle(); err != nil {
		return opened, err
	}
	for id, parts := range of {
		b.parts.Add(id, parts...)
	}
	return nil, nil
}

// logSettings gives the configs in force; segments are smaller than Kafka allows.
func (b *broker) logSettings(first *catalog.Topic) func() storage.Settings {
	return func() storage.Settings {
		t := b.catalog.Snapshot().TopicByID(first.ID)
		if t == nil {
			t = first
		}
		c := &t.Config
		return storage.Settings{
			SegmentBytes: b.settings.segmentBytes, SegmentMs: c.SegmentMs, IndexBytes: int64(c.SegmentIndexBytes), IndexInterval: b.settings.indexInterval,
			RetentionMs: c.RetentionMs, RetentionBytes: c.RetentionBytes, FileDeleteMs: c.FileDeleteDelayMs, DeleteByPolicy: c.CleanupDelete,
			AlwaysSync: topic.IsInternal(t.Name),
		}
	}
}

// Changed implements catalog.Applier.
func (b *broker) Changed(*catalog.Topic) {}

// Deleted implements catalog.Applier.
func (b *broker) Deleted(_ context.Context, t *catalog.Topic) error {
	parts := b.parts.Remove(t.ID)
	for _, p := range parts {
		p.End(kerr.UnknownTopicOrPartition)
	}
	return b.discard(t, parts)
}

func (b *broker) discard(t *catalog.Topic, parts []*partition.Partition) error {
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

// close stops from the top down.
func (b *broker) close() error {
	_ = b.doors.Close()
	if b.wire != nil {
		b.wire.Close()
	}
	if b.groups != nil {
		b.groups.Close()
	}
	if b.store == nil {
		return nil
	}
	for _, p := range b.parts.All() {
		p.End(kerr.NotLeaderForPartition)
	}
	return b.store.Close()
}

// offsetsTopic is __consumer_offsets, as the coordinator's runtime sees it.
type offsetsTopic struct{ b *broker }

func (o offsetsTopic) Partitions() int32 { return 2 }

func (o offsetsTopic) Exists() bool {
	return o.b.catalog.Snapshot().Topic(topic.ConsumerOffsets) != nil
}

func (o offsetsTopic) Open(ctx context.Context, index int32) (coordinator.Log, error) {
	t, err := o.b.api.OffsetsTopic(ctx)
	if err != nil {
		return nil, err
	}
	p := o.b.parts.Get(t.ID, index)
	if p == nil {
		return nil, kerr.NotCoordinator
	}
	return offsetsLog{p}, nil
}

type offsetsLog struct{ p *partition.Partition }

func (l offsetsLog) Append(batch []byte, done func(error)) (int64, error) {
	return l.p.AppendOrdered(record.Batch(batch), func(_ partition.Appended, err error) { done(err) })
}

func (l offsetsLog) ReadAt(ctx context.Context, offset int64, maxBytes int) ([]byte, error) {
	r, err := l.p.Read(ctx, partition.Read{Offset: offset, CurrentEpoch: -1, LastFetchedEpoch: -1, MaxBytes: maxBytes, AtLeastOne: true})
	if err != nil {
		return nil, err
	}
	defer r.Release()
	return append([]byte{}, r.Data...), nil
}

func (l offsetsLog) StartOffset() int64   { return l.p.LogStartOffset() }
func (l offsetsLog) HighWatermark() int64 { return l.p.HighWatermark() }

// topicsView is the topics, as the group coordinator sees them.
type topicsView struct{ b *broker }

func (v topicsView) Lookup(name string) (id [16]byte, partitions int32, ok bool) {
	t := v.b.catalog.Snapshot().Topic(name)
	if t == nil {
		return id, 0, false
	}
	return t.ID, t.Partitions, true
}

func (v topicsView) Name(id [16]byte) (string, bool) {
	t := v.b.catalog.Snapshot().TopicByID(id)
	if t == nil {
		return "", false
	}
	return t.Name, true
}

// doors is a listener that is entered by pipes.
type doors struct {
	in   chan net.Conn
	gone chan struct{}
	once sync.Once
}

func newDoors() *doors { return &doors{in: make(chan net.Conn), gone: make(chan struct{})} }

func (d *doors) enter() (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case d.in <- far:
		return near, nil
	case <-d.gone:
		return nil, net.ErrClosed
	}
}

// Accept implements net.Listener.
func (d *doors) Accept() (net.Conn, error) {
	select {
	case c := <-d.in:
		return c, nil
	case <-d.gone:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (d *doors) Close() error {
	d.once.Do(func() { close(d.gone) })
	return nil
}

// Addr implements net.Listener.
func (d *doors) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9092} }

// lifetime is a store that ends with its broker, as a disk does when the power is
// cut, and keeps what it has for the next.
type lifetime struct {
	meta.Store
	over func() error
}

// Txn does nothing once the broker's life is over.
func (l lifetime) Txn(ctx context.Context, conds []meta.Cond, ops []meta.Op) (int64, error) {
	if err := l.over(); err != nil {
		return 0, err
	}
	return l.Store.Txn(ctx, conds, ops)
}

// Close keeps the store.
func (l lifetime) Close() error { return nil }
