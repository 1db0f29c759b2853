package record_test

import (
	"encoding/binary"
	"fmt"
	"math/rand"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/record"
)

var codecs = []record.Codec{record.Gzip, record.Snappy, record.LZ4, record.Zstd}

// textRecords returns records like those that services send: words and numbers.
func textRecords(size, count int) []kmsg.Record {
	r := rand.New(rand.NewSource(1))
	words := []string{"order", "status", "customer", "amount", "created", "pending", "shipped", "eur", "berlin", "street", "email", "phone"}
	records := make([]kmsg.Record, count)
	for i := range records {
		var v []byte
		for len(v) < size {
			if r.Intn(3) == 0 {
				v = fmt.Appendf(v, "%x,", r.Uint32())
			} else {
				v = append(append(v, words[r.Intn(len(words))]...), ':')
			}
		}
		records[i].Value, records[i].TimestampDelta64 = v[:size], int64(i)
	}
	return records
}

// packed packs a batch with the codec's usual level.
func packed(tb testing.TB, c record.Codec, raw []byte) record.Batch {
	tb.Helper()
	level := 0
	switch c {
	case record.Gzip:
		level = 6
	case record.Zstd:
		level = 3
	case record.None, record.Snappy, record.LZ4:
	}
	b := record.Batch(raw)
	out, err := record.Recode(b, b.Payload(), c, level)
	require.NoError(tb, err)
	return out
}

// BenchmarkCheckPacked checks 256 KiB of records; it counts unpacked bytes.
func BenchmarkCheckPacked(b *testing.B) {
	for _, c := range codecs {
		for _, size := range []int{1024, 64} {
			b.Run(fmt.Sprintf("%s/%d", c, size), func(b *testing.B) {
				raw := encode(nil, textRecords(size, 256<<10/size)...)
				binary.BigEndian.PutUint64(raw[35:], 1_000_000+uint64(256<<10/size)-1) // the true max timestamp
				batch := packed(b, c, raw)
				b.SetBytes(int64(len(raw)))
				b.ReportAllocs()
				for b.Loop() {
					if _, err := record.Check(batch, rules); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkCheckSmall checks uncompressed records of 64 bytes.
func BenchmarkCheckSmall(b *testing.B) {
	raw := encode(nil, textRecords(64, 4096)...)
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := record.Check(raw, rules); err != nil {
			b.Fatal(err)
		}
	}
}
