package wire

import (
	"net"
	"testing"
)

// TestAnsweredBeforeReleaseFrame: a request that is answered before ReleaseFrame is
// subtracted from its connection's bytes only once.
func TestAnsweredBeforeReleaseFrame(t *testing.T) {
	s := NewServer(nil, Config{})
	defer s.Close()
	c := &Conn{server: s, written: make(chan struct{}, 1), sending: []*slot{{}}}
	sl := &slot{bytes: 1000}
	sl.request.of, sl.answer.of = &s.records, &s.answers
	c.queue, c.heldBytes = []*slot{sl}, 1000
	r := &Request{Conn: c, slot: sl}
	r.HoldFrame()
	r.finish([]Part{{Bytes: make([]byte, 100)}}, nil) // the timeout of a Produce request has passed
	c.mu.Lock()                                       // what sent does once the answer is sent
	c.heldBytes -= sl.bytes
	c.queue = nil
	c.mu.Unlock()
	r.ReleaseFrame() // the appends have returned
	if c.heldBytes != 0 {
		t.Fatalf("the connection holds %d bytes", c.heldBytes)
	}
}

// TestAnsweredTwice: a second answer, which only a bug can give, is dropped. It does
// not go into the slot of the next request, and its memory is released.
func TestAnsweredTwice(t *testing.T) {
	s := NewServer(nil, Config{})
	defer s.Close()
	nc, other := net.Pipe()
	defer nc.Close()
	defer other.Close()
	c := &Conn{server: s, nc: nc, written: make(chan struct{}, 1), sending: []*slot{{}}}
	sl := &slot{}
	sl.request.of, sl.answer.of = &s.records, &s.answers
	c.queue = []*slot{sl}
	r := &Request{Conn: c, slot: sl}
	r.Skip()
	c.queue = nil
	released := false
	r.finish([]Part{{Bytes: make([]byte, 100)}}, func() { released = true })
	if !released || sl.parts != nil {
		t.Fatal("the second answer was kept")
	}
}
