package wire

import (
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// TestEpisode: any number of events makes two lines, and a quiet time ends the
// episode.
func TestEpisode(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var begun, ended atomic.Int32
		last := make(chan []any, 10)
		e := &episode{begins: func(...any) { begun.Add(1) }, ends: func(a ...any) { ended.Add(1); last <- a }}
		for range 100 {
			e.note()
			time.Sleep(quiet / 2)
			synctest.Wait()
		}
		require.EqualValues(t, 1, begun.Load())
		require.Zero(t, ended.Load())
		time.Sleep(2 * quiet)
		synctest.Wait()
		require.EqualValues(t, 1, ended.Load())
		require.Equal(t, []any{slog.Int("events", 100), slog.Duration("took", 99*quiet/2)}, <-last)
		e.note()
		require.EqualValues(t, 2, begun.Load())
		e.stop()
		require.EqualValues(t, 2, ended.Load())
		e.note()
		require.EqualValues(t, 2, begun.Load(), "stopped for good")
	})
}
