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
	Reasons []string // why it is not ok, sorted
}

// Status is the short form of a Health.
type Status string

// The statuses. A halted listener does nothing until it is started anew.
const (
	StatusOK       Status = "ok"
	StatusDegraded Status = "degraded"
	StatusHalted   Status = "halted"
)

// Health is how the listener is right now.
func (l *Listener) Health() Health {
	h := l.health.now()
	if h.Status == StatusHalted {
		return h
	}
	last := time.Unix(0, l.client.contact.Load())
	if quiet := time.Since(last); quiet > contactLimit && len(l.current()) > 0 {
		h.Status = StatusDegraded
		h.Reasons = append(h.Reasons, fmt.Sprintf("no broker has answered for %s", quiet.Round(time.Second)))
	}
	return h
}

// health collects reasons by what they are about.
type health struct {
	emit func(Event)

	mu      sync.Mutex
	reasons map[string]string
	halted  string
}

func newHealth(emit func(Event)) *health {
	return &health{emit: emit, reasons: make(map[string]string)}
}

func (h *health) degrade(what, why string) {
	h.mu.Lock()
	first := len(h.reasons) == 0
	h.reasons[what] = why
	h.mu.Unlock()
	if first {
		h.emit(Event{Kind: EventDegraded, Text: what + ": " + why})
	}
}

func (h *health) clear(what string) {
	h.mu.Lock()
	_, had := h.reasons[what]
	delete(h.reasons, what)
	last := had && len(h.reasons) == 0
	h.mu.Unlock()
	if last {
		h.emit(Event{Kind: EventHealthy})
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
		out.Reasons = append(out.Reasons, what+": "+h.reasons[what])
	}
	return out
}
