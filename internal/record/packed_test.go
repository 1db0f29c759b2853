package record_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/bits"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang/snappy"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/record"
)

// three returns the records of the batch that most of these tests send.
func three() []kmsg.Record {
	return []kmsg.Record{
		{Key: []byte("k"), Value: []byte("value value value value")},
		{Key: []byte("k"), Value: []byte("value value value value"), TimestampDelta64: 2},
		{Key: []byte("k"), Value: []byte("value value value value"), TimestampDelta64: 1},
	}
}

// payload encodes records as they are in a batch, with their own deltas.
func payload(records ...kmsg.Record) []byte {
	var p []byte
	for _, r := range records {
		body := r.AppendTo(nil)[1:]
		p = binary.AppendVarint(p, int64(len(body)))
		p = append(p, body...)
	}
	return p
}

// sent returns a batch with the given bytes as its packed records.
func sent(c record.Codec, count int32, packed []byte) record.Batch {
	return encode(func(b *kmsg.RecordBatch) {
		b.Attributes, b.NumRecords, b.LastOffsetDelta, b.Records = int16(c), count, count-1, packed
	})
}

func pack(tb testing.TB, c record.Codec, p []byte) []byte {
	tb.Helper()
	packed, err := record.Compress(c, 1, p)
	require.NoError(tb, err)
	return packed
}

func deltas(offsets ...int32) []kmsg.Record {
	records := make([]kmsg.Record, len(offsets))
	for i, o := range offsets {
		records[i] = kmsg.Record{Key: []byte("k"), Value: []byte("v"), OffsetDelta: o}
	}
	return records
}

// TestPackedRecordsAreLookedAt: Check verifies the compressed records against the header.
func TestPackedRecordsAreLookedAt(t *testing.T) {
	t.Parallel()
	whole := payload(deltas(0, 1, 2)...)
	for _, c := range codecs {
		for name, test := range map[string]struct {
			batch record.Batch
			want  error
		}{
			"right":              {sent(c, 3, pack(t, c, whole)), nil},
			"fewer than said":    {sent(c, 4, pack(t, c, whole)), kerr.InvalidRecord},
			"more than said":     {sent(c, 2, pack(t, c, whole)), kerr.InvalidRecord},
			"none":               {sent(c, 1, pack(t, c, nil)), kerr.InvalidRecord},
			"gap":                {sent(c, 3, pack(t, c, payload(deltas(0, 2, 4)...))), kerr.InvalidRecord},
			"all zero":           {sent(c, 3, pack(t, c, payload(deltas(0, 0, 0)...))), kerr.InvalidRecord},
			"from one":           {sent(c, 3, pack(t, c, payload(deltas(1, 2, 3)...))), kerr.InvalidRecord},
			"from below":         {sent(c, 3, pack(t, c, payload(deltas(-1, 0, 1)...))), kerr.InvalidRecord},
			"no records":         {sent(c, 1, pack(t, c, []byte("no record at all, but long enough for one"))), kerr.InvalidRecord},
			"cut off":            {sent(c, 3, pack(t, c, whole)[:len(pack(t, c, whole))-3]), kerr.InvalidRecord},
			"cut in half":        {sent(c, 3, pack(t, c, whole)[:len(pack(t, c, whole))/2]), kerr.InvalidRecord},
			"no bytes":           {sent(c, 1, nil), kerr.InvalidRecord},
			"future":             {sent(c, 1, pack(t, c, payload(kmsg.Record{TimestampDelta64: 3_600_001}))), kerr.InvalidTimestamp},
			"future of a bit":    {sent(c, 1, pack(t, c, payload(kmsg.Record{TimestampDelta64: 3_600_000}))), nil},
			"no timestamp":       {sent(c, 1, pack(t, c, payload(kmsg.Record{TimestampDelta64: -1_000_001}))), nil},
			"attributes, unused": {sent(c, 1, pack(t, c, payload(kmsg.Record{Attributes: 7}))), nil},
		} {
			_, err := record.Check(test.batch, rules)
			if test.want == nil {
				require.NoError(t, err, "%s: %s", c, name)
				continue
			}
			require.ErrorIs(t, err, test.want, "%s: %s", c, name)
		}
	}
}

