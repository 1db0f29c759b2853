package commitlog

import "time"

// pacer spaces the rounds of a flusher, so that under a steady stream of appends
// one sync serves several. A round that comes after a quiet time is never held
// back.
//
// Waiting only pays if more appends come meanwhile. A producer that waits for each
// answer sends nothing while its append waits. So if nothing arrives in the second
// half of the gap, several times in a row, the next rounds begin at once. Each time
// that this happens again, more rounds do so.
//
// All times count from when the flusher began.
type pacer struct {
	gap               time.Duration
	last              time.Duration // when the last round began
	futileWaits       int           // waits in a row that gained nothing
	roundsWithoutWait int           // rounds still to begin without waiting
	nextSkip          int           // the next value of skip
}

const (
	lonelyLimit = 3
	minRelief   = 16
	maxRelief   = 4096
)

func newPacer(gap time.Duration) pacer { return pacer{gap: gap, last: -gap, nextSkip: minRelief} }

// wait returns how long to hold back a round that could begin now; zero or less is
// not at all.
func (p *pacer) wait(now time.Duration) time.Duration {
	if p.roundsWithoutWait > 0 {
		p.roundsWithoutWait--
		return 0
	}
	return p.last + p.gap - now
}

// waited judges a wait by the number of appends that the round will serve and the
// time of the last of them.
func (p *pacer) waited(appends int64, latest time.Duration) {
	if appends > 1 && latest >= p.last+p.gap/2 {
		p.futileWaits, p.nextSkip = 0, minRelief
		return
	}
	if p.futileWaits++; p.futileWaits >= lonelyLimit {
		p.futileWaits, p.roundsWithoutWait = 0, p.nextSkip
		p.nextSkip = min(2*p.nextSkip, maxRelief)
	}
}

// started notes that a round begins.
func (p *pacer) started(now time.Duration) { p.last = now }
