// Package broker builds a broker out of its parts; it is the only place where they
// meet. Its caller gives it a file system, a store of metadata and listeners. So
// package bote, which runs the broker on the machine, and test/model, which runs it
// on a failing disk with a simulated clock, run the same code.
//
// This package owns the order in which the parts start and stop, and connects them:
// partitions to the catalog, __consumer_offsets and topics to the coordinator. It
// owns none of their rules.
package broker

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/botehq/bote/internal/api"
	"github.com/botehq/bote/internal/catalog"
	"github.com/botehq/bote/internal/cluster"
	"github.com/botehq/bote/internal/config"
	"github.com/botehq/bote/internal/coordinator/group"
	"github.com/botehq/bote/internal/meta"
	"github.com/botehq/bote/internal/ops"
	"github.com/botehq/bote/internal/partition"
	"github.com/botehq/bote/internal/storage"
	"github.com/botehq/bote/internal/storage/commitlog"
	"github.com/botehq/bote/internal/storage/vfs"
	"github.com/botehq/bote/internal/token"
	"github.com/botehq/bote/internal/topic"
	"github.com/botehq/bote/internal/wire"
)

// Config is what a broker is built on. FS and OpenMeta are required.
type Config struct {
	// Settings are the settings of server.properties, with one log directory.
	Settings config.Server
	// FS is the file system of the log directory.
	FS vfs.FS
	// OpenMeta opens the store of topics and configs, once the log directory is known
	// to belong to this broker. The broker closes it.
	OpenMeta func(dir string) (meta.Store, error)
	// Listen binds the address of a listener; nil means wire.Listen.
	Listen func(ctx context.Context, name, address string) (*wire.Listener, error)
	// Tune changes how logs are kept, beyond what configs allow; nil changes nothing.
	Tune func(*storage.Settings)
	// Now is the wall clock; nil means time.Now.
	Now func() time.Time
	// Logger gets what an operator needs to know; nil discards it.
	Logger *slog.Logger
	// Registerer gets the metrics; nil keeps them private.
	Registerer prometheus.Registerer
}

func (c *Config) setDefaults() {
	if c.Listen == nil {
		c.Listen = wire.Listen
	}
	if c.Tune == nil {
		c.Tune = func(*storage.Settings) {}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
}

// Broker is one running broker.
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
	leaders *cluster.Leaders
	groups  *group.Coordinator
	api     *api.Broker
	server  *wire.Server
	console []*ops.Server

	// lifeToken is a token, with one slot. Only its holder may end a partition, or put a
	// new one in its place: deletion, loss of leadership, and the healer, which opens
	// logs again.
	lifeToken          token.Token
	topicsBeingCreated atomic.Pointer[map[topic.ID]*catalog.Topic] // topics that are being created and are not in the catalog's snapshot yet
	healer             *healer
	follower           follower

	opened, serving atomic.Bool
	diskProbe       probe
	closing         chan struct{}
	closeOnce       sync.Once
	closeErr        error
}

// Open recovers the log directory and binds the listeners. Clients can connect, but
// get no answers before Serve.
func Open(ctx context.Context, cfg Config) (_ *Broker, err error) {
	cfg.setDefaults()
	b := &Broker{cfg: cfg, settings: cfg.Settings, log: cfg.Logger, parts: partition.NewSet(), lifeToken: token.New("lives of partitions"), closing: make(chan struct{})}
	b.healer = newHealer(b)
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
		Node: b.node, Leaders: b.leaders, Catalog: b.catalog, Partitions: b.parts, Groups: b.groups, Config: b.settings, Dirs: b.store,
		Now: b.cfg.Now, Logger: b.log, Registerer: b.cfg.Registerer,
	})
	b.groups.LoadAll()
	b.healer.start()
	b.follower.start(b)
	b.server = wire.NewServer(b.api, b.wireConfig())
	b.opened.Store(true)
	b.log.Info("broker opened", slog.String("data", b.store.Dir()), slog.Int("topics", b.catalog.Snapshot().Len()),
		b.lastStop(), slog.Duration("took", time.Since(began)))
	return b, nil
}

// lastStop says in the log whether the last run was stopped cleanly. Before the first
// start there was no run: the store is then not clean, and the catalog has just begun to
// count.
func (b *Broker) lastStop() slog.Attr {
	clean := b.store.Clean()
	if !clean && b.catalog.Snapshot().FirstRun() {
		return slog.Bool("first_start", true)
	}
	return slog.Bool("clean", clean)
}

// ClusterID returns the ID in the log directory.
func (b *Broker) ClusterID() string { return b.node.ClusterID }

// DataDir returns the log directory.
func (b *Broker) DataDir() string { return b.store.Dir() }

// Serve answers clients until ctx ends or Close is called. It does not close the
// broker.
func (b *Broker) Serve(ctx context.Context) error {
	controller := b.api.ForController()
	for i, l := range b.listeners {
		if b.settings.Listeners[i].Controller {
			l.Handler = controller
		}
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

// Close ends all connections, makes everything durable, and waits for everything that
// Open and Serve started. It may be called more than once.
func (b *Broker) Close() error {
	b.closeOnce.Do(func() {
		close(b.closing)
		b.closeErr = b.closeAll()
	})
	return b.closeErr
}

// closeAll closes the parts from the top down: a part must not start anything in a
// part that is already closed.
func (b *Broker) closeAll() error {
	var errs []error
	b.serving.Store(false)
	if b.server != nil {
		b.server.Close()
	}
	for _, l := range b.listeners {
		_ = l.Close() // the server has closed the listeners that it served
	}
	if b.api != nil {
		b.api.Close()
	}
	b.healer.stop()
	b.follower.stop()
	if b.groups != nil {
		b.groups.Close()
	}
	if b.store != nil {
		for _, p := range b.parts.All() {
			p.End(errNotHere)
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
	b.diskProbe.running.Wait()
	if b.store != nil && len(errs) == 0 {
		b.log.Info("broker closed")
	}
	return errors.Join(errs...)
}