// TestTrap21MaxTimestampOfPackedRecords: whatever the header says, Check sets the max
// timestamp of the records. Nothing else in the batch changes.
func TestTrap21MaxTimestampOfPackedRecords(t *testing.T) {
	t.Parallel()
	for _, c := range append(slices.Clone(codecs), record.None) {
		for _, test := range []struct{ said, base, want int64 }{
			{-1, 1_000_000, 1_000_002},
			{0, 1_000_000, 1_000_002},
			{1_000_001, 1_000_000, 1_000_002},
			{1_000_002, 1_000_000, 1_000_002},
			{1 << 50, 1_000_000, 1_000_002},
			{1_000_000, -1, 1},
			{1_000_000, -9, -1},
		} {
			raw := encode(func(b *kmsg.RecordBatch) { b.MaxTimestamp, b.FirstTimestamp = test.said, test.base }, three()...)
			batch := packed(t, c, raw)
			before := bytes.Clone(batch)
			got, err := record.Check(batch, rules)
			require.NoError(t, err, c)
			require.Equal(t, test.want, got.MaxTimestamp(), "%s: said %d", c, test.said)
			require.True(t, got.ValidCRC())
			binary.BigEndian.PutUint64(before[35:], uint64(test.want))
			record.Batch(before).SealCRC()
			require.Equal(t, before, []byte(got))

			byClock := rules
			byClock.LogAppendTime = true
			got, err = record.Check(got, byClock)
			require.NoError(t, err, c)
			require.Equal(t, rules.Now, got.MaxTimestamp())
			require.True(t, got.ValidCRC())
		}
	}
}

// TestFaults: each faulty record is named once, in order, with its own text. A record
// with both faults has the text about its key. The error for faulty records takes
// precedence over a gap in the offsets.
func TestFaults(t *testing.T) {
	t.Parallel()
	r := rules
	r.Compacted, r.BeforeMax = true, 100
	value := []byte("v")
	mixed := []kmsg.Record{
		{Key: value, TimestampDelta64: -101},
		{},
		{TimestampDelta64: 3_600_001, OffsetDelta: 2},
		{Key: value, OffsetDelta: 3},
		{Key: value, TimestampDelta64: 3_600_001, OffsetDelta: 9},
	}
	late := func(index int32, ts, offset int64) record.Fault {
		return record.Fault{Index: index, Timestamp: ts, Offset: offset, Earliest: 999_900, Latest: 4_600_000}
	}
	null := func(index int32) record.Fault { return record.Fault{Index: index, NullKey: true} }
	for _, c := range append(slices.Clone(codecs), record.None) {
		_, err := record.Check(sent(c, 5, pack(t, c, payload(mixed...))), r)
		var refusal *record.RefusedError
		require.ErrorAs(t, err, &refusal)
		require.ErrorIs(t, err, kerr.InvalidTimestamp)
		require.Equal(t, []record.Fault{late(0, 999_899, 0), null(1), null(2), late(4, 4_600_001, 9)}, refusal.Faults, c)
		require.Equal(t, "One or more records have been rejected due to invalid timestamp", refusal.MessageIn("t-0"))
		require.Equal(t, "Timestamp 999899 of message with offset 0 is out of range. The timestamp should be within [999900, 4600000]", refusal.Faults[0].MessageIn("t-0"))

		_, err = record.Check(sent(c, 2, pack(t, c, payload(mixed[1:3]...))), record.Rules{MaxBytes: 1 << 20, Compacted: true, LogAppendTime: true})
		require.ErrorAs(t, err, &refusal)
		require.ErrorIs(t, err, kerr.InvalidRecord)
		require.Equal(t, []record.Fault{null(0), null(1)}, refusal.Faults, c)
		text := "Compacted topic cannot accept message without key in topic partition t-0"
		require.Equal(t, fmt.Sprintf("One or more records have been rejected due to 2 record errors in total, and only showing the first three errors at most: [RecordError(batchIndex=0, message='%s'), RecordError(batchIndex=1, message='%[1]s')]", text), refusal.MessageIn("t-0"))
	}
}

