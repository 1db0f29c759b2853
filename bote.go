package bote

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/botehq/bote/internal/api"
	"github.com/botehq/bote/internal/catalog"
	"github.com/botehq/bote/internal/cluster"
	"github.com/botehq/bote/internal/config"
	"github.com/botehq/bote/internal/coordinator/group"
	"github.com/botehq/bote/internal/meta"
	"github.com/botehq/bote/internal/meta/localmeta"
	"github.com/botehq/bote/internal/meta/memmeta"
	"github.com/botehq/bote/internal/ops"
	"github.com/botehq/bote/internal/partition"
	"github.com/botehq/bote/internal/storage/commitlog"
	"github.com/botehq/bote/internal/storage/vfs"
	"github.com/botehq/bote/internal/wire"
)

// Broker is one running broker. This file is the only place where its parts meet.
type Broker struct {
	cfg       Config
	settings  config.Server
	log       *slog.Logger
	node      *cluster.Node
	listeners []*wire.Listener

	store   *commitlog.Store
	meta    meta.Store
	catalog *catalog.Catalog
	parts   *partition.Set
	groups  *group.Coordinator
	api     *api.Broker
	server  *wire.Server
	console []*ops.Server

	opened, serving atomic.Bool
	probing         sync.Mutex // the file that shows whether the disk takes data
	closing         chan struct{}
	closeOnce       sync.Once
	closeErr        error
}

// Open recovers the data directory and binds the listeners. Clients that connect
// wait until Serve.
func Open(ctx context.Context, cfg Config) (_ *Broker, err error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.now == nil {
		cfg.now = time.Now
	}
	if cfg.fs == nil {
		cfg.fs = vfs.OS{}
		if cfg.InMemory {
			cfg.fs = vfs.NewMem()
		}
	}
	b := &Broker{cfg: cfg, log: cfg.Logger, parts: partition.NewSet(), closing: make(chan struct{})}
	if b.settings, err = b.cfg.settings(); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.Close())
		}
	}()
	began := time.Now()
	for _, step := range []func(context.Context) error{b.listen, b.openConsole, b.openStore, b.openCatalog, b.openPartitions, b.openGroups} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	b.api = api.New(api.Deps{
		Node: b.node, Catalog: b.catalog, Partitions: b.parts, Groups: b.groups, Config: b.settings, Dirs: b.store,
		Now: cfg.now, Logger: b.log, Registerer: b.cfg.Registerer,
	})
	b.groups.LoadAll()
	b.server = wire.NewServer(b.api, b.wireConfig(ctx))
	b.opened.Store(true)
	b.log.Info("broker opened", slog.String("data", b.store.Dir()), slog.Int("topics", len(b.catalog.Snapshot().Topics())),
		slog.Bool("clean", b.store.Clean()), slog.Duration("took", time.Since(began)))
	return b, nil
}

// listen binds the listeners, first of all: a taken port is the error to see.
func (b *Broker) listen(ctx context.Context) error {
	b.node = &cluster.Node{ID: b.settings.NodeID, Endpoints: map[string]cluster.Endpoint{}}
	if b.settings.Rack != "" {
		b.node.Rack = &b.settings.Rack
	}
	for _, at := range b.settings.Listeners {
		l, err := wire.Listen(ctx, at.Name, net.JoinHostPort(at.Host, fmt.Sprint(at.Port)))
		if err != nil {
			return err
		}
		b.listeners = append(b.listeners, l)
		b.node.Endpoints[at.Name] = b.advertised(at, l.Addr())
	}
	return nil
}

// advertised is the address that clients of a listener are told.
func (b *Broker) advertised(at config.Listener, bound net.Addr) cluster.Endpoint {
	end, err := cluster.ParseEndpoint(bound.String())
	if err != nil {
		return cluster.Endpoint{Host: at.Host, Port: int32(at.Port)}
	}
	for _, a := range b.settings.Advertised {
		if a.Name == at.Name {
			if a.Port != 0 {
				end.Port = int32(a.Port)
			}
			end.Host = a.Host
		}
	}
	if ip := net.ParseIP(end.Host); end.Host == "" || ip != nil && ip.IsUnspecified() {
		if end.Host, err = os.Hostname(); err != nil {
			end.Host = "localhost"
		}
	}
	return end
}

