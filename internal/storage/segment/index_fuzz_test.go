package segment

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzIndex: indexes that are called sane can be searched, and what a search visits
// ascends and stays within the segment.
func FuzzIndex(f *testing.F) {
	f.Add([]byte(OffsetIndex{}.Append(OffsetEntry{3, 100}).Append(OffsetEntry{9, 5000})), false, int64(6000), int64(5))
	f.Add([]byte(OffsetIndex{}.Append(OffsetEntry{-9, -100}).Append(OffsetEntry{9, 5000})), false, int64(6000), int64(5))
	f.Add([]byte(TimeIndex{}.Append(TimeEntry{1000, 3}).Append(TimeEntry{2000, 9})), true, int64(6000), int64(1500))
	f.Fuzz(func(t *testing.T, raw []byte, times bool, size, want int64) {
		if times {
			x := TimeIndex(raw).Used()
			if !x.Sane() {
				return
			}
			found := 0
			x.before(want, func(e TimeEntry) bool {
				require.Less(t, e.Timestamp, want)
				found++
				return true
			})
			require.LessOrEqual(t, found, maxProofs)
			require.LessOrEqual(t, x.CountBelow(want), x.Len())
			return
		}
		x := OffsetIndex(raw).Used()
		if !x.Sane(size) {
			return
		}
		last := int64(1) << 40
		x.before(want, func(e OffsetEntry) bool {
			require.LessOrEqual(t, int64(e.Relative), want)
			require.True(t, e.Position >= 0 && int64(e.Position) < size)
			require.Less(t, int64(e.Relative), last)
			last = int64(e.Relative)
			return true
		})
		require.LessOrEqual(t, x.CountBelow(want), x.Len())
		if e, ok := x.Boundary(size/2, want); ok {
			require.True(t, int64(e.Position) <= size/2 && int64(e.Relative) < want)
		}
	})
}
