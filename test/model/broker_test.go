package model_test

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/botehq/bote/internal/broker"
	"github.com/botehq/bote/internal/config"
	"github.com/botehq/bote/internal/meta"
	"github.com/botehq/bote/internal/storage"
	"github.com/botehq/bote/internal/storage/vfs"
	"github.com/botehq/bote/internal/wire"
)

// node is a broker that serves on the test's file system and metadata store.
type node struct {
	broker  *broker.Broker
	doors   *doors
	serving sync.WaitGroup
}

// properties are the broker's properties in all histories: nothing happens because
// of time alone.
var properties = map[string]string{
	"node.id": "1", "process.roles": "broker,controller", "listeners": "PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093",
	"controller.listener.names": "CONTROLLER", "controller.quorum.voters": "1@localhost:9093",
	"log.dirs":                     "/var/bote", // its parent has to be created too
	"connections.max.idle.ms":      "86400000",
	"offsets.retention.minutes":    "1000000",
	"producer.id.expiration.ms":    "2000000000",
	"group.max.session.timeout.ms": "3600000", "group.min.session.timeout.ms": "1000", "group.initial.rebalance.delay.ms": "0", "offsets.topic.num.partitions": "2",
}

func startNode(ctx context.Context, set settings, fs vfs.FS, kept meta.Store) (*node, error) {
	return startNodeThatLogs(ctx, set, fs, kept, nil)
}

func startNodeThatLogs(ctx context.Context, set settings, fs vfs.FS, kept meta.Store, logger *slog.Logger) (*node, error) {
	server, _, err := config.ParseServer(properties)
	if err != nil {
		return nil, err
	}
	server.Durability, server.FlushInterval = set.durability(), time.Second
	server.Logs.RecoveryCheckpoint, server.Logs.RetentionCheck = set.checkpoint, set.retention
	n := &node{doors: newDoors()}
	n.broker, err = broker.Open(ctx, broker.Config{
		Settings: server, FS: fs, Logger: logger,
		OpenMeta: func(string) (meta.Store, error) { return kept, nil },
		Listen: func(_ context.Context, name, _ string) (*wire.Listener, error) {
			if name == "PLAINTEXT" {
				return wire.NewListener(name, n.doors), nil
			}
			return wire.NewListener(name, newDoors()), nil // no client connects to it
		},
		// Segments are smaller than Kafka allows.
		Tune: func(s *storage.Settings) { s.SegmentBytes, s.IndexInterval = set.segmentBytes, set.indexInterval },
	})
	if err != nil {
		return nil, err
	}
	n.serving.Go(func() { _ = n.broker.Serve(ctx) }) // returns when the broker is closed
	return n, nil
}

func (n *node) close() error {
	err := n.broker.Close()
	n.serving.Wait()
	return err
}

// doors is a listener whose connections are pipes.
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

// lifetime is a metadata store that stops taking changes when its broker's life is
// over, as a disk does when the power is cut. It keeps what it has for the next
// life.
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

// Close leaves the store open for the next life.
func (l lifetime) Close() error { return nil }