// TestManyFaults: all faults are counted, but only the first are named.
func TestManyFaults(t *testing.T) {
	t.Parallel()
	r := rules
	r.Compacted = true
	_, err := record.Check(encode(nil, make([]kmsg.Record, 1000)...), r)
	var refusal *record.RefusedError
	require.ErrorAs(t, err, &refusal)
	require.Len(t, refusal.Faults, 100)
	require.Equal(t, 1000, refusal.FaultCount)
	require.Contains(t, refusal.MessageIn("t-0"), "due to 1000 record errors in total")
	require.Equal(t, 3, strings.Count(refusal.MessageIn("t-0"), "batchIndex="))
}

// TestFramingOnly: with FramingOnly, compressed records are not read where the topic does
// not need it.
func TestFramingOnly(t *testing.T) {
	t.Parallel()
	r := rules
	r.FramingOnly = true
	for _, c := range codecs {
		b := sent(c, 3, pack(t, c, payload(deltas(5, 5, 5)...)))
		b.SetTimestamps(false, 77)
		got, err := record.Check(b, r)
		require.NoError(t, err, c)
		require.Equal(t, int64(77), got.MaxTimestamp(), c)

		b.SetTimestamps(false, 1_000_000+3_600_001)
		_, err = record.Check(b, r)
		require.ErrorIs(t, err, kerr.InvalidTimestamp, c)
		_, err = record.Check(sent(c, 1, []byte("garbage that is no codec's")), r)
		require.ErrorIs(t, err, kerr.InvalidRecord, c)

		needed := r
		needed.Compacted = true
		_, err = record.Check(b, needed)
		require.ErrorIs(t, err, kerr.InvalidRecord, c)
	}
}

// TestUnusedAttributes: as in Kafka, attribute bits without a meaning are cleared when
// the header is rewritten; the others stay.
func TestUnusedAttributes(t *testing.T) {
	t.Parallel()
	b, err := record.Check(encode(func(b *kmsg.RecordBatch) { b.Attributes, b.MaxTimestamp = -0x80|0x40, 5 }, three()...), rules)
	require.NoError(t, err)
	require.Equal(t, int16(0x40), b.Attributes())
	require.True(t, b.ValidCRC())
}

// edited returns a changed copy of p.
func edited(p []byte, edit func([]byte)) []byte {
	p = bytes.Clone(p)
	edit(p)
	return p
}

// header32 is XXH32 for fewer than 16 bytes.
func header32(p []byte) uint32 {
	const prime1, prime2, prime3, prime4, prime5 = 2654435761, 2246822519, 3266489917, 668265263, 374761393
	h := uint32(prime5) + uint32(len(p))
	for ; len(p) >= 4; p = p[4:] {
		h = bits.RotateLeft32(h+binary.LittleEndian.Uint32(p)*prime3, 17) * prime4
	}
	for _, c := range p {
		h = bits.RotateLeft32(h+uint32(c)*prime5, 11) * prime1
	}
	h = (h ^ h>>15) * prime2
	h = (h ^ h>>13) * prime3
	return h ^ h>>16
}

// lz4Frame packs p with the library's own frame writer.
func lz4Frame(t *testing.T, p []byte, options ...lz4.Option) []byte {
	t.Helper()
	var out bytes.Buffer
	w := lz4.NewWriter(&out)
	require.NoError(t, w.Apply(append([]lz4.Option{lz4.BlockSizeOption(lz4.Block64Kb), lz4.ChecksumOption(false)}, options...)...))
	_, err := w.Write(p)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return out.Bytes()
}

// lz4Blocks makes a frame of the given blocks. The high bit of a block's size says that
// the block is not compressed.
func lz4Blocks(blocks ...[]byte) []byte {
	p := []byte{0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0}
	p[6] = byte(header32(p[4:6]) >> 8)
	for _, b := range blocks {
		p = append(p, b...)
	}
	return append(p, 0, 0, 0, 0)
}

func lz4Block(size uint32, p []byte) []byte {
	return append(binary.LittleEndian.AppendUint32(nil, size), p...)
}

// zstdFrame makes a frame of one raw block.
func zstdFrame(descriptor byte, header []byte, p []byte) []byte {
	out := append([]byte{0x28, 0xb5, 0x2f, 0xfd, descriptor}, header...)
	h := 1 | len(p)<<3
	return append(append(out, byte(h), byte(h>>8), byte(h>>16)), p...)
}

