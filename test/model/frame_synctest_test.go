package model_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/storage/commitlog"
	"github.com/botehq/bote/internal/storage/vfs"
)

// TestProduceTimesOutWhileItAppends: the time of a produce request ends while its
// batches are being appended. If its frame went back to the pool with the answer,
// another client's request would be read into it, and the append would write that
// client's record.
func TestProduceTimesOutWhileItAppends(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWard(t, commitlog.FlushOS)
		for _, topic := range []string{"slow", "late", "aaaa", "bbbb"} {
			w.create(topic)
		}
		gate := make(chan struct{})
		w.disk.Inject(func(op vfs.Op, name string) error {
			if op == vfs.OpWrite && strings.Contains(name, "slow-0") && strings.HasSuffix(name, ".log") {
				<-gate
			}
			return nil
		})
		two := func(a, b, value string) *kmsg.ProduceRequest {
			req := produceOf(a, value+strings.Repeat("x", 3000)+"-1")
			req.Topics = append(req.Topics, produceOf(b, value+strings.Repeat("x", 3000)+"-2").Topics...)
			return req
		}
		req := two("slow", "late", "mine--000")
		req.TimeoutMillis = 1000
		got := w.ask(req).(*kmsg.ProduceResponse).Topics
		require.ErrorIs(t, kerr.ErrorForCode(got[0].Partitions[0].ErrorCode), kerr.RequestTimedOut)
		other, err := dial(w.node.doors)
		require.NoError(t, err)
		second := &ward{t: t, node: w.node, client: other}
		for i := range 20 {
			for _, rt := range second.ask(two("aaaa", "bbbb", fmt.Sprintf("theirs%03d", i))).(*kmsg.ProduceResponse).Topics {
				require.NoError(t, kerr.ErrorForCode(rt.Partitions[0].ErrorCode))
			}
		}
		close(gate)
		time.Sleep(time.Second)
		synctest.Wait()
		assert.Equal(t, "mine--000...-1", short(second.values("slow")))
		assert.Equal(t, "mine--000...-2", short(second.values("late")))
		other.close()
		require.NoError(t, w.close())
	})
}

func short(s string) string { return strings.ReplaceAll(s, strings.Repeat("x", 3000), "...") }
