// Package token has locks that may be held during syncs, network calls and other waits.
// A mutex must not be held then.
//
// A [Token] is a channel with one slot. So a goroutine can stop waiting for it, and a
// synctest bubble sees that a goroutine waits. One goroutine may take a token and
// another may give it back.
//
// In builds with the tag invariants, tokens watch the order in which they are taken.
// Each token belongs to a class, such as the append turns of all partitions. If a
// goroutine takes B while it holds A, and A was ever taken while B was held, two
// goroutines can wait for each other. The later of the two panics, even if nothing has
// hung yet. The tests that run with the race detector are built with that tag.
package token

import "context"

// Token is held by one goroutine at a time. The zero Token cannot be used.
type Token struct {
	slot chan struct{}
	order
}

// New returns a token of a class. Nobody holds it yet.
func New(class string) Token { return Token{make(chan struct{}, 1), newOrder(class)} }

// Take waits for the token.
func (t *Token) Take() {
	t.wanted()
	t.slot <- struct{}{}
	t.taken()
}

// TakeContext waits for the token until ctx ends, and then returns ctx's error. It takes
// a free token even if ctx has ended.
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