// limitTest is packed bytes of the three records, and whether Apache Kafka accepts them.
type limitTest struct {
	name  string
	codec record.Codec
	p     []byte
	taken bool
}

// TestCodecLimits: Check accepts exactly the data that Apache Kafka 4.2 accepts, because
// consumers that use its classes stop for good at data that these refuse.
func TestCodecLimits(t *testing.T) {
	t.Parallel()
	for _, test := range slices.Concat(lz4Limits(t), zstdLimits(t), snappyLimits(), gzipLimits(t)) {
		b := sent(test.codec, 3, test.p)
		_, err := record.Check(bytes.Clone(b), rules)
		if test.taken {
			require.NoError(t, err, "%s: %s", test.codec, test.name)
		} else {
			require.ErrorIs(t, err, kerr.InvalidRecord, "%s: %s", test.codec, test.name)
		}
		var last error
		for _, last = range record.Scan(b, 1<<20) { // last is the last error
		}
		require.Equal(t, test.taken, last == nil, "%s: %s, in a log", test.codec, test.name)
	}
}

func lz4Limits(t *testing.T) []limitTest {
	t.Helper()
	p := ordered()
	good := lz4Frame(t, p)
	flags := func(set, unset byte) []byte {
		return edited(good, func(p []byte) { p[4] = p[4]&^unset | set; p[6] = byte(header32(p[4:6]) >> 8) })
	}
	descriptor := func(d byte) []byte {
		return edited(good, func(p []byte) { p[5] = d; p[6] = byte(header32(p[4:6]) >> 8) })
	}
	withDictionary := append(bytes.Clone(good[:6]), 1, 2, 3, 4)
	withDictionary[4] |= 1
	withDictionary = append(append(withDictionary, byte(header32(withDictionary[4:])>>8)), good[7:]...)
	summed := lz4Frame(t, p, lz4.ChecksumOption(true))
	blockSums := lz4Frame(t, bytes.Clone(p), lz4.BlockChecksumOption(true))
	raw := lz4Block(uint32(len(p))|1<<31, p)
	tests := []limitTest{
		{"whole", 0, good, true},
		{"linked blocks", 0, flags(0, 0x20), false},
		{"version 2", 0, flags(0x80, 0x40), false},
		{"reserved flag", 0, flags(0x02, 0), false},
		{"dictionary", 0, withDictionary, false},
		{"reserved bit of the descriptor", 0, descriptor(0x41), false},
		{"high bit of the descriptor", 0, descriptor(0xc0), false},
		{"block size 3", 0, descriptor(0x30), false},
		{"block size 7", 0, descriptor(0x70), true},
		{"header checksum", 0, edited(good, func(p []byte) { p[6]++ }), false},
		{"content checksum", 0, summed, true},
		{"content checksum is wrong", 0, edited(summed, func(p []byte) { p[len(p)-1]++ }), true},
		{"content checksum is cut off", 0, summed[:len(summed)-1], false},
		{"block checksum", 0, blockSums, true},
		{"block checksum is wrong", 0, edited(blockSums, func(p []byte) { p[len(p)-5]++ }), false},
		{"content size", 0, lz4Frame(t, p, lz4.SizeOption(uint64(len(p)))), true},
		{"no end mark", 0, good[:len(good)-4], false},
		{"end mark is cut off", 0, good[:len(good)-1], false},
		{"bytes behind the end mark", 0, append(bytes.Clone(good), "something else"...), true},
		{"plain block", 0, lz4Blocks(raw), true},
		{"block of size zero first", 0, lz4Blocks(lz4Block(1<<31, nil), raw), false},
		{"plain block is too large", 0, lz4Blocks(lz4Block(65<<10|1<<31, make([]byte, 65<<10))), false},
		{"skippable frame first", 0, append([]byte{0x50, 0x2a, 0x4d, 0x18, 1, 0, 0, 0, 1}, good...), false},
		{"a record in several blocks", 0, lz4Blocks(lz4Block(10|1<<31, p[:10]), lz4Block(1|1<<31, p[10:11]), lz4Block(uint32(len(p)-11)|1<<31, p[11:])), true},
	}
	for i := range tests {
		tests[i].codec = record.LZ4
	}
	return tests
}

