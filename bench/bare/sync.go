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
	waiting []*conn // with answers that are held
	synced  []*conn // the same of the round before, kept for its memory
}

// held is the answers of a connection that wait for a sync.
type held struct {
	answers []byte // guarded by the syncer's mu
	sending []byte // the syncer's goroutine owns it
}

// hold keeps a copy of an answer until the end of the next round that begins.
func (s *syncer) hold(c *conn, answer []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(c.held.answers) == 0 {
		s.waiting = append(s.waiting, c)
	}
	c.held.answers = append(c.held.answers, answer...)
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
	s.waiting, s.synced = s.synced[:0], s.waiting
	for _, c := range s.synced {
		c.held.answers, c.held.sending = c.held.sending[:0], c.held.answers
	}
	s.mu.Unlock()
	if len(s.synced) == 0 {
		return nil
	}
	if err := syncAll(s.dir); err != nil {
		return fmt.Errorf("sync: %w", err)
	}
	for _, c := range s.synced {
		_, _ = c.tcp.Write(c.held.sending) // its client notices
	}
	return nil
}
