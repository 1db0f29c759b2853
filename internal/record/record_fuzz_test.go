package record_test

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"testing"

	"github.com/golang/snappy"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/record"
)

// FuzzBatchIsKmsgs: Split accepts exactly what kmsg accepts as a batch of version 2,
// and reads the same fields. Two differences are intended: kmsg accepts any magic byte,
// and it accepts a length that exceeds the bytes or is too small for a header.
func FuzzBatchIsKmsgs(f *testing.F) {
	f.Add([]byte(record.Build(1, kv("a", "b")...)))
	f.Add(encode(func(b *kmsg.RecordBatch) { b.Attributes, b.ProducerID, b.FirstSequence = 0x3c, 7, 9 }, kmsg.Record{Value: []byte("v")}))
	f.Fuzz(func(t *testing.T, p []byte) {
		b, rest, err := record.Split(p)
		var want kmsg.RecordBatch
		theirs := want.ReadFrom(p)
		if err != nil {
			takes := theirs == nil && want.Magic == 2 && want.Length >= 49 && int(want.Length)+12 <= len(p)
			require.False(t, takes, "kmsg takes what Split refuses: %v", err)
			return
		}
		require.NoError(t, want.ReadFrom(b))
		require.Len(t, p, len(b)+len(rest))
		require.Equal(t, want.FirstOffset, b.BaseOffset())
		require.Equal(t, want.PartitionLeaderEpoch, b.LeaderEpoch())
		require.Equal(t, uint32(want.CRC), b.CRC())
		require.Equal(t, want.Attributes, b.Attributes())
		require.Equal(t, want.LastOffsetDelta, b.LastOffsetDelta())
		require.Equal(t, want.FirstTimestamp, b.BaseTimestamp())
		require.Equal(t, want.MaxTimestamp, b.MaxTimestamp())
		require.Equal(t, want.ProducerID, b.ProducerID())
		require.Equal(t, want.ProducerEpoch, b.ProducerEpoch())
		require.Equal(t, want.FirstSequence, b.BaseSequence())
		require.Equal(t, want.NumRecords, b.Count())
		require.True(t, bytes.Equal(want.Records, b.Payload()))
	})
}

// FuzzRecordIsKmsgs: Records and kmsg accept the same single records and read the same
// fields, except headers, which are only skipped here. Two differences are intended:
// kmsg accepts a record that is shorter than its size says, and reads a length below -1
// as null.
func FuzzRecordIsKmsgs(f *testing.F) {
	f.Add(record.Build(1, kv("a")...).Payload())
	f.Add(encode(nil, kmsg.Record{Headers: []kmsg.Header{{Key: "h", Value: []byte("v")}, {Key: "n"}}})[61:])
	f.Fuzz(func(t *testing.T, p []byte) {
		var ours []record.Record
		var err error
		for r, e := range record.Records(p, 1) {
			if e != nil {
				err = e
				break
			}
			ours = append(ours, r)
		}
		var want kmsg.Record
		theirs := want.ReadFrom(p)
		if err == nil {
			require.NoError(t, theirs)
			require.Len(t, ours, 1)
			require.Equal(t, want.TimestampDelta64, ours[0].TimestampDelta)
			require.Equal(t, want.OffsetDelta, ours[0].OffsetDelta)
			require.True(t, bytes.Equal(want.Key, ours[0].Key))
			require.True(t, bytes.Equal(want.Value, ours[0].Value))
			return
		}
		if theirs != nil {
			return
		}
		// If kmsg accepts bytes and writes the same bytes again, they are a record, and
		// Records must accept them.
		again := want.AppendTo(nil)
		if bytes.Equal(again, p) && int(want.Length) == len(p)-varintSize(p) && nonNegative(want) {
			t.Fatalf("refused what kmsg takes: %x: %v", p, err)
		}
	})
}

func varintSize(p []byte) int {
	_, n := binary.Varint(p)
	return n
}

// nonNegative reports whether a record has no headers: kmsg, unlike Records, accepts a
// header with a null key.
func nonNegative(r kmsg.Record) bool { return len(r.Headers) == 0 }

