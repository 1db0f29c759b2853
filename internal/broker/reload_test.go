package broker

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/internal/coordinator"
	"github.com/botehq/bote/internal/partition"
	"github.com/botehq/bote/internal/record"
	"github.com/botehq/bote/internal/storage"
	"github.com/botehq/bote/internal/storage/commitlog"
	"github.com/botehq/bote/internal/storage/vfs"
	"github.com/botehq/bote/internal/topic"
)

// sum is a coordinator.Machine that adds up the values it replays.
type sum struct{ total int }

func (s *sum) Apply(r coordinator.Record) error {
	n, err := strconv.Atoi(string(r.Value))
	s.total += n
	return err
}

func (s *sum) EndTransaction(int64, bool) {}
func (s *sum) Loaded()                    {}
func (s *sum) Unloaded(error)             {}

// interrupted opens offsetsLogs that return one batch at a time. It calls during once,
// after a given number of steps of the replay.
type interrupted struct {
	open   func() coordinator.Log
	after  int // number of steps
	during func()
	steps  int
}

func (l *interrupted) Partitions() int32 { return 1 }
func (l *interrupted) Exists() bool      { return true }
func (l *interrupted) Here(int32) bool   { return true }

func (l *interrupted) Open(context.Context, int32) (coordinator.Log, error) {
	return interruptedLog{l.open(), l}, nil
}

func (l *interrupted) step() {
	if l.steps++; l.steps == l.after {
		l.during()
	}
}

type interruptedLog struct {
	coordinator.Log
	l *interrupted
}

func (g interruptedLog) ReadAt(ctx context.Context, offset int64, _ int) ([]byte, error) {
	defer g.l.step()
	return g.Log.ReadAt(ctx, offset, 1)
}

func (g interruptedLog) Bounds() (start, high int64, err error) {
	defer g.l.step()
	return g.Log.Bounds()
}

// TestReplayAcrossLives: while a shard is replayed, a new life of its partition takes the
// old one's place, as when the healer reopens a log. The shard then has all records of
// the new life, not half of the old one's.
func TestReplayAcrossLives(t *testing.T) {
	const batches, steps = 5, 12 // steps: one for the bounds, two per batch for bounds and read, one for the bounds at the end
	for after := 1; after <= steps; after++ {
		t.Run(strconv.Itoa(after), func(t *testing.T) { replayAcrossLives(t, batches, after) })
	}
}

func replayAcrossLives(t *testing.T, batches, after int) {
	t.Helper()
	store, err := commitlog.Open(commitlog.Config{FS: vfs.NewMem(), Dir: "/data"})
	require.NoError(t, err)
	defer store.Close()
	set, id := partition.NewSet(), topic.NewID()
	begin := func(name string, epoch int32, values ...int) {
		p, err := partition.Open(t.Context(), func(h storage.Hooks) (storage.Log, storage.Recovered, error) {
			return store.OpenLog(t.Context(), storage.Partition{Topic: name, ID: id, Index: 0}, h)
		}, partition.Config{Epoch: epoch, Settings: func() storage.Settings {
			return storage.Settings{SegmentBytes: 1 << 20, SegmentMs: 1 << 40, IndexBytes: 1 << 20, IndexInterval: 4096, RetentionMs: -1, RetentionBytes: -1}
		}, ProducerExpiry: func() time.Duration { return time.Hour }})
		require.NoError(t, err)
		for _, v := range values {
			done := make(chan error, 1)
			b := record.Build(1, record.KeyValue{Key: []byte("k"), Value: []byte(strconv.Itoa(v))})
			b.SetProducer(record.NoProducer, -1, 0)
			p.Append(b, func(_ partition.Appended, err error) { done <- err })
			require.NoError(t, <-done)
		}
		set.Put(id, 0, p)
	}
	begin("one", 1, make([]int, batches)...)
	logs := &interrupted{after: after, open: func() coordinator.Log {
		return offsetsLog{parts: set, topic: id, index: 0, epoch: set.Get(id, 0).LeaderEpoch()}
	}}
	r, err := coordinator.New(coordinator.Config{Name: "test", Logs: logs}, func(*coordinator.Shard) *sum { return &sum{} })
	require.NoError(t, err)
	defer r.Close()
	logs.during = func() { begin("two", 2, 1, 2, 3, 4, 5); r.Reload(0) }
	for {
		got := make(chan int, 1)
		r.Do(0, func(s *sum) { got <- s.total }, func(error) { got <- -1 })
		if n := <-got; n != -1 {
			require.Equal(t, 15, n)
			return
		}
	}
}
