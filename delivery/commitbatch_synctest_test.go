package delivery

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// CommitBatch commits once for all that a poll brought, not for each record.
func TestCommitBatchCommitsOnceForAPoll(t *testing.T) {
	bubble(t, func(t *testing.T, b *bed) {
		t.Helper()
		b.create("m", 1)
		var values []string
		for i := range 50 {
			values = append(values, fmt.Sprint(i))
		}
		b.send("m", 1, values...) // one batch of records, which one poll brings as a whole
		var commits atomic.Int64
		b.cluster.ControlKey(int16(kmsg.OffsetCommit), func(kmsg.Request) (kmsg.Response, error, bool) {
			b.cluster.KeepControl()
			commits.Add(1)
			return nil, nil, false
		})
		handled := newTally()
		l := b.listen("m", "g", func(_ context.Context, m *Message[string]) error {
			time.Sleep(time.Second) // enough time for a commit of each record
			handled.add(m.Value)
			return nil
		}, CommitBatch())
		b.wait(5*time.Minute, "handled", func() bool { return handled.distinct() == 50 })
		b.wait(time.Minute, "committed", func() bool { return b.committed("g", "m") == 50 })
		require.LessOrEqual(t, commits.Load(), int64(3), "one for where it begins, and one for the poll")
		require.NoError(t, l.stop())
	})
}
