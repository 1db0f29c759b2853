package partition_test

import (
	"bytes"
	"context"
	"errors"
	"math"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"go.uber.org/goleak"

	"github.com/botehq/bote/internal/partition"
	"github.com/botehq/bote/internal/record"
	"github.com/botehq/bote/internal/storage"
	"github.com/botehq/bote/internal/storage/commitlog"
	"github.com/botehq/bote/internal/storage/vfs"
	"github.com/botehq/bote/internal/topic"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var settings = storage.Settings{
	SegmentBytes: 1 << 20, SegmentMs: math.MaxInt64, IndexBytes: 1 << 20, IndexInterval: 4096,
	RetentionMs: -1, RetentionBytes: -1, DeleteByPolicy: true,
}

// bench is a partition on an in-memory file system that can crash and fail.
type bench struct {
	mem    *vfs.Mem
	faulty *vfs.Faulty
	store  *commitlog.Store
	epoch  int32
	now    time.Time
	*partition.Partition
}

func newBench(tb testing.TB) *bench {
	tb.Helper()
	b := &bench{mem: vfs.NewStrictMem(), now: time.UnixMilli(1_000_000)}
	b.open(tb)
	tb.Cleanup(func() { _ = b.store.Close() })
	return b
}

func (b *bench) open(tb testing.TB) {
	tb.Helper()
	var err error
	b.faulty = vfs.NewFaulty(b.mem)
	b.store, err = commitlog.Open(commitlog.Config{FS: b.faulty, Dir: "/data"})
	require.NoError(tb, err)
	b.Partition, err = partition.Open(tb.Context(), func(h storage.Hooks) (storage.Log, storage.Recovered, error) {
		return b.store.OpenLog(tb.Context(), storage.Partition{Topic: "t", ID: topic.ID{1}}, h)
	}, partition.Config{
		Epoch: b.epoch, Settings: func() storage.Settings { return settings }, ProducerExpiry: func() time.Duration { return time.Hour },
		Now: func() time.Time { return b.now },
	})
	require.NoError(tb, err)
}

func (b *bench) crash(t *testing.T) {
	t.Helper()
	old := b.store
	b.mem = b.mem.Crash()
	b.epoch++
	b.open(t)
	require.NoError(t, old.Close())
}

func (b *bench) restart(t *testing.T) {
	t.Helper()
	require.NoError(t, b.store.Close())
	b.open(t)
}

type outcome struct {
	partition.Appended
	err error
}

// start appends without waiting.
func (b *bench) start(batch record.Batch) <-chan outcome {
	out := make(chan outcome, 2) // with room for a second answer, so that a test would see it
	b.Append(batch, func(a partition.Appended, err error) { out <- outcome{a, err} })
	return out
}

func (b *bench) put(t *testing.T, batch record.Batch) (int64, error) {
	t.Helper()
	o := <-b.start(batch)
	return o.BaseOffset, o.err
}

func (b *bench) batch(values ...string) record.Batch {
	var records []record.KeyValue
	for _, v := range values {
		records = append(records, record.KeyValue{Value: []byte(v)})
	}
	return record.Build(b.now.UnixMilli(), records...)
}

func (b *bench) from(pid int64, epoch int16, sequence int32, n int) record.Batch {
	batch := b.batch(make([]string, n)...)
	batch.SetProducer(pid, epoch, sequence)
	return batch
}

func (b *bench) read(t *testing.T, offset int64) (string, error) {
	t.Helper()
	r, err := b.Read(t.Context(), partition.Read{Offset: offset, CurrentEpoch: -1, LastFetchedEpoch: -1, MaxBytes: 1 << 20, AtLeastOne: true})
	if err != nil {
		return "", err
	}
	defer r.Release()
	var out []string
	for p := r.Data; len(p) > 0; {
		batch, rest, err := record.Split(p)
		require.NoError(t, err)
		for rec, err := range record.Records(batch.Payload(), batch.Count()) {
			require.NoError(t, err)
			out = append(out, string(rec.Value))
		}
		p = rest
	}
	return strings.Join(out, ","), nil
}

func TestAppendAndRead(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	base, err := b.put(t, b.batch("a", "b"))
	require.NoError(t, err)
	require.Zero(t, base)
	base, err = b.put(t, b.batch("c"))
	require.NoError(t, err)
	require.Equal(t, int64(2), base)
	got, err := b.read(t, 1)
	require.NoError(t, err)
	require.Equal(t, "a,b,c", got)
	_, err = b.read(t, 4)
	require.ErrorIs(t, err, kerr.OffsetOutOfRange)
	_, err = b.read(t, -1)
	require.ErrorIs(t, err, kerr.OffsetOutOfRange)
}

// TestNothingIsSeenBeforeItIsDurable blocks the sync and looks from all sides.
func TestNothingIsSeenBeforeItIsDurable(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	_, err := b.put(t, b.batch("first"))
	require.NoError(t, err)
	reached, allow := make(chan struct{}), make(chan struct{})
	var once atomic.Bool
	b.faulty.Inject(func(op vfs.Op, name string) error {
		if op == vfs.OpSync && strings.HasSuffix(name, ".log") && !once.Swap(true) {
			close(reached)
			<-allow
		}
		return nil
	})
	pending := b.start(b.batch("second"))
	<-reached
	require.Equal(t, int64(2), b.LogEndOffset())
	require.Equal(t, int64(1), b.HighWatermark())
	got, err := b.read(t, 0)
	require.NoError(t, err)
	require.Equal(t, "first", got)
	got, err = b.read(t, 1)
	require.NoError(t, err, "between high watermark and log end is empty, not an error (trap 28)")
	require.Empty(t, got)
	require.Empty(t, pending, "not acknowledged before it is durable")
	close(allow)
	require.NoError(t, (<-pending).err)
	require.Equal(t, int64(2), b.HighWatermark())
}

// TestTrap14DuplicateSharesThePendingOutcome: a repetition of a batch that is not
// durable yet is answered together with the original, with the same offset.
func TestTrap14DuplicateSharesThePendingOutcome(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	reached, allow := make(chan struct{}), make(chan struct{})
	var once atomic.Bool
	b.faulty.Inject(func(op vfs.Op, name string) error {
		if op == vfs.OpSync && strings.HasSuffix(name, ".log") && !once.Swap(true) {
			close(reached)
			<-allow
		}
		return nil
	})
	first := b.start(b.from(7, 0, 0, 2))
	<-reached
	again := b.start(b.from(7, 0, 0, 2))
	require.Empty(t, again)
	close(allow)
	require.Equal(t, int64(0), (<-first).BaseOffset)
	o := <-again
	require.NoError(t, o.err)
	require.Equal(t, int64(0), o.BaseOffset)
	require.Equal(t, int64(2), b.LogEndOffset())
}

// TestOffsetOfADuplicate: AppendOrdered returns the offset of the original, not the one
// that the client wrote into the repetition.
func TestOffsetOfADuplicate(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, batch := range []record.Batch{b.from(7, 0, 0, 2), b.from(7, 0, 2, 3)} {
		_, err := b.put(t, batch)
		require.NoError(t, err)
	}
	done := make(chan error, 1)
	base, err := b.AppendOrdered(b.from(7, 0, 2, 3), func(_ partition.Appended, err error) { done <- err })
	require.NoError(t, err)
	require.Equal(t, int64(2), base)
	require.NoError(t, <-done)
	require.Equal(t, int64(5), b.LogEndOffset())
}

func TestSequences(t *testing.T) {
	t.Parallel()
	type step struct {
		epoch    int16
		sequence int32
		n        int
		want     error
		base     int64
	}
	ok := func(epoch int16, sequence int32, n int, base int64) step { return step{epoch, sequence, n, nil, base} }
	no := func(epoch int16, sequence int32, n int, err error) step { return step{epoch, sequence, n, err, 0} }
	for name, steps := range map[string][]step{
		"in order":                         {ok(0, 0, 1, 0), ok(0, 1, 3, 1), ok(0, 4, 1, 4)},
		"trap 14 duplicates":               {ok(0, 0, 2, 0), ok(0, 2, 1, 2), ok(0, 0, 2, 0), ok(0, 2, 1, 2), ok(0, 3, 1, 3)},
		"trap 15 window of five":           {ok(0, 0, 1, 0), ok(0, 1, 1, 1), ok(0, 2, 1, 2), ok(0, 3, 1, 3), ok(0, 4, 1, 4), ok(0, 0, 1, 0), ok(0, 5, 1, 5), no(0, 0, 1, kerr.OutOfOrderSequenceNumber), ok(0, 1, 1, 1)},
		"gap":                              {ok(0, 0, 1, 0), no(0, 2, 1, kerr.OutOfOrderSequenceNumber), ok(0, 1, 1, 1)},
		"trap 16 unknown producer":         {ok(0, 1234, 1, 0), ok(0, 1235, 1, 1)},
		"trap 17 lower epoch":              {ok(5, 0, 1, 0), no(4, 1, 1, kerr.InvalidProducerEpoch)},
		"higher epoch begins at 0":         {ok(0, 0, 1, 0), no(1, 1, 1, kerr.OutOfOrderSequenceNumber), ok(1, 0, 1, 1), no(0, 1, 1, kerr.InvalidProducerEpoch)},
		"trap 20 wrap":                     {ok(0, math.MaxInt32-1, 2, 0), ok(0, 0, 1, 2)},
		"trap 20 wrap inside, then repeat": {ok(0, math.MaxInt32-1, 4, 0), ok(0, 2, 1, 4), ok(0, math.MaxInt32-1, 4, 0)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			for i, s := range steps {
				base, err := b.put(t, b.from(7, s.epoch, s.sequence, s.n))
				if s.want != nil {
					require.ErrorIs(t, err, s.want, "step %d", i)
					continue
				}
				require.NoError(t, err, "step %d", i)
				require.Equal(t, s.base, base, "step %d", i)
			}
		})
	}
}

