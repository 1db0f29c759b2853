package api

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/catalog"
	"github.com/botehq/bote/internal/cluster"
	"github.com/botehq/bote/internal/config"
	"github.com/botehq/bote/internal/coordinator/group"
	"github.com/botehq/bote/internal/partition"
	"github.com/botehq/bote/internal/wire"
)

// Deps is what handlers work with. All fields but Logger and Registerer are required.
type Deps struct {
	Node       *cluster.Node
	Leaders    *cluster.Leaders
	Catalog    *catalog.Catalog
	Partitions *partition.Set
	Groups     *group.Coordinator
	Config     config.Server
	Dirs       LogDir
	Now        func() time.Time
	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// LogDir is the data directory, as DescribeLogDirs shows it.
type LogDir interface {
	Dir() string
	Space() (total, free int64, err error)
}

// Broker answers requests. It implements wire.Handler.
type Broker struct {
	Deps
	log      *slog.Logger
	table    *table
	sessions *sessions
	disk     *wire.Episode // logs requests that fail because of the disk
	// endpoints is the kind of nodes that DescribeCluster may ask for here: brokers or
	// controllers, as the listeners of this Broker are for.
	endpoints int8
	diskSlots chan struct{} // one slot for each request that may wait for a disk
}

// New returns a Broker.
func New(d Deps) *Broker {
	b := &Broker{Deps: d, log: d.Logger, table: newTable(d.Config.OffsetTopicIDs), sessions: newSessions(int(d.Config.Connections.FetchSessions), d.Now)}
	if b.log == nil {
		b.log = slog.New(slog.DiscardHandler)
	}
	b.endpoints = brokerEndpoints
	b.diskSlots = make(chan struct{}, maxAside)
	b.disk = wire.NewEpisode(
		func(a ...any) { b.log.Error("the disk fails requests", a...) },
		func(a ...any) { b.log.Info("the disk fails no more requests", a...) },
	)
	return b
}

// ForController returns the handler for controllers' listeners: the same broker with only
// those APIs that Kafka's controllers serve.
func (b *Broker) ForController() *Broker {
	c := *b
	c.table, c.endpoints = b.table.forController(), controllerEndpoints
	return &c
}

// Close logs the end of what is still going on. It may be called twice.
func (b *Broker) Close() { b.disk.Stop() }

// Accepts implements wire.Handler.
func (b *Broker) Accepts(key, version int16) bool {
	e := b.table.lookup(key)
	return e != nil && version >= e.accepts && version <= e.max
}

// Count implements wire.Handler.
func (b *Broker) Count(key, version int16, body []byte, limit int) (int, error) {
	e := b.table.lookup(key)
	if e == nil {
		return 0, errShape
	}
	return e.count(version, body, limit)
}

// Serve implements wire.Handler.
func (b *Broker) Serve(r *wire.Request) {
	if r.Body == nil {
		b.unknownAPIVersions(r)
		return
	}
	e := b.table.lookup(r.Key)
	if e.aside {
		before, over := r.Conn.TakeTurn()
		b.asideAfter(before, over, r, func() { e.serve(b, r) }, r.Skip)
		return
	}
	e.serve(b, r)
}

// maxAside is how many requests of all connections may wait for disks at a time. A disk
// that does not answer blocks at most as many goroutines.
const maxAside = 1024

// offReader runs f, which continues a request that may wait for a disk, on a new goroutine,
// so that the connection's reader can go on. If the client leaves before f has begun,
// offReader calls gone instead.
func (b *Broker) offReader(r *wire.Request, f, gone func()) {
	b.asideAfter(nil, func() {}, r, f, gone)
}

// asideAfter is offReader for changes. As in Kafka, the changes of a connection happen in the
// order of its requests: before is closed when the previous change is over, and nil if
// there is none. asideAfter calls over when this one is over.
func (b *Broker) asideAfter(before <-chan struct{}, over func(), r *wire.Request, f, gone func()) {
	r.Resume(func() {
		defer over()
		ctx := r.Conn.Context()
		if before != nil {
			select {
			case <-before:
			case <-ctx.Done():
				gone()
				return
			}
		}
		if !b.inDiskSlot(ctx, f) {
			gone()
		}
	})
}

// inDiskSlot runs f when fewer than maxAside others run. It reports false if the client
// leaves first.
func (b *Broker) inDiskSlot(ctx context.Context, f func()) bool {
	select {
	case b.diskSlots <- struct{}{}:
		defer func() { <-b.diskSlots }()
		f()
		return true
	case <-ctx.Done():
		return false
	}
}

// code returns the error code that a client gets for an error. It also logs errors that
// have no code in the protocol, so call it once per error. Failures of the disk are
// logged once per episode, however many requests they hit, because clients retry at once.
func (b *Broker) code(r *wire.Request, err error) int16 {
	if err == nil {
		return 0
	}
	var known *kerr.Error
	switch {
	case errors.As(err, &known):
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return kerr.RequestTimedOut.Code // the client has left, or does not wait any longer
	default:
		known = kerr.UnknownServerError
	}
	switch known {
	case kerr.KafkaStorageError:
		b.disk.Note(slog.String("api", kmsg.NameForKey(r.Key)), slog.Any("err", err))
	case kerr.UnknownServerError:
		b.log.Error("request failed", slog.String("api", kmsg.NameForKey(r.Key)), slog.Any("err", err))
	}
	return known.Code
}

// message returns the text for an error code, or nil.
func message(err error) *string {
	if err == nil {
		return nil
	}
	if refusal, ok := errors.AsType[*catalog.RefusedError](err); ok {
		return &refusal.Message
	}
	if known, ok := errors.AsType[*kerr.Error](err); ok {
		return &known.Description
	}
	text := kerr.UnknownServerError.Description
	return &text
}

// noOperations is the value of authorized operations that nobody asked for.
const noOperations = -1 << 31

// The operations that each kind of resource has, as bits by operation code (KIP-430).
// Without an authorizer, everybody may do everything.
const (
	topicOperations   = 1<<3 | 1<<4 | 1<<5 | 1<<6 | 1<<7 | 1<<8 | 1<<10 | 1<<11
	groupOperations   = 1<<3 | 1<<6 | 1<<8 | 1<<10 | 1<<11
	clusterOperations = 1<<5 | 1<<7 | 1<<8 | 1<<9 | 1<<10 | 1<<11 | 1<<12
)
