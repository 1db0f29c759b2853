package server

import (
	"context"

	"github.com/botehq/bote/internal/cli/tool"
)

// RunZookeeperStart answers older instructions, which start ZooKeeper before the broker.
func RunZookeeperStart(_ context.Context, s *tool.Streams, _ []string) int {
	s.Printf("ZooKeeper is not needed: bote stores its metadata itself. Continue with kafka-server-start.\n")
	return tool.ExitOK
}

// RunZookeeperStop answers older instructions, which stop ZooKeeper after the broker.
func RunZookeeperStop(_ context.Context, s *tool.Streams, _ []string) int {
	s.Printf("ZooKeeper is not running, and it is not needed.\n")
	return tool.ExitOK
}
