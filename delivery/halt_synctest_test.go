package delivery

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// slowMetrics takes a second to count a delivery that failed or halts.
type slowMetrics struct{ noMetrics }

func (slowMetrics) Count(_ Metric, t Tags, _ int64) {
	if t.Value == "halted" || t.Value == "failed" {
		time.Sleep(time.Second)
	}
}

// After a Halt no other record gets the handler's slot, however long it takes until the
// listener counts as halted.
func TestHaltKeepsItsSlot(t *testing.T) {
	for name, tc := range map[string]struct {
		err  error
		opts []Option
	}{
		"by the handler": {Halt(errBoom), nil},
		"when exhausted": {errBoom, []Option{BlockingRetry(Attempts(1)), OnExhausted(HaltListener)}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, b *bed) {
				t.Helper()
				b.create("m", 1)
				b.send("m", 1, "stop", "a", "b", "c")
				seen := newTally()
				l, err := Listen(b.client, NewTopic("m", text), "g", func(_ context.Context, m *Message[string]) error {
					seen.add(m.Value)
					if m.Value == "stop" {
						return tc.err
					}
					return nil
				}, append(tc.opts, Unordered(), Concurrency(1))...)
				require.NoError(t, err)
				require.ErrorIs(t, l.Run(t.Context()), errBoom)
				require.Equal(t, 1, seen.distinct())
			}, WithMetrics(slowMetrics{}))
		})
	}
}
