package wire_test

import (
	"encoding/binary"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/internal/wire"
)

// randomFile returns a file of so many bytes, and the bytes.
func randomFile(t *testing.T, size int) (*os.File, []byte) {
	t.Helper()
	content := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(content) // never fails
	f, err := os.Create(filepath.Join(t.TempDir(), "segment"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = f.Close() })
	_, err = f.Write(content)
	require.NoError(t, err)
	return f, content
}

// mixed returns an answer that alternates bytes and parts of a file, and the bytes
// that a client should receive for it.
func mixed(f *os.File, content []byte) (parts []wire.Part, want []byte) {
	at := 0
	for i := range 8 {
		some := content[i*100 : i*100+i*40_000+i]
		size := 1 + i*150_000
		parts = append(parts, wire.Part{Bytes: some[:len(some)/2]}, wire.Part{Bytes: some[len(some)/2:]}, wire.Part{File: f, At: int64(at), Size: size})
		want = append(append(want, some...), content[at:at+size]...)
		at += size / 2
	}
	return append(parts, wire.Part{Bytes: []byte("end")}), append(want, "end"...)
}

func receive(t *testing.T, c net.Conn, step int) []byte {
	t.Helper()
	var head [8]byte
	_, err := io.ReadFull(c, head[:])
	require.NoError(t, err)
	got := make([]byte, binary.BigEndian.Uint32(head[:])-4)
	for at := 0; at < len(got); at += step {
		_, err := io.ReadFull(c, got[at:min(len(got), at+step)])
		require.NoError(t, err)
	}
	return got
}

func TestPartsOfFiles(t *testing.T) {
	t.Parallel()
	f, content := randomFile(t, 8<<20)
	b := newEvery(t, wire.Config{})
	for _, step := range []int{1 << 20, 7_001} {
		c := b.dial(t)
		parts, want := mixed(f, content)
		send(t, c, fetch(1))
		released := make(chan struct{})
		b.next(t).ReplyParts(false, parts, func() { close(released) })
		require.Equal(t, want, receive(t, c, step))
		<-released
	}
}

// TestPartsOfFilesOverAPipe: a connection that is not a socket gets the same bytes.
func TestPartsOfFilesOverAPipe(t *testing.T) {
	t.Parallel()
	f, content := randomFile(t, 8<<20)
	b := newEvery(t, wire.Config{})
	ours, theirs := net.Pipe()
	l := &oneConn{conns: make(chan net.Conn, 1), closed: make(chan struct{})}
	l.conns <- theirs
	b.server.Serve(wire.NewListener("PIPE", l))
	parts, want := mixed(f, content)
	send(t, ours, fetch(1))
	b.next(t).ReplyParts(false, parts, nil)
	require.Equal(t, want, receive(t, ours, 1<<20))
	require.NoError(t, ours.Close())
}

// TestAFileThatEndsEarly: a file that is shorter than the size that the client was
// promised ends the connection, because there is no other way to report it.
func TestAFileThatEndsEarly(t *testing.T) {
	t.Parallel()
	f, content := randomFile(t, 1<<20)
	b := newEvery(t, wire.Config{})
	c := b.dial(t)
	send(t, c, fetch(1))
	released := make(chan struct{})
	b.next(t).ReplyParts(false, []wire.Part{{File: f, At: 1, Size: len(content)}}, func() { close(released) })
	got, err := io.ReadAll(c) // to the end of the connection, or to its reset
	require.NotErrorIs(t, err, os.ErrDeadlineExceeded)
	require.Less(t, len(got), 4+4+len(content))
	<-released
}

// TestAnUnreadFileTakesNoMemory: a client that does not read a file costs no memory
// for it, and is closed after the idle timeout.
func TestAnUnreadFileTakesNoMemory(t *testing.T) {
	t.Parallel()
	f, err := os.Create(filepath.Join(t.TempDir(), "segment"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = f.Close() })
	require.NoError(t, f.Truncate(1<<30))
	reg := prometheus.NewRegistry()
	b := newEvery(t, wire.Config{AnswerMemory: 1 << 20, StallTimeout: 50 * time.Millisecond, IdleTimeout: 500 * time.Millisecond, Registerer: reg})
	c := b.dial(t)
	send(t, c, fetch(1))
	released := make(chan struct{})
	b.next(t).ReplyParts(false, []wire.Part{{File: f, Size: 1 << 30}}, func() { close(released) })
	gauged(t, reg, "bote_memory_used_bytes/answers", 8)
	<-released
	gauged(t, reg, "bote_slow_clients_closed_total", 1)
}

// oneConn is a listener that accepts the connections it is given.
type oneConn struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (l *oneConn) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *oneConn) Close() error {
	close(l.closed)
	return nil
}

func (l *oneConn) Addr() net.Addr { return &net.TCPAddr{} }

// TestEmptyParts: the writer does not wait for parts without bytes, even if an answer
// ends with them.
func TestEmptyParts(t *testing.T) {
	t.Parallel()
	f, content := randomFile(t, 100)
	b := newBench(t, wire.Config{})
	c := b.dial(t)
	for i, parts := range [][]wire.Part{
		{{Bytes: []byte{}}, {File: f}},
		{{Bytes: content[:10]}, {Bytes: []byte{}}, {File: f, Size: 10}, {Bytes: []byte{}}, {File: f}},
	} {
		send(t, c, metadata(int32(i)))
		b.next(t).ReplyParts(false, parts, nil)
		require.Equal(t, int32(i), correlation(t, c))
	}
}