func zstdLimits(t *testing.T) []limitTest {
	t.Helper()
	p := ordered()
	encoded := func(options ...zstd.EOption) []byte {
		w, err := zstd.NewWriter(nil, options...)
		require.NoError(t, err)
		return w.EncodeAll(p, nil)
	}
	window := func(log, eighths byte) []byte { return zstdFrame(0, []byte{(log-10)<<3 | eighths}, p) }
	summed := encoded(zstd.WithEncoderCRC(true))
	skippable := []byte{0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 1, 2}
	size := binary.LittleEndian.AppendUint32(nil, 200<<20)
	tests := []limitTest{
		{"whole", 0, encoded(), true},
		{"single segment", 0, encoded(zstd.WithSingleSegment(true)), true},
		{"checksum", 0, summed, true},
		{"checksum is wrong", 0, edited(summed, func(p []byte) { p[len(p)-1]++ }), false},
		{"window 8 MiB", 0, window(23, 0), true},
		{"window 9 MiB", 0, window(23, 1), true},
		{"window 128 MiB", 0, window(27, 0), true},
		{"window 144 MiB", 0, window(27, 1), false},
		{"window 2 GiB", 0, window(31, 0), false},
		{"single segment of 200 MiB", 0, zstdFrame(0xa0, size, p), false},
		{"content size is wrong", 0, zstdFrame(0x20, []byte{byte(len(p) + 1)}, p), false},
		{"dictionary", 0, zstdFrame(1, []byte{0, 9}, p), false},
		{"dictionary 0", 0, zstdFrame(1, []byte{0, 0}, p), true},
		{"reserved bit", 0, zstdFrame(8, []byte{0}, p), false},
		{"unused bit", 0, zstdFrame(16, []byte{0}, p), true},
		{"skippable frame first", 0, append(bytes.Clone(skippable), encoded()...), true},
		{"skippable frame last", 0, append(encoded(), skippable...), true},
		{"a large window after a small one", 0, append(zstdFrame(0, []byte{0}, p[:20]), zstdFrame(0, []byte{15 << 3}, p[20:])...), true},
		{"bytes behind the frame", 0, append(encoded(), 0), false},
		{"more bytes behind the frame", 0, append(encoded(), "something else"...), false},
	}
	for i := range tests {
		tests[i].codec = record.Zstd
	}
	return tests
}

// TestLargeWindowsKeepNoPlace: batches that wait for the large window do not keep others
// from being unpacked, however many wait.
func TestLargeWindowsKeepNoPlace(t *testing.T) {
	t.Parallel()
	p := payload(deltas(0, 1, 2)...)
	large := sent(record.Zstd, 3, zstdFrame(0, []byte{14 << 3}, p))
	forced := rules
	forced.Forced, forced.Force = true, record.Gzip
	var checks sync.WaitGroup
	for _, err := range record.Scan(large, 1<<20) { // the scan holds the large window meanwhile
		require.NoError(t, err)
		var begun sync.WaitGroup
		for i := range 4 * runtime.GOMAXPROCS(0) {
			begun.Add(1)
			checks.Go(func() {
				begun.Done()
				r := rules
				if i%2 == 1 {
					r = forced
				}
				_, err := record.Check(bytes.Clone(large), r)
				if err != nil {
					t.Error(err)
				}
			})
		}
		begun.Wait()
		done := make(chan error, 1)
		go func() {
			var err error
			for range 1000 {
				_, oneErr := record.Check(sent(record.Zstd, 3, zstdFrame(0, []byte{0}, p)), rules)
				err = errors.Join(err, oneErr)
			}
			done <- err
		}()
		select {
		case err := <-done:
			require.NoError(t, err)
		case <-time.After(30 * time.Second):
			t.Fatal("a batch with a usual window waits for those with large ones")
		}
		break
	}
	checks.Wait()
}

