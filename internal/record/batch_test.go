package record_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/record"
)

var rules = record.Rules{MaxBytes: 1 << 20, Now: 1_000_000, BeforeMax: math.MaxInt64, AfterMax: 3_600_000}

func kv(pairs ...string) []record.KeyValue {
	var out []record.KeyValue
	for _, p := range pairs {
		out = append(out, record.KeyValue{Key: []byte(p), Value: []byte(p)})
	}
	return out
}

// encode returns the batch that kmsg would send.
func encode(change func(*kmsg.RecordBatch), records ...kmsg.Record) []byte {
	b := kmsg.NewRecordBatch()
	b.Magic, b.PartitionLeaderEpoch, b.ProducerID, b.ProducerEpoch, b.FirstSequence = 2, -1, -1, -1, -1
	b.FirstTimestamp, b.MaxTimestamp = 1_000_000, 1_000_000
	b.NumRecords, b.LastOffsetDelta = int32(len(records)), int32(len(records)-1)
	for i, r := range records {
		r.OffsetDelta = int32(i)
		body := r.AppendTo(nil)[1:]
		b.Records = binary.AppendVarint(b.Records, int64(len(body)))
		b.Records = append(b.Records, body...)
	}
	if change != nil {
		change(&b)
	}
	b.Length = int32(49 + len(b.Records))
	raw := b.AppendTo(nil)
	binary.BigEndian.PutUint32(raw[17:], crc32.Checksum(raw[21:], crc32.MakeTable(crc32.Castagnoli)))
	return raw
}

func TestFieldsAreKmsgs(t *testing.T) {
	t.Parallel()
	raw := encode(func(b *kmsg.RecordBatch) {
		b.FirstOffset, b.PartitionLeaderEpoch, b.Attributes = 77, 5, 0x18
		b.FirstTimestamp, b.MaxTimestamp, b.ProducerID, b.ProducerEpoch, b.FirstSequence = 11, 22, 33, 44, 55
	}, kmsg.Record{Value: []byte("a")}, kmsg.Record{Value: []byte("b")})
	b, rest, err := record.Split(append(raw, 1, 2, 3))
	require.NoError(t, err)
	require.Equal(t, []byte{1, 2, 3}, rest)
	require.Equal(t, int64(77), b.BaseOffset())
	require.Equal(t, int64(78), b.LastOffset())
	require.Equal(t, int64(79), b.NextOffset())
	require.Equal(t, int32(5), b.LeaderEpoch())
	require.True(t, b.LogAppendTime())
	require.True(t, b.Transactional())
	require.False(t, b.Control())
	require.Equal(t, record.None, b.Codec())
	require.Equal(t, int64(11), b.BaseTimestamp())
	require.Equal(t, int64(22), b.MaxTimestamp())
	require.Equal(t, int64(33), b.ProducerID())
	require.Equal(t, int16(44), b.ProducerEpoch())
	require.Equal(t, int32(55), b.BaseSequence())
	require.Equal(t, int32(56), b.LastSequence())
	require.Equal(t, int32(2), b.Count())
	require.True(t, b.ValidCRC())
}

func TestTrap20SequenceWrap(t *testing.T) {
	t.Parallel()
	require.Equal(t, int32(0), record.SequenceAfter(math.MaxInt32, 1))
	require.Equal(t, int32(1), record.SequenceAfter(math.MaxInt32-1, 3))
	require.Equal(t, int32(math.MaxInt32), record.SequenceAfter(math.MaxInt32-3, 3))
}

func TestTrap22PatchingKeepsTheCRC(t *testing.T) {
	t.Parallel()
	b := record.Batch(encode(nil, kmsg.Record{Value: []byte("a")}))
	before := bytes.Clone(b[16:])
	b.SetBaseOffset(1 << 40)
	b.SetLeaderEpoch(9)
	require.True(t, b.ValidCRC())
	require.Equal(t, before, []byte(b[16:]))
	b.SetTimestamps(true, 42)
	require.True(t, b.ValidCRC())
	require.Equal(t, int64(42), b.MaxTimestamp())
}

