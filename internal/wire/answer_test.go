package wire_test

import (
	"encoding/binary"
	"io"
	"net"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/internal/wire"
)

// atOnce is a handler that answers every request in Serve, with bytes and a part of a file
// that tell which request it was.
type atOnce struct {
	every
	answer func(r *wire.Request)
}

func (h atOnce) Serve(r *wire.Request) { h.answer(r) }

// TestAnswersThatTheSocketDoesNotAccept: a client sends many requests and does not read.
// What the reader could not send of its answers is sent by a writer,
// in order and whole.
func TestAnswersThatTheSocketDoesNotAccept(t *testing.T) {
	t.Parallel()
	f, content := randomFile(t, 1<<20)
	answer := func(i int) []byte { return content[i*37 : i*37+5000+i*11] }
	h, served := &handler{}, make(chan struct{})
	b := newServed(t, h, atOnce{every{h}, func(r *wire.Request) {
		i := int(r.CorrelationID)
		want := answer(i)
		parts := []wire.Part{{Bytes: slices.Clone(want[:100])}, {File: f, At: int64(i*37 + 100), Size: 3000}, {Bytes: want[3100:]}}
		r.ReplyParts(false, parts, nil)
		served <- struct{}{}
	}}, wire.Config{SendBuffer: 64 << 10})
	c := b.dial(t)
	require.NoError(t, c.(*net.TCPConn).SetReadBuffer(64<<10))
	const n = 100
	for i := range int32(n) {
		send(t, c, fetch(i))
		<-served
	}
	for i := range n {
		var head [8]byte
		_, err := io.ReadFull(c, head[:])
		require.NoError(t, err)
		require.Equal(t, uint32(i), binary.BigEndian.Uint32(head[4:]))
		got := make([]byte, binary.BigEndian.Uint32(head[:])-4)
		_, err = io.ReadFull(c, got)
		require.NoError(t, err)
		require.Equal(t, answer(i), got)
	}
}

// TestASmallFileThatEndsEarly: as TestAFileThatEndsEarly, for an answer that is sent
// without a writer.
func TestASmallFileThatEndsEarly(t *testing.T) {
	t.Parallel()
	f, _ := randomFile(t, 1000)
	h := &handler{}
	released := make(chan struct{})
	b := newServed(t, h, atOnce{every{h}, func(r *wire.Request) {
		r.ReplyParts(false, []wire.Part{{File: f, At: 1, Size: 1000}}, func() { close(released) })
	}}, wire.Config{})
	c := b.dial(t)
	send(t, c, fetch(1))
	closed(t, c)
	<-released
}
