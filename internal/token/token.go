// Package token has what is held where a mutex must not be: across syncs, network calls
// and the work of others.
//
// A [Token] is a channel with one slot. A goroutine can stop waiting for it, and a
// synctest bubble sees that a goroutine waits. Another goroutine may give it back than
// the one that took it.
//
// Built with the tag invariants, tokens watch the order in which they are taken. Each
// belongs to a class, such as the append turns of all partitions. If a goroutine takes B
// while it holds A, and elsewhere A was taken while B was held, two goroutines can wait
// for each other: the second of them panics, even if nothing has hung yet. The race
// detector's run of the tests is built with that tag.
package token

import "context"

// Token is held by one goroutine at a time. The zero Token cannot be used.
type Token struct {
	slot chan struct{}
	order
}

// New returns a token of a class that nobody holds.
func New(class string) Token { return Token{make(chan struct{}, 1), newOrder(class)} }

// Take waits for the token.
func (t *Token) Take() {
	t.wanted()
	t.slot <- struct{}{}
	t.taken()
}

// TakeContext waits for the token until ctx ends, and returns why it ended. A token that
// nobody holds is taken even then.
func (t *Token) TakeContext(ctx context.Context) error {
	t.wanted()
	select {
	case t.slot <- struct{}{}: // also if ctx has ended
		t.taken()
		return nil
	default:
	}
	select {
	case t.slot <- struct{}{}:
		t.taken()
		return nil
	case <-ctx.Done():
		return ctx.Err() //nolint:wrapcheck // the caller knows what it waited for
	}
}

// TryTake takes the token if nobody holds it.
func (t *Token) TryTake() bool {
	select {
	case t.slot <- struct{}{}:
		t.taken()
		return true
	default:
		return false
	}
}

// Give gives the token back.
func (t *Token) Give() {
	t.given()
	<-t.slot
}