func TestSplitRefuses(t *testing.T) {
	t.Parallel()
	good := record.Build(1, kv("a")...)
	_, _, err := record.Split(good[:60])
	require.ErrorIs(t, err, record.ErrShort)
	_, _, err = record.Split(good[:len(good)-1])
	require.ErrorIs(t, err, record.ErrShort)
	bad := bytes.Clone(good)
	bad[16] = 3
	_, _, err = record.Split(bad)
	require.ErrorIs(t, err, record.ErrCorrupt)
	bad = bytes.Clone(good)
	binary.BigEndian.PutUint32(bad[8:], 48)
	_, _, err = record.Split(bad)
	require.ErrorIs(t, err, record.ErrCorrupt)
	binary.BigEndian.PutUint32(bad[8:], 0xffffffff)
	_, _, err = record.Split(bad)
	require.ErrorIs(t, err, record.ErrCorrupt)
}

func TestCheck(t *testing.T) {
	t.Parallel()
	one := kmsg.Record{Key: []byte("k"), Value: []byte("v")}
	keyless := kmsg.Record{Value: []byte("v")}
	compacted := rules
	compacted.Compacted = true
	small := rules
	small.MaxBytes = 70
	old := rules
	old.BeforeMax = 10
	for name, c := range map[string]struct {
		raw   []byte
		rules record.Rules
		want  error
	}{
		"good":                 {encode(nil, one), rules, nil},
		"empty":                {nil, rules, kerr.InvalidRecord},
		"too large":            {encode(nil, one, one), small, kerr.MessageTooLarge},
		"base offset":          {encode(func(b *kmsg.RecordBatch) { b.FirstOffset = 1 }, one), rules, kerr.InvalidRecord},
		"magic 1":              {func() []byte { b := encode(nil, one); b[16] = 1; return b }(), rules, kerr.InvalidRecord},
		"magic 9":              {func() []byte { b := encode(nil, one); b[16] = 9; return b }(), rules, record.ErrCorrupt},
		"crc":                  {func() []byte { b := encode(nil, one); b[17]++; return b }(), rules, kerr.CorruptMessage},
		"two batches":          {append(encode(nil, one), encode(nil, one)...), rules, kerr.InvalidRecord},
		"trailing bytes":       {append(encode(nil, one), 1, 2), rules, nil},
		"control":              {encode(func(b *kmsg.RecordBatch) { b.Attributes = 0x20 }, one), rules, kerr.InvalidRecord},
		"no sequence":          {encode(func(b *kmsg.RecordBatch) { b.ProducerID = 3 }, one), rules, kerr.InvalidRecord},
		"codec 5":              {encode(func(b *kmsg.RecordBatch) { b.Attributes = 5 }, one), rules, kerr.UnknownServerError},
		"count too high":       {encode(func(b *kmsg.RecordBatch) { b.NumRecords, b.LastOffsetDelta = 2, 1 }, one), rules, kerr.InvalidRecord},
		"count too low":        {encode(func(b *kmsg.RecordBatch) { b.NumRecords, b.LastOffsetDelta = 1, 0 }, one, one), rules, kerr.InvalidRecord},
		"null key":             {encode(nil, keyless), rules, nil},
		"null key, compacted":  {encode(nil, one, keyless), compacted, kerr.InvalidRecord},
		"empty key, compacted": {encode(nil, kmsg.Record{Key: []byte{}, Value: nil}), compacted, nil},
		"future":               {encode(nil, kmsg.Record{TimestampDelta64: 3_600_001}), rules, kerr.InvalidTimestamp},
		"past":                 {encode(nil, kmsg.Record{TimestampDelta64: -11}), old, kerr.InvalidTimestamp},
		"before all time":      {encode(func(b *kmsg.RecordBatch) { b.FirstTimestamp = math.MinInt64 }, one), rules, kerr.InvalidTimestamp},
		"not gzip":             {encode(func(b *kmsg.RecordBatch) { b.Attributes = 1 }, one), rules, kerr.InvalidRecord},
		"not snappy":           {encode(func(b *kmsg.RecordBatch) { b.Attributes = 2 }, one), rules, kerr.InvalidRecord},
		"not lz4":              {encode(func(b *kmsg.RecordBatch) { b.Attributes = 3 }, one), rules, kerr.InvalidRecord},
		"not zstd":             {encode(func(b *kmsg.RecordBatch) { b.Attributes = 4 }, one), rules, kerr.InvalidRecord},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, err := record.Check(c.raw, c.rules)
			if c.want != nil {
				require.ErrorIs(t, err, c.want)
				return
			}
			require.NoError(t, err)
			require.True(t, b.ValidCRC())
		})
	}
}