// openStore takes the data directory, formatting an empty one.
func (b *Broker) openStore(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	dir := b.settings.LogDirs[0]
	id, err := commitlog.ReadIdentity(b.cfg.fs, dir)
	if errors.Is(err, commitlog.ErrNotFormatted) {
		id = commitlog.Identity{ClusterID: cluster.NewID(), NodeID: b.settings.NodeID, DirectoryID: cluster.NewID()}
		if err = commitlog.WriteIdentity(b.cfg.fs, dir, id); err == nil {
			b.log.Info("formatted the data directory", slog.String("data", dir), slog.String("cluster", id.ClusterID))
		}
	}
	if err != nil {
		return err
	}
	if id.NodeID != b.settings.NodeID {
		return fmt.Errorf("data directory %s belongs to node.id %d, but node.id is %d: correct the setting, or choose another directory", dir, id.NodeID, b.settings.NodeID)
	}
	b.node.ClusterID = id.ClusterID
	b.store, err = commitlog.Open(commitlog.Config{
		FS: b.cfg.fs, Dir: dir, Flush: flushMode(b.settings.Durability), FlushEvery: b.settings.FlushInterval,
		CheckpointEvery: b.settings.Logs.RecoveryCheckpoint, RetentionEvery: b.settings.Logs.RetentionCheck,
		Now: b.cfg.now, Logger: b.log, Registerer: b.cfg.Registerer,
	})
	return err
}

func flushMode(durability string) commitlog.FlushMode {
	switch durability {
	case config.FlushInterval:
		return commitlog.FlushInterval
	case config.FlushOS:
		return commitlog.FlushOS
	default:
		return commitlog.FlushCommit
	}
}

// metaFile holds topics and configs, beside the partition directories.
const metaFile = "bote-meta.db"

func (b *Broker) openCatalog(ctx context.Context) (err error) {
	if _, real := b.cfg.fs.(vfs.OS); real {
		b.meta, err = localmeta.Open(filepath.Join(b.store.Dir(), metaFile))
		if err == nil {
			err = b.cfg.fs.SyncDir(b.store.Dir()) // the file may be new
		}
	} else {
		b.meta = memmeta.New()
	}
	if err != nil {
		return err
	}
	b.catalog, err = catalog.Open(ctx, b.meta, b.settings.NodeID, b.settings.Static, !b.store.Clean())
	if err == nil {
		b.catalog.SetApplier(b)
	}
	return err
}

func (b *Broker) openGroups(context.Context) (err error) {
	g := b.settings.Groups
	b.groups, err = group.New(group.Config{
		InitialRebalanceDelay: g.InitialRebalanceDelay, MinSessionTimeout: g.MinSessionTimeout, MaxSessionTimeout: g.MaxSessionTimeout,
		MaxSize: int(g.MaxSize), OffsetMetadataMaxBytes: int(g.OffsetMetadataMaxBytes),
		OffsetsRetention: g.OffsetsRetention, OffsetsRetentionCheckInterval: g.OffsetsRetentionCheck,
	}, group.Deps{
		Logs: &offsetsTopic{b}, Topics: topicsView{b}, Logger: b.log, Registerer: b.cfg.Registerer, Now: b.cfg.now,
	})
	return err
}

// Addr is the bound address of the first listener, "host:port".
func (b *Broker) Addr() string { return b.listeners[0].Addr().String() }

// Addrs are the bound addresses by listener name.
func (b *Broker) Addrs() map[string]string {
	out := map[string]string{}
	for _, l := range b.listeners {
		out[l.Name] = l.Addr().String()
	}
	return out
}

// ClusterID is the ID in the data directory.
func (b *Broker) ClusterID() string { return b.node.ClusterID }

// Serve answers clients until ctx ends or Close is called. It does not close the
// broker.
func (b *Broker) Serve(ctx context.Context) error {
	for _, l := range b.listeners {
		b.server.Serve(l)
	}
	b.serving.Store(true)
	b.log.Info("broker serves", slog.String("address", b.Addr()))
	select {
	case <-ctx.Done():
	case <-b.closing:
	}
	return nil
}

// Close ends all connections, makes everything durable, and waits for all that
// Open and Serve started. It may be called more than once.
func (b *Broker) Close() error {
	b.closeOnce.Do(func() {
		close(b.closing)
		b.closeErr = b.closeAll()
	})
	return b.closeErr
}

// closeAll works from the top down: nothing may begin below what is closed.
func (b *Broker) closeAll() error {
	var errs []error
	b.serving.Store(false)
	if b.server != nil {
		b.server.Close()
	}
	for _, l := range b.listeners {
		_ = l.Close() // the server has closed those that it served
	}
	if b.groups != nil {
		b.groups.Close()
	}
	if b.store != nil {
		for _, p := range b.parts.All() {
			p.End(errClosing)
		}
		if err := b.store.Close(); err != nil {
			errs = append(errs, err)
		}
	}
	if b.meta != nil {
		if err := b.meta.Close(); err != nil {
			errs = append(errs, err)
		}
	}
	for _, s := range b.console {
		s.Close()
	}
	if b.store != nil && len(errs) == 0 {
		b.log.Info("broker closed")
	}
	return errors.Join(errs...)
}
