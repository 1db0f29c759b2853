package commitlog_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/internal/record"
	"github.com/botehq/bote/internal/storage"
	"github.com/botehq/bote/internal/storage/commitlog"
	"github.com/botehq/bote/internal/storage/vfs"
)

// story is a log that lives through scenarios, with what it promised.
type story struct {
	*probe
	values []string     // by offset: everything that was ever appended
	floor  atomic.Int64 // the log start when the last step was done
	epoch  int32        // of the batches that are appended
}

func (s *story) append(t *testing.T, n int) {
	t.Helper()
	for range n {
		value := fmt.Sprintf("%d-%s", s.End(), strings.Repeat("x", 30+int(s.End()%7)*40))
		s.values = append(s.values[:s.End()], value)
		b := s.batch(value)
		b.SetLeaderEpoch(s.epoch)
		require.NoError(t, s.Append(b))
		s.await(t, s.End())
	}
}

func (s *story) setStart(t *testing.T, start int64) {
	t.Helper()
	require.NoError(t, s.SetStart(t.Context(), start))
	s.floor.Store(start)
}

func (s *story) retain(bytes int64) {
	s.settings.RetentionBytes = bytes
	s.store.Retain()
	s.settings.RetentionBytes = -1
	s.floor.Store(s.Start())
}

// scenarios are what logs live through. Each begins where the one before ended.
var scenarios = []struct {
	name string
	run  func(t *testing.T, s *story)
}{
	{"fresh", func(t *testing.T, s *story) {
		t.Helper()
		s.append(t, 16)
		require.NoError(t, s.store.WriteCheckpoints())
		s.append(t, 10)
		s.setStart(t, 20)
		s.append(t, 14)
	}},
	{"retention", func(t *testing.T, s *story) {
		t.Helper()
		s.append(t, 30)
		require.NoError(t, s.store.WriteCheckpoints())
		s.append(t, 3)
		s.retain(7 << 10)
		s.append(t, 3)
		require.NoError(t, s.store.WriteCheckpoints())
		s.append(t, 20)
	}},
	{"start at a segment", func(t *testing.T, s *story) {
		t.Helper()
		s.append(t, 24)
		s.setStart(t, s.End())
		s.append(t, 24)
		s.retain(math.MaxInt64) // removes what lies below the start
		require.NoError(t, s.store.WriteCheckpoints())
		s.append(t, 4)
		s.setStart(t, s.End())
		s.retain(math.MaxInt64) // all of it
		require.NoError(t, s.store.WriteCheckpoints())
		s.append(t, 10)
	}},
}

// cutAt is a file system that crashes before an operation, in one way or in many
// ways.
type cutAt struct {
	*vfs.Faulty
	mem       *vfs.Mem
	fault     func(op vfs.Op, name string) error // what fails until then; may be nil
	mu        sync.Mutex                         // guards what follows
	left      int                                // operations until the crash
	crashed   []*vfs.Mem
	announced int64
	floor     int64
}

