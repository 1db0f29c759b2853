//go:build !linux

package load

import "net"

// discarder returns a function that throws away bytes of a connection.
func discarder(conn net.Conn) func(n int) error { return readAndDiscard(conn) }
