package wire

import (
	"log/slog"
	"sync"
	"time"
)

// quiet is how long no event may happen before an episode is over.
const quiet = 10 * time.Second

// episode turns many events into two log lines: one at the first event, and one with
// their number and duration when none has happened for a while.
type episode struct {
	begins func(attrs ...any)
	ends   func(attrs ...any)

	mu      sync.Mutex // guards what follows
	began   time.Time  // zero while no episode is going on
	last    time.Time
	count   int
	timer   *time.Timer
	stopped bool
}

// note counts an event; attrs go into the first line.
func (e *episode) note(attrs ...any) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.stopped {
		return
	}
	e.count++
	e.last = time.Now()
	if !e.began.IsZero() {
		return
	}
	e.began = e.last
	e.timer = time.AfterFunc(quiet, e.look)
	e.begins(attrs...)
}

// look ends the episode if no event has happened for quiet.
func (e *episode) look() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.stopped || e.began.IsZero() {
		return
	}
	if left := quiet - time.Since(e.last); left > 0 {
		e.timer.Reset(left)
		return
	}
	e.finish()
}

// finish logs that the episode is over; the caller holds mu.
func (e *episode) finish() {
	e.ends(slog.Int("events", e.count), slog.Duration("took", e.last.Sub(e.began)))
	e.began, e.count = time.Time{}, 0
}

// stop ends the episode now and for good.
func (e *episode) stop() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.stopped = true
	if e.timer != nil {
		e.timer.Stop()
	}
	if !e.began.IsZero() {
		e.finish()
	}
}

// Episode lets a handler do what the server does for its own conditions: make two log
// lines of many events.
type Episode struct{ e episode }

// NewEpisode returns an episode that has not begun. It calls begins with the
// attributes of the first event, and ends with the number of events and how long they
// lasted.
func NewEpisode(begins, ends func(attrs ...any)) *Episode {
	return &Episode{episode{begins: begins, ends: ends}}
}

// Note counts an event.
func (e *Episode) Note(attrs ...any) { e.e.note(attrs...) }

// Stop ends the episode now and for good.
func (e *Episode) Stop() { e.e.stop() }

// episodes are the lasting conditions of a server.
type episodes struct {
	refused, unaccepted, malformed, late, stalled, records, others, answers *episode
}

func newEpisodes(log *slog.Logger) *episodes {
	return &episodes{
		refused: &episode{
			begins: func(a ...any) { log.Warn("connection limit reached; refusing connections", a...) },
			ends:   func(a ...any) { log.Info("connections are not refused any more", a...) },
		},
		unaccepted: &episode{
			begins: func(a ...any) { log.Warn("connections not accepted", a...) },
			ends:   func(a ...any) { log.Info("connections are accepted again", a...) },
		},
		malformed: &episode{
			begins: func(a ...any) { log.Warn("closing a connection", a...) },
			ends:   func(a ...any) { log.Info("no more malformed frames", a...) },
		},
		late: &episode{
			begins: func(a ...any) { log.Warn("closing connections whose requests do not arrive in time", a...) },
			ends:   func(a ...any) { log.Info("requests arrive in time again", a...) },
		},
		stalled: &episode{
			begins: func(a ...any) { log.Warn("closing connections that do not take their answers", a...) },
			ends:   func(a ...any) { log.Info("clients take their answers again", a...) },
		},
		records: &episode{
			begins: func(a ...any) { log.Warn("memory for produce requests is used up; producers wait", a...) },
			ends:   func(a ...any) { log.Info("producers do not wait for memory any more", a...) },
		},
		others: &episode{
			begins: func(a ...any) { log.Warn("memory for large requests is used up; they wait", a...) },
			ends:   func(a ...any) { log.Info("large requests do not wait for memory any more", a...) },
		},
		answers: &episode{
			begins: func(a ...any) { log.Warn("memory for answers is used up; fetches wait", a...) },
			ends:   func(a ...any) { log.Info("fetches do not wait for memory any more", a...) },
		},
	}
}

func (e *episodes) stop() {
	for _, one := range []*episode{e.refused, e.unaccepted, e.malformed, e.late, e.stalled, e.records, e.others, e.answers} {
		one.stop()
	}
}
