package delivery

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTakeContext: a free token is taken even if the context has ended, and a wait ends
// with the cause of that.
func TestTakeContext(t *testing.T) {
	cause := errors.New("cause")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	tok := newToken()
	for range 100 {
		require.NoError(t, tok.takeContext(ctx))
		require.ErrorIs(t, tok.takeContext(ctx), cause)
		tok.give()
	}
}
