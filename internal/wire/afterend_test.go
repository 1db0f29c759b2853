package wire

import (
	"encoding/binary"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// twoRequests is a handler that hands its requests to the test.
type twoRequests struct{ requests chan *Request }

func (twoRequests) Accepts(key, version int16) bool                { return key == 3 && version <= 12 }
func (twoRequests) Count(_, _ int16, _ []byte, _ int) (int, error) { return 0, nil }
func (h twoRequests) Serve(r *Request)                             { h.requests <- r }

func metadataFrame(correlation int32) []byte {
	body := []byte{0, 3, 0, 1}
	body = binary.BigEndian.AppendUint32(body, uint32(correlation))
	body = append(body, 0, 1, 'x', 0, 0, 0, 0)
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...)
}

// afterTheEnd ends answer 1 of a connection with end, and finishes answer 2 between the two
// critical sections of sent and of fail. It returns everything that the client received.
//
// Nothing may be sent behind an answer that failed, or behind a Hangup.
func afterTheEnd(t *testing.T, end func(r *Request, release func())) []byte {
	t.Helper()
	h := twoRequests{make(chan *Request, 2)}
	s := NewServer(h, Config{})
	l, err := Listen(t.Context(), "PLAINTEXT", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.Serve(l)
	defer s.Close()
	nc, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if _, err := nc.Write(append(metadataFrame(1), metadataFrame(2)...)); err != nil {
		t.Fatal(err)
	}
	first, second := <-h.requests, <-h.requests
	c := first.Conn
	var others sync.WaitGroup
	// release runs in sent, before it takes c.mu. The mutex is made to be contended for so
	// long that it is handed over in the order of those who wait: sent, finish of the second
	// answer, fail.
	others.Add(1)
	end(first, func() {
		c.mu.Lock()
		go func() {
			defer others.Done()
			time.Sleep(3 * time.Millisecond) //nolint:forbidigo // until sent waits for c.mu; a mutex has no event for that
			others.Go(func() {
				second.slot.resumed = true // as Resume does
				second.Reply(kmsg.NewPtrMetadataResponse())
			})
			time.Sleep(3 * time.Millisecond) //nolint:forbidigo // until finish waits, too
			c.mu.Unlock()
			c.mu.Lock()
			time.Sleep(3 * time.Millisecond) //nolint:forbidigo // as above
			c.mu.Unlock()
		}()
	})
	_ = nc.SetDeadline(time.Now().Add(10 * time.Second))
	got, _ := io.ReadAll(nc) // to the end or the reset
	others.Wait()
	return got
}

// TestNothingFollowsATornAnswer: the file of answer 1 is shorter than promised, so the
// answer ends in its middle, and the connection must end there.
func TestNothingFollowsATornAnswer(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "segment"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(100 << 10); err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		got := afterTheEnd(t, func(r *Request, release func()) {
			go r.ReplyParts(false, []Part{{File: f, Size: 100<<10 + 15}}, release)
		})
		if len(got) > 8+100<<10 {
			t.Fatalf("try %d: %d bytes follow the torn answer: %x", i, len(got)-8-100<<10, got[8+100<<10:])
		}
	}
}

// TestNoAnswerOvertakesAFailedOne: nothing of answer 1 could be sent, so answer 2 must not
// be sent either.
func TestNoAnswerOvertakesAFailedOne(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "segment"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for i := range 20 {
		got := afterTheEnd(t, func(r *Request, release func()) {
			r.slot.resumed = true // as Resume does
			go r.ReplyParts(false, []Part{{File: f, Size: 100}}, release)
		})
		if len(got) > 0 {
			t.Fatalf("try %d: answer 1 failed; the client got answer %d in its place", i, binary.BigEndian.Uint32(got[4:]))
		}
	}
}

// TestPanicGivesUpItsRegion: a request of more than 4 MiB panics in Serve. Neither its
// budget nor its region stays in use.
func TestPanicGivesUpItsRegion(t *testing.T) {
	inUse := func() (n, bytes int) {
		regions.mu.Lock()
		defer regions.mu.Unlock()
		for _, b := range regions.inUse {
			bytes += b
		}
		return len(regions.inUse), bytes
	}
	s := NewServer(panics{}, Config{})
	l, err := Listen(t.Context(), "PLAINTEXT", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.Serve(l)
	before, _ := inUse()
	const frames, size = 8, 20 << 20
	frame := make([]byte, 4+size)
	binary.BigEndian.PutUint32(frame, size)
	copy(frame[4:], []byte{0, 0, 0, 7, 0, 0, 0, 1, 0xff, 0xff})
	for range frames {
		nc, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = nc.Write(frame)
		_, _ = io.ReadAll(nc)
		_ = nc.Close()
	}
	s.Close()
	if used := s.records.used.Load(); used != 0 {
		t.Fatalf("%d bytes are counted", used)
	}
	if n, bytes := inUse(); n > before {
		t.Fatalf("the server is closed and counts no memory, but %d regions with %d MiB are in use", n-before, bytes>>20)
	}
}

type panics struct{}

func (panics) Accepts(int16, int16) bool                      { return true }
func (panics) Count(_, _ int16, _ []byte, _ int) (int, error) { return 0, nil }
func (panics) Serve(*Request)                                 { panic("a bug") }

// TestNothingFollowsAHangup: request 1 hangs up, as a Produce request with acks=0 that
// failed does. Nothing may be sent behind that.
func TestNothingFollowsAHangup(t *testing.T) {
	for i := range 20 {
		got := afterTheEnd(t, func(r *Request, release func()) {
			r.slot.hangup = true // Hangup, with a hook that sent calls
			go r.finish(nil, release)
		})
		if len(got) > 0 {
			t.Fatalf("try %d: %x", i, got)
		}
	}
}
