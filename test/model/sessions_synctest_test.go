package model_test

import (
	"maps"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/storage/commitlog"
	"github.com/botehq/bote/internal/storage/vfs"
)

// limitSessions makes brokers that are started from here on keep at most so many fetch
// sessions.
func limitSessions(slots int) (undo func()) {
	before := properties
	properties = maps.Clone(properties)
	properties["max.incremental.fetch.session.cache.slots"] = strconv.Itoa(slots)
	return func() { properties = before }
}

// TestSessionsOfClientsThatLeft: fetches with new sessions wait for their turn to read,
// since 1024 others wait for the disk, and their clients leave. The sessions must be
// given back, and must make room for others when they are stale.
func TestSessionsOfClientsThatLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		defer limitSessions(10)()
		w := newWard(t, commitlog.FlushOS)
		w.create("slow")
		_, err := w.produce("slow", "x")
		require.NoError(t, err)
		session := func() *kmsg.FetchRequest {
			req := fetchOf("slow", 0, -1, 0)
			req.SessionID, req.SessionEpoch, req.MaxBytes = 0, 0, 1000
			return req
		}
		gate := make(chan struct{})
		w.disk.Inject(func(op vfs.Op, name string) error {
			if op == vfs.OpRead && strings.Contains(name, "slow-0") {
				<-gate
			}
			return nil
		})
		for range 2 { // these occupy all turns to read
			c, err := dial(w.node.doors)
			require.NoError(t, err)
			defer c.close()
			for range 600 {
				req := kmsg.NewPtrListOffsetsRequest()
				rt, rp := kmsg.NewListOffsetsRequestTopic(), kmsg.NewListOffsetsRequestTopicPartition()
				rt.Topic, rp.Timestamp, rp.CurrentLeaderEpoch = "slow", 1, -1
				rt.Partitions = append(rt.Partitions, rp)
				req.Topics = append(req.Topics, rt)
				c.send(req)
			}
			synctest.Wait()
		}
		gone, err := dial(w.node.doors)
		require.NoError(t, err)
		for range 10 {
			gone.send(session())
		}
		synctest.Wait()
		gone.close()
		synctest.Wait()
		close(gate)
		time.Sleep(time.Hour) // all are stale
		synctest.Wait()
		got := w.ask(session()).(*kmsg.FetchResponse)
		if got.SessionID == 0 {
			t.Error("an hour later there is still no room for a session: those of the client that left are busy for ever")
		}
		require.NoError(t, w.close())
	})
}

// TestPanicWhileReading: a read that panics, in any of a fetch's goroutines, ends the
// connection that asked and nothing else. What the fetch held is given back.
func TestPanicWhileReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		defer limitSessions(1)()
		w := newWard(t, commitlog.FlushOS)
		req := kmsg.NewPtrFetchRequest()
		req.MaxBytes, req.SessionEpoch = 1<<20, 0
		for _, name := range []string{"a", "b", "c", "d"} {
			w.create(name)
			_, err := w.produce(name, "x")
			require.NoError(t, err)
			req.Topics = append(req.Topics, fetchOf(name, 0, -1, 0).Topics...)
		}
		panics, times := true, 0
		w.disk.Inject(func(op vfs.Op, name string) error {
			if op == vfs.OpRead && panics && strings.HasSuffix(name, ".log") {
				times++
				panic("a fault of ours")
			}
			return nil
		})
		for range 3 {
			c, err := dial(w.node.doors)
			require.NoError(t, err)
			c.send(req)
			synctest.Wait()
			c.close()
		}
		require.GreaterOrEqual(t, times, 3)
		panics = false
		time.Sleep(time.Hour)
		got := w.ask(req).(*kmsg.FetchResponse)
		require.Len(t, got.Topics, 4)
		require.NotZero(t, got.SessionID)
		require.NoError(t, w.close())
	})
}
