package delivery

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// contactLimit is how long no broker may answer before health is degraded.
const contactLimit = 30 * time.Second

// Health says whether a listener does its work, for readiness probes.
type Health struct {
	Status  Status
	Reasons []string // why it is not ok, and whether the program has paused it
}

// Status is the short form of a Health.
type Status string

// The statuses. Only StatusOK means that records are handled as they should
// be. A listener is starting before Run, and until each of its groups has
// assigned partitions once. A halted listener handles no more records. Neither
// does one whose Run has returned: it is failed if Run returned an error, else
// stopped. A listener that the program has paused is ok, with a reason that says
// so.
const (
	StatusOK       Status = "ok"
	StatusStarting Status = "starting"
	StatusDegraded Status = "degraded"
	StatusHalted   Status = "halted"
	StatusStopped  Status = "stopped"
	StatusFailed   Status = "failed"
)

// Health is how the listener is right now. It is degraded while
//   - the cluster does not answer, or refuses something,
//   - a handler is stuck,
//   - a watermark has not moved for StuckAfter although no record waits for a
//     known time, or
//   - a retry or dead-letter topic does not accept a record.
func (l *Listener) Health() Health {
	h := l.health.now()
	switch {
	case h.Status == StatusHalted:
		return h
	case l.hasEnded():
		if l.runErr != nil {
			return Health{Status: StatusFailed, Reasons: []string{l.runErr.Error()}}
		}
		return Health{Status: StatusStopped, Reasons: []string{"Run has returned"}}
	}
	if quiet := l.client.contact.quiet(l.client.clock.Now()); quiet > contactLimit && len(l.current()) > 0 {
		h.Status = StatusDegraded
		h.Reasons = append(h.Reasons, fmt.Sprintf("no broker has answered for %s", quiet.Round(time.Second)))
	}
	if h.Status == StatusOK && l.starting() {
		return Health{Status: StatusStarting, Reasons: []string{"partitions are not assigned yet"}}
	}
	if why := l.pauses.reason(); why != "" {
		h.Reasons = append(h.Reasons, why)
	}
	return h
}

// hasEnded tells whether Run has returned. runErr is set then.
func (l *Listener) hasEnded() bool {
	select {
	case <-l.ended:
		return true
	default:
		return false
	}
}

// starting tells whether a group has not assigned anything yet.
func (l *Listener) starting() bool {
	consumers := l.current()
	return len(consumers) < len(l.Memberships()) ||
		slices.ContainsFunc(consumers, func(c *consumer) bool { return !c.assigned.Load() })
}

// health collects reasons by what they are about.
type health struct {
	clock Clock
	emit  func(Event)

	mu      sync.Mutex
	reasons map[string]*reason
	halted  string
	ended   bool // Run is returning: nothing changes any more
}

// reason is why health is degraded.
type reason struct {
	why   string
	timer func() bool // stops the timer that removes the reason, nil without one
}

func newHealth(clock Clock, emit func(Event)) *health {
	return &health{clock: clock, emit: emit, reasons: make(map[string]*reason)}
}

func (h *health) degrade(what, why string) { h.set(what, why, 0) }

// degradeFor is degrade for a reason that is removed after lasts, unless it is
// set again before.
func (h *health) degradeFor(what, why string, lasts time.Duration) { h.set(what, why, lasts) }

// set notes a reason that is removed after lasts; 0 keeps it until clear.
func (h *health) set(what, why string, lasts time.Duration) {
	if h.note(what, why, lasts) {
		h.emit(Event{Kind: EventDegraded, Text: what + ": " + why})
	}
}

// note reports whether the reason is the only one.
func (h *health) note(what, why string, lasts time.Duration) (first bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ended {
		return false
	}
	first = len(h.reasons) == 0
	h.reasons[what].stopTimer()
	r := &reason{why: why}
	if lasts > 0 {
		r.timer = h.clock.AfterFunc(lasts, func() { h.expire(what, r) })
	}
	h.reasons[what] = r
	return first
}

func (h *health) clear(what string) {
	h.mu.Lock()
	last := h.remove(what)
	h.mu.Unlock()
	if last {
		h.emit(Event{Kind: EventHealthy})
	}
}

// expire is clear for a reason that was not set again.
func (h *health) expire(what string, r *reason) {
	h.mu.Lock()
	last := h.reasons[what] == r && h.remove(what)
	h.mu.Unlock()
	if last {
		h.emit(Event{Kind: EventHealthy})
	}
}

// remove reports whether it took the last reason. Callers hold mu.
func (h *health) remove(what string) (last bool) {
	r := h.reasons[what]
	if r == nil || h.ended {
		return false
	}
	r.stopTimer()
	delete(h.reasons, what)
	return len(h.reasons) == 0
}

// end keeps the reasons as they are. No event is emitted any more.
func (h *health) end() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ended = true
	for _, r := range h.reasons {
		r.stopTimer()
	}
}

// stopTimer may be called on a nil reason.
func (r *reason) stopTimer() {
	if r != nil && r.timer != nil {
		r.timer()
	}
}

func (h *health) halt(why string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.halted = why
}

func (h *health) now() Health {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.halted != "" {
		return Health{Status: StatusHalted, Reasons: []string{h.halted}}
	}
	if len(h.reasons) == 0 {
		return Health{Status: StatusOK}
	}
	out := Health{Status: StatusDegraded}
	for _, what := range slices.Sorted(maps.Keys(h.reasons)) {
		out.Reasons = append(out.Reasons, what+": "+h.reasons[what].why)
	}
	return out
}
