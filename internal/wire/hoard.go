package wire

import "time"

// A connection hoards when finished answers must wait behind an unfinished one,
// because answers are sent in order. The unfinished one may be a fetch that waits for
// as long as its client said. Nothing is being sent then, so there is no pace to
// measure (see send.go), and the memory that the finished answers hold may be what all
// other clients wait for.

// looksPerStall is how often per StallTimeout closeHoards looks for hoards.
const looksPerStall = 4

// closeHoards closes connections that have hoarded for a StallTimeout while memory for
// answers was short.
func (s *Server) closeHoards() {
	look := time.NewTicker(s.cfg.StallTimeout / looksPerStall)
	defer look.Stop()
	for {
		select {
		case now := <-look.C:
			pressed := s.answers.halfUsed()
			for _, c := range s.open() {
				if c.hoards(now, pressed) {
					s.metrics.stalled.Inc()
					s.episodes.stalled.note(c.client())
					c.fail()
				}
			}
		case <-s.stop:
			return
		}
	}
}

// open returns all connections.
func (s *Server) open() []*Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	conns := make([]*Conn, 0, len(s.conns))
	for c := range s.conns {
		conns = append(conns, c)
	}
	return conns
}

// hoards reports whether the connection must be closed: it has hoarded for a
// StallTimeout, and memory for answers was short all that time. pressed says that it
// is short now.
func (c *Conn) hoards(now time.Time, pressed bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !pressed || c.broken || len(c.queue) == 0 || c.queue[0].done || c.heldMemory() <= leastProgress {
		c.hoardsSince = time.Time{}
		return false
	}
	if c.hoardsSince.IsZero() {
		c.hoardsSince = now
	}
	return now.Sub(c.hoardsSince) >= c.server.cfg.StallTimeout
}
