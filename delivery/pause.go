package delivery

import (
	"slices"
	"strings"
	"sync"
)

// pauseReason is why a partition is not fetched or not handed out. Several may
// apply at once.
type pauseReason uint8

const (
	pauseUser         pauseReason = 1 << iota // fetching stops
	pauseNow                                  // handing out stops too
	pauseBackpressure                         // the queue is full
	pauseGap                                  // too many records are done after one that is not
)

// pauseSet is a set of reasons.
type pauseSet uint8

func (s pauseSet) has(r pauseReason) bool { return s&pauseSet(r) != 0 }

func (s *pauseSet) set(r pauseReason, on bool) {
	if on {
		*s |= pauseSet(r)
	} else {
		*s &^= pauseSet(r)
	}
}

// names are the reasons for people and metrics.
func (s pauseSet) names() []string {
	var out []string
	for _, e := range []struct {
		r    pauseReason
		name string
	}{{pauseUser, "user"}, {pauseNow, "user-now"}, {pauseBackpressure, "backpressure"}, {pauseGap, "gap"}} {
		if s.has(e.r) {
			out = append(out, e.name)
		}
	}
	return out
}

// pauses are what the user asked for. They outlive assignments.
type pauses struct {
	mu   sync.Mutex
	all  pauseSet
	each map[TP]pauseSet
}

func newPauses() *pauses { return &pauses{each: make(map[TP]pauseSet)} }

func (p *pauses) of(tp TP) pauseSet {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.all | p.each[tp]
}

// reason says what the program has paused, "" if nothing.
func (p *pauses) reason() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.all != 0:
		return "paused by the program"
	case len(p.each) == 0:
		return ""
	}
	var parts []string
	for tp := range p.each {
		parts = append(parts, tp.String())
	}
	slices.Sort(parts)
	return "paused by the program: " + strings.Join(parts, ", ")
}

func (p *pauses) set(tps []TP, s pauseSet) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(tps) == 0 {
		p.all = s
		if s == 0 {
			clear(p.each)
		}
		return
	}
	for _, tp := range tps {
		if s == 0 {
			delete(p.each, tp)
		} else {
			p.each[tp] = s
		}
	}
}

// Pause stops fetching the given partitions. Without partitions it pauses all,
// including those of retry and dead-letter topics. Records already fetched are
// still handled. The pause lasts until Resume, even across rebalances.
func (l *Listener) Pause(tps ...TP) { l.setPause(tps, pauseSet(pauseUser), EventPaused) }

// PauseNow is Pause that also holds back records that are already fetched or wait
// for a retry. Only handlers that already run finish.
func (l *Listener) PauseNow(tps ...TP) { l.setPause(tps, pauseSet(pauseUser|pauseNow), EventPaused) }

// Resume ends Pause and PauseNow. Without partitions it resumes all. A pause of
// all partitions does not end by resuming single ones.
func (l *Listener) Resume(tps ...TP) { l.setPause(tps, 0, EventResumed) }

func (l *Listener) setPause(tps []TP, s pauseSet, kind EventKind) {
	l.pauses.set(tps, s)
	for _, c := range l.current() {
		for _, ln := range c.all() {
			ln.repause()
		}
	}
	if len(tps) == 0 {
		l.emit(Event{Kind: kind})
	}
	for _, tp := range tps {
		if kind == EventResumed && l.pauses.of(tp) != 0 {
			continue // a pause of all partitions still holds it
		}
		l.emit(Event{Kind: kind, Topic: tp.Topic, Partition: tp.Partition})
	}
}

// repause applies the user's pauses to the lane.
func (ln *lane) repause() {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	if ln.over {
		return
	}
	user := ln.l.pauses.of(ln.tp)
	ln.pauses.set(pauseUser, user.has(pauseUser))
	ln.pauses.set(pauseNow, user.has(pauseNow))
	switch {
	case user.has(pauseNow) && ln.resumed == nil:
		ln.resumed = make(chan struct{})
	case !user.has(pauseNow) && ln.resumed != nil:
		close(ln.resumed)
		ln.resumed = nil
		ln.lastWaitEnd = ln.l.client.clock.Now()
		ln.l.watch.need(ln.lastWaitEnd)
	}
	ln.settlePauses()
	ln.signal()
	ln.c.signalRoom()
}

// resumeAfresh sets the pauses of a new lane. franz-go keeps a partition paused
// across assignments, so a pause by an earlier lane is undone first.
func (ln *lane) resumeAfresh() {
	ln.c.cl.ResumeFetchPartitions(map[string][]int32{ln.tp.Topic: {ln.tp.Partition}})
	ln.repause()
}

// settlePauses computes the lane's own reasons, tells franz-go, and wakes take
// when a gap ends. A lane is full from its limit on, until it holds less than
// half of it. Callers hold mu. That is safe: franz-go only notes the call.
func (ln *lane) settlePauses() {
	if ln.overLimit(1) {
		ln.pauses.set(pauseBackpressure, true)
	} else if ln.pauses.has(pauseBackpressure) && !ln.overLimit(2) {
		ln.pauses.set(pauseBackpressure, false)
		ln.fetchPaused = false
		ln.c.signalRoom()
	}
	gap := ln.tracker.gap() >= ln.l.cfg.gapLimit
	if ln.pauses.has(pauseGap) && !gap {
		ln.signal()
	}
	ln.pauses.set(pauseGap, gap)
	fetch := !ln.fetchPaused && ln.pauses&pauseSet(pauseUser|pauseNow) == 0
	if fetch == ln.fetching || ln.over {
		return
	}
	ln.fetching = fetch
	part := map[string][]int32{ln.tp.Topic: {ln.tp.Partition}}
	if fetch {
		ln.c.cl.ResumeFetchPartitions(part)
	} else {
		ln.c.cl.PauseFetchPartitions(part)
	}
}

// overLimit tells whether the lane holds its limit divided by share, or more.
// Callers hold mu.
func (ln *lane) overLimit(share int) bool {
	return ln.held*share > ln.l.cfg.queueRecords-1 || ln.heldBytes*share >= ln.c.laneBytes()
}
