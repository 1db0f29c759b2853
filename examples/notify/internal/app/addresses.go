package app

import (
	"net"
	"strings"

	"github.com/botehq/bote/examples/notify/internal/mailbox"
)

// Addresses are where the parts of a process are reached. The address of a part that
// does not run here is empty.
type Addresses struct {
	Kafka   string `json:"kafka"` // a host and port, or several
	API     string `json:"api,omitempty"`
	Worker  string `json:"worker,omitempty"`
	SMTP    string `json:"smtp,omitempty"` // a host and port
	Mailbox string `json:"mailbox,omitempty"`
	Data    string `json:"data,omitempty"` // directory of the broker
}

// Addresses are where this process is reached.
func (a *App) Addresses() Addresses {
	out := Addresses{Kafka: strings.Join(a.cfg.BootstrapServers, ",")}
	if a.broker != nil {
		out.Kafka, out.Data = reachable(a.broker.Addr()), a.cfg.Data
		if a.tempDir != "" {
			out.Data = a.tempDir
		}
	}
	if a.workerServer != nil {
		out.Worker = "http://" + reachable(a.workerServer.Addr())
		out.Mailbox = out.Worker + mailbox.Path
		out.SMTP = a.cfg.SMTP
	}
	if a.smtp != nil {
		out.SMTP = reachable(a.smtp.Addr())
	}
	if a.apiServer != nil {
		out.API = "http://" + reachable(a.apiServer.Addr())
		if out.Mailbox != "" {
			out.Mailbox = out.API + mailbox.Path
		}
	}
	return out
}

// reachable is an address that a program on this machine can use. It names the
// loopback interface "localhost", even for a port that is bound on all interfaces.
func reachable(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if ip := net.ParseIP(host); err == nil && ip != nil && (ip.IsUnspecified() || ip.Equal(net.IPv4(127, 0, 0, 1)) || ip.Equal(net.IPv6loopback)) {
		return net.JoinHostPort("localhost", port)
	}
	return addr
}
