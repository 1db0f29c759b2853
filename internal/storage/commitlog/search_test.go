package commitlog_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/internal/record"
	"github.com/botehq/bote/internal/storage"
	"github.com/botehq/bote/internal/storage/commitlog"
	"github.com/botehq/bote/internal/storage/vfs"
	"github.com/botehq/bote/internal/topic"
)

// TestSearchNeedsNoMemory: a search by time looks into a compressed batch without
// holding all of its records in memory. The test is not parallel: it counts what the
// process allocates.
func TestSearchNeedsNoMemory(t *testing.T) {
	const size = 64 << 20
	store, err := commitlog.Open(commitlog.Config{FS: vfs.NewMem(), Dir: "/d", Flush: commitlog.FlushOS})
	require.NoError(t, err)
	defer func() { require.NoError(t, store.Close()) }()
	l, _, err := store.OpenLog(t.Context(), storage.Partition{Topic: "t", ID: topic.ID{1}}, storage.Hooks{
		Settings: func() storage.Settings {
			return storage.Settings{SegmentBytes: 1 << 20, SegmentMs: 1 << 40, IndexBytes: 1 << 16, IndexInterval: 4096, RetentionMs: -1, RetentionBytes: -1}
		},
		Durable: func(int64) {}, Failed: func(err error) { t.Error(err) }, Snapshot: func() ([]byte, int64) { return nil, 0 },
	})
	require.NoError(t, err)
	plain := record.Build(1000, record.KeyValue{Value: make([]byte, size)}, record.KeyValue{Value: []byte("last")})
	b, err := record.Recode(plain, plain.Payload(), record.Gzip, 1)
	require.NoError(t, err)
	require.NoError(t, l.Append(b))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	at, ok, err := l.FindTime(t.Context(), 1000, 2)
	runtime.ReadMemStats(&after)
	require.NoError(t, err)
	require.True(t, ok)
	require.Zero(t, at.Offset)
	require.Less(t, int(after.TotalAlloc-before.TotalAlloc), size/8)
}

// allocated returns how many bytes f allocates. Nothing else may run meanwhile.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// timed returns a batch of records with their own timestamps, which record.Build
// cannot make.
func timed(t *testing.T, base int64, codec record.Codec, appendTime bool, times ...int64) record.Batch {
	t.Helper()
	var payload []byte
	for i, ts := range times {
		body := binary.AppendVarint([]byte{0}, ts)
		body = binary.AppendVarint(body, int64(i))
		body = binary.AppendVarint(binary.AppendVarint(binary.AppendVarint(body, -1), -1), 0)
		payload = slices.Concat(payload, binary.AppendVarint(nil, int64(len(body))), body)
	}
	plain := record.Build(0, make([]record.KeyValue, len(times))...)
	b, err := record.Recode(plain, payload, codec, 1)
	require.NoError(t, err)
	b.SetBaseOffset(base)
	b.SetLeaderEpoch(0)
	b.SetTimestamps(appendTime, slices.Max(times))
	return b
}

// TestSearchByTime compares searches with a look at all records. Times go up and down,
// the log starts inside a batch and a segment, and its end is not visible yet.
func TestSearchByTime(t *testing.T) {
	t.Parallel()
	for seed := range uint64(60) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(seed, 1))
			p := openProbe(t, commitlog.Config{FS: vfs.NewMem(), Flush: commitlog.FlushOS})
			p.settings.IndexInterval, p.settings.SegmentBytes = rng.Int64N(300), 1500
			type stamp struct{ offset, ts int64 }
			var all []stamp
			var ends []int64
			for i := range 60 {
				times := make([]int64, 1+rng.IntN(4))
				for j := range times {
					times[j] = rng.Int64N(40) + int64(i)*rng.Int64N(3) - 1
				}
				b := timed(t, p.End(), record.Codec(rng.IntN(2)), rng.IntN(5) == 0, times...)
				for j, ts := range times {
					if b.LogAppendTime() {
						ts = b.MaxTimestamp()
					}
					all = append(all, stamp{b.BaseOffset() + int64(j), ts})
				}
				require.NoError(t, p.Append(b))
				ends = append(ends, p.End())
			}
			for range 3 {
				for range 10 {
					to, ts := ends[len(ends)-1-rng.IntN(10)], rng.Int64N(150)-1
					wantFirst, wantLargest := stamp{-1, -1}, stamp{-1, -1}
					for _, r := range all {
						if r.offset < p.Start() || r.offset >= to {
							continue
						}
						if r.ts > wantLargest.ts {
							wantLargest = r
						}
						if r.ts >= ts && wantFirst.offset < 0 {
							wantFirst = r
						}
					}
					got, ok, err := p.FindTime(t.Context(), ts, to)
					require.NoError(t, err)
					require.Equal(t, wantFirst.offset >= 0, ok)
					if ok {
						require.Equal(t, wantFirst, stamp{got.Offset, got.Timestamp}, "at %d from %d to %d", ts, p.Start(), to)
					}
					got, ok, err = p.FindMaxTime(t.Context(), to)
					require.NoError(t, err)
					require.Equal(t, wantLargest.offset >= 0, ok)
					if ok {
						require.Equal(t, wantLargest, stamp{got.Offset, got.Timestamp}, "largest from %d to %d", p.Start(), to)
					}
				}
				require.NoError(t, p.SetStart(t.Context(), p.Start()+rng.Int64N(p.End()-p.Start())))
			}
			require.NoError(t, p.store.Close())
		})
	}
}

// TestSearchSurvivesLies: the header that a client writes may have a larger timestamp
// than any of its records.
func TestSearchSurvivesLies(t *testing.T) {
	t.Parallel()
	p := openProbe(t, commitlog.Config{FS: vfs.NewMem(), Flush: commitlog.FlushOS})
	for i, lie := range []int64{5, 90, 90, 20, 70} {
		b := timed(t, p.End(), record.Gzip, false, 10+int64(i))
		b.SetTimestamps(false, lie)
		require.NoError(t, p.Append(b))
	}
	got, ok, err := p.FindMaxTime(t.Context(), p.End())
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, storage.Stamp{Offset: 4, Timestamp: 14}, got)
	_, ok, err = p.FindTime(t.Context(), 80, p.End())
	require.NoError(t, err)
	require.False(t, ok)
	require.NoError(t, p.store.Close())
}
