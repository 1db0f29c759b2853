// Package storagetest is the suite that every engine of storage.Log passes. It
// checks the promises in the documentation of package storage.
package storagetest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/internal/record"
	"github.com/botehq/bote/internal/storage"
	"github.com/botehq/bote/internal/topic"
)

// Engine opens logs for the suite.
type Engine interface {
	// Open opens the log of a partition, which is empty the first time.
	Open(t *testing.T, p storage.Partition, h storage.Hooks) (storage.Log, storage.Recovered)
	// Restart stops all logs cleanly and makes Open find what they left.
	Restart(t *testing.T)
	// Crash ends all logs as a power cut would.
	Crash(t *testing.T)
}

// Settings are so small that a few batches make several segments.
var Settings = storage.Settings{
	SegmentBytes: 4 << 10, SegmentMs: math.MaxInt64, IndexBytes: 10 << 20, IndexInterval: 256,
	RetentionMs: -1, RetentionBytes: -1, DeleteByPolicy: true,
}

// Run checks an engine. New returns one without data.
func Run(t *testing.T, newEngine func(t *testing.T) Engine) {
	t.Helper()
	for name, test := range map[string]func(t *testing.T, b *bed){
		"empty": empty, "read back": readBack, "read bounds": readBounds, "first batch always": firstBatch,
		"whole batches from the middle": middle, "durable is announced in order": durable, "restart": restart,
		"crash keeps what was durable": crash, "snapshot": snapshot, "snapshot after a crash": snapshotCrash,
		"start": start, "epochs": epochs, "times": times, "headers": headers, "closed": closedLog, "gaps": gaps,
		"cancelled": cancelled, "crashes in a row": crashes, "no wait": noWait, "several starts": severalStarts,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := &bed{engine: newEngine(t), part: storage.Partition{Topic: "t", ID: topic.NewID()}}
			b.open(t)
			test(t, b)
		})
	}
}

// bed is one log with its hooks.
type bed struct {
	engine    Engine
	part      storage.Partition
	log       storage.Log
	recovered storage.Recovered
	durable   chan int64
	state     []byte
	ts        int64
}

func (b *bed) open(t *testing.T) {
	t.Helper()
	b.durable = make(chan int64, 10_000)
	b.log, b.recovered = b.engine.Open(t, b.part, storage.Hooks{
		Settings:   func() storage.Settings { return Settings },
		Durable:    func(end int64) { b.durable <- end },
		Failed:     func(err error) { t.Errorf("log failed: %v", err) },
		Snapshot:   func() ([]byte, int64) { return sealed(b.state), b.log.End() },
		Deletable:  func() int64 { return math.MaxInt64 },
		StartMoved: func(int64) {},
		ValidSnapshot: func(snapshot []byte) bool {
			state, ok := unsealed(snapshot)
			return ok && state != nil
		},
	})
	b.recovered.Snapshot, _ = unsealed(b.recovered.Snapshot)
}

// sealed returns a state with a checksum, like a partition's snapshot. An engine may
// find torn snapshots and has to ask whether one is whole.
func sealed(state []byte) []byte {
	if state == nil {
		return nil
	}
	return binary.BigEndian.AppendUint32(slices.Clone(state), crc32.ChecksumIEEE(state))
}

func unsealed(snapshot []byte) (state []byte, ok bool) {
	n := len(snapshot) - 4
	if n <= 0 || binary.BigEndian.Uint32(snapshot[n:]) != crc32.ChecksumIEEE(snapshot[:n]) {
		return nil, false
	}
	return snapshot[:n], true
}

// batch makes a batch of n records at the end of the log.
func (b *bed) batch(n int, size int) record.Batch {
	var records []record.KeyValue
	for i := range n {
		records = append(records, record.KeyValue{Key: fmt.Appendf(nil, "%d", i), Value: make([]byte, size)})
	}
	b.ts++
	batch := record.Build(1000*b.ts, records...)
	batch.SetBaseOffset(b.log.End())
	batch.SetLeaderEpoch(0)
	return batch
}

func (b *bed) append(t *testing.T, n int) record.Batch {
	t.Helper()
	batch := b.batch(n, 100)
	require.NoError(t, b.log.Append(batch))
	return batch
}

