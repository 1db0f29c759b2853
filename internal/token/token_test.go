package token_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/internal/token"
)

func TestToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tok := token.New("test")
		tok.Take()
		require.False(t, tok.TryTake())
		ctx, cancel := context.WithCancel(t.Context())
		gaveUp, got := make(chan error, 1), make(chan struct{})
		go func() { gaveUp <- tok.TakeContext(ctx) }()
		synctest.Wait()
		cancel()
		require.ErrorIs(t, <-gaveUp, context.Canceled)
		go func() {
			tok.Take()
			close(got)
		}()
		synctest.Wait()
		tok.Give()
		<-got
		tok.Give()
		require.NoError(t, tok.TakeContext(ctx), "what is there is taken, whatever the context")
		tok.Give()
		require.True(t, tok.TryTake())
	})
}
