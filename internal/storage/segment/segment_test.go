package segment_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/internal/record"
	"github.com/botehq/bote/internal/storage/segment"
)

// base is where the offsets of the bodies in these tests begin.
const base = 1000

// made is a segment as it was written, with what is in it.
type made struct {
	raw     []byte
	offsets segment.OffsetIndex
	times   segment.TimeIndex
	indexer segment.Indexer
	batches []record.Batch
	at      []int64 // positions of the batches
}

// build writes batches of growing sizes, with gaps between their offsets and with
// timestamps that go up and down.
func build(tb testing.TB, batches int, interval int64) *made {
	tb.Helper()
	m := &made{indexer: segment.NewIndexer(base)}
	offset := int64(base)
	for i := range batches {
		values := make([]record.KeyValue, 1+i%3)
		for j := range values {
			values[j].Value = bytes.Repeat([]byte{byte(i)}, 10+i*17%50)
		}
		b := record.Build(int64(5000+100*(i*7%11)), values...)
		b.SetBaseOffset(offset)
		b.SetLeaderEpoch(int32(i / 4))
		at := int64(len(m.raw))
		m.indexer.Add(b, at, interval, &m.offsets, &m.times)
		m.raw, m.batches, m.at = append(m.raw, b...), append(m.batches, b), append(m.at, at)
		offset = b.NextOffset() + int64(i%2)*3
	}
	m.indexer.Seal(&m.times)
	return m
}

func (m *made) body(source segment.Source) segment.Body {
	return segment.Body{Source: source, Base: base, Size: int64(len(m.raw))}
}

// find returns what Find should return.
func (m *made) find(offset int64) int64 {
	for i, b := range m.batches {
		if b.LastOffset() >= offset {
			return m.at[i]
		}
	}
	return int64(len(m.raw))
}

// stamps returns all records of a range.
func (m *made) stamps(t *testing.T, in segment.Range) (all []segment.Stamp) {
	t.Helper()
	for _, b := range m.batches {
		for r, err := range record.Scan(b, 1<<20) {
			require.NoError(t, err)
			offset := b.BaseOffset() + int64(r.OffsetDelta)
			if offset >= in.From && offset < in.To {
				all = append(all, segment.Stamp{Offset: offset, Timestamp: b.BaseTimestamp() + r.TimestampDelta, Epoch: b.LeaderEpoch()})
			}
		}
	}
	return all
}

// end is the offset behind the body.
func (m *made) end() int64 { return m.batches[len(m.batches)-1].NextOffset() }

// memory is a source of bytes in memory.
type memory []byte

// ReadAt implements [segment.Source].
func (m memory) ReadAt(ctx context.Context, p []byte, at int64) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	return bytes.NewReader(m).ReadAt(p, at)
}

// errBroken is the error of a broken source.
var errBroken = errors.New("broken")

// broken is a source one of whose bytes cannot be read.
type broken struct {
	memory
	at int64
}

// ReadAt implements [segment.Source].
func (b broken) ReadAt(ctx context.Context, p []byte, at int64) (int, error) {
	if n := b.at - at; n >= 0 && n < int64(len(p)) {
		_, _ = b.memory.ReadAt(ctx, p[:n], at)
		return int(n), errBroken
	}
	return b.memory.ReadAt(ctx, p, at)
}

// outcome is what all operations returned for a body; of an operation that failed it has
// only the error.
type outcome map[string]any

func (o outcome) set(name string, what any, err error) {
	if err != nil {
		what = err
	}
	o[name] = what
}

