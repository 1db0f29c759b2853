package wire

import "time"

// A client takes its answers in order, so those that are done may have to wait behind
// one that is not: a fetch that waits for as long as the client said. While nothing is
// being sent no pace can be measured (see send.go), and what they hold of the memory
// for answers may be what everybody else waits for.

// looksPerStall is how often hoards are looked for within a StallTimeout.
const looksPerStall = 4

// closeHoards closes connections whose answers are held back for a StallTimeout while
// memory for answers is short.
func (s *Server) closeHoards() {
	look := time.NewTicker(s.cfg.StallTimeout / looksPerStall)
	defer look.Stop()
	for {
		select {
		case now := <-look.C:
			pressed := s.answers.pressed()
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

// open is all connections.
func (s *Server) open() []*Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	conns := make([]*Conn, 0, len(s.conns))
	for c := range s.conns {
		conns = append(conns, c)
	}
	return conns
}

// hoards reports whether the connection has held back answers for a StallTimeout.
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
