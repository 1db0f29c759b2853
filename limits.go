package bote

import (
	"context"
	"log/slog"
	"net"

	"github.com/botehq/bote/internal/wire"
)

// wireConfig is what the settings say about connections.
func (b *Broker) wireConfig(ctx context.Context) wire.Config {
	limits := b.settings.Connections
	perAddress := int(limits.MaxPerIP)
	if perAddress == 0 {
		perAddress = -1 // only the exceptions may connect
	}
	return wire.Config{
		MaxRequestBytes: int(limits.RequestMaxBytes), IdleTimeout: limits.MaxIdle, FrameTimeout: limits.FrameTimeout, StallTimeout: limits.StallTimeout,
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
