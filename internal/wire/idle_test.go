package wire_test

import (
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/wire"
)

// TestFramesInPieces: a connection that waits idly for a frame gets it byte by byte, or
// several at once. First it waits on a goroutine of its own, and later on the reader's.
func TestFramesInPieces(t *testing.T) {
	t.Parallel()
	b := newBench(t, wire.Config{})
	c := b.dial(t)
	for i := int32(0); i < 20; i += 2 {
		for _, p := range metadata(i) {
			send(t, c, []byte{p})
		}
		b.next(t).Reply(kmsg.NewPtrMetadataResponse())
		require.Equal(t, i, correlation(t, c))
		send(t, c, append(metadata(i), metadata(i+1)...))
		b.next(t).Reply(kmsg.NewPtrMetadataResponse())
		b.next(t).Reply(kmsg.NewPtrMetadataResponse())
		require.Equal(t, i, correlation(t, c))
		require.Equal(t, i+1, correlation(t, c))
	}
}

// TestIdleTimeout: a connection that sends nothing is closed after the idle timeout, but
// not while one of its requests is in progress, however many it has sent before.
func TestIdleTimeout(t *testing.T) {
	t.Parallel()
	for _, before := range []int32{0, 20} {
		const timeout = 200 * time.Millisecond
		b := newBench(t, wire.Config{IdleTimeout: timeout})
		c := b.dial(t)
		for i := range before {
			send(t, c, metadata(i))
			b.next(t).Reply(kmsg.NewPtrMetadataResponse())
			require.Equal(t, i, correlation(t, c))
		}
		send(t, c, metadata(100))
		r := b.next(t)
		select {
		case <-r.Conn.Context().Done():
			t.Fatal("closed while a request is in progress")
		case <-time.After(3 * timeout):
		}
		r.Reply(kmsg.NewPtrMetadataResponse())
		require.Equal(t, int32(100), correlation(t, c))
		began := time.Now()
		_, err := c.Read(make([]byte, 1))
		require.ErrorIs(t, err, io.EOF)
		require.Less(t, time.Since(began), 20*timeout)
	}
}

// TestCloseWakesIdleConnections: Close does not wait for connections that are idle.
func TestCloseWakesIdleConnections(t *testing.T) {
	t.Parallel()
	b := newBench(t, wire.Config{})
	idle, used := b.dial(t), b.dial(t)
	for i := range int32(20) {
		send(t, used, metadata(i))
		b.next(t).Reply(kmsg.NewPtrMetadataResponse())
		require.Equal(t, i, correlation(t, used))
	}
	require.Eventually(t, func() bool { return b.server.Connections() == 2 }, 10*time.Second, time.Millisecond)
	b.server.Close()
	closed(t, idle)
	closed(t, used)
}
