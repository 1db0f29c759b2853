package broker

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"

	"github.com/botehq/bote/internal/cluster"
	"github.com/botehq/bote/internal/config"
	"github.com/botehq/bote/internal/wire"
)

// listen binds the listeners, first of all: a taken port is the error to see.
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

// wireConfig is what the settings say about connections.
func (b *Broker) wireConfig(ctx context.Context) wire.Config {
	limits := b.settings.Connections
	perAddress := int(limits.MaxPerIP)
	if perAddress == 0 {
		perAddress = -1 // only the exceptions may connect
	}
	return wire.Config{
		MaxRequestBytes: int(limits.RequestMaxBytes), MaxElements: int(limits.RequestMaxElements), IdleTimeout: limits.MaxIdle, FrameTimeout: limits.FrameTimeout, StallTimeout: limits.StallTimeout,
		MaxConnections: int(limits.Max), MaxConnectionsPer: perAddress, MaxConnectionsOf: b.byAddress(ctx, limits.MaxPerIPOverrides),
		SendBuffer: int(limits.SendBufferBytes), ReceiveBuffer: int(limits.ReceiveBufferBytes),
		RequestMemory: limits.RequestMemory, AnswerMemory: limits.AnswerMemory,
		Logger: b.log, Registerer: b.cfg.Registerer,
	}
}

// byAddress resolves the hosts of max.connections.per.ip.overrides.
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