// TestTrap19ProducersSurvive: after a clean restart or a crash, the partition still
// knows what its producers sent, so that a retry is a duplicate and not a second copy.
func TestTrap19ProducersSurvive(t *testing.T) {
	t.Parallel()
	for name, stop := range map[string]func(*bench, *testing.T){"restart": (*bench).restart, "crash": (*bench).crash} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			for seq := range int32(3) {
				_, err := b.put(t, b.from(7, 2, seq, 1))
				require.NoError(t, err)
			}
			stop(b, t)
			base, err := b.put(t, b.from(7, 2, 2, 1))
			require.NoError(t, err)
			require.Equal(t, int64(2), base, "a duplicate")
			_, err = b.put(t, b.from(7, 1, 0, 1))
			require.ErrorIs(t, err, kerr.InvalidProducerEpoch)
			base, err = b.put(t, b.from(7, 2, 3, 1))
			require.NoError(t, err)
			require.Equal(t, int64(3), base)
			require.Equal(t, []partition.Producer{{ID: 7, Epoch: 2, LastSequence: 3, LastTimestamp: b.now.UnixMilli(), CoordinatorEpoch: -1, TxnStart: -1}}, b.Producers())
		})
	}
}

// TestAllInFlightSurvive: a producer whose broker goes away repeats every batch in
// flight. Each of the five is recognised as a repetition, wherever between them the
// state was saved; an older batch is not.
func TestAllInFlightSurvive(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 400_000) // three of these exceed a segment
	for name, stop := range map[string]func(*bench, *testing.T){"restart": (*bench).restart, "crash": (*bench).crash} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			batch := func(pid int64, sequence int32) record.Batch {
				out := b.batch(long)
				out.SetProducer(pid, 2, sequence)
				return out
			}
			for i := range int64(14) {
				base, err := b.put(t, batch(7+i%2, int32(i/2)))
				require.NoError(t, err)
				require.Equal(t, i, base)
			}
			for range 2 { // the second time, restored state is saved and restored
				stop(b, t)
				for i := int64(4); i < 14; i++ {
					base, err := b.put(t, batch(7+i%2, int32(i/2)))
					require.NoError(t, err, "batch %d", i)
					require.Equal(t, i, base, "a duplicate")
				}
				_, err := b.put(t, batch(7, 1))
				require.ErrorIs(t, err, kerr.OutOfOrderSequenceNumber)
				require.Equal(t, int64(14), b.LogEndOffset())
			}
		})
	}
}

