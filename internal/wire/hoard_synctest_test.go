package wire_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/wire"
)

// TestAnswersBehindOneThatWaits: answers that wait behind another may hold memory for
// as long as there is enough of it. If memory is short, their connection is closed,
// and other clients can fetch.
func TestAnswersBehindOneThatWaits(t *testing.T) {
	for _, short := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			memory := int64(64 << 20)
			if short {
				memory = 1 << 20
			}
			b, dial := newPiped(t, wire.Config{AnswerMemory: memory})
			hoards, other := dial(), dial()
			send(t, hoards, fetch(1)) // it waits for as long as the client said
			first := b.next(t)
			send(t, hoards, fetch(2))
			b.next(t).ReplyParts(false, []wire.Part{{Bytes: make([]byte, 8<<20)}}, nil)
			began := time.Now()
			send(t, other, fetch(3))
			select {
			case r := <-b.requests:
				r.Reply(kmsg.NewPtrFetchResponse())
			case <-time.After(24 * time.Hour):
				t.Fatal("nobody can fetch for a day")
			}
			if short {
				require.Less(t, time.Since(began), time.Minute)
				closed(t, hoards)
			} else {
				time.Sleep(time.Hour)
				first.Reply(kmsg.NewPtrFetchResponse())
				require.Equal(t, int32(1), correlation(t, hoards))
				require.Equal(t, int32(2), correlation(t, hoards))
			}
		})
	}
}
