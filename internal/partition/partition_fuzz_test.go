package partition

import (
	"encoding/binary"
	"hash/crc32"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzProducerSnapshot: a snapshot is refused or loaded, and a loaded one is encoded and
// loaded again unchanged. The test corrects the checksum, so that the fuzzer gets past
// it.
func FuzzProducerSnapshot(f *testing.F) {
	s := newProducers()
	s.byID[7] = &producer{epoch: 3, batches: []sentBatch{{firstSequence: 4, lastSequence: 9, lastOffset: 100, lastOffsetDelta: 5, timestamp: 1000}}, timestamp: 1000, coordinatorEpoch: -1, txnFirst: -1}
	s.byID[9] = &producer{epoch: 1, timestamp: 5, coordinatorEpoch: 2, txnFirst: 50}
	s.byID[11] = &producer{epoch: 2, batches: []sentBatch{{lastSequence: 0, timestamp: 8}, {firstSequence: 1, lastSequence: 1, lastOffset: 3, timestamp: 9}}, timestamp: 9, coordinatorEpoch: -1, txnFirst: -1}
	f.Add(s.encode())
	f.Add([]byte{0, 1, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, raw []byte) {
		require.Equal(t, newProducers().load(raw, math.MaxInt64) == nil, validSnapshot(raw))
		if len(raw) < snapshotHead {
			return
		}
		binary.BigEndian.PutUint32(raw[2:], crc32.Checksum(raw[6:], castagnoli))
		first := newProducers()
		if first.load(raw, math.MaxInt64) != nil {
			return
		}
		if len(first.byID) == 0 {
			require.Nil(t, first.encode())
			return
		}
		second := newProducers()
		require.NoError(t, second.load(first.encode(), math.MaxInt64))
		require.Equal(t, first.encode(), second.encode())
		for _, p := range first.byID {
			require.LessOrEqual(t, len(p.batches), batchesRemembered)
			for _, b := range p.batches {
				require.GreaterOrEqual(t, b.lastSequence, int32(0))
			}
		}
	})
}
