package delivery

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestTracker(t *testing.T) {
	tr := newTracker(-1)
	require.Equal(t, int64(-1), tr.watermark())
	for _, o := range []int64{10, 11, 14, 15} { // 12 and 13 were compacted away.
		require.True(t, tr.add(o, 0))
	}
	require.False(t, tr.add(14, 0))
	require.Equal(t, int64(10), tr.watermark())
	require.True(t, tr.finish(11))
	require.True(t, tr.finish(14))
	require.Equal(t, int64(10), tr.watermark())
	require.Equal(t, 2, tr.gap())
	require.False(t, tr.finish(11))
	require.False(t, tr.finish(12))
	require.True(t, tr.finish(10))
	require.Equal(t, int64(15), tr.watermark())
	require.Equal(t, 0, tr.gap())
	require.True(t, tr.finish(15))
	require.Equal(t, int64(16), tr.watermark())
	require.False(t, tr.finish(15))
}

// The tracker agrees with a plain set: the watermark is the smallest offset that is
// not done, it never falls, and the gap counts the records done above it.
func TestTrackerModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tr := newTracker(0)
		var added []int64
		done := map[int64]bool{}
		next, last := int64(0), int64(0)
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				next += rapid.Int64Range(0, 3).Draw(t, "hole")
				require.True(t, tr.add(next, 0))
				added = append(added, next)
				next++
			},
			"finish": func(t *rapid.T) {
				if len(added) == 0 {
					t.Skip("nothing to finish")
				}
				o := rapid.SampledFrom(added).Draw(t, "offset")
				require.Equal(t, !done[o], tr.finish(o))
				done[o] = true
			},
			"": func(t *rapid.T) {
				want, gap := next, 0
				if i := slices.IndexFunc(added, func(o int64) bool { return !done[o] }); i >= 0 {
					want, gap = added[i], countDone(added[i:], done)
				}
				require.Equal(t, want, tr.watermark())
				require.Equal(t, gap, tr.gap())
				require.GreaterOrEqual(t, tr.watermark(), last)
				last = tr.watermark()
			},
		})
	})
}

func countDone(offsets []int64, done map[int64]bool) (n int) {
	for _, o := range offsets {
		if done[o] {
			n++
		}
	}
	return n
}

// The tracker recognises a record by its offset and its leader epoch.
func TestTrackerEpochs(t *testing.T) {
	tr := newTracker(10)
	require.False(t, tr.isDone(10, 0))
	for _, r := range []struct {
		offset int64
		epoch  int32
	}{{10, 3}, {11, 3}, {14, 5}, {15, 5}, {16, 6}} {
		require.True(t, tr.add(r.offset, r.epoch))
		require.False(t, tr.isDone(r.offset, r.epoch))
		require.True(t, tr.finish(r.offset))
		require.True(t, tr.isDone(r.offset, r.epoch))
		require.False(t, tr.isDone(r.offset, r.epoch+1))
	}
	require.True(t, tr.isDone(10, 3))
	require.True(t, tr.isDone(14, 5))
	require.False(t, tr.isDone(14, 3))
	require.False(t, tr.isDone(9, 3))
	require.False(t, tr.isDone(17, 6))
}