// look runs all operations on a body.
func look(ctx context.Context, m *made, b segment.Body) outcome {
	o := outcome{}
	walk := func(name string, f func(segment.Visit) error) {
		var at []int64
		err := f(func(b record.Batch, position int64) (bool, error) {
			at = append(at, position, b.BaseOffset())
			return true, nil
		})
		o.set(name, fmt.Sprint(at), err)
	}
	walk("headers", func(v segment.Visit) error { return b.Headers(ctx, 0, v) })
	walk("lengths", func(v segment.Visit) error { return b.ScanLengths(ctx, 0, v) })
	walk("checksums", func(v segment.Visit) error { return b.ScanChecksums(ctx, 0, 0, v) })
	for offset := int64(base) - 1; offset <= m.end()+1; offset += 3 {
		at, err := b.Find(ctx, m.offsets, offset)
		o.set(fmt.Sprint("find ", offset), at, err)
	}
	latest, err := b.Latest(ctx, m.offsets, m.times)
	o.set("latest", latest, err)
	in := segment.Range{From: base + 3, To: m.end() - 2}
	for ts := int64(4950); ts < 6300; ts += 150 {
		found, ok, err := b.FindTime(ctx, m.offsets, m.times, ts, in)
		o.set(fmt.Sprint("find time ", ts), fmt.Sprint(found, ok), err)
	}
	found, err := b.FindLatest(ctx, m.offsets, m.times, in)
	o.set("find latest", found, err)
	for _, step := range []int{100, 1 << 20} {
		r, sums := segment.NewReader(b, step, nil), []uint32{}
		for i, at := range m.at {
			_, flaw, err := r.Header(ctx, at)
			if err == nil && flaw == segment.NoFlaw {
				var sum uint32
				sum, err = r.Checksum(ctx, at, len(m.batches[i]))
				sums = append(sums, sum)
			}
			if err != nil {
				o.set(fmt.Sprint("reader ", step), nil, err)
				break
			}
			o.set(fmt.Sprint("reader ", step), fmt.Sprint(sums), nil)
		}
	}
	return o
}

// TestSources: the results do not depend on where the bytes are.
func TestSources(t *testing.T) {
	t.Parallel()
	for _, interval := range []int64{0, 100, 300, 1 << 20} {
		m := build(t, 24, interval)
		want := look(t.Context(), m, m.body(memory(m.raw)))
		for offset := int64(base) - 1; offset <= m.end()+1; offset += 3 {
			require.Equal(t, m.find(offset), want[fmt.Sprint("find ", offset)])
		}
		in := segment.Range{From: base + 3, To: m.end() - 2}
		best := segment.Stamp{Timestamp: -1}
		for _, s := range m.stamps(t, in) {
			best = segment.Later(best, s)
		}
		require.Equal(t, best, want["find latest"])
		for ts := int64(4950); ts < 6300; ts += 150 {
			first, ok := segment.Stamp{}, false
			for _, s := range m.stamps(t, in) {
				if !ok && s.Timestamp >= ts {
					first, ok = s, true
				}
			}
			require.Equal(t, fmt.Sprint(first, ok), want[fmt.Sprint("find time ", ts)])
		}
		require.Equal(t, m.indexer.Latest(), want["latest"])
		require.Equal(t, want, look(t.Context(), m, m.body(segment.From(bytes.NewReader(m.raw)))), "an io.ReaderAt")
		grown := append(bytes.Clone(m.raw), make([]byte, 1000)...)
		require.Equal(t, want, look(t.Context(), m, m.body(memory(grown))), "what is behind the size does not count")
	}
}

// TestBrokenSources: whichever byte cannot be read, or is where the source ends, an
// operation returns the right result or the error.
func TestBrokenSources(t *testing.T) {
	t.Parallel()
	m := build(t, 12, 150)
	want := look(t.Context(), m, m.body(memory(m.raw)))
	for k := range len(m.raw) {
		for name, o := range map[string]outcome{
			"broken": look(t.Context(), m, m.body(broken{m.raw, int64(k)})),
			"short":  look(t.Context(), m, m.body(memory(m.raw[:k]))),
		} {
			cause := map[string]error{"broken": errBroken, "short": io.ErrUnexpectedEOF}[name]
			failed := 0
			for operation, got := range o {
				if err, ok := got.(error); ok {
					require.ErrorIs(t, err, cause, "%s at %d: %s", name, k, operation)
					failed++
					continue
				}
				require.Equal(t, want[operation], got, "%s at %d: %s", name, k, operation)
			}
			require.NotZero(t, failed, "%s at %d", name, k)
			require.ErrorIs(t, o["checksums"].(error), cause, "the walk over all bytes meets it")
		}
	}
}

// TestDamagedIndexes: whatever bit of an index is wrong, searches by offset are right,
// and searches by time are as right as the entries that are there.
func TestDamagedIndexes(t *testing.T) {
	t.Parallel()
	m := build(t, 24, 150)
	body := m.body(memory(m.raw))
	for bit := range 8 * len(m.offsets) {
		x := bytes.Clone(m.offsets)
		x[bit/8] ^= 1 << (bit % 8)
		for offset := int64(base); offset < m.end(); offset += 5 {
			at, err := body.Find(t.Context(), x, offset)
			require.NoError(t, err)
			require.Equal(t, m.find(offset), at, "bit %d offset %d", bit, offset)
		}
	}
	for bit := range 8 * len(m.times) {
		x := bytes.Clone(m.times)
		x[bit/8] ^= 1 << (bit % 8)
		got, err := body.Latest(t.Context(), m.offsets, x)
		require.NoError(t, err)
		require.Equal(t, m.indexer.Latest().Timestamp, got.Timestamp, "bit %d", bit)
	}
}

