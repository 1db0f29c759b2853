package delivery

import (
	"context"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/botehq/bote/delivery/codec"
)

// fetchedBytes counts the bytes of fetch responses.
type fetchedBytes struct{ atomic.Int64 }

// OnBrokerRead implements kgo.HookBrokerRead.
func (f *fetchedBytes) OnBrokerRead(_ kgo.BrokerMetadata, key int16, n int, _, _ time.Duration, _ error) {
	if key == 1 {
		f.Add(int64(n))
	}
}

// Each byte of a backlog is fetched about once, whether its partitions are equally
// fast, one is slow, or one has no records at all. The lanes hold a bounded number of
// bytes, and slow partitions do not hold up the others.
func TestReadsABacklogOnce(t *testing.T) {
	const size, slow = 200, 20 * time.Millisecond
	for name, tc := range map[string]struct {
		records [4]int
		opts    []Option
		within  time.Duration // for the partitions that are not slow
	}{
		"equal":            {[4]int{0, 4000, 4000, 4000}, []Option{QueueLimit(500, 1<<20)}, 6 * time.Second},
		"one is slow":      {[4]int{4000, 20000, 20000, 20000}, []Option{QueueLimit(500, 1<<20)}, 30 * time.Second},
		"default limits":   {[4]int{4000, 20000, 20000, 20000}, nil, 30 * time.Second},
		"limited in bytes": {[4]int{4000, 20000, 20000, 20000}, []Option{BufferLimit(1 << 20)}, 30 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, b *bed) {
				t.Helper()
				b.create("m", 4)
				total := sendNoise(t, b, tc.records, size)
				var f fetchedBytes
				var done [4]atomic.Int64
				l, err := Listen(b.client, NewTopic("m", codec.Raw()), "g", func(_ context.Context, m *Message[[]byte]) error {
					if m.Partition == 0 {
						time.Sleep(slow)
					} else {
						time.Sleep(time.Millisecond)
					}
					done[m.Partition].Add(1)
					return nil
				}, append(tc.opts, Kgo(kgo.WithHooks(&f)))...)
				require.NoError(t, err)
				r := b.run(l)
				all := func(ps ...int) func() bool {
					return func() bool {
						for _, p := range ps {
							if int(done[p].Load()) < tc.records[p] {
								return false
							}
						}
						return true
					}
				}
				b.wait(tc.within, "the fast ones are done", all(1, 2, 3))
				for _, s := range l.Snapshot() {
					require.Less(t, s.Open, 20_000/2)
				}
				b.wait(3*time.Minute, "all is done", all(0))
				ratio := float64(f.Load()) / float64(total)
				t.Logf("%.2f bytes fetched for each byte", ratio)
				require.Less(t, ratio, 1.25)
				require.NoError(t, r.stop())
			})
		})
	}
}

// sendNoise sends records that do not compress, and returns their size in bytes.
func sendNoise(t *testing.T, b *bed, records [4]int, size int) (total int) {
	t.Helper()
	r := rand.NewChaCha8([32]byte{1})
	topic := NewTopic("m", codec.Raw())
	for p, n := range records {
		var batch []Outgoing[[]byte]
		for range n {
			v := make([]byte, size)
			_, _ = r.Read(v)
			batch = append(batch, Outgoing[[]byte]{Value: v, Options: []SendOption{Partition(int32(p))}})
			total += size + 70 // the message ID and its header.
		}
		_, err := topic.SendBatch(t.Context(), b.client, batch)
		require.NoError(t, err)
	}
	return total
}
