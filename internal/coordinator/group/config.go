package group

import (
	"errors"
	"log/slog"
	"math"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/botehq/bote/internal/coordinator"
)

// Config configures the behaviour of groups. Zero values mean the default, except in
// InitialRebalanceDelay.
type Config struct {
	// InitialRebalanceDelay is group.initial.rebalance.delay.ms: how long the
	// first join of an empty group waits for others. Zero means no delay; package
	// config supplies Kafka's default of 3 s.
	InitialRebalanceDelay time.Duration
	// MinSessionTimeout is group.min.session.timeout.ms, default 6 s.
	MinSessionTimeout time.Duration
	// MaxSessionTimeout is group.max.session.timeout.ms, default 30 min.
	MaxSessionTimeout time.Duration
	// MaxSize is group.max.size in members, default 2147483647.
	MaxSize int
	// MembersMaxBytes is group.members.max.bytes: how much memory the members of
	// all groups together may occupy, default 256 MiB.
	MembersMaxBytes int64
	// OffsetMetadataMaxBytes is offset.metadata.max.bytes, in UTF-16 units as
	// Kafka counts them, default 4096.
	OffsetMetadataMaxBytes int
	// OffsetsRetention is offsets.retention.minutes, default 7 days.
	OffsetsRetention time.Duration
	// OffsetsRetentionCheckInterval is offsets.retention.check.interval.ms, default 10 min.
	OffsetsRetentionCheckInterval time.Duration
}

// withDefaults fills in the defaults and returns an error if a value is not valid.
func (c Config) withDefaults() (Config, error) {
	set(&c.MinSessionTimeout, 6*time.Second)
	set(&c.MaxSessionTimeout, 30*time.Minute)
	set(&c.MaxSize, math.MaxInt32)
	set(&c.MembersMaxBytes, 256<<20)
	set(&c.OffsetMetadataMaxBytes, 4096)
	set(&c.OffsetsRetention, 7*24*time.Hour)
	set(&c.OffsetsRetentionCheckInterval, 10*time.Minute)
	switch {
	case c.InitialRebalanceDelay < 0:
		return c, errors.New("group.initial.rebalance.delay.ms is negative")
	case c.MinSessionTimeout < 0 || c.MaxSessionTimeout < c.MinSessionTimeout:
		return c, errors.New("group.max.session.timeout.ms is smaller than group.min.session.timeout.ms")
	case c.MaxSize < 1:
		return c, errors.New("group.max.size is less than 1")
	case c.MembersMaxBytes < 0:
		return c, errors.New("group.members.max.bytes is negative")
	case c.OffsetMetadataMaxBytes < 0:
		return c, errors.New("offset.metadata.max.bytes is negative")
	case c.OffsetsRetention < 0 || c.OffsetsRetentionCheckInterval < 0:
		return c, errors.New("the retention of offsets is negative")
	}
	return c, nil
}

func set[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Topics is what the coordinator needs to know about topics. It must agree with the
// answers to Metadata requests, must not block, and is called concurrently.
type Topics interface {
	// Lookup finds a topic by name.
	Lookup(name string) (id [16]byte, partitions int32, ok bool)
	// Name finds a topic by ID.
	Name(id [16]byte) (name string, ok bool)
}

// Deps are the dependencies of a [Coordinator]. Logs and Topics are required.
type Deps struct {
	Logs       coordinator.Logs // of __consumer_offsets
	Topics     Topics
	Logger     *slog.Logger          // default: discard
	Registerer prometheus.Registerer // default: none
	Now        func() time.Time      // wall clock, default time.Now
	NewID      func() string         // random part of member IDs, 36 bytes at most, default a random UUID
}

// Caller describes the client that sent a request, as groups remember it.
type Caller struct {
	ClientID   string
	ClientHost string // as in "/127.0.0.1", with the slash
}
