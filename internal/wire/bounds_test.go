package wire

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/twmb/franz-go/pkg/kmsg"
)

type skips struct{ panics }

func (skips) Serve(r *Request) { r.Skip() }

func listening(t *testing.T, h Handler, cfg Config) (*Server, func() net.Conn) {
	t.Helper()
	s := NewServer(h, cfg)
	l, err := Listen(t.Context(), "PLAINTEXT", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.Serve(l)
	t.Cleanup(s.Close)
	return s, func() net.Conn {
		nc, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = nc.Close() })
		_ = nc.SetDeadline(time.Now().Add(20 * time.Second))
		return nc
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatal("not in time: ", what)
		}
	}
}

// TestEmptyBytesAtTheEnd: an answer that ends with empty Bytes behind a part of a file is
// sent. net.Buffers.WriteTo neither sends nor consumes slices that are all empty.
func TestEmptyBytesAtTheEnd(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "segment"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(100 << 10); err != nil {
		t.Fatal(err)
	}
	h := twoRequests{make(chan *Request, 2)}
	_, dial := listening(t, h, Config{})
	nc := dial()
	_, _ = nc.Write(append(metadataFrame(1), metadataFrame(2)...))
	released := make(chan struct{})
	(<-h.requests).ReplyParts(false, []Part{{File: f, Size: 100 << 10}, {Bytes: []byte{}}}, func() { close(released) })
	(<-h.requests).Reply(kmsg.NewPtrMetadataResponse())
	if _, err := io.ReadFull(nc, make([]byte, 8+100<<10)); err != nil {
		t.Fatal(err)
	}
	select {
	case <-released:
	case <-time.After(3 * time.Second):
		t.Fatal("the client has all of answer 1, but its writer has not ended, and answer 2 does not come")
	}
}

// TestInFlightAfterAPanic: Serve panics after it started something that answers, such as
// the timer of a Produce request. The request is counted down once.
func TestInFlightAfterAPanic(t *testing.T) {
	h := answersLater{answered: make(chan struct{})}
	s, dial := listening(t, h, Config{})
	nc := dial()
	_, _ = nc.Write(metadataFrame(1))
	_, _ = io.ReadAll(nc)
	<-h.answered
	if got := gaugeValue(s); got != 0 {
		t.Fatalf("%v requests are in flight", got)
	}
}

type answersLater struct {
	panics
	answered chan struct{}
}

func (h answersLater) Serve(r *Request) {
	time.AfterFunc(100*time.Millisecond, func() {
		r.Reply(kmsg.NewPtrMetadataResponse())
		close(h.answered)
	})
	panic("a bug")
}

// TestIdleAfterALongRequest: a client whose request was in progress for nearly the
// IdleTimeout may be idle for as long after its answer.
func TestIdleAfterALongRequest(t *testing.T) {
	const idle = time.Second
	h := twoRequests{make(chan *Request, 1)}
	_, dial := listening(t, h, Config{IdleTimeout: idle})
	nc := dial()
	_, _ = nc.Write(metadataFrame(1))
	r := <-h.requests
	<-time.After(idle * 9 / 10)
	r.Reply(kmsg.NewPtrMetadataResponse())
	answered := time.Now()
	_, _ = io.ReadAll(nc)
	if after := time.Since(answered); after < idle*9/10 {
		t.Fatalf("closed %v after an answer; the idle timeout is %v", after, idle)
	}
}

func gaugeValue(s *Server) float64 {
	var m dto.Metric
	_ = s.metrics.inFlight.Write(&m)
	return m.GetGauge().GetValue()
}
