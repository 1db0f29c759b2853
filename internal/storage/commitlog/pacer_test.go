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
	}
	return waits, now
}

func TestPacerHoldsBackAStream(t *testing.T) {
	t.Parallel()
	p := newPacer(testGap)
	every := 500 * time.Microsecond
	stream := func(from, to time.Duration) (int64, time.Duration) {
		return int64((to - from) / every), to.Truncate(every)
	}
	waits, end := rounds(&p, 1000, time.Second, 150*time.Microsecond, stream)
	require.Equal(t, 999, waits, "all but the first")
	require.InDelta(t, float64(999*testGap), float64(end-time.Second), float64(testGap))
}

func TestPacerLetsALonelyProducerGo(t *testing.T) {
	t.Parallel()
	p := newPacer(testGap)
	// One producer, which waits for each answer before it sends the next record.
	lonely := func(from, _ time.Duration) (int64, time.Duration) { return 1, from + 300*time.Microsecond }
	waits, _ := rounds(&p, 10_000, time.Second, 300*time.Microsecond, lonely)
	require.Less(t, waits, 60)
	require.Positive(t, waits, "it looks again now and then")

	// Eight such producers, whose appends all come at once.
	p = newPacer(testGap)
	waits, _ = rounds(&p, 10_000, time.Second, 300*time.Microsecond, func(from, _ time.Duration) (int64, time.Duration) { return 8, from + 600*time.Microsecond })
	require.Less(t, waits, 60)
}

func TestPacerNeverHoldsBackAfterAQuietTime(t *testing.T) {
	t.Parallel()
	p := newPacer(testGap)
	require.LessOrEqual(t, p.wait(0), time.Duration(0), "the first round")
	p.started(0)
	require.LessOrEqual(t, p.wait(testGap), time.Duration(0))
	require.Equal(t, testGap/2, p.wait(testGap/2))
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
