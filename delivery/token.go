package delivery

import "context"

// token is a lock that one goroutine holds at a time, also while it waits for the
// network. A goroutine can stop waiting for it, and a synctest bubble sees that a
// goroutine waits: neither is true of a mutex.
//
// The broker has such a lock too, in a package of its own. This one is here because
// delivery imports nothing of the broker.
type token chan struct{}

// newToken returns a token that nobody holds.
func newToken() token { return make(token, 1) }

// take waits for the token.
func (t token) take() { t <- struct{}{} }

// takeContext waits for the token until ctx ends, and then returns ctx's cause. It
// takes a free token even if ctx has ended.
func (t token) takeContext(ctx context.Context) error {
	select {
	case t <- struct{}{}: // also if ctx has ended
		return nil
	default:
	}
	select {
	case t <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// give gives the token back.
func (t token) give() { <-t }