// TestTrust: what is believed of indexes is below the point and ends with a batch that
// is there; scanning on from there gives the original indexes.
func TestTrust(t *testing.T) {
	t.Parallel()
	const interval = 150
	m := build(t, 24, interval)
	body := m.body(memory(m.raw))
	goOn := func(t *testing.T, tr segment.Trusted) {
		t.Helper()
		x, offsets, times := tr.Indexer, tr.Offsets, tr.Times
		require.NoError(t, body.ScanChecksums(t.Context(), tr.Position, 0, func(b record.Batch, at int64) (bool, error) {
			require.GreaterOrEqual(t, b.BaseOffset(), tr.Offset)
			x.Add(b, at, interval, &offsets, &times)
			return true, nil
		}))
		x.Seal(&times)
		require.Equal(t, m.offsets, offsets)
		require.Equal(t, m.times, times)
		require.Equal(t, m.indexer.Latest(), x.Latest())
		require.Equal(t, m.indexer.FirstTime(), x.FirstTime())
	}
	for point := int64(base); point <= m.end()+1; point++ {
		tr := body.Trust(t.Context(), m.offsets, m.times, point)
		require.LessOrEqual(t, tr.Offset, max(point, base))
		goOn(t, tr)
	}
	whole := body.Trust(t.Context(), m.offsets, m.times, base+segment.MaxSpan)
	require.Equal(t, m.offsets, whole.Offsets)
	padded := body.Trust(t.Context(), append(bytes.Clone(m.offsets), make([]byte, 80)...), append(bytes.Clone(m.times), make([]byte, 120)...), base+segment.MaxSpan)
	require.Equal(t, whole, padded, "zeros that Kafka preallocated")
	require.Zero(t, body.Trust(t.Context(), m.offsets[:len(m.offsets)-1], m.times, m.end()).Position, "no whole entries")
	for bit := range 8 * segment.OffsetEntrySize {
		x := bytes.Clone(m.offsets)
		x[len(x)-segment.OffsetEntrySize+bit/8] ^= 1 << (bit % 8)
		tr := body.Trust(t.Context(), x, m.times, base+segment.MaxSpan)
		require.True(t, tr.Position == 0 && tr.Offset == base && len(tr.Offsets)+len(tr.Times) == 0, "bit %d", bit)
	}
	for k := range m.raw {
		tr := m.body(broken{m.raw, int64(k)}).Trust(t.Context(), m.offsets, m.times, base+segment.MaxSpan)
		require.True(t, tr.Position == 0 || tr.Position == whole.Position, "byte %d", k)
	}
}

// TestScanEnds: whatever the size, a scan visits the batches below it, and ends before
// the first damaged batch.
func TestScanEnds(t *testing.T) {
	t.Parallel()
	m := build(t, 8, 1<<20)
	visited := func(b segment.Body, known int64) (lengths, checksums int) {
		require.NoError(t, b.ScanLengths(t.Context(), 0, func(h record.Batch, at int64) (bool, error) {
			require.Equal(t, m.at[lengths], at)
			lengths++
			return true, nil
		}))
		require.NoError(t, b.ScanChecksums(t.Context(), 0, known, func(h record.Batch, at int64) (bool, error) {
			require.Equal(t, m.at[checksums], at)
			require.Len(t, h, len(m.batches[checksums]))
			checksums++
			return true, nil
		}))
		return lengths, checksums
	}
	for size := range len(m.raw) + 1 {
		whole := 0
		for whole < len(m.batches) && m.at[whole]+int64(len(m.batches[whole])) <= int64(size) {
			whole++
		}
		b := segment.Body{Source: memory(m.raw), Base: base, Size: int64(size)}
		lengths, checksums := visited(b, 0)
		require.Equal(t, whole, lengths, "size %d", size)
		require.Equal(t, whole, checksums, "size %d", size)
		if whole < len(m.batches) {
			r := segment.NewReader(b, 1<<20, nil)
			_, flaw, err := r.Header(t.Context(), m.at[whole])
			require.NoError(t, err)
			want := segment.CutOff
			if int64(size)-m.at[whole] < record.HeaderSize {
				want = segment.NoRoom
			}
			require.Equal(t, want, flaw, "size %d", size)
		}
	}
	const third = 3
	for i := 21; i < len(m.batches[third]); i++ {
		raw := bytes.Clone(m.raw)
		raw[m.at[third]+int64(i)] ^= 0x10
		_, checksums := visited(m.body(memory(raw)), 0)
		require.Equal(t, third, checksums, "byte %d", i)
	}
	// A damaged batch below the known offset, confirmed by the next batch.
	raw := bytes.Clone(m.raw)
	const even = 4 // no gap behind it
	raw[m.at[even]+record.HeaderSize+3] ^= 0x10
	_, checksums := visited(m.body(memory(raw)), m.end())
	require.Equal(t, len(m.batches), checksums)
	_, checksums = visited(m.body(memory(raw)), m.batches[even].BaseOffset())
	require.Equal(t, even, checksums)
}

