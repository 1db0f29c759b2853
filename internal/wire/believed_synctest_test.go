package wire_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/wire"
)

// TestABelievedFrameMustArriveToo: a client that has sent a frame of 8 MiB begins another
// one, so that memory for all of it is taken, and stops. Other clients get the memory as soon
// as the next MiB is late, and not only when all the rest is.
func TestABelievedFrameMustArriveToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		large := produce(8<<20, 1)
		b, dial := newPiped(t, wire.Config{RequestMemory: int64(len(large) - 4)})
		hostile, other := dial(), dial()
		sendAll(t, hostile, large)
		b.next(t).Reply(kmsg.NewPtrProduceResponse())
		require.Equal(t, int32(1), correlation(t, hostile))
		sendAll(t, hostile, large[:1<<20+5])
		synctest.Wait()
		began := time.Now()
		sendAll(t, other, produce(1<<20, 3))
		r := <-b.requests
		require.Equal(t, int32(3), r.CorrelationID)
		r.Reply(kmsg.NewPtrProduceResponse())
		require.Less(t, time.Since(began), time.Minute, "30 seconds, and 16 for a MiB")
	})
}