func TestProducersExpire(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	_, err := b.put(t, b.from(7, 2, 0, 1))
	require.NoError(t, err)
	b.now = b.now.Add(2 * time.Hour)
	_, err = b.put(t, b.from(8, 0, 0, 1))
	require.NoError(t, err)
	base, err := b.put(t, b.from(7, 0, 55, 1))
	require.NoError(t, err, "forgotten: any epoch and sequence begins")
	require.Equal(t, int64(2), base)

	old := b.from(9, 0, 0, 1)
	old.SetTimestamps(false, math.MinInt64)
	_, err = b.put(t, old)
	require.NoError(t, err)
	b.now = b.now.Add(2 * time.Hour)
	_, err = b.put(t, b.from(8, 0, 1, 1))
	require.NoError(t, err)
	for _, p := range b.Producers() {
		require.NotEqual(t, int64(9), p.ID, "no time is too long ago to be forgotten")
	}
}

// TestSnapshotOfAnotherOffset: a snapshot that describes batches beyond the log's end is
// refused, even if its checksum is right.
func TestSnapshotOfAnotherOffset(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for i := range int32(3) {
		_, err := b.put(t, b.from(7, 0, i, 1))
		require.NoError(t, err)
	}
	require.NoError(t, b.store.Close())
	ahead, err := vfs.ReadFile(b.mem, "/data/t-0/00000000000000000003.snapshot")
	require.NoError(t, err)

	b = newBench(t)
	_, err = b.put(t, b.from(7, 0, 0, 1))
	require.NoError(t, err)
	require.NoError(t, b.store.Close())
	require.NoError(t, vfs.WriteFile(b.mem, "/data/t-0", "00000000000000000001.snapshot", ahead))
	b.open(t)
	base, err := b.put(t, b.from(7, 0, 0, 1))
	require.NoError(t, err)
	require.Zero(t, base, "known from the batches")
	base, err = b.put(t, b.from(7, 0, 1, 1))
	require.NoError(t, err)
	require.Equal(t, int64(1), base)
}

