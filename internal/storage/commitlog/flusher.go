package commitlog

import (
	"sync"
)

// flusher makes logs durable, many in one round. Logs register when they have
// unsynced bytes; all that registered by the time a round begins are synced by
// it, and those that register meanwhile wait for the next. It owns one goroutine
// and, during a round, up to syncers more.
type flusher struct {
	wake chan struct{}
	stop chan struct{}
	done chan struct{}

	mu    sync.Mutex
	queue []*Log
	spare []*Log
}

// syncers is how many files are synced at once. Beyond a handful a disk gains
// nothing from more.
const syncers = 8

func newFlusher() *flusher {
	return &flusher{wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{})}
}

// add registers a log for the next round.
func (f *flusher) add(l *Log) {
	l.mu.Lock()
	queued := l.queued
	l.queued = true
	l.mu.Unlock()
	if queued {
		return
	}
	f.mu.Lock()
	f.queue = append(f.queue, l)
	f.mu.Unlock()
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

func (f *flusher) run() {
	defer close(f.done)
	for {
		select {
		case <-f.wake:
			f.round()
		case <-f.stop:
			f.round()
			return
		}
	}
}

// round syncs what is registered. A log that fails tells its partition itself.
func (f *flusher) round() {
	f.mu.Lock()
	logs := f.queue
	f.queue = f.spare[:0]
	f.mu.Unlock()
	if len(logs) <= 1 {
		for _, l := range logs {
			_ = l.flush()
		}
	} else {
		flushAll(logs)
	}
	clear(logs)
	f.mu.Lock()
	f.spare = logs[:0]
	f.mu.Unlock()
}

func flushAll(logs []*Log) {
	var wg sync.WaitGroup
	next := make(chan *Log)
	for range min(syncers, len(logs)) {
		wg.Go(func() {
			for l := range next {
				_ = l.flush()
			}
		})
	}
	for _, l := range logs {
		next <- l
	}
	close(next)
	wg.Wait()
}

func (f *flusher) close() {
	close(f.stop)
	<-f.done
}
