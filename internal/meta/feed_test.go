package meta_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/internal/meta"
)

// TestWatchAfterLost: a watch that begins behind changes with unknown outcomes is told to
// read again, because some of these changes may have happened.
func TestWatchAfterLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := meta.NewFeed(5)
		f.Lost() // 6 and 7 may have happened
		f.Lost()
		watches := []meta.Events{f.Watch("", 6), f.Watch("", 7), f.Watch("", 8)}
		for _, w := range watches {
			b, err := w.Next(t.Context())
			require.NoError(t, err)
			require.True(t, b.Resync)
		}
		f.Publish(8, []meta.Event{{Entry: meta.Entry{Key: "k", Revision: 8}}})
		for _, w := range append(watches, f.Watch("", 6), f.Watch("", 7)) {
			b, err := w.Next(t.Context())
			require.NoError(t, err)
			require.True(t, b.Resync, "they may have read before the last of them happened")
		}
		f.Publish(9, []meta.Event{{Entry: meta.Entry{Key: "k", Revision: 9}}})
		for _, w := range append(watches, f.Watch("", 9)) {
			b, err := w.Next(t.Context())
			require.NoError(t, err)
			require.False(t, b.Resync)
			require.Len(t, b.Events, 1)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := watches[0].Next(ctx)
		require.ErrorIs(t, err, context.Canceled)
	})
}
