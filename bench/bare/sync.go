package bare

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"
)

// syncer writes to the disk what was appended, in rounds, and then lets go of the
// answers that waited for that. A sync of the file system serves all files.
type syncer struct {
	dir *os.File

	mu      sync.Mutex
	waiting []*conn // connections with answers for the next round; guarded by mu

	// inRound is the connections with answers for the round that runs. After the round
	// only its memory is used. The syncer's goroutine owns it.
	inRound []*conn
}

// heldAnswers are the answers of a connection that wait for a sync.
type heldAnswers struct {
	waiting []byte // for the next round; guarded by syncer.mu
	inRound []byte // for the round that runs; the syncer's goroutine owns it
}

// hold keeps a copy of an answer until the end of the next round that begins.
func (s *syncer) hold(c *conn, answer []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(c.held.waiting) == 0 {
		s.waiting = append(s.waiting, c)
	}
	c.held.waiting = append(c.held.waiting, answer...)
}

// run makes rounds until the context ends or the disk fails.
func (s *syncer) run(ctx context.Context) error {
	tick := time.NewTicker(syncEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := s.round(); err != nil {
			return err
		}
	}
}

func (s *syncer) round() error {
	s.mu.Lock()
	s.waiting, s.inRound = s.inRound[:0], s.waiting
	for _, c := range s.inRound {
		c.held.waiting, c.held.inRound = c.held.inRound[:0], c.held.waiting
	}
	s.mu.Unlock()
	if len(s.inRound) == 0 {
		return nil
	}
	if err := syncAll(s.dir); err != nil {
		return fmt.Errorf("sync: %w", err)
	}
	for _, c := range s.inRound {
		_, _ = c.tcp.Write(c.held.inRound) // its client notices
	}
	return nil
}