// FuzzDecompress: the result never exceeds the limit, and packing the result and
// unpacking it again gives the same bytes.
func FuzzDecompress(f *testing.F) {
	for _, c := range []record.Codec{record.Gzip, record.Snappy, record.LZ4, record.Zstd} {
		packed, err := record.Compress(c, 1, bytes.Repeat([]byte("abc"), 100))
		require.NoError(f, err)
		f.Add(int8(c), packed)
	}
	f.Fuzz(func(t *testing.T, codec int8, p []byte) {
		const limit = 1 << 16
		c := record.Codec(codec)
		out, err := record.Decompress(c, p, limit)
		if c != record.None {
			require.LessOrEqual(t, len(out), limit)
		}
		if err != nil {
			return
		}
		packed, err := record.Compress(c, 1, out)
		require.NoError(t, err)
		again, err := record.Decompress(c, packed, len(out))
		require.NoError(t, err)
		require.True(t, bytes.Equal(out, again))
	})
}

// FuzzCheckCompressed: Check accepts exactly those records that kmsg reads and finds
// valid, with the same max timestamp, whatever the codec. The test packs and seals the
// fuzzer's bytes, so that they get past the checksum.
func FuzzCheckCompressed(f *testing.F) {
	f.Add(int8(1), int32(2), record.Build(1, kv("a", "b")...).Payload())
	f.Add(int8(4), int32(1), record.Build(1, kv("a")...).Payload())
	f.Add(int8(3), int32(1), payload(kmsg.Record{Key: []byte("k"), TimestampDelta64: 3_600_001}))
	f.Add(int8(2), int32(3), payload(three()...))
	f.Fuzz(func(t *testing.T, codec int8, count int32, payload []byte) {
		if codec < 0 || codec > 4 || count <= 0 {
			return
		}
		b, err := record.Recode(record.Build(1_000_000, kv("a")...), payload, record.Codec(codec), 1)
		require.NoError(t, err)
		binary.BigEndian.PutUint32(b[23:], uint32(count-1))
		binary.BigEndian.PutUint32(b[57:], uint32(count))
		b.SealCRC()
		r := rules
		r.Compacted = true
		checked, err := record.Check(b, r)
		want := byKmsg(payload, count, r, codec != 0)
		var refusal *record.RefusedError
		if err != nil {
			require.ErrorAs(t, err, &refusal)
			require.False(t, want.right && want.asWritten, "kmsg finds nothing wrong: %v", err)
			return
		}
		require.True(t, want.right)
		require.Equal(t, want.maxTimestamp, checked.MaxTimestamp())
		require.True(t, checked.ValidCRC())
	})
}

// judged is what kmsg finds in some records.
type judged struct {
	right        bool  // as many as the header says, and all valid by the rules
	asWritten    bool  // kmsg would write them as they are
	maxTimestamp int64 // at least -1
}

func byKmsg(p []byte, count int32, r record.Rules, packed bool) judged {
	found := judged{right: true, asWritten: true, maxTimestamp: -1}
	for i := range count {
		size, n := binary.Varint(p)
		if n <= 0 || size < 0 || size > int64(len(p)-n) {
			return judged{}
		}
		var k kmsg.Record
		body := p[:n+int(size)]
		if k.ReadFrom(body) != nil {
			return judged{}
		}
		p = p[len(body):]
		ts := 1_000_000 + k.TimestampDelta64
		found.maxTimestamp = max(found.maxTimestamp, ts)
		late := ts != -1 && ts > r.Now && uint64(ts)-uint64(r.Now) > uint64(r.AfterMax) || ts < r.Now && uint64(r.Now)-uint64(ts) > uint64(r.BeforeMax) && ts != -1
		if packed && k.OffsetDelta != i || r.Compacted && k.Key == nil || late {
			return judged{}
		}
		found.asWritten = found.asWritten && bytes.Equal(k.AppendTo(nil), body)
	}
	found.right = len(p) == 0
	return found
}