func snappyLimits() []limitTest {
	p := ordered()
	head := []byte{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1}
	framed := func(blocks ...[]byte) []byte {
		out := bytes.Clone(head)
		for _, b := range blocks {
			out = append(binary.BigEndian.AppendUint32(out, uint32(len(b))), b...)
		}
		return out
	}
	block := func(p []byte) []byte { return snappy.Encode(nil, p) }
	whole := framed(block(p))
	tests := []limitTest{
		{"raw", 0, block(p), true},
		{"a byte behind a raw block", 0, append(block(p), 0), false},
		{"whole", 0, whole, true},
		{"two blocks", 0, framed(block(p[:9]), block(p[9:])), true},
		{"empty block", 0, framed(block(nil), block(p)), true},
		{"a second head", 0, append(framed(block(p[:9])), framed(block(p[9:]))...), true},
		{"another version", 0, edited(whole, func(p []byte) { p[11] = 9 }), true},
		{"version 0", 0, edited(whole, func(p []byte) { p[11] = 0 }), true},
		{"a second head of version 0", 0, append(framed(block(p[:9])), edited(framed(block(p[9:])), func(p []byte) { p[11] = 0 })...), false},
		{"a second head of version -1", 0, append(framed(block(p[:9])), edited(framed(block(p[9:])), func(p []byte) { p[8] = 255 })...), false},
		{"head only", 0, head, false},
		{"block of no bytes", 0, framed(nil, block(p)), false},
		{"negative size", 0, append(append(bytes.Clone(head), 0xff, 0xff, 0xff, 0xf0), block(p)...), false},
		{"a byte behind", 0, append(bytes.Clone(whole), 0), true},
		{"four bytes behind", 0, append(bytes.Clone(whole), 0, 0, 0, 0), false},
	}
	for i := range tests {
		tests[i].codec = record.Snappy
	}
	return tests
}

func gzipLimits(t *testing.T) []limitTest {
	t.Helper()
	p := ordered()
	member := func(p []byte, edit func(*gzip.Header)) []byte {
		var out bytes.Buffer
		w := gzip.NewWriter(&out)
		if edit != nil {
			edit(&w.Header)
		}
		_, err := w.Write(p)
		require.NoError(t, err)
		require.NoError(t, w.Close())
		return out.Bytes()
	}
	whole := member(p, nil)
	splice := func(member []byte, flags byte, fields ...[]byte) []byte {
		return slices.Concat(member[:3], []byte{flags}, member[4:10], slices.Concat(fields...), member[10:])
	}
	fields := func(flags byte, fields ...[]byte) []byte { return splice(whole, flags, fields...) }
	sum := func(flags byte, fields []byte) []byte {
		header := slices.Concat(whole[:3], []byte{flags}, whole[4:10], fields)
		return binary.LittleEndian.AppendUint16(nil, uint16(crc32.ChecksumIEEE(header)))
	}
	long := append(bytes.Repeat([]byte{0xe9}, 600), 0)
	all := slices.Concat([]byte{0x2c, 1}, make([]byte, 300), long, long)
	tests := []limitTest{
		{"whole", 0, whole, true},
		{"header fields", 0, member(p, func(h *gzip.Header) { h.Name, h.Comment, h.Extra = "n", "c", []byte("xx") }), true},
		{"two members", 0, append(member(p[:9], nil), member(p[9:], nil)...), true},
		{"empty member last", 0, append(bytes.Clone(whole), member(nil, nil)...), true},
		{"a second member of more records", 0, append(bytes.Clone(whole), whole...), false},
		{"checksum", 0, edited(whole, func(p []byte) { p[len(p)-8]++ }), false},
		{"size", 0, edited(whole, func(p []byte) { p[len(p)-1]++ }), false},
		{"no trailer", 0, whole[:len(whole)-8], false},
		{"method", 0, edited(whole, func(p []byte) { p[2] = 7 }), false},
		{"a long name", 0, fields(8, long), true},
		{"a long comment", 0, fields(16, long), true},
		{"a very long name", 0, fields(8, []byte(strings.Repeat("n", 100_000)+"\x00")), true},
		{"all fields", 0, fields(31, all, sum(31, all)), true},
		{"all fields and a wrong sum", 0, fields(31, all, edited(sum(31, all), func(p []byte) { p[0]++ })), false},
		{"a sum alone", 0, fields(2, sum(2, nil)), true},
		{"a wrong sum", 0, fields(2, edited(sum(2, nil), func(p []byte) { p[1]++ })), false},
		{"empty fields", 0, fields(28, []byte{0, 0, 0, 0}), true},
		{"unused flags", 0, fields(0xe1), true},
		{"a name without an end", 0, fields(8, long)[:300], false},
		{"a cut extra field", 0, fields(4, all)[:100], false},
		{"a long name in the second member", 0, append(member(p[:9], nil), splice(member(p[9:], nil), 8, long)...), true},
		{"a wrong sum in the second member", 0, append(bytes.Clone(whole), fields(2, []byte{0, 0})...), true},
		{"half of a header", 0, fields(31, all)[:11], false},
		{"bytes behind", 0, append(bytes.Clone(whole), "something else that is longer than a member must be"...), true},
		{"a byte behind", 0, append(bytes.Clone(whole), 0), true},
	}
	for i := range tests {
		tests[i].codec = record.Gzip
	}
	return tests
}

