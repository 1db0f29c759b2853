package client

import (
	"net"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/botehq/bote/internal/cli/tool"
)

// nodeLog writes Kafka's log lines about nodes that cannot be reached.
type nodeLog struct {
	s         *tool.Streams
	who       Identity
	addresses map[string]string
	quiet     atomic.Bool
}

// OnBrokerConnect writes a line for each failed connection.
func (n *nodeLog) OnBrokerConnect(meta kgo.BrokerMetadata, _ time.Duration, _ net.Conn, err error) {
	if err == nil || n.quiet.Load() || AuthenticationError(err) != nil {
		return
	}
	id := meta.NodeID
	if id < 0 {
		id = -1
	}
	host := net.JoinHostPort(meta.Host, strconv.Itoa(int(meta.Port)))
	address := n.addresses[host]
	if address == "" {
		address = meta.Host
	}
	n.s.Log(tool.LevelWarn, loggerNetwork, "%s Connection to node %d (%s/%s:%d) could not be established. Node may not be available.", n.who, id, meta.Host, address, meta.Port)
	if n.who.Bootstrap && id < 0 {
		n.s.Log(tool.LevelWarn, loggerNetwork, "%s Bootstrap broker %s:%d (id: -1 rack: null isFenced: false) disconnected", n.who, meta.Host, meta.Port)
	}
}
