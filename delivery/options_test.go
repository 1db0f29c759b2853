package delivery

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// If two options exclude each other, the last one counts, so that options which many
// listeners share can come first.
func TestTheLastOptionCounts(t *testing.T) {
	handler := func(context.Context, *Message[[]byte]) error { return nil }
	c := newConfig([]Option{
		CommitEach(), Unordered(), RetryTopics(Fixed(time.Second), Exponential(time.Second, 2, time.Minute)),
		DeadLetter(Suffix(".DLT")), DeadLetterHandler(handler),
		CommitBatch(), ByPartition(), NoDLT(),
	})
	require.Empty(t, c.problems)
	require.Equal(t, commitBatch, c.commit.kind)
	require.False(t, c.unordered)
	require.InDelta(t, 2, c.tiers.multiplier, 0)
	require.Nil(t, c.deadLetter)
	require.Nil(t, c.dltHandler)

	for name, later := range map[string]Option{"DeadLetter": DeadLetter(Suffix(".DLT")), "DeadLetterHandler": DeadLetterHandler(handler)} {
		c = newConfig([]Option{NoDLT(), later})
		require.Empty(t, c.problems, name)
		require.Equal(t, DeadLetterAction, c.exhausted, name)
		require.NotNil(t, c.deadLetter, name)
		c = newConfig([]Option{OnExhausted(HaltListener), later})
		require.Equal(t, HaltListener, c.exhausted, "%s has an effect beside it", name)
	}
}
