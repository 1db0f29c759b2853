package record_test

import (
	"bytes"
	"encoding/binary"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/botehq/bote/internal/record"
)

// bomb is a batch of one record that unpacks to a number of zero bytes.
func bomb(t *testing.T, c record.Codec, size int) record.Batch {
	t.Helper()
	plain := record.Build(1_000_000, record.KeyValue{Key: []byte("k"), Value: make([]byte, size)})
	b, err := record.Recode(plain, plain.Payload(), c, 1)
	require.NoError(t, err)
	return b
}

// allocated is how many bytes f allocates.
func allocated(f func()) int {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int(after.TotalAlloc - before.TotalAlloc)
}

// TestUnpackingNeedsNoMemory: looking at records takes the same memory whatever they
// unpack to, with every codec. It is not parallel: it counts what the process
// allocates.
func TestUnpackingNeedsNoMemory(t *testing.T) {
	const size = 14 << 20
	for _, c := range []record.Codec{record.Gzip, record.LZ4, record.Zstd, record.Snappy} {
		b := bomb(t, c, size)
		r := rules
		r.Compacted = true
		used := allocated(func() {
			_, err := record.Check(b, r)
			require.NoError(t, err, c)
		})
		require.Less(t, used, size/2, "%s", c)
		forced := r
		forced.Forced, forced.Force, forced.Level = true, record.Gzip, 6
		if c == record.Gzip {
			forced.Force, forced.Level = record.LZ4, 1
		}
		packed, err := record.Check(bytes.Clone(b), forced)
		require.NoError(t, err, c)
		require.Equal(t, forced.Force, packed.Codec())
		require.True(t, packed.ValidCRC())
	}
}

// TestForcedCodecIsBounded: a batch that would be too large in the codec of its
// topic is refused before it is.
func TestForcedCodecIsBounded(t *testing.T) {
	b := bomb(t, record.Gzip, 14<<20)
	r := rules
	r.Forced, r.Force = true, record.None
	used := allocated(func() {
		_, err := record.Check(b, r)
		require.ErrorIs(t, err, kerr.MessageTooLarge)
	})
	require.Less(t, used, 7<<20)
}

// TestBombs: what unpacks to absurdly more than it is, or announces it, is refused.
func TestBombs(t *testing.T) {
	t.Parallel()
	r := rules
	r.Compacted = true
	_, err := record.Check(bomb(t, record.Zstd, 32<<20), r)
	require.ErrorIs(t, err, kerr.InvalidRecord)
	announced := bomb(t, record.Snappy, 100)
	p := binary.AppendUvarint(nil, 1<<30) // a raw block of 1 GiB, of two bytes
	b, err := record.Recode(announced, append(p, 0, 0), record.None, 0)
	require.NoError(t, err)
	b[22] = byte(record.Snappy)
	b.SealCRC()
	used := allocated(func() {
		_, err = record.Check(b, r)
		require.ErrorIs(t, err, kerr.InvalidRecord)
	})
	require.Less(t, used, 1<<20)
}