// TestFlaws names what is wrong with a header.
func TestFlaws(t *testing.T) {
	t.Parallel()
	m := build(t, 2, 0)
	for name, c := range map[string]struct {
		change func(raw []byte)
		want   segment.Flaw
	}{
		"nothing":        {func([]byte) {}, segment.NoFlaw},
		"zeros":          {func(raw []byte) { clear(raw[:record.HeaderSize]) }, segment.Zeros},
		"magic":          {func(raw []byte) { raw[16] = 1 }, segment.UnknownMagic},
		"no header":      {func(raw []byte) { copy(raw[8:], []byte{0, 0, 0, 48}) }, segment.WrongLength},
		"negative":       {func(raw []byte) { raw[8] = 0xff }, segment.WrongLength},
		"behind the end": {func(raw []byte) { raw[8] = 1 }, segment.CutOff},
	} {
		raw := bytes.Clone(m.raw)
		c.change(raw)
		r := segment.NewReader(m.body(memory(raw)), 10, nil)
		_, flaw, err := r.Header(t.Context(), 0)
		require.NoError(t, err)
		require.Equal(t, c.want, flaw, name)
	}
}

// TestReaderGoesAnywhere: a reader returns the right bytes, forward and back, in any
// steps, and its buffer may be used again.
func TestReaderGoesAnywhere(t *testing.T) {
	t.Parallel()
	raw := make([]byte, 300)
	for i := range raw {
		raw[i] = byte(i * 7)
	}
	var buf []byte
	for _, step := range []int{1, 16, 100, 1000} {
		r := segment.NewReader(segment.Body{Source: memory(raw), Size: int64(len(raw))}, step, buf)
		for i := range 3000 {
			at, n := i*37%301, 1+i*13%90
			p, err := r.At(t.Context(), int64(at), n)
			if at+n > len(raw) {
				require.ErrorIs(t, err, io.ErrUnexpectedEOF)
				continue
			}
			require.NoError(t, err)
			require.Equal(t, raw[at:at+n], p)
		}
		_, err := r.At(t.Context(), -1, 1)
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		buf = r.Buffer()
	}
}

// TestChecksumOfLargeBatch: the checksum of a batch that is read in steps is the
// checksum of its bytes.
func TestChecksumOfLargeBatch(t *testing.T) {
	t.Parallel()
	b := record.Build(1, record.KeyValue{Value: bytes.Repeat([]byte("large"), 2<<20)})
	for _, at := range []int64{0, 100} {
		raw := append(make([]byte, at), b...)
		r := segment.NewReader(segment.Body{Source: memory(raw), Size: int64(len(raw))}, 1<<20, nil)
		sum, err := r.Checksum(t.Context(), at, len(b))
		require.NoError(t, err)
		require.Equal(t, b.CRC(), sum)
		require.LessOrEqual(t, cap(r.Buffer()), 1<<20)
	}
}

// ending is a source whose caller gives up at some read.
type ending struct {
	memory
	reads  int
	cancel context.CancelFunc
}

// ReadAt implements [segment.Source].
func (e *ending) ReadAt(ctx context.Context, p []byte, at int64) (int, error) {
	if e.reads--; e.reads < 0 {
		e.cancel()
		<-ctx.Done()
		return 0, ctx.Err()
	}
	return e.memory.ReadAt(ctx, p, at)
}

