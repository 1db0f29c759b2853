package commitlog

import (
	"log/slog"
	"sync"
	"time"
)

// cleaner does the periodic work of a data directory: checkpoints, retention,
// removal of deleted files, closing of idle files, and the syncs of FlushInterval.
// It owns one goroutine, which sleeps until the next task is due.
type cleaner struct {
	s    *Store
	wake chan struct{}
	much chan struct{} // receives when many bytes were appended since the last checkpoint
	stop chan struct{}
	done chan struct{}

	mu     sync.Mutex
	doomed []doomed
}

// doomed is a file or directory to be removed when it is due.
type doomed struct {
	name string
	due  time.Time
}

func newCleaner(s *Store) *cleaner {
	return &cleaner{s: s, wake: make(chan struct{}, 1), much: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{})}
}

// removeLater removes a file or tree after a delay, or at the next start.
func (c *cleaner) removeLater(name string, delay time.Duration) {
	c.mu.Lock()
	c.doomed = append(c.doomed, doomed{name, time.Now().Add(delay)})
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

func (c *cleaner) run() {
	defer close(c.done)
	cfg := c.s.cfg
	checkpoint := time.NewTicker(cfg.CheckpointEvery)
	defer checkpoint.Stop()
	retention := time.NewTicker(cfg.RetentionEvery)
	defer retention.Stop()
	idle := time.NewTicker(cfg.IdleAfter)
	defer idle.Stop()
	var flush <-chan time.Time
	if cfg.Flush == FlushInterval {
		t := time.NewTicker(cfg.FlushEvery)
		defer t.Stop()
		flush = t.C
	}
	removal := time.NewTimer(time.Hour)
	defer removal.Stop()
	for {
		select {
		case <-c.stop:
			return
		case <-checkpoint.C:
			c.checkpoint()
		case <-c.much:
			c.checkpoint()
			checkpoint.Reset(cfg.CheckpointEvery)
		case <-retention.C:
			c.s.Retain()
		case <-idle.C:
			c.closeIdle(time.Now().Add(-cfg.IdleAfter))
		case <-flush:
			c.flushDirty()
		case <-c.wake:
			removal.Reset(c.remove(time.Now()))
		case now := <-removal.C:
			removal.Reset(c.remove(now))
		}
	}
}

func (c *cleaner) checkpoint() {
	if err := c.s.Checkpoint(); err != nil {
		c.s.log.Warn("checkpoint not complete", slog.Any("err", err))
	}
}

// appended counts bytes, and wakes the cleaner for a checkpoint when they reach
// CheckpointBytes.
func (c *cleaner) appended(n int64) {
	if total := c.s.appended.Add(n); total >= c.s.cfg.CheckpointBytes && total-n < c.s.cfg.CheckpointBytes {
		select {
		case c.much <- struct{}{}:
		default:
		}
	}
}

// remove removes what is due, and returns how long it is until the next removal.
func (c *cleaner) remove(now time.Time) time.Duration {
	c.mu.Lock()
	var due []string
	rest := c.doomed[:0]
	next := time.Hour
	for _, d := range c.doomed {
		if d.due.After(now) {
			rest = append(rest, d)
			next = min(next, d.due.Sub(now))
			continue
		}
		due = append(due, d.name)
	}
	c.doomed = rest
	c.mu.Unlock()
	for _, name := range due {
		if err := c.s.fs.RemoveAll(name); err != nil {
			c.s.log.Warn("deleted file not removed; the next start will", slog.String("file", name), slog.Any("err", err))
		}
	}
	return next
}

func (c *cleaner) closeIdle(since time.Time) {
	for _, l := range c.s.openLogs() {
		l.closeIdle(since)
	}
}

func (c *cleaner) flushDirty() {
	for _, l := range c.s.openLogs() {
		l.mu.RLock()
		dirty := l.disk.syncedTo < l.End()
		l.mu.RUnlock()
		if dirty {
			c.s.flusher.add(l)
		}
	}
}

func (c *cleaner) close() {
	close(c.stop)
	<-c.done
}
