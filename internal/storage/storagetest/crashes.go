package storagetest

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/internal/record"
	"github.com/botehq/bote/internal/storage"
)

// history is what a log may hold: the batches that were appended, in order.
type history struct {
	*bed
	batches []record.Batch
	epoch   int32
}

// digest stands for the state of a partition at an offset: it depends on every
// batch below.
func digest(batches []record.Batch, end int64) string {
	sum := crc32.NewIEEE()
	for _, b := range batches {
		if b.NextOffset() <= end {
			_, _ = sum.Write(b) // never fails
		}
	}
	return fmt.Sprintf("%d-%08x", end, sum.Sum32())
}

func (h *history) append(t *testing.T) {
	t.Helper()
	b := h.batch(3, 100)
	b.SetLeaderEpoch(h.epoch)
	h.state = []byte(digest(h.batches, h.log.End()))
	require.NoError(t, h.log.Append(b))
	h.batches = append(h.batches, b)
}

// check compares the log after a crash with what was appended before. The log must
// have all that was announced, and of the rest the beginning. Everything derived
// from the batches must fit them.
func (h *history) check(t *testing.T, announced int64) {
	t.Helper()
	require.GreaterOrEqual(t, h.log.End(), announced)
	require.Zero(t, h.log.Start())
	got := h.all(t, 0)
	require.LessOrEqual(t, len(got), len(h.batches))
	for i, b := range got {
		want := h.batches[i]
		require.Equal(t, want.BaseOffset(), b.BaseOffset(), "batch %d", i)
		require.True(t, bytes.Equal(want, b), "batch %d", i)
	}
	require.Equal(t, int64(3*len(got)), h.log.End())
	h.batches = slices.Clip(got)
	if h.recovered.Snapshot != nil {
		require.Equal(t, digest(got, h.recovered.SnapshotEnd), string(h.recovered.Snapshot), "a snapshot is of this log")
	}
	var epochs []storage.Epoch
	for _, b := range got {
		if n := len(epochs); n == 0 || epochs[n-1].Epoch != b.LeaderEpoch() {
			epochs = append(epochs, storage.Epoch{Epoch: b.LeaderEpoch(), Start: b.BaseOffset()})
		}
	}
	require.Equal(t, epochs, h.log.Epochs())
	h.checkTimes(t)
}

// checkTimes compares lookups by time with the batches; each batch is later than
// the one before.
func (h *history) checkTimes(t *testing.T) {
	t.Helper()
	for i := 0; i < len(h.batches); i += 7 {
		b := h.batches[i]
		s, ok, err := h.log.FindTime(t.Context(), b.MaxTimestamp(), h.log.End())
		require.NoError(t, err)
		require.True(t, ok, "time of batch %d", i)
		require.Equal(t, storage.Stamp{Offset: b.BaseOffset(), Timestamp: b.MaxTimestamp(), Epoch: b.LeaderEpoch()}, s)
	}
}

// crashes ends many lives of a log by crashes, with batches that were not
// announced, and checks what the next life finds. Now and then a life ends cleanly.
func crashes(t *testing.T, b *bed) {
	t.Helper()
	h := &history{bed: b}
	for life := range 12 {
		for range 10 + 5*(life%4) {
			h.append(t)
		}
		announced := h.log.End()
		b.await(t, announced)
		for range 7 * (life % 5) {
			h.append(t)
		}
		if life%6 == 5 {
			announced = h.log.End()
			h.state = []byte(digest(h.batches, announced))
			b.engine.Restart(t)
		} else {
			b.engine.Crash(t)
		}
		b.open(t)
		h.check(t, announced)
		h.epoch++
	}
}
