package cli

import "context"

// runZookeeperStart stands where older instructions start ZooKeeper before the broker.
func runZookeeperStart(_ context.Context, s *streams, _ []string) int {
	s.printf("No ZooKeeper is needed: bote keeps its metadata itself. Go on with kafka-server-start.\n")
	return exitOK
}

// runZookeeperStop stands where older instructions stop ZooKeeper behind the broker.
func runZookeeperStop(_ context.Context, s *streams, _ []string) int {
	s.printf("No ZooKeeper is running, and none is needed.\n")
	return exitOK
}