func TestCheckNamesTheRecords(t *testing.T) {
	t.Parallel()
	r := rules
	r.Compacted = true
	_, err := record.Check(encode(nil, kmsg.Record{}, kmsg.Record{Key: []byte("k")}, kmsg.Record{}), r)
	var refusal *record.RefusedError
	require.ErrorAs(t, err, &refusal)
	require.Len(t, refusal.Faults, 2)
	require.Equal(t, int32(0), refusal.Faults[0].Index)
	require.Equal(t, int32(2), refusal.Faults[1].Index)
}

func TestTrap21MaxTimestampIsCorrected(t *testing.T) {
	t.Parallel()
	b, err := record.Check(encode(func(b *kmsg.RecordBatch) { b.MaxTimestamp = 99_999_999 },
		kmsg.Record{TimestampDelta64: 5}, kmsg.Record{TimestampDelta64: -5}), rules)
	require.NoError(t, err)
	require.Equal(t, int64(1_000_005), b.MaxTimestamp())
	require.True(t, b.ValidCRC())
}

func TestCompressionRoundTrip(t *testing.T) {
	t.Parallel()
	payload := bytes.Repeat([]byte("abcdefgh"), 20_000)
	for _, c := range []record.Codec{record.None, record.Gzip, record.Snappy, record.LZ4, record.Zstd} {
		packed, err := record.Compress(c, 1, payload)
		require.NoError(t, err, c)
		got, err := record.Decompress(c, packed, len(payload))
		require.NoError(t, err, c)
		require.Equal(t, payload, got, c)
		if c != record.None {
			_, err = record.Decompress(c, packed, len(payload)-1)
			require.ErrorIs(t, err, record.ErrTooLarge, c)
			_, err = record.Decompress(c, packed[:len(packed)/2], len(payload))
			require.Error(t, err, c)
		}
	}
}

func TestForcedCodec(t *testing.T) {
	t.Parallel()
	r := rules
	r.Forced, r.Force, r.Level = true, record.Zstd, 3
	b, err := record.Check(encode(func(b *kmsg.RecordBatch) { b.ProducerID, b.ProducerEpoch, b.FirstSequence = 1, 2, 3 },
		kmsg.Record{Value: []byte("a")}, kmsg.Record{Value: []byte("b")}), r)
	require.NoError(t, err)
	require.Equal(t, record.Zstd, b.Codec())
	require.Equal(t, int32(3), b.BaseSequence())
	payload, err := record.Decompress(b.Codec(), b.Payload(), 1<<20)
	require.NoError(t, err)
	n := 0
	for _, err := range record.Records(payload, b.Count()) {
		require.NoError(t, err)
		n++
	}
	require.Equal(t, 2, n)
}

func TestBuild(t *testing.T) {
	t.Parallel()
	b := record.Build(42, record.KeyValue{Key: []byte("k"), Value: nil}, record.KeyValue{Key: nil, Value: []byte{}})
	checked, err := record.Check(b, rules)
	require.NoError(t, err)
	var got []record.Record
	for r, err := range record.Records(checked.Payload(), 2) {
		require.NoError(t, err)
		got = append(got, r)
	}
	require.Equal(t, []byte("k"), got[0].Key)
	require.Nil(t, got[0].Value)
	require.Nil(t, got[1].Key)
	require.NotNil(t, got[1].Value)
}

