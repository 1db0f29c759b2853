package wire

import "testing"

// A request that is answered before ReleaseFrame is not taken off the connection's
// account twice.
func TestAnsweredBeforeReleaseFrame(t *testing.T) {
	s := NewServer(nil, Config{})
	defer s.Close()
	c := &Conn{server: s, written: make(chan struct{}, 1), ready: make(chan struct{}, 1)}
	sl := &slot{bytes: 1000}
	sl.request.of, sl.answer.of = &s.records, &s.answers
	c.queue, c.held = []*slot{sl}, 1000
	r := &Request{Conn: c, slot: sl}
	r.HoldFrame()
	r.finish([]Part{{Bytes: make([]byte, 100)}}, nil) // the time of a produce request is over
	c.mu.Lock()                                       // what sendReady does once it is sent
	c.held -= sl.bytes
	c.queue = nil
	c.mu.Unlock()
	r.ReleaseFrame() // the appends have returned
	if c.held != 0 {
		t.Fatalf("the connection holds %d bytes", c.held)
	}
}
