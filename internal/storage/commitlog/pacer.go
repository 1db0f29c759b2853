package commitlog

import "time"

// pacer spaces the rounds of a flusher, so that under a steady stream of appends
// one sync serves several. A round that comes after a quiet time is never held
// back.
//
// How far apart rounds begin depends on what they cost here and now: half as long again
// as a round takes, up to a limit. A longer wait would save little and add more to the
// latency of answers than the sync itself. See docs/decisions/0003.
//
// Waiting only pays if more appends come meanwhile. A producer that waits for each
// answer sends nothing while its append waits. So if nothing arrives in the second
// half of the wait, or nothing but one append, several times in a row, the next rounds
// begin at once. Each time that this happens again, more rounds do so.
//
// All times count from when the flusher began.
type pacer struct {
	longestGap        time.Duration
	cost              time.Duration // how long a round takes, smoothed; zero before the first
	last              time.Duration // when the last round began
	waitHalf          time.Duration // the middle of the latest wait
	futileWaits       int           // waits in a row that gained nothing
	roundsWithoutWait int           // rounds still to begin without waiting
	nextSkip          int           // the next value of roundsWithoutWait, if waiting gains nothing again
}

const (
	futileLimit = 3
	minSkip     = 16
	maxSkip     = 4096
)

func newPacer(longestGap time.Duration) pacer {
	return pacer{longestGap: longestGap, nextSkip: minSkip}
}

// gap returns how far apart the beginnings of two rounds should be.
func (p *pacer) gap() time.Duration { return min(p.longestGap, p.cost+p.cost/2) }

// wait returns how long to hold back a round that could begin now; zero or less is
// not at all.
func (p *pacer) wait(now time.Duration) time.Duration {
	if p.roundsWithoutWait > 0 {
		p.roundsWithoutWait--
		return 0
	}
	wait := p.last + p.gap() - now
	p.waitHalf = now + wait/2
	return wait
}

// waited judges a wait by the number of appends that the round will serve and the
// time of the last of them.
func (p *pacer) waited(appends int64, latest time.Duration) {
	if appends > 1 && latest >= p.waitHalf {
		p.futileWaits, p.nextSkip = 0, minSkip
		return
	}
	if p.futileWaits++; p.futileWaits >= futileLimit {
		p.futileWaits, p.roundsWithoutWait = 0, p.nextSkip
		p.nextSkip = min(2*p.nextSkip, maxSkip)
	}
}

// started notes that a round begins.
func (p *pacer) started(now time.Duration) { p.last = now }

// ended notes that a round has ended.
func (p *pacer) ended(now time.Duration) {
	took := now - p.last
	if p.cost == 0 {
		p.cost = took
	}
	p.cost += (took - p.cost) / 8
}