// fill appends batches and waits until they are durable.
func (b *bed) fill(t *testing.T, batches int) {
	t.Helper()
	for range batches {
		b.append(t, 3)
	}
	b.await(t, b.log.End())
}

func (b *bed) await(t *testing.T, end int64) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for {
		select {
		case got := <-b.durable:
			if got >= end {
				return
			}
		case <-deadline:
			t.Fatalf("offset %d was not announced", end)
		}
	}
}

// all reads the log from an offset to the end.
func (b *bed) all(t *testing.T, from int64) []record.Batch {
	t.Helper()
	var out []record.Batch
	for from < b.log.End() {
		c, err := b.log.Read(t.Context(), storage.Range{From: from, To: math.MaxInt64, MaxBytes: 1 << 20, AtLeastOne: true})
		require.NoError(t, err)
		require.NotEmpty(t, c.Data)
		for p := c.Data; len(p) > 0; {
			batch, rest, err := record.Split(p)
			require.NoError(t, err)
			require.True(t, batch.ValidCRC())
			out = append(out, record.Batch(append([]byte{}, batch...)))
			from, p = batch.NextOffset(), rest
		}
		c.Release()
	}
	return out
}

func empty(t *testing.T, b *bed) {
	t.Helper()
	require.Zero(t, b.log.Start())
	require.Zero(t, b.log.End())
	require.Empty(t, b.all(t, 0))
	_, err := b.log.Read(t.Context(), storage.Range{From: 1, To: 10, MaxBytes: 10})
	require.ErrorIs(t, err, storage.ErrOutOfRange)
	_, ok, err := b.log.FindTime(t.Context(), 0, math.MaxInt64)
	require.NoError(t, err)
	require.False(t, ok)
}

func readBack(t *testing.T, b *bed) {
	t.Helper()
	var want []record.Batch
	for range 40 {
		want = append(want, b.append(t, 3))
	}
	require.Equal(t, want, b.all(t, 0))
	require.Equal(t, int64(120), b.log.End())
}

func readBounds(t *testing.T, b *bed) {
	t.Helper()
	b.fill(t, 10)
	c, err := b.log.Read(t.Context(), storage.Range{From: 0, To: 6, MaxBytes: 1 << 20})
	require.NoError(t, err)
	last := int64(-1)
	for p := c.Data; len(p) > 0; {
		batch, rest, err := record.Split(p)
		require.NoError(t, err)
		last, p = batch.LastOffset(), rest
	}
	c.Release()
	require.Equal(t, int64(5), last)
	_, err = b.log.Read(t.Context(), storage.Range{From: b.log.End() + 1, To: math.MaxInt64, MaxBytes: 1 << 20})
	require.ErrorIs(t, err, storage.ErrOutOfRange)
	_, err = b.log.Read(t.Context(), storage.Range{From: -1, To: math.MaxInt64, MaxBytes: 1 << 20})
	require.ErrorIs(t, err, storage.ErrOutOfRange)
}

func firstBatch(t *testing.T, b *bed) {
	t.Helper()
	b.fill(t, 2)
	c, err := b.log.Read(t.Context(), storage.Range{From: 0, To: math.MaxInt64, MaxBytes: 1})
	require.NoError(t, err)
	require.Empty(t, c.Data)
	c, err = b.log.Read(t.Context(), storage.Range{From: 0, To: math.MaxInt64, MaxBytes: 1, AtLeastOne: true})
	require.NoError(t, err)
	batch, rest, err := record.Split(c.Data)
	require.NoError(t, err)
	require.Empty(t, rest)
	require.Zero(t, batch.BaseOffset())
	c.Release()
}

func middle(t *testing.T, b *bed) {
	t.Helper()
	b.fill(t, 60)
	for from := range b.log.End() {
		c, err := b.log.Read(t.Context(), storage.Range{From: from, To: math.MaxInt64, MaxBytes: 1000, AtLeastOne: true})
		require.NoError(t, err)
		require.Equal(t, from/3*3, record.Batch(c.Data).BaseOffset())
		c.Release()
	}
}

func durable(t *testing.T, b *bed) {
	t.Helper()
	last := int64(0)
	for range 20 {
		b.append(t, 1)
	}
	for last < 20 {
		got := <-b.durable
		require.Greater(t, got, last)
		last = got
	}
	require.Equal(t, int64(20), last)
}