// TestContextEndsReads: a read that waits ends with its context, and no result is wrong.
func TestContextEndsReads(t *testing.T) {
	t.Parallel()
	m := build(t, 24, 150)
	want := look(t.Context(), m, m.body(memory(m.raw)))
	for reads := range 400 {
		ctx, cancel := context.WithCancel(t.Context())
		for operation, got := range look(ctx, m, m.body(&ending{m.raw, reads, cancel})) {
			if err, ok := got.(error); ok {
				require.ErrorIs(t, err, context.Canceled, operation)
				continue
			}
			require.Equal(t, want[operation], got, operation)
		}
		ended := ctx.Err() != nil
		cancel()
		if !ended {
			require.Greater(t, reads, 20)
			return
		}
	}
	t.Fatal("there is no end of reads")
}

// TestVisitEndsAWalk: a visit can end a walk, with an error or without.
func TestVisitEndsAWalk(t *testing.T) {
	t.Parallel()
	m := build(t, 5, 0)
	b := m.body(memory(m.raw))
	for name, walk := range map[string]func(segment.Visit) error{
		"headers":   func(v segment.Visit) error { return b.Headers(t.Context(), 0, v) },
		"lengths":   func(v segment.Visit) error { return b.ScanLengths(t.Context(), 0, v) },
		"checksums": func(v segment.Visit) error { return b.ScanChecksums(t.Context(), 0, 0, v) },
	} {
		for _, want := range []error{nil, errBroken} {
			n := 0
			err := walk(func(record.Batch, int64) (bool, error) {
				n++
				return n < 3, map[bool]error{true: want}[n == 3]
			})
			require.Equal(t, want, err, name)
			require.Equal(t, 3, n, name)
		}
	}
}

// TestIndexer: the first batch has no entry. A later batch has one if more bytes than
// the interval came before it since the last batch with an entry. A time entry is added
// with it if the largest timestamp grew, and at the end.
func TestIndexer(t *testing.T) {
	t.Parallel()
	one := record.Build(10, record.KeyValue{Value: []byte("v")})
	size := int64(len(one))
	x := segment.NewIndexer(base)
	var offsets segment.OffsetIndex
	var times segment.TimeIndex
	for i, ts := range []int64{10, 30, 20, 30, 40, 50} {
		b := record.Build(ts, record.KeyValue{Value: []byte("v")})
		b.SetBaseOffset(base + int64(i))
		x.Add(b, int64(i)*size, 2*size-1, &offsets, &times)
	}
	want := segment.OffsetIndex{}.Append(segment.OffsetEntry{Relative: 2, Position: int32(2 * size)}).Append(segment.OffsetEntry{Relative: 4, Position: int32(4 * size)})
	require.Equal(t, want, offsets)
	wantTimes := segment.TimeIndex{}.Append(segment.TimeEntry{Timestamp: 30, Relative: 1}).Append(segment.TimeEntry{Timestamp: 40, Relative: 4})
	require.Equal(t, wantTimes, times)
	require.Equal(t, segment.Latest{Timestamp: 50, Offset: base + 5}, x.Latest())
	require.EqualValues(t, 10, x.FirstTime())
	x.Seal(&times)
	x.Seal(&times)
	require.Equal(t, wantTimes.Append(segment.TimeEntry{Timestamp: 50, Relative: 5}), times)
}

// TestTrustOfTimes: if their batches do not confirm the last entries of the time index,
// neither index is believed.
func TestTrustOfTimes(t *testing.T) {
	t.Parallel()
	m := build(t, 24, 150)
	body := m.body(memory(m.raw))
	for point := int64(base); point <= m.end()+1; point++ {
		tr := body.Trust(t.Context(), m.offsets, m.times, point)
		for bit := 0; bit < 8*segment.TimeEntrySize && tr.Times.Len() > 0; bit++ {
			x := bytes.Clone(m.times)
			x[len(tr.Times)-segment.TimeEntrySize+bit/8] ^= 1 << (bit % 8)
			got := body.Trust(t.Context(), m.offsets, x, point)
			if n := got.Times.Len(); n > 0 {
				require.NotEqual(t, segment.TimeIndex(x).At(tr.Times.Len()-1), got.Times.At(n-1), "point %d bit %d", point, bit)
			}
		}
	}
	// A closed segment may have one time entry behind the last offset entry.
	m = build(t, 15, 800) // the last batch has the largest timestamp
	body = m.body(memory(m.raw))
	last, end := m.offsets.At(m.offsets.Len()-1).Relative, int32(m.end()-base)-1
	require.Less(t, last, end)
	times := m.times.First(m.times.CountBelow(int64(last) + 1))
	for ts, trusted := range map[int64]bool{m.batches[14].MaxTimestamp(): true, 1 << 40: false} {
		sealed := times.Append(segment.TimeEntry{Timestamp: ts, Relative: end})
		got := body.Trust(t.Context(), m.offsets, sealed, base+segment.MaxSpan)
		require.Equal(t, trusted, got.Position > 0, ts)
	}
}

