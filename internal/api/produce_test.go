package api

import (
	"encoding/binary"
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/wire"
)

type serving func(r *wire.Request)

func (serving) Accepts(_, _ int16) bool                        { return true }
func (serving) Count(_, _ int16, _ []byte, _ int) (int, error) { return 0, nil }
func (f serving) Serve(r *wire.Request)                        { f(r) }

// TestTimeIsOverAsTheLastBatchEnds: the timeout passes when every batch has its outcome,
// but before the loop over them has ended. The request is answered once.
func TestTimeIsOverAsTheLastBatchEnds(t *testing.T) {
	answered, ended := make(chan struct{}), make(chan struct{})
	s := wire.NewServer(serving(func(r *wire.Request) {
		p := &produceRequest{r: r, resp: kmsg.NewPtrProduceResponse(), acks: 1, waiting: 1}
		r.HoldFrame()
		p.expire()
		<-answered
		r.ReleaseFrame()
		p.mu.Lock()
		defer p.mu.Unlock()
		defer close(ended)
		p.finishOne()
	}), wire.Config{})
	l, err := wire.Listen(t.Context(), "PLAINTEXT", "127.0.0.1:0")
	require.NoError(t, err)
	s.Serve(l)
	c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", l.Addr().String())
	require.NoError(t, err)
	req := kmsg.NewPtrProduceRequest()
	req.Version, req.Acks = 8, 1
	body := req.AppendTo([]byte{0, 0, 0, 8, 0, 0, 0, 1, 0, 1, 'x'})
	_, err = c.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...))
	require.NoError(t, err)
	size := make([]byte, 4)
	_, err = io.ReadFull(c, size)
	require.NoError(t, err)
	_, err = io.ReadFull(c, make([]byte, binary.BigEndian.Uint32(size)))
	require.NoError(t, err)
	close(answered)
	<-ended
	require.NoError(t, c.Close())
	s.Close()
}
