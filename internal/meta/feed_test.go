package meta_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/internal/meta"
)

// TestWatchAfterLost: whoever read everything, and begins to watch after a change whose
// outcome is not known, is told to read again: the change may be one of those asked for.
func TestWatchAfterLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := meta.NewFeed(5)
		f.Lost() // as revision 6, or not at all
		early, late := f.Watch("", 6), f.Watch("", 7)
		b, err := early.Next(t.Context())
		require.NoError(t, err)
		require.True(t, b.Resync)
		f.Publish(7, []meta.Event{{Entry: meta.Entry{Key: "k", Revision: 7}}})
		for _, w := range []meta.Events{early, late} {
			b, err = w.Next(t.Context())
			require.NoError(t, err)
			require.False(t, b.Resync)
			require.Len(t, b.Events, 1)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = early.Next(ctx)
		require.ErrorIs(t, err, context.Canceled)
	})
}
