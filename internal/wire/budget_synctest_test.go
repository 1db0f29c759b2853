package wire_test

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/wire"
)

// TestBudgetHoldsTheReaderBack: a connection begins no more requests than its budget
// allows, and goes on when one is answered.
func TestBudgetHoldsTheReaderBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, dial := newPiped(t, wire.Config{BudgetRequests: 3})
		c := dial()
		var frames []byte
		for i := range int32(10) {
			frames = append(frames, metadata(i)...)
		}
		go func() { _, _ = c.Write(frames) }() // ends when the last frame is read
		for i := range int32(10) {
			synctest.Wait()
			require.Len(t, b.requests, min(3, 10-int(i)))
			(<-b.requests).Reply(kmsg.NewPtrMetadataResponse())
			require.Equal(t, i, correlation(t, c))
		}
	})
}