func TestFailures(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	_, err := b.put(t, b.from(7, 0, 0, 1))
	require.NoError(t, err)
	full := errors.New("no space left")
	b.faulty.Inject(func(op vfs.Op, name string) error {
		if op == vfs.OpWrite && strings.HasSuffix(name, ".log") {
			return full
		}
		return nil
	})
	_, err = b.put(t, b.from(7, 0, 1, 1))
	require.ErrorIs(t, err, kerr.KafkaStorageError)
	require.ErrorIs(t, err, full)
	b.faulty.Inject(nil)
	base, err := b.put(t, b.from(7, 0, 1, 1))
	require.NoError(t, err, "the sequence that failed may be sent again")
	require.Equal(t, int64(1), base)

	b.faulty.Inject(func(op vfs.Op, name string) error {
		if op == vfs.OpSync && strings.HasSuffix(name, ".log") {
			return full
		}
		return nil
	})
	out := b.start(b.from(7, 0, 2, 1))
	require.ErrorIs(t, (<-out).err, kerr.KafkaStorageError)
	b.faulty.Inject(nil)
	_, err = b.put(t, b.from(7, 0, 2, 1))
	require.ErrorIs(t, err, kerr.KafkaStorageError, "a log that could not sync stays failed")
	require.Empty(t, out, "one answer only")
	_, err = b.read(t, 0)
	require.NoError(t, err, "what was durable can be read")
}

type watcher struct {
	bytes atomic.Int64
	wakes atomic.Int64
	moved chan struct{}
}

func newWatcher() *watcher { return &watcher{moved: make(chan struct{}, 100)} }

func (w *watcher) Notify(n int64) {
	w.bytes.Add(n)
	w.moved <- struct{}{}
}

