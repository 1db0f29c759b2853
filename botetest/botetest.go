// Package botetest starts a broker inside a test.
//
//	b := botetest.New(t)
//	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()))
//
// The broker keeps everything in memory, listens on a free port of the loopback
// interface, starts in milliseconds and is closed when the test ends. Many brokers
// can run at once.
package botetest

import (
	"context"
	"testing"

	"github.com/botehq/bote"
)

// Option changes the broker's configuration before it is opened.
type Option func(*bote.Config)

// WithDataDir keeps the data in a directory, with the speed and durability of a disk.
func WithDataDir(dir string) Option {
	return func(c *bote.Config) { c.DataDir, c.InMemory = dir, false }
}

// WithProperty sets a property of server.properties.
func WithProperty(key, value string) Option {
	return func(c *bote.Config) { c.Properties[key] = value }
}

// WithConfig changes the configuration in any way.
func WithConfig(change func(*bote.Config)) Option { return change }

// New starts a broker that is closed when the test ends. Groups assign their
// partitions at once; Kafka would wait for more members first.
func New(tb testing.TB, opts ...Option) *bote.Broker {
	tb.Helper()
	cfg := bote.Config{
		InMemory: true, Listen: "127.0.0.1:0",
		Properties: map[string]string{"group.initial.rebalance.delay.ms": "0"},
	}
	for _, o := range opts {
		o(&cfg)
	}
	b, err := bote.Open(context.Background(), cfg)
	if err != nil {
		tb.Fatalf("open a broker: %v", err)
	}
	served := make(chan error, 1)
	go func() { served <- b.Serve(context.Background()) }()
	tb.Cleanup(func() {
		if err := b.Close(); err != nil {
			tb.Errorf("close the broker: %v", err)
		}
		if err := <-served; err != nil {
			tb.Errorf("serve: %v", err)
		}
	})
	return b
}