// TestTimesOfTheBroker: with LogAppendTime all records of a batch have the timestamp of
// its header, and records outside of the range are not found.
func TestTimesOfTheBroker(t *testing.T) {
	t.Parallel()
	m := &made{indexer: segment.NewIndexer(base)}
	for i := range int64(4) {
		b := record.Build(1, record.KeyValue{}, record.KeyValue{})
		b.SetBaseOffset(base + 2*i)
		b.SetTimestamps(true, 100-i)
		m.indexer.Add(b, int64(len(m.raw)), 0, &m.offsets, &m.times)
		m.raw = append(m.raw, b...)
	}
	body := m.body(memory(m.raw))
	for from := int64(base); from < base+8; from++ {
		want := segment.Stamp{Offset: from, Timestamp: 100 - (from-base)/2}
		in := segment.Range{From: from, To: base + 8}
		found, ok, err := body.FindTime(t.Context(), m.offsets, m.times, 90, in)
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, want, found)
		found, err = body.FindLatest(t.Context(), m.offsets, m.times, in)
		require.NoError(t, err)
		require.Equal(t, want, found)
	}
}

// TestFindLatestSurvivesLies: headers may have larger timestamps than the records.
func TestFindLatestSurvivesLies(t *testing.T) {
	t.Parallel()
	m := &made{indexer: segment.NewIndexer(base)}
	for i, lie := range []int64{5, 90, 90, 20, 70} {
		b := record.Build(10+int64(i), record.KeyValue{Value: []byte("v")})
		b.SetBaseOffset(base + int64(i))
		b.SetTimestamps(false, lie)
		m.indexer.Add(b, int64(len(m.raw)), 0, &m.offsets, &m.times)
		m.raw = append(m.raw, b...)
	}
	in := segment.Range{From: base, To: base + 5}
	found, err := m.body(memory(m.raw)).FindLatest(t.Context(), m.offsets, m.times, in)
	require.NoError(t, err)
	require.Equal(t, segment.Stamp{Offset: base + 4, Timestamp: 14, Epoch: 0}, found)
	_, ok, err := m.body(memory(m.raw)).FindTime(t.Context(), m.offsets, m.times, 80, in)
	require.NoError(t, err)
	require.False(t, ok)
}

// TestWholeBatches counts what is whole and begins below the bound.
func TestWholeBatches(t *testing.T) {
	t.Parallel()
	m := build(t, 8, 0)
	for size := range len(m.raw) + 1 {
		for _, to := range []int64{base, base + 5, m.end()} {
			want, wantNext := 0, int64(0)
			for i, b := range m.batches {
				if end := int(m.at[i]) + len(b); end <= size && b.BaseOffset() < to {
					want, wantNext = end, b.NextOffset()
				}
			}
			n, next, err := segment.WholeBatches(m.raw[:size], to)
			require.NoError(t, err)
			require.Equal(t, want, n)
			require.Equal(t, wantNext, next)
		}
	}
	_, _, err := segment.WholeBatches(make([]byte, 100), 5)
	require.ErrorIs(t, err, record.ErrCorrupt)
}

// TestBatchSize: a batch is not larger than what the body has left.
func TestBatchSize(t *testing.T) {
	t.Parallel()
	m := build(t, 2, 0)
	body := m.body(memory(m.raw))
	size, err := body.BatchSize(m.batches[1], m.at[1])
	require.NoError(t, err)
	require.Len(t, m.batches[1], size)
	_, err = body.BatchSize(m.batches[1], m.at[1]+1)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	_, err = body.BatchSize(make(record.Batch, record.HeaderSize), 0)
	require.ErrorIs(t, err, record.ErrCorrupt)
}
