package bote

import (
	"context"

	"github.com/botehq/bote/internal/broker"
)

// Broker is one running broker.
type Broker struct {
	b *broker.Broker // the broker that joins the parts
}

// Open recovers the data directory and binds the listeners. Clients can connect, but
// get no answers before Serve.
func Open(ctx context.Context, cfg Config) (*Broker, error) {
	parts, err := cfg.parts()
	if err != nil {
		return nil, err
	}
	b, err := broker.Open(ctx, parts)
	if err != nil {
		return nil, err
	}
	return &Broker{b}, nil
}

// Addr returns the bound address of the first listener, "host:port".
func (b *Broker) Addr() string { return b.b.Addr() }

// Addrs returns the bound addresses by listener name.
func (b *Broker) Addrs() map[string]string { return b.b.Addrs() }

// ConsoleAddrs returns the bound addresses of console.listeners.
func (b *Broker) ConsoleAddrs() []string { return b.b.ConsoleAddrs() }

// ClusterID returns the ID in the data directory.
func (b *Broker) ClusterID() string { return b.b.ClusterID() }

// DataDir returns the data directory.
func (b *Broker) DataDir() string { return b.b.DataDir() }

// Serve answers clients until ctx ends or Close is called. It does not close the
// broker.
func (b *Broker) Serve(ctx context.Context) error { return b.b.Serve(ctx) }

// Close ends all connections, makes everything durable, and waits for everything that
// Open and Serve started. It may be called more than once.
func (b *Broker) Close() error { return b.b.Close() }
