package commitlog

import (
	"os"
	"strconv"
	"time"
)

// pacer spaces the rounds of a flusher, so that under a steady stream of appends
// one sync serves several. A round that comes after a quiet time is never held
// back. Neither is one that waited as long as a sync or two: a longer wait would add more
// to the answers' latency than it saves.
//
// Waiting only pays if more appends come meanwhile. A producer that waits for each
// answer sends nothing while its append waits. So if nothing arrives in the second
// half of the gap, several times in a row, the next rounds begin at once. Each time
// that this happens again, more rounds do so.
//
// All times count from when the flusher began.
type pacer struct {
	longestGap        time.Duration
	cost              time.Duration // how long a round takes, smoothed; zero before the first
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

func newPacer(longestGap time.Duration) pacer {
	return pacer{longestGap: longestGap, last: -longestGap, nextSkip: minRelief}
}

// gap returns how far apart the beginnings of two rounds should be.
func (p *pacer) gap() time.Duration { return min(p.longestGap, GapFactor*p.cost/4) }

var GapFactor = func() time.Duration {
	f, err := strconv.Atoi(os.Getenv("GAPF"))
	if err != nil {
		return 6
	}
	return time.Duration(f)
}()

// wait returns how long to hold back a round that could begin now; zero or less is
// not at all.
func (p *pacer) wait(now time.Duration) time.Duration {
	if p.roundsWithoutWait > 0 {
		p.roundsWithoutWait--
		return 0
	}
	return p.last + p.gap() - now
}

// waited judges a wait by the number of appends that the round will serve and the
// time of the last of them.
func (p *pacer) waited(appends int64, latest time.Duration) {
	if appends > 1 && latest >= p.last+p.gap()/2 {
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

// ended notes that a round has ended.
func (p *pacer) ended(now time.Duration) {
	if p.cost == 0 {
		p.cost = now - p.last
	}
	p.cost += (now - p.last - p.cost) / 8
}