func restart(t *testing.T, b *bed) {
	t.Helper()
	b.fill(t, 40)
	before := b.all(t, 0)
	size := b.log.Size()
	for range 2 {
		b.engine.Restart(t)
		b.open(t)
		require.Equal(t, int64(120), b.log.End())
		require.Equal(t, size, b.log.Size())
		require.Equal(t, before, b.all(t, 0))
	}
	b.fill(t, 1)
	require.Equal(t, int64(123), b.log.End())
}

func crash(t *testing.T, b *bed) {
	t.Helper()
	for round := range 5 {
		b.fill(t, 15)
		before := b.all(t, 0)
		b.engine.Crash(t)
		b.open(t)
		require.Equal(t, int64(45*(round+1)), b.log.End())
		require.Equal(t, before, b.all(t, 0))
	}
}

func snapshot(t *testing.T, b *bed) {
	t.Helper()
	b.state = []byte("one")
	b.fill(t, 10)
	b.engine.Restart(t)
	b.open(t)
	require.Equal(t, "one", string(b.recovered.Snapshot))
	require.Equal(t, b.log.End(), b.recovered.SnapshotEnd)
}

func snapshotCrash(t *testing.T, b *bed) {
	t.Helper()
	b.state = []byte("state")
	b.fill(t, 60) // rolls, which takes snapshots
	b.state = []byte("later")
	b.engine.Crash(t)
	b.open(t)
	require.Equal(t, "state", string(b.recovered.Snapshot))
	require.LessOrEqual(t, b.recovered.SnapshotEnd, b.log.End())
	n := int64(0)
	require.NoError(t, b.log.Headers(t.Context(), b.recovered.SnapshotEnd, func(h record.Batch) error {
		n += int64(h.Count())
		return nil
	}))
	require.Equal(t, b.log.End()-b.recovered.SnapshotEnd, n)
}

func start(t *testing.T, b *bed) {
	t.Helper()
	b.fill(t, 40)
	require.NoError(t, b.log.SetStart(t.Context(), 50))
	require.Equal(t, int64(50), b.log.Start())
	_, err := b.log.Read(t.Context(), storage.Range{From: 49, To: math.MaxInt64, MaxBytes: 1})
	require.ErrorIs(t, err, storage.ErrOutOfRange)
	require.NoError(t, b.log.SetStart(t.Context(), 10), "an offset below the start changes nothing")
	require.Equal(t, int64(50), b.log.Start())
	for _, stop := range []func(*testing.T){b.engine.Crash, b.engine.Restart} {
		stop(t)
		b.open(t)
		require.Equal(t, int64(50), b.log.Start())
		require.Equal(t, int64(48), b.all(t, 50)[0].BaseOffset())
	}
}

func epochs(t *testing.T, b *bed) {
	t.Helper()
	b.fill(t, 2)
	batch := b.batch(1, 10)
	batch.SetLeaderEpoch(4)
	require.NoError(t, b.log.Append(batch))
	b.await(t, b.log.End())
	want := []storage.Epoch{{Epoch: 0, Start: 0}, {Epoch: 4, Start: 6}}
	require.Equal(t, want, b.log.Epochs())
	for _, stop := range []func(*testing.T){b.engine.Restart, b.engine.Crash} {
		stop(t)
		b.open(t)
		require.Equal(t, want, b.log.Epochs())
	}
	require.NoError(t, b.log.SetStart(t.Context(), 3))
	require.Equal(t, []storage.Epoch{{Epoch: 0, Start: 3}, {Epoch: 4, Start: 6}}, b.log.Epochs())
}

