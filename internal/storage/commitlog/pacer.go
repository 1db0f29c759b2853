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
	gap    time.Duration
	last   time.Duration // when the last round began
	lonely int           // waits in a row that gained nothing
	skip   int           // rounds still to begin without waiting
	relief int           // the next value of skip
}

const (
	lonelyLimit = 3
	minRelief   = 16
	maxRelief   = 4096
)

func newPacer(gap time.Duration) pacer { return pacer{gap: gap, last: -gap, relief: minRelief} }

// wait returns how long to hold back a round that could begin now; zero or less is
// not at all.
func (p *pacer) wait(now time.Duration) time.Duration {
	if p.skip > 0 {
		p.skip--
		return 0
	}
	return p.last + p.gap - now
}

// waited judges a wait by the number of appends that the round will serve and the
// time of the last of them.
func (p *pacer) waited(appends int64, latest time.Duration) {
	if appends > 1 && latest >= p.last+p.gap/2 {
		p.lonely, p.relief = 0, minRelief
		return
	}
	if p.lonely++; p.lonely >= lonelyLimit {
		p.lonely, p.skip = 0, p.relief
		p.relief = min(2*p.relief, maxRelief)
	}
}

// started notes that a round begins.
func (p *pacer) started(now time.Duration) { p.last = now }
