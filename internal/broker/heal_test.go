package broker

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/botehq/bote/internal/cluster"
)

// TestHealerStopsWithLogsDue: the broker stops at the moment when a log is due to be
// reopened.
func TestHealerStopsWithLogsDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHealer(nil)
		h.logs[cluster.Partition{}] = &failedLog{due: time.Now()}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		h.done = make(chan struct{})
		h.run(ctx)
	})
}