// FuzzPieces: records in pieces of any size read the same as in one piece.
func FuzzPieces(f *testing.F) {
	f.Add(uint16(1), int32(2), record.Build(1, kv("a", "b")...).Payload())
	f.Add(uint16(7), int32(1), encode(nil, kmsg.Record{Headers: []kmsg.Header{{Key: "h", Value: []byte("v")}, {Key: "n"}}})[61:])
	f.Fuzz(func(t *testing.T, size uint16, count int32, payload []byte) {
		if size == 0 || count < 0 || count > 1000 {
			return
		}
		var blocks [][]byte
		for piece := range slices.Chunk(payload, int(size)) {
			blocks = append(blocks, lz4Block(uint32(len(piece))|1<<31, piece))
		}
		b := sent(record.LZ4, count, lz4Blocks(blocks...))
		var want, got []record.Summary
		var wantErr, gotErr error
		for r, err := range record.Records(payload, count) {
			if wantErr = err; err == nil {
				want = append(want, record.Summary{TimestampDelta: r.TimestampDelta, OffsetDelta: r.OffsetDelta, NullKey: r.Key == nil})
			}
		}
		for s, err := range record.Scan(b, 1<<20) {
			if gotErr = err; err == nil {
				got = append(got, s)
			}
		}
		require.Equal(t, wantErr, gotErr)
		require.Equal(t, want, got)
	})
}

// FuzzUnpack: for any bytes, the streams unpack to what the libraries unpack as a
// whole. For zstd, both accept the same bytes; for the other codecs, they differ in
// what may follow the data.
func FuzzUnpack(f *testing.F) {
	for _, c := range codecs {
		p, err := record.Compress(c, 1, bytes.Repeat([]byte("abc"), 100))
		require.NoError(f, err)
		f.Add(int8(c), p)
	}
	f.Add(int8(record.Snappy), snappy.Encode(nil, []byte("raw raw raw raw")))
	f.Fuzz(func(t *testing.T, codec int8, p []byte) {
		c := record.Codec(codec)
		theirs, wrong := whole(c, p)
		ours, err := record.Decompress(c, p, 1<<20)
		limited := errors.Is(err, record.ErrTooLarge) || errors.Is(wrong, zstd.ErrDecoderSizeExceeded) || errors.Is(wrong, zstd.ErrWindowSizeExceeded) // the limits of the two differ
		if limited || c == record.None {
			return
		}
		if c == record.Zstd && len(p) > 0 {
			require.Equal(t, wrong == nil, err == nil, "%v, but %v", wrong, err)
		}
		if err == nil && wrong == nil {
			require.True(t, bytes.Equal(theirs, ours))
		}
	})
}

// whole unpacks with another reader of the library, or with another library.
func whole(c record.Codec, p []byte) ([]byte, error) {
	const limit = 2 << 20
	switch c {
	case record.Gzip:
		r, err := gzip.NewReader(bytes.NewReader(p))
		if err != nil {
			return nil, err
		}
		return io.ReadAll(io.LimitReader(r, limit))
	case record.Snappy:
		if n, err := s2.DecodedLen(p); err != nil || n > limit {
			return nil, errors.New("no raw block, or a large one")
		}
		return s2.Decode(nil, p)
	case record.LZ4:
		return io.ReadAll(io.LimitReader(lz4.NewReader(bytes.NewReader(p)), limit))
	case record.Zstd:
		r, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(128<<20), zstd.WithDecoderMaxMemory(limit))
		if err != nil {
			return nil, err
		}
		defer r.Close()
		return r.DecodeAll(p, nil)
	default:
		return p, nil
	}
}

// FuzzScan: Scan of packed records finds the same as Records does in the unpacked ones.
func FuzzScan(f *testing.F) {
	f.Add(int8(1), int32(2), record.Build(1, kv("a", "b")...).Payload())
	f.Add(int8(2), int32(1), encode(nil, kmsg.Record{Headers: []kmsg.Header{{Key: "h", Value: []byte("v")}}})[61:])
	f.Fuzz(func(t *testing.T, codec int8, count int32, payload []byte) {
		if codec < 1 || codec > 4 || count < 0 || count > 1000 {
			return
		}
		b, err := record.Recode(record.Build(1, kv("a")...), payload, record.Codec(codec), 1)
		require.NoError(t, err)
		binary.BigEndian.PutUint32(b[57:], uint32(count))
		var want, got []record.Summary
		var wantErr, gotErr error
		for r, err := range record.Records(payload, count) {
			if wantErr = err; err == nil {
				want = append(want, record.Summary{TimestampDelta: r.TimestampDelta, OffsetDelta: r.OffsetDelta, NullKey: r.Key == nil})
			}
		}
		for s, err := range record.Scan(b, 1<<20) {
			if gotErr = err; err == nil {
				got = append(got, s)
			}
		}
		require.Equal(t, wantErr, gotErr)
		require.Equal(t, want, got)
	})
}