// ordered encodes the three records with their offset deltas.
func ordered() []byte {
	records := three()
	for i := range records {
		records[i].OffsetDelta = int32(i)
	}
	return payload(records...)
}

// TestLZ4BlocksEndInLiterals: like decoders in C and Java, Check refuses a block whose
// last sequence is a match, or whose last match is too near the end.
func TestLZ4BlocksEndInLiterals(t *testing.T) {
	t.Parallel()
	p := payload(kmsg.Record{Key: []byte("k"), Value: bytes.Repeat([]byte("b"), 60), Headers: []kmsg.Header{{Key: "b", Value: bytes.Repeat([]byte("b"), 40)}}})
	for literals, taken := range []bool{false, false, false, false, false, true, true, true} {
		const match = 18 // bytes of one repeated byte
		first := len(p) - match - literals
		block := append([]byte{0xf0 | (match - 4), byte(first - 15)}, p[:first]...)
		block = append(block, 1, 0)
		if literals > 0 {
			block = append(append(block, byte(literals)<<4), p[len(p)-literals:]...)
		}
		out := make([]byte, 64<<10)
		n, err := lz4.UncompressBlock(block, out)
		require.NoError(t, err)
		require.Equal(t, p, out[:n])
		_, err = record.Check(sent(record.LZ4, 1, lz4Blocks(lz4Block(uint32(len(block)), block))), rules)
		require.Equal(t, taken, err == nil, "%d literals: %v", literals, err)
	}
}

// TestLargestLZ4Block: a block that unpacks to exactly its frame's largest size is
// accepted; a block that unpacks to more is not.
func TestLargestLZ4Block(t *testing.T) {
	t.Parallel()
	for _, size := range []int{64 << 10, 64<<10 + 1} {
		p := payload(kmsg.Record{Value: make([]byte, size-11)})
		require.Len(t, p, size)
		block := make([]byte, 1<<20)
		n, err := lz4.CompressBlock(p, block, nil)
		require.NoError(t, err)
		_, err = record.Check(sent(record.LZ4, 1, lz4Blocks(lz4Block(uint32(n), block[:n]))), rules)
		require.Equal(t, size <= 64<<10, err == nil, "%d: %v", size, err)
	}
}

// TestSnappyIsNotS2: blocks that only S2 can read are refused.
func TestSnappyIsNotS2(t *testing.T) {
	t.Parallel()
	p := payload(kmsg.Record{Value: bytes.Repeat([]byte("hello world, hello you; "), 200)})
	_, err := record.Check(sent(record.Snappy, 1, s2.EncodeBetter(nil, p)), rules)
	require.ErrorIs(t, err, kerr.InvalidRecord)
	_, err = record.Check(sent(record.Snappy, 1, s2.EncodeSnappyBetter(nil, p)), rules)
	require.NoError(t, err)
}

// TestCheckAllocatesPerBatch: how often a check of compressed records allocates does not
// depend on the number of records. The test is not parallel, because it counts the
// allocations of the whole process.
func TestCheckAllocatesPerBatch(t *testing.T) {
	for _, c := range append(slices.Clone(codecs), record.None) {
		few, many := packed(t, c, encode(nil, textRecords(64, 4)...)), packed(t, c, encode(nil, textRecords(64, 4096)...))
		count := func(b record.Batch) float64 {
			return testing.AllocsPerRun(20, func() {
				_, err := record.Check(b, rules)
				require.NoError(t, err)
			})
		}
		require.LessOrEqual(t, count(few), float64(checkAllocates), c)
		require.LessOrEqual(t, count(many), float64(checkAllocates), c)
	}
}