func times(t *testing.T, b *bed) {
	t.Helper()
	b.fill(t, 60) // batch i has the time 1000*(i+1) and begins at 3*i
	check := func() {
		for _, i := range []int64{0, 1, 17, 58, 59} {
			s, ok, err := b.log.FindTime(t.Context(), 1000*(i+1)-1, math.MaxInt64)
			require.NoError(t, err)
			require.True(t, ok)
			require.Equal(t, storage.Stamp{Offset: 3 * i, Timestamp: 1000 * (i + 1)}, s)
		}
		_, ok, err := b.log.FindTime(t.Context(), 60_001, math.MaxInt64)
		require.NoError(t, err)
		require.False(t, ok)
		_, ok, err = b.log.FindTime(t.Context(), 30_000, 10)
		require.NoError(t, err)
		require.False(t, ok, "beyond the end asked for")
		s, ok, err := b.log.FindMaxTime(t.Context(), math.MaxInt64)
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, storage.Stamp{Offset: 177, Timestamp: 60_000}, s)
	}
	check()
	b.engine.Restart(t)
	b.open(t)
	check()
	b.engine.Crash(t)
	b.open(t)
	check()
}

func headers(t *testing.T, b *bed) {
	t.Helper()
	b.fill(t, 30)
	var got []int64
	require.NoError(t, b.log.Headers(t.Context(), 31, func(h record.Batch) error {
		got = append(got, h.BaseOffset())
		return nil
	}))
	require.Equal(t, int64(30), got[0])
	require.Len(t, got, 20)
	stop := errors.New("stop")
	require.ErrorIs(t, b.log.Headers(t.Context(), 0, func(record.Batch) error { return stop }), stop)
}

func closedLog(t *testing.T, b *bed) {
	t.Helper()
	b.fill(t, 1)
	batch := b.batch(1, 1)
	require.NoError(t, b.log.Close())
	require.NoError(t, b.log.Close())
	require.ErrorIs(t, b.log.Append(batch), storage.ErrClosed)
	_, err := b.log.Read(t.Context(), storage.Range{To: 1, MaxBytes: 1})
	require.ErrorIs(t, err, storage.ErrClosed)
}

func gaps(t *testing.T, b *bed) {
	t.Helper()
	b.fill(t, 1)
	batch := b.batch(1, 10)
	batch.SetBaseOffset(100)
	require.NoError(t, b.log.Append(batch))
	b.await(t, 101)
	got := b.all(t, 50)
	require.Len(t, got, 1)
	require.Equal(t, int64(100), got[0].BaseOffset())
	back := b.batch(1, 10)
	back.SetBaseOffset(50)
	require.Error(t, b.log.Append(back), "offsets never go back")
}

// noWait: a read that must not wait finds what a waiting read finds, or returns
// ErrWouldWait. Readable covers what is returned, and reaches the limit if that ended
// the read.
func noWait(t *testing.T, b *bed) {
	t.Helper()
	b.fill(t, 20)
	for from := range b.log.End() {
		r := storage.Range{From: from, To: b.log.End(), MaxBytes: 1500, AtLeastOne: true}
		want, err := b.log.Read(t.Context(), r)
		require.NoError(t, err)
		require.GreaterOrEqual(t, want.Readable, want.Len())
		r.NoWait = true
		got, err := b.log.Read(t.Context(), r)
		if err != nil {
			require.ErrorIs(t, err, storage.ErrWouldWait)
		} else {
			require.Equal(t, want.Data, got.Data)
		}
		want.Release()
		got.Release()
	}
}

// severalStarts: the starts of several logs move together, and stay moved after a
// crash. A context that has ended changes nothing.
func severalStarts(t *testing.T, b *bed) {
	t.Helper()
	b.fill(t, 20)
	other := &bed{engine: b.engine, part: storage.Partition{Topic: "u", ID: topic.NewID()}}
	other.open(t)
	other.fill(t, 20)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	moves := []storage.NewStart{{Log: b.log, Start: 7}, {Log: other.log, Start: 12}}
	for _, err := range storage.SetStarts(ctx, moves) {
		if err != nil { // it may be too late
			require.ErrorIs(t, err, context.Canceled)
		}
	}
	for _, err := range storage.SetStarts(t.Context(), moves) {
		require.NoError(t, err)
	}
	require.Equal(t, []int64{7, 12}, []int64{b.log.Start(), other.log.Start()})
	b.engine.Crash(t)
	b.open(t)
	other.open(t)
	require.Equal(t, []int64{7, 12}, []int64{b.log.Start(), other.log.Start()})
}

func cancelled(t *testing.T, b *bed) {
	t.Helper()
	b.fill(t, 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := b.log.Read(ctx, storage.Range{To: 1, MaxBytes: 1})
	require.ErrorIs(t, err, context.Canceled)
}
