package delivery

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
)

// Records that share a context share its end, and nothing else. Each gets its own
// result once, and a record with another context is not affected.
func TestSendsThatShareAContext(t *testing.T) {
	bubble(t, func(t *testing.T, b *bed) {
		b.create("m", 1)
		topic := NewTopic("m", text)
		b.send("m", 1, "a")
		b.net.cut()
		ctx, cancel := context.WithCancelCause(t.Context())
		var mu sync.Mutex
		results := map[string][]Result{}
		done := make(chan struct{}, 100)
		send := func(ctx context.Context, v string) {
			topic.SendAsync(ctx, b.client, "k", v, func(r Result) {
				mu.Lock()
				results[v] = append(results[v], r)
				mu.Unlock()
				done <- struct{}{}
			})
		}
		send(ctx, "mine")
		send(t.Context(), "other")
		send(ctx, "mine too")
		time.Sleep(2 * time.Second)
		send(ctx, "mine later")
		cancel(errBoom)
		begun := time.Now()
		for range 4 {
			<-done
		}
		require.InDelta(t, 30*time.Second, time.Since(begun), float64(5*time.Second))
		time.Sleep(time.Minute) // nothing comes twice.
		mu.Lock()
		defer mu.Unlock()
		for _, v := range []string{"mine", "mine too", "mine later", "other"} {
			require.Len(t, results[v], 1)
			err := results[v][0].Err
			require.True(t, errors.Is(err, ErrUnknownOutcome) || errors.Is(err, errSendTimeout) == (v == "other"), "%s: %v", v, err)
		}
		require.Len(t, results, 4)
		require.Nil(t, b.client.sending.newest)
		b.net.mend()
	})
}

// A record whose context has a type that cannot be compared shares the context with
// no other record.
func TestSendsWithOddContexts(t *testing.T) {
	bubble(t, func(t *testing.T, b *bed) {
		b.create("m", 1)
		for range 3 {
			_, err := NewTopic("m", text).Send(oddContext{t.Context(), []int{1}}, b.client, "k", "v")
			require.NoError(t, err)
		}
	})
}

type oddContext struct {
	context.Context

	_ []int
}

// A send to a topic that does not exist fails within seconds, with ErrTopicMissing.
func TestSendToMissingTopic(t *testing.T) {
	bubble(t, func(t *testing.T, b *bed) {
		begun := time.Now()
		_, err := NewTopic("nowhere", text).Send(t.Context(), b.client, "k", "v")
		require.ErrorIs(t, err, ErrTopicMissing)
		require.ErrorIs(t, err, kerr.UnknownTopicOrPartition)
		require.Less(t, time.Since(begun), 15*time.Second)
		begun = time.Now()
		_, err = NewTopic("nowhere", text).SendBatch(t.Context(), b.client, []Outgoing[string]{{Value: "a"}, {Value: "b"}})
		require.ErrorIs(t, err, ErrTopicMissing)
		require.Less(t, time.Since(begun), 15*time.Second)
	})
}
