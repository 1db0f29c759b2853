package commitlog

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const testGap = 2 * time.Millisecond

// rounds plays n rounds against a pacer. For a round that waited until now, arrive
// says how many appends it serves, and when the last of them came.
func rounds(p *pacer, n int, now time.Duration, work time.Duration, arrive func(from, to time.Duration) (int64, time.Duration)) (waits int, end time.Duration) {
	for range n {
		if wait := p.wait(now); wait > 0 {
			waits++
			appends, latest := arrive(p.last, now+wait)
			now += wait
			p.waited(appends, latest)
		}
		p.started(now)
		now += work
		p.ended(now)
	}
	return waits, now
}

func TestPacerHoldsBackAStream(t *testing.T) {
	t.Parallel()
	every := 100 * time.Microsecond
	stream := func(from, to time.Duration) (int64, time.Duration) {
		return int64((to - from) / every), to.Truncate(every)
	}
	for work, gap := range map[time.Duration]time.Duration{
		400 * time.Microsecond:  600 * time.Microsecond, // half as long again
		1900 * time.Microsecond: testGap,                // the limit
	} {
		p := newPacer(testGap)
		waits, end := rounds(&p, 1000, time.Second, work, stream)
		require.Equal(t, 999, waits, "all but the first")
		require.InDelta(t, float64(999*gap), float64(end-time.Second), float64(testGap))
	}
}

func TestPacerLetsALonelyProducerGo(t *testing.T) {
	t.Parallel()
	const work, answered = 300 * time.Microsecond, 320 * time.Microsecond
	p := newPacer(testGap)
	// One producer, which waits for each answer before it sends the next record.
	lonely := func(from, _ time.Duration) (int64, time.Duration) { return 1, from + answered }
	waits, _ := rounds(&p, 10_000, time.Second, work, lonely)
	require.Less(t, waits, 60)
	require.Positive(t, waits, "it looks again now and then")

	// Eight such producers, whose appends all come at once.
	p = newPacer(testGap)
	waits, _ = rounds(&p, 10_000, time.Second, work, func(from, _ time.Duration) (int64, time.Duration) { return 8, from + answered })
	require.Less(t, waits, 60)
}

func TestPacerNeverHoldsBackAfterAQuietTime(t *testing.T) {
	t.Parallel()
	p := newPacer(testGap)
	require.LessOrEqual(t, p.wait(0), time.Duration(0), "the first round")
	p.started(0)
	require.LessOrEqual(t, p.wait(time.Microsecond), time.Duration(0), "nothing is known of the cost")
	p.ended(testGap)
	require.LessOrEqual(t, p.wait(testGap), time.Duration(0))
	require.Equal(t, testGap/2, p.wait(testGap/2))
}

func TestPacerFollowsTheCost(t *testing.T) {
	t.Parallel()
	p := newPacer(time.Hour)
	now := time.Second
	round := func(took time.Duration) {
		p.started(now)
		now += took
		p.ended(now)
	}
	round(time.Millisecond)
	require.Equal(t, 1500*time.Microsecond, p.gap())
	for range 100 {
		round(10 * time.Millisecond)
	}
	require.InDelta(t, float64(15*time.Millisecond), float64(p.gap()), float64(100*time.Microsecond))
}

func TestChooser(t *testing.T) {
	t.Parallel()
	var c chooser
	c.tookFiles(2, 400*time.Microsecond)
	require.False(t, c.takesVolume(manyFiles-1))
	require.True(t, c.takesVolume(manyFiles))
	c.tookVolume(time.Millisecond)
	require.True(t, c.takesVolume(10))
	for range 10 {
		c.tookVolume(50 * time.Millisecond) // somebody else writes to the volume
	}
	require.False(t, c.takesVolume(10), "ten files take two milliseconds")
	require.True(t, c.takesVolume(1000), "a thousand take longer than that")
	rounds := 0
	for ; !c.takesVolume(10); rounds++ {
		require.Less(t, rounds, 200, "it is tried again")
	}
	require.Greater(t, rounds, 20, "but not at once")
	c.noVolumeSync = true
	require.False(t, c.takesVolume(1000))
}
