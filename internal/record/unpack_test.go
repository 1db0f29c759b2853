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

// bomb returns a batch of one record that unpacks to size zero bytes.
func bomb(t *testing.T, c record.Codec, size int) record.Batch {
	t.Helper()
	plain := record.Build(1_000_000, record.KeyValue{Key: []byte("k"), Value: make([]byte, size)})
	b, err := record.Recode(plain, plain.Payload(), c, 1)
	require.NoError(t, err)
	return b
}

// allocated returns how many bytes f allocates.
func allocated(f func()) int {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int(after.TotalAlloc - before.TotalAlloc)
}

// TestUnpackingNeedsNoMemory: with every codec, a check of records needs the same
// memory whatever their unpacked size. The test is not parallel, because it counts
// the allocations of the whole process.
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

// TestForcedCodecIsBounded: a batch that gets too large in its topic's codec is
// refused before it is packed completely.
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

// zeros returns one record of zero bytes, packed to less than a hundredth of a
// percent.
func zeros(size int) []byte {
	const block = 128 << 10
	head := append([]byte{0, 0, 0, 2, 'k'}, binary.AppendVarint(nil, int64(size))...)
	head = append(binary.AppendVarint(nil, int64(len(head)+size+1)), head...)
	p := zstdFrame(0, []byte{7 << 3}, head)
	p[6] &^= 1 // not the last block
	for ; size >= block; size -= block {
		p = append(p, 1<<1, 0, 0x10, 0) // a block of one repeated byte
	}
	size++ // one more zero byte: the record has no headers
	return append(p, byte(1|1<<1|size<<3), byte(size>>5), byte(size>>13), 0)
}

// TestManyZeros: whatever a producer can make of a batch of zeros is accepted.
func TestManyZeros(t *testing.T) {
	t.Parallel()
	p := zeros(60 << 20)
	require.Less(t, len(p), 2000)
	_, err := record.Check(sent(record.Zstd, 1, zeros(15<<20)), rules)
	require.NoError(t, err)
	_, err = record.Check(bomb(t, record.Zstd, 100<<20), rules)
	require.NoError(t, err)
	_, err = record.Check(sent(record.Zstd, 1, p), rules)
	require.ErrorContains(t, err, "unpack to more than")
}

// TestBombs: a batch that unpacks to absurdly more than its size, or says so in its
// header, is refused. The test is not parallel, because it counts the allocations of
// the whole process.
func TestBombs(t *testing.T) {
	r := rules
	r.Compacted = true
	_, err := record.Check(sent(record.Zstd, 1, zeros(300<<20)), r)
	require.ErrorIs(t, err, kerr.InvalidRecord)
	require.ErrorContains(t, err, "unpack to more than")
	announced := bomb(t, record.Snappy, 100)
	p := binary.AppendUvarint(nil, 1<<30) // a raw block that claims 1 GiB, of two bytes
	b, err := record.Recode(announced, append(p, 0, 0), record.None, 0)
	require.NoError(t, err)
	b[22] = byte(record.Snappy)
	b.SealCRC()
	used := allocated(func() {
		_, err = record.Check(b, r)
		require.ErrorIs(t, err, kerr.InvalidRecord)
	})
	require.Less(t, used, 1<<20)
	huge := binary.AppendUvarint(nil, 300<<20)
	huge = append(huge, 0, 0) // a zero, and copies of it
	for left := 300<<20 - 1; left > 0; left -= 64 {
		huge = append(huge, byte(min(left, 64)-1)<<2|2, 1, 0)
	}
	b = sent(record.Snappy, 1, huge)
	r.MaxBytes = 100 << 20
	used = allocated(func() {
		_, err = record.Check(b, r)
		require.ErrorContains(t, err, "unpack to more than")
	})
	require.Less(t, used, 1<<20)
}