func (w *watcher) Wake() {
	w.wakes.Add(1)
	w.moved <- struct{}{}
}

func TestWatchers(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	w, gone := newWatcher(), newWatcher()
	b.Watch(w)
	b.Watch(gone)
	b.Unwatch(gone)
	batch := b.batch("abc")
	_, err := b.put(t, bytes.Clone(batch))
	require.NoError(t, err)
	<-w.moved
	require.Equal(t, int64(len(batch)), w.bytes.Load())
	_, err = b.deleteRecords(t, 1)
	require.NoError(t, err)
	<-w.moved
	require.Equal(t, int64(1), w.wakes.Load())
	b.End(kerr.UnknownTopicOrPartition)
	<-w.moved
	require.Equal(t, int64(2), w.wakes.Load())
	require.Empty(t, gone.moved)
	_, err = b.put(t, b.batch("x"))
	require.ErrorIs(t, err, kerr.UnknownTopicOrPartition)
	_, err = b.read(t, 1)
	require.ErrorIs(t, err, kerr.UnknownTopicOrPartition)
}

func TestEpochs(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	require.Equal(t, storage.Epoch{Epoch: 0, Start: 0}, b.EpochEnd(0))
	_, err := b.put(t, b.batch("a", "b"))
	require.NoError(t, err)
	b.crash(t) // epoch 1
	require.ErrorIs(t, b.CheckEpoch(0), kerr.FencedLeaderEpoch)
	require.ErrorIs(t, b.CheckEpoch(2), kerr.UnknownLeaderEpoch)
	require.NoError(t, b.CheckEpoch(-1))
	_, err = b.put(t, b.batch("c"))
	require.NoError(t, err)
	require.Equal(t, storage.Epoch{Epoch: 0, Start: 2}, b.EpochEnd(0))
	require.Equal(t, storage.Epoch{Epoch: 1, Start: 3}, b.EpochEnd(1))
	require.Equal(t, storage.Epoch{Epoch: -1, Start: -1}, b.EpochEnd(2), "trap 40")
	r, err := b.Read(t.Context(), partition.Read{Offset: 3, CurrentEpoch: 1, LastFetchedEpoch: 0, MaxBytes: 1})
	require.NoError(t, err)
	require.True(t, r.Diverged)
	require.Equal(t, storage.Epoch{Epoch: 0, Start: 2}, r.Diverging)
}

// deleteRecords deletes everything below offset.
func (b *bench) deleteRecords(t *testing.T, offset int64) (int64, error) {
	t.Helper()
	starts, errs := partition.DeleteRecords(t.Context(), []*partition.Partition{b.Partition}, []int64{offset})
	return starts[0], errs[0]
}

func TestDeleteRecords(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	_, err := b.put(t, b.batch("a", "b", "c"))
	require.NoError(t, err)
	_, err = b.deleteRecords(t, 4)
	require.ErrorIs(t, err, kerr.OffsetOutOfRange)
	_, err = b.deleteRecords(t, -2)
	require.ErrorIs(t, err, kerr.OffsetOutOfRange)
	start, err := b.deleteRecords(t, 2)
	require.NoError(t, err)
	require.Equal(t, int64(2), start)
	start, err = b.deleteRecords(t, 1)
	require.NoError(t, err)
	require.Equal(t, int64(2), start)
	b.crash(t)
	require.Equal(t, int64(2), b.LogStartOffset(), "trap 89")
	start, err = b.deleteRecords(t, -1)
	require.NoError(t, err)
	require.Equal(t, int64(3), start)
}

func TestReadHonoursItsContext(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	_, err := b.put(t, b.batch("a"))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = b.Read(ctx, partition.Read{CurrentEpoch: -1, LastFetchedEpoch: -1, MaxBytes: 1, AtLeastOne: true})
	require.ErrorIs(t, err, context.Canceled)
	require.NotErrorIs(t, err, kerr.KafkaStorageError, "a reader that leaves is no broken disk")
	_, _, err = b.FindTime(ctx, 0)
	require.ErrorIs(t, err, context.Canceled)
	require.NotErrorIs(t, err, kerr.KafkaStorageError)
}
