package delivery

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// A fifo is a slice that is appended to and cut from the front.
func TestFifo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var q fifo[int]
		var want []int
		next := 0
		t.Repeat(map[string]func(*rapid.T){
			"push": func(t *rapid.T) {
				for range rapid.IntRange(1, 40).Draw(t, "pushed") {
					q.push(next)
					want = append(want, next)
					next++
				}
			},
			"drop": func(t *rapid.T) {
				n := rapid.IntRange(0, len(want)).Draw(t, "dropped")
				q.drop(n)
				want = want[n:]
			},
			"": func(t *rapid.T) {
				require.Equal(t, len(want), q.len())
				require.Equal(t, append([]int{}, want...), append([]int{}, q.all()...))
			},
		})
	})
}
