package wire

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// flexibleByKmsg does what Listener.flexible does, for a handler that accepts
// everything that kmsg knows.
func flexibleByKmsg(key, version int16) bool {
	req := kmsg.RequestForKey(key)
	if req == nil || version < 0 || version > req.MaxVersion() {
		return false
	}
	req.SetVersion(version)
	return req.IsFlexible()
}

// FuzzHeader: if a header is accepted, its body is the end of the bytes; if its
// fields are written again, the result parses to the same header.
func FuzzHeader(f *testing.F) {
	f.Add([]byte{0, 3, 0, 1, 0, 0, 0, 7, 0, 1, 'x', 1, 2})
	f.Add([]byte{0, 3, 0, 12, 0, 0, 0, 7, 0xff, 0xff, 1, 0, 1, 9, 5})
	f.Fuzz(func(t *testing.T, p []byte) {
		h, body, ok := parseHeader(p, flexibleByKmsg)
		if !ok {
			return
		}
		require.True(t, bytes.HasSuffix(p, body))
		again := binary.BigEndian.AppendUint16(nil, uint16(h.key))
		again = binary.BigEndian.AppendUint16(again, uint16(h.version))
		again = binary.BigEndian.AppendUint32(again, uint32(h.correlationID))
		again = binary.BigEndian.AppendUint16(again, uint16(len(h.clientID)))
		again = append(again, h.clientID...)
		if flexibleByKmsg(h.key, h.version) {
			again = append(again, 0)
		}
		again = append(again, body...)
		h2, body2, ok := parseHeader(again, flexibleByKmsg)
		require.True(t, ok)
		require.Equal(t, h, h2)
		require.Equal(t, body, body2)
	})
}

// parrot answers every request at once with an empty response.
type parrot struct{}

func (parrot) Accepts(key, version int16) bool {
	req := kmsg.RequestForKey(key)
	return req != nil && version >= 0 && version <= req.MaxVersion()
}
func (parrot) Count(int16, int16, []byte, int) (int, error) { return 0, nil }
func (parrot) Serve(r *Request) {
	if r.Body == nil {
		r.Skip()
		return
	}
	r.Reply(r.Body.ResponseKind())
}

// FuzzConnection: whatever a client sends, in pieces of any size, its connection ends
// when it hangs up, the server's memory is given back, and the answers are whole
// frames.
func FuzzConnection(f *testing.F) {
	f.Add([]byte{0, 0, 0, 11, 0, 18, 0, 0, 0, 0, 0, 7, 0, 1, 'x'}, uint8(3))
	f.Add([]byte{0, 0, 0, 10, 0, 0, 0, 7, 0, 0, 0, 7, 0xff, 0xff, 0, 0}, uint8(200))
	f.Add([]byte{0x7f, 0xff, 0xff, 0xff, 0, 0, 0}, uint8(1))
	f.Fuzz(func(t *testing.T, p []byte, piece uint8) {
		s := NewServer(parrot{}, Config{MaxRequestBytes: 1 << 20, RequestMemory: 1 << 16, AnswerMemory: 1 << 20})
		here, there := net.Pipe()
		l := NewListener("pipe", &oneConn{conn: there, done: make(chan struct{})})
		s.Serve(l)
		answers := make(chan []byte)
		go func() {
			out, err := io.ReadAll(here)
			_ = err // the connection may be cut off
			answers <- out
		}()
		_ = here.SetWriteDeadline(time.Now().Add(5 * time.Second))
		for rest := p; len(rest) > 0; {
			n := min(len(rest), 1+int(piece))
			if _, err := here.Write(rest[:n]); err != nil {
				break // the server has hung up
			}
			rest = rest[n:]
		}
		_ = here.Close()
		out := <-answers
		s.Close()
		require.Zero(t, s.records.used.Load())
		require.Zero(t, s.others.used.Load())
		require.Zero(t, s.answers.used.Load())
		for len(out) >= 4 {
			n := int(binary.BigEndian.Uint32(out))
			require.GreaterOrEqual(t, n, 4)
			if n > len(out)-4 {
				break // cut off by the hang-up
			}
			out = out[4+n:]
		}
	})
}

// oneConn is a listener with one connection.
type oneConn struct {
	conn net.Conn
	done chan struct{}
}

func (o *oneConn) Accept() (net.Conn, error) {
	if c := o.conn; c != nil {
		o.conn = nil
		return c, nil
	}
	<-o.done
	return nil, net.ErrClosed
}
func (o *oneConn) Close() error   { close(o.done); return nil }
func (o *oneConn) Addr() net.Addr { return &net.TCPAddr{} }