// TestLongNumbers encodes each number of a record with more and more bytes. As in
// clients, a 32-bit number may have at most five bytes, the timestamp ten.
func TestLongNumbers(t *testing.T) {
	t.Parallel()
	long := func(value, size int) []byte { // for a value below 64
		p := append([]byte{byte(2*value) | 0x80}, bytes.Repeat([]byte{0x80}, size-2)...)
		return append(p, 0)
	}
	places := []struct {
		name          string
		value, before int // before is the position of the number in the body
	}{
		{"timestamp", 0, 1},
		{"offset", 0, 2},
		{"key", 1, 3},
		{"value", 1, 5},
		{"headers", 1, 7},
		{"header key", 1, 8},
		{"header value", 1, 10},
		{"size", 12, -1},
	}
	body := []byte{0, 0, 0, 2, 'k', 2, 'v', 2, 2, 'h', 2, 'w'}
	for _, place := range places {
		for size := 2; size <= 11; size++ {
			b := body
			if place.before >= 0 {
				b = slices.Concat(body[:place.before], long(place.value, size), body[place.before+1:])
			}
			p := append(binary.AppendVarint(nil, int64(len(b))), b...)
			if place.before < 0 {
				p = append(long(len(body), size), body...)
			}
			var err error
			for _, err = range record.Records(p, 1) {
			}
			var theirs kmsg.Record
			refused := theirs.ReadFrom(p) != nil
			require.Equal(t, size > 5 && place.name != "timestamp" || size > 10, err != nil, "%s of %d bytes", place.name, size)
			require.Equal(t, refused, err != nil, "%s of %d bytes", place.name, size)
			batch := append(record.Build(0, kv("k")...)[:record.HeaderSize:record.HeaderSize], p...)
			for _, err = range record.Scan(batch, 1<<20) {
			}
			require.Equal(t, refused, err != nil, "%s of %d bytes in a stream", place.name, size)
		}
	}
	for _, fifth := range []byte{0x0f, 0x10, 0x7f} { // the largest number, and two beyond 32 bits
		p := append([]byte{20, 0, 0, 0xff, 0xff, 0xff, 0xff, fifth}, 1, 1, 0)
		var err error
		for _, err = range record.Records(p, 1) {
		}
		var theirs kmsg.Record
		require.Equal(t, theirs.ReadFrom(p) != nil, err != nil, "%x", fifth)
		batch := append(record.Build(0, kv("k")...)[:record.HeaderSize:record.HeaderSize], p...)
		for _, err = range record.Scan(batch, 1<<20) {
		}
		require.Equal(t, theirs.ReadFrom(p) != nil, err != nil, "%x in a stream", fifth)
	}
}

// FuzzRecords holds Records equal to kmsg's reader: kmsg accepts every record that
// Records accepts, and reads the same fields. Records may not panic or read beyond
// the bytes.
func FuzzRecords(f *testing.F) {
	f.Add(record.Build(1, kv("a", "b")...).Payload(), int32(2))
	f.Add(encode(nil, kmsg.Record{Headers: []kmsg.Header{{Key: "h", Value: []byte("v")}}})[61:], int32(1))
	f.Fuzz(func(t *testing.T, payload []byte, count int32) {
		if count < 0 || count > 1000 {
			return
		}
		rest := payload
		for r, err := range record.Records(payload, count) {
			if err != nil {
				return
			}
			size, n := binary.Varint(rest)
			var want kmsg.Record
			require.NoError(t, want.ReadFrom(rest[:n+int(size)]))
			rest = rest[n+int(size):]
			require.Equal(t, want.TimestampDelta64, r.TimestampDelta)
			require.Equal(t, want.OffsetDelta, r.OffsetDelta)
			require.True(t, bytes.Equal(want.Key, r.Key))
			require.True(t, bytes.Equal(want.Value, r.Value))
		}
	})
}

// FuzzCheck: whatever the bytes, Check neither panics nor accepts a batch whose CRC,
// length or record count is wrong.
func FuzzCheck(f *testing.F) {
	f.Add(encode(nil, kmsg.Record{Value: []byte("a")}))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		r := rules
		r.Compacted = len(raw)%2 == 0
		b, err := record.Check(raw, r)
		if err != nil {
			return
		}
		require.True(t, b.ValidCRC())
		require.LessOrEqual(t, len(b), r.MaxBytes)
		require.Equal(t, b.Count(), b.LastOffsetDelta()+1)
	})
}

func BenchmarkCheck(b *testing.B) {
	var records []kmsg.Record
	for range 64 {
		records = append(records, kmsg.Record{Value: make([]byte, 1024)})
	}
	raw := encode(nil, records...)
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := record.Check(raw, rules); err != nil {
			b.Fatal(err)
		}
	}
}
