//go:build invariants

package token

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestOrder: two tokens that are taken in both orders panic before anything hangs, and
// so do three in a circle.
func TestOrder(t *testing.T) {
	a, b, c := New("test a"), New("test b"), New("test c")
	both := func(first, second *Token) {
		first.Take()
		defer first.Give()
		second.Take()
		second.Give()
	}
	both(&a, &b)
	both(&a, &b)
	both(&b, &c)
	require.PanicsWithValue(t, `token "test a" is taken while "test c" is held; elsewhere it is the other way round`, func() { both(&c, &a) })
	require.Panics(t, func() { both(&b, &a) })
}

// TestOrderOfOthers: another goroutine may give a token back, and a goroutine may hold
// several of a class.
func TestOrderOfOthers(t *testing.T) {
	a, more, b := New("test of a class"), New("test of a class"), New("test other")
	a.Take()
	more.Take()
	done := make(chan struct{})
	go func() {
		a.Give()
		more.Give()
		close(done)
	}()
	<-done
	b.Take()
	a.Take() // nobody held it when b was taken
	a.Give()
	b.Give()
}
