package broker

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/botehq/bote/internal/catalog"
	"github.com/botehq/bote/internal/cluster"
	"github.com/botehq/bote/internal/config"
	"github.com/botehq/bote/internal/token"
	"github.com/botehq/bote/internal/wire"
)

// listen binds the listeners. This is the first step, because a port in use is the
// error that a user should see first.
func (b *Broker) listen(ctx context.Context) error {
	b.node = &cluster.Node{ID: b.settings.NodeID, Endpoints: map[string]cluster.Endpoint{}}
	if b.settings.Rack != "" {
		b.node.Rack = &b.settings.Rack
	}
	for _, at := range b.settings.Listeners {
		l, err := b.cfg.Listen(ctx, at.Name, net.JoinHostPort(at.Host, fmt.Sprint(at.Port)))
		if err != nil {
			return err
		}
		b.listeners = append(b.listeners, l)
		b.node.Endpoints[at.Name] = b.advertised(at, l.Addr())
	}
	return nil
}

// advertised returns the address that clients of a listener are told.
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

// Addr returns the bound address of the first listener, "host:port".
func (b *Broker) Addr() string { return b.listeners[0].Addr().String() }

// Addrs returns the bound addresses by listener name.
func (b *Broker) Addrs() map[string]string {
	out := map[string]string{}
	for _, l := range b.listeners {
		out[l.Name] = l.Addr().String()
	}
	return out
}

// wireConfig returns what the settings say about connections.
func (b *Broker) wireConfig() wire.Config {
	limits := b.settings.Connections
	inForce := &connectionLimits{b: b, reading: token.New("connection limits")}
	inForce.read(b.catalog.Snapshot(), &limitsOf{})
	return wire.Config{
		MaxRequestBytes: int(limits.RequestMaxBytes), MaxElements: int(limits.RequestMaxElements), IdleTimeout: limits.MaxIdle, FrameTimeout: limits.FrameTimeout, StallTimeout: limits.StallTimeout,
		Limits:     inForce.inForce,
		SendBuffer: int(limits.SendBufferBytes), ReceiveBuffer: int(limits.ReceiveBufferBytes),
		RequestMemory: limits.RequestMemory, AnswerMemory: limits.AnswerMemory,
		Logger: b.log, Registerer: b.cfg.Registerer,
	}
}

// connectionLimits reads the limits on connections from the configs in force, which
// kafka-configs may change.
type connectionLimits struct {
	b       *Broker
	reading token.Token // held by the one accept loop that reads the limits; to look up host names may take a while
	current atomic.Pointer[limitsOf]
}

// limitsOf are the limits of a snapshot of the catalog.
type limitsOf struct {
	at     *catalog.Snapshot
	limits wire.ConnectionLimits
	byHost map[string]int32 // the exceptions before their hosts were resolved
}

// inForce returns the limits. While another accept loop reads changed limits, it
// returns the previous ones.
func (l *connectionLimits) inForce() wire.ConnectionLimits {
	s, known := l.b.catalog.Snapshot(), l.current.Load()
	if known.at == s {
		return known.limits
	}
	if !l.reading.TryTake() {
		return known.limits
	}
	defer l.reading.Give()
	return l.read(s, known).limits
}

// longestLookup is how long a new connection waits for the host names in a changed
// max.connections.per.ip.overrides.
const longestLookup = 5 * time.Second

func (l *connectionLimits) read(s *catalog.Snapshot, known *limitsOf) *limitsOf {
	c := s.Layers(nil).Connections()
	next := &limitsOf{at: s, byHost: c.MaxPerIPOverrides, limits: wire.ConnectionLimits{Total: int(c.Max), PerHost: int(c.MaxPerIP)}}
	if maps.Equal(known.byHost, next.byHost) {
		next.limits.Of = known.limits.Of
	} else {
		ctx, cancel := context.WithTimeout(context.Background(), longestLookup)
		defer cancel()
		next.limits.Of = l.b.byAddress(ctx, next.byHost)
	}
	l.current.Store(next)
	return next
}

// byAddress resolves the hosts in max.connections.per.ip.overrides.
func (b *Broker) byAddress(ctx context.Context, byHost map[string]int32) map[string]int {
	out := map[string]int{}
	for host, n := range byHost {
		if ip := net.ParseIP(host); ip != nil {
			out[ip.String()] = int(n)
			continue
		}
		addresses, err := net.DefaultResolver.LookupHost(ctx, host)
		if err != nil {
			b.log.Warn("host of max.connections.per.ip.overrides not found", slog.String("host", host), slog.Any("err", err))
		}
		for _, address := range addresses {
			out[address] = int(n)
		}
	}
	return out
}