func (c *cutAt) arm(s *story, crash func(*vfs.Mem) []*vfs.Mem) {
	c.Inject(func(op vfs.Op, name string) error {
		if op == vfs.OpRead || op == vfs.OpOpen || op == vfs.OpList {
			return nil
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.left--; c.left == 0 {
			c.announced, c.floor = s.durable.Load(), s.floor.Load()
			c.crashed = crash(c.mem)
		}
		if c.fault != nil {
			return c.fault(op, name)
		}
		return nil
	})
}

// crashesOf returns what several power cuts and a kill would leave.
func crashesOf(seeds int, point int) func(*vfs.Mem) []*vfs.Mem {
	return func(m *vfs.Mem) []*vfs.Mem {
		out := []*vfs.Mem{m.Crash(), m.Fork()}
		for seed := range seeds {
			out = append(out, m.CrashRandomly(rand.New(rand.NewPCG(uint64(seed), uint64(point)))))
		}
		return out
	}
}

// TestCrashAtEveryPoint cuts the power before each operation of scenarios that roll
// segments, delete records and write checkpoints. Everything that was announced
// must be there, in order, and nothing that was never appended; what is derived
// from the batches must fit them. Some logs then go on and are crashed once more.
// BOTE_CRASH_SEEDS is how many random crashes are tried at each point. Without it,
// that is one, and the longer scenarios are crashed at every third or fifth point
// only.
func TestCrashAtEveryPoint(t *testing.T) {
	t.Parallel()
	seeds, stride := 1, func(scenario int) int { return 1 + 2*scenario } // the later ones are long
	if text := os.Getenv("BOTE_CRASH_SEEDS"); text != "" {
		var err error
		seeds, err = strconv.Atoi(text)
		require.NoError(t, err)
		stride = func(int) int { return 1 }
	}
	for i := range scenarios {
		t.Run(scenarios[i].name, func(t *testing.T) {
			t.Parallel()
			point := 1
			for crashAt(t, i, point, seeds) {
				point += stride(i)
			}
			require.Greater(t, point, 50, "the scenario has many points")
		})
	}
}

// crashAt runs the scenarios up to the given one, which it crashes at a point. It
// returns false if the scenario ended before that point.
func crashAt(t *testing.T, scenario, point, seeds int) bool {
	t.Helper()
	mem := vfs.NewStrictMem()
	c := &cutAt{Faulty: vfs.NewFaulty(mem), mem: mem, left: point}
	s := &story{probe: openProbe(t, commitlog.Config{FS: c})}
	for i, sc := range scenarios[:scenario+1] {
		if i == scenario {
			c.arm(s, crashesOf(seeds, point))
		}
		sc.run(t, s)
	}
	c.Inject(nil)
	require.NoError(t, s.store.Close())
	for i, mem := range c.crashed {
		note := fmt.Sprintf("point %d, crash %d", point, i)
		after := &story{probe: openProbe(t, commitlog.Config{FS: mem}), values: s.values}
		after.check(t, c.announced, c.floor, note)
		if i != point%len(c.crashed) {
			require.NoError(t, after.store.Close())
			continue
		}
		after.epoch = 1
		after.values = append([]string{}, after.values[:after.End()]...)
		after.append(t, 12)
		require.NoError(t, after.store.WriteCheckpoints())
		announced, floor := after.End(), after.Start()
		again := crashesOf(1, point)(mem)
		require.NoError(t, after.store.Close())
		for k, mem := range again {
			twice := &story{probe: openProbe(t, commitlog.Config{FS: mem}), values: after.values}
			twice.check(t, announced, floor, fmt.Sprintf("%s, then %d", note, k))
			require.NoError(t, twice.store.Close())
		}
	}
	return c.crashed != nil
}

// check compares the log with what it promised.
func (s *story) check(t *testing.T, announced, floor int64, note string) {
	t.Helper()
	require.GreaterOrEqual(t, s.End(), announced, note)
	require.GreaterOrEqual(t, s.Start(), floor, note)
	require.LessOrEqual(t, s.End(), int64(len(s.values)), note)
	got, want := s.probe.values(t), s.values[s.Start():s.End()]
	for i := range min(len(got), len(want)) {
		require.Equal(t, want[i], got[i], "%s: offset %d of %d to %d", note, s.Start()+int64(i), s.Start(), s.End())
	}
	require.Len(t, got, len(want), note)
	for offset := s.Start(); offset < s.End(); offset++ {
		at, ok, err := s.FindTime(t.Context(), offset+1, math.MaxInt64) // a record's time is its offset plus one
		require.NoError(t, err, note)
		require.True(t, ok, note)
		require.Equal(t, offset, at.Offset, note)
	}
	var epochs []storage.Epoch
	require.NoError(t, s.Headers(t.Context(), s.Start(), func(h record.Batch) error {
		if n := len(epochs); n == 0 || epochs[n-1].Epoch < h.LeaderEpoch() {
			epochs = append(epochs, storage.Epoch{Epoch: h.LeaderEpoch(), Start: max(h.BaseOffset(), s.Start())})
		}
		return nil
	}), note)
	if len(epochs) > 0 {
		require.Equal(t, epochs, s.Epochs(), note)
	}
}

// TestTornEpochs cuts the leader epoch file after each of its bytes. What is left
// is whole or is rebuilt, and is never read as another epoch.
func TestTornEpochs(t *testing.T) {
	t.Parallel()
	const name = "/data/t-0/leader-epoch-checkpoint"
	mem := vfs.NewStrictMem()
	s := &story{probe: openProbe(t, commitlog.Config{FS: mem})}
	s.append(t, 12)
	s.epoch = 3
	s.append(t, 12)
	require.NoError(t, s.store.Close())
	whole, err := vfs.ReadFile(mem, name)
	require.NoError(t, err)
	for n := range whole {
		torn := mem.Fork()
		require.NoError(t, torn.Remove("/data/.kafka_cleanshutdown"))
		f, err := torn.OpenFile(name, os.O_RDWR)
		require.NoError(t, err)
		require.NoError(t, f.Truncate(int64(n)))
		after := openProbe(t, commitlog.Config{FS: torn})
		require.Equal(t, []storage.Epoch{{Epoch: 0, Start: 0}, {Epoch: 3, Start: 12}}, after.Epochs(), "%q", whole[:n])
		require.NoError(t, after.store.Close())
	}
}
