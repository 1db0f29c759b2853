package commitlog_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"log/slog"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/internal/record"
	"github.com/botehq/bote/internal/storage"
	"github.com/botehq/bote/internal/storage/commitlog"
	"github.com/botehq/bote/internal/storage/storagetest"
	"github.com/botehq/bote/internal/storage/vfs"
)

// stopped returns a data directory after a clean stop, with one log of ten batches of
// one record each, and the bytes of its only segment.
func stopped(t *testing.T) (mem *vfs.Mem, log []byte) {
	t.Helper()
	mem = vfs.NewMem()
	p := openProbe(t, commitlog.Config{FS: mem})
	for i := range 10 {
		require.NoError(t, p.Append(p.batch(fmt.Sprint(i))))
	}
	require.NoError(t, p.SetStart(t.Context(), 1))
	require.NoError(t, p.store.Close())
	log, err := vfs.ReadFile(mem, stoppedLog)
	require.NoError(t, err)
	return mem, log
}

const (
	stoppedDir = "/data/t-0"
	stoppedLog = stoppedDir + "/00000000000000000000.log"
)

// startAgain opens the log of a stopped directory and returns the error if it cannot.
func startAgain(t *testing.T, mem *vfs.Mem, change ...func(*storage.Hooks)) (rec storage.Recovered, err error) {
	t.Helper()
	store, err := commitlog.Open(commitlog.Config{FS: mem, Dir: "/data"})
	require.NoError(t, err)
	defer func() { require.NoError(t, store.Close()) }()
	hooks := storage.Hooks{
		Settings: func() storage.Settings { return storagetest.Settings }, Durable: func(int64) {}, Failed: func(error) {},
		Snapshot: func() ([]byte, int64) { return nil, 0 }, Turn: func(f func() error) error { return f() },
	}
	for _, f := range change {
		f(&hooks)
	}
	_, rec, err = store.OpenLog(t.Context(), testPartition, hooks)
	return rec, err
}

// TestCleanStopIsNotShorter: after a clean stop the end of the log is known. A log that
// ends elsewhere is refused, and its files stay.
func TestCleanStopIsNotShorter(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(log []byte) []byte{
		"the last batch is missing": func(log []byte) []byte { return log[:len(log)/10*9] },
		"all batches are missing":   func([]byte) []byte { return nil },
		"the last batch is torn":    func(log []byte) []byte { return log[:len(log)-1] },
		"a base offset is too high": func(log []byte) []byte {
			record.Batch(log[len(log)/10*8:]).SetBaseOffset(8 | 1<<20)
			return log
		},
		"a length is too large": func(log []byte) []byte {
			log[len(log)/10*8+8] |= 0x10
			return log
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mem, log := stopped(t)
			log = damage(log)
			require.NoError(t, vfs.WriteFile(mem, stoppedDir, "00000000000000000000.log", log))
			_, err := startAgain(t, mem)
			require.ErrorContains(t, err, "the log ended at 10")
			left, err := vfs.ReadFile(mem, stoppedLog)
			require.NoError(t, err)
			require.Len(t, left, len(log), "nothing was cut off")
		})
	}
	t.Run("the segment is missing", func(t *testing.T) {
		t.Parallel()
		mem, _ := stopped(t)
		require.NoError(t, mem.Remove(stoppedLog))
		_, err := startAgain(t, mem)
		require.ErrorContains(t, err, "the log ended at 10")
	})
}

// TestBytesBehindACleanStop: bytes behind the recorded end were never part of the log;
// Apache Kafka preallocates zeros.
func TestBytesBehindACleanStop(t *testing.T) {
	t.Parallel()
	mem, log := stopped(t)
	require.NoError(t, vfs.WriteFile(mem, stoppedDir, "00000000000000000000.log", append(log, make([]byte, 500)...)))
	_, err := startAgain(t, mem)
	require.NoError(t, err)
	left, err := vfs.ReadFile(mem, stoppedLog)
	require.NoError(t, err)
	require.Len(t, left, len(log))
}

// TestLogStartBehindTheEnd: a clean stop cannot leave a log start above the end. Such a
// start must not remove the whole log.
func TestLogStartBehindTheEnd(t *testing.T) {
	t.Parallel()
	mem, log := stopped(t)
	require.NoError(t, vfs.WriteFile(mem, "/data", "log-start-offset-checkpoint", []byte("0\n1\nt 0 91\n")))
	_, err := startAgain(t, mem)
	require.ErrorContains(t, err, "log-start-offset-checkpoint")
	left, err := vfs.ReadFile(mem, stoppedLog)
	require.NoError(t, err)
	require.Equal(t, log, left)
}

// TestDamagedSnapshotAfterACleanStop: the batches give the same state.
func TestDamagedSnapshotAfterACleanStop(t *testing.T) {
	t.Parallel()
	mem := vfs.NewMem()
	hooks := func(h *storage.Hooks) {
		h.Snapshot = func() ([]byte, int64) { return []byte("state"), 1 }
		h.ValidSnapshot = func(raw []byte) bool { return string(raw) == "state" }
	}
	store, err := commitlog.Open(commitlog.Config{FS: mem, Dir: "/data"})
	require.NoError(t, err)
	h := storage.Hooks{Settings: func() storage.Settings { return storagetest.Settings }, Durable: func(int64) {}, Failed: func(error) {}, Turn: func(f func() error) error { return f() }}
	hooks(&h)
	l, _, err := store.OpenLog(t.Context(), testPartition, h)
	require.NoError(t, err)
	require.NoError(t, l.Append(record.Build(1, record.KeyValue{})))
	require.NoError(t, store.Close())
	require.NoError(t, vfs.WriteFile(mem, stoppedDir, "00000000000000000001.snapshot", []byte("stat?")))
	rec, err := startAgain(t, mem, hooks)
	require.NoError(t, err)
	require.Nil(t, rec.Snapshot)
	require.Zero(t, rec.SnapshotEnd, "the batches have to be looked at")
}

// TestDamagedLengthAllocatesLittle: a damaged length field must not allocate gigabytes.
// The test is not parallel: it counts what the process allocates.
func TestDamagedLengthAllocatesLittle(t *testing.T) {
	mem := vfs.NewMem()
	p := openProbe(t, commitlog.Config{FS: mem, Flush: commitlog.FlushOS})
	for i := range 10 {
		require.NoError(t, p.Append(p.batch(fmt.Sprint(i))))
	}
	f, err := mem.OpenFile(stoppedLog, os.O_RDWR)
	require.NoError(t, err)
	size, err := f.Size()
	require.NoError(t, err)
	_, err = f.WriteAt(binary.BigEndian.AppendUint32(nil, 1<<30), size/10*9+8)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	took := allocated(func() {
		_, err = p.Read(t.Context(), storage.Range{From: 9, To: 10, MaxBytes: 1000, AtLeastOne: true})
		require.Error(t, err)
		_, _, err = p.FindTime(t.Context(), 10, 10)
		require.Error(t, err)
	})
	require.Less(t, took, uint64(1<<20))
	require.NoError(t, p.store.Close())
}

// TestDamageBelowTheRecoveryPoint: after a crash, a damaged batch below the recovery
// point is no torn write, for it was on the disk before. What is behind it is kept: the
// batch is served as it is, or, if nothing says where the next one begins, the start is
// refused.
func TestDamageBelowTheRecoveryPoint(t *testing.T) {
	t.Parallel()
	for at := range 10 {
		for name, damage := range map[string]func(b record.Batch){
			"value":  func(b record.Batch) { b[len(b)-2] ^= 1 },
			"delta":  func(b record.Batch) { b[25] ^= 1 },
			"length": func(b record.Batch) { b[9] ^= 1 },
			"magic":  func(b record.Batch) { b[16] ^= 1 },
		} {
			t.Run(fmt.Sprint(name, " ", at), func(t *testing.T) {
				t.Parallel()
				mem := vfs.NewMem()
				p := openProbe(t, commitlog.Config{FS: mem})
				for i := range 10 {
					require.NoError(t, p.Append(p.batch(fmt.Sprint(i))))
				}
				require.NoError(t, p.store.Checkpoint())
				require.NoError(t, p.Append(p.batch("10")))
				killed := mem.Fork()
				require.NoError(t, p.store.Close())
				log, err := vfs.ReadFile(killed, stoppedLog)
				require.NoError(t, err)
				size := len(log) / 11
				damage(record.Batch(log[at*size : (at+1)*size]))
				require.NoError(t, vfs.WriteFile(killed, stoppedDir, "00000000000000000000.log", log))

				again, err := commitlog.Open(commitlog.Config{FS: killed, Dir: "/data"})
				require.NoError(t, err)
				defer func() { require.NoError(t, again.Close()) }()
				l, _, err := again.OpenLog(t.Context(), testPartition, storage.Hooks{
					Settings: func() storage.Settings { return storagetest.Settings }, Durable: func(int64) {}, Failed: func(error) {},
				})
				left, rerr := vfs.ReadFile(killed, stoppedLog)
				require.NoError(t, rerr)
				require.Equal(t, log, left, "nothing was cut off")
				if err != nil {
					require.ErrorContains(t, err, "was on the disk before the crash")
					require.NotEqual(t, "value", name)
					return
				}
				require.Equal(t, int64(11), l.End())
			})
		}
	}
}

// TestRecoveryPointBehindTheEnd: a log that lost what the disk had confirmed goes on,
// and its next crash is judged by what was appended since.
func TestRecoveryPointBehindTheEnd(t *testing.T) {
	t.Parallel()
	mem := vfs.NewMem()
	p := openProbe(t, commitlog.Config{FS: mem})
	for i := range 10 {
		require.NoError(t, p.Append(p.batch(fmt.Sprint(i))))
	}
	require.NoError(t, p.store.Checkpoint())
	killed := mem.Fork()
	require.NoError(t, p.store.Close())
	log, err := vfs.ReadFile(killed, stoppedLog)
	require.NoError(t, err)
	require.NoError(t, vfs.WriteFile(killed, stoppedDir, "00000000000000000000.log", log[:len(log)/2]))

	p = openProbe(t, commitlog.Config{FS: killed})
	require.Equal(t, int64(5), p.End())
	require.NoError(t, p.Append(p.batch("new")))
	torn := killed.Fork()
	require.NoError(t, p.store.Close())
	require.NoError(t, vfs.WriteFile(torn, stoppedDir, "00000000000000000000.log", log[:len(log)/2+30]))

	p = openProbe(t, commitlog.Config{FS: torn})
	require.Equal(t, []string{"0", "1", "2", "3", "4"}, p.values(t))
	require.NoError(t, p.store.Close())
}

// TestNamesThatAreNoSegments: a sign is no digit, though a number parser may accept it.
func TestNamesThatAreNoSegments(t *testing.T) {
	t.Parallel()
	mem, log := stopped(t)
	for _, name := range []string{"+0000000000000000003.log", "-0000000000000000003.log", "99999999999999999999.log"} {
		require.NoError(t, vfs.WriteFile(mem, stoppedDir, name, log))
	}
	_, err := startAgain(t, mem)
	require.NoError(t, err)
}

// TestLastOffsets: no record can have the largest offset, since the end lies behind it.
func TestLastOffsets(t *testing.T) {
	t.Parallel()
	const most = math.MaxInt64
	mem := vfs.NewMem()
	store, err := commitlog.Open(commitlog.Config{FS: mem, Dir: "/data"})
	require.NoError(t, err)
	hooks := storage.Hooks{Settings: func() storage.Settings { return storagetest.Settings }, Durable: func(int64) {}, Failed: func(error) {}}
	_, _, err = store.OpenLog(t.Context(), testPartition, hooks)
	require.NoError(t, err)
	require.NoError(t, store.Close())
	b := record.Build(1, record.KeyValue{}, record.KeyValue{})
	b.SetBaseOffset(most - 2)
	c := record.Build(1, record.KeyValue{})
	c.SetBaseOffset(most)
	require.NoError(t, mem.Remove(stoppedLog))
	require.NoError(t, mem.Remove("/data/.kafka_cleanshutdown"))
	require.NoError(t, vfs.WriteFile(mem, stoppedDir, fmt.Sprintf("%020d.log", most-5), append(b, c...)))

	p := openProbe(t, commitlog.Config{FS: mem})
	require.Equal(t, int64(most), p.End())
	c.SetBaseOffset(most)
	require.ErrorContains(t, p.Append(c), "no offsets")
	chunk, err := p.Read(t.Context(), storage.Range{From: most - 1, To: most, MaxBytes: 1000})
	require.NoError(t, err)
	require.Len(t, chunk.Data, len(b))
	chunk.Release()
	require.NoError(t, p.store.Close())
	_, err = startAgain(t, mem)
	require.NoError(t, err)
}

// TestEpochsOlderThanTheBatches: after a crash the file of leader epochs may lack
// epochs of batches below the recovery point.
func TestEpochsOlderThanTheBatches(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]string{"none": "0\n0\n", "behind the end": "0\n1\n0 50\n"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mem := vfs.NewMem()
			p := openProbe(t, commitlog.Config{FS: mem})
			for i := range 10 {
				require.NoError(t, p.Append(p.batch(fmt.Sprint(i))))
			}
			require.NoError(t, p.store.Checkpoint())
			killed := mem.Fork()
			require.NoError(t, p.store.Close())
			require.NoError(t, vfs.WriteFile(killed, stoppedDir, "leader-epoch-checkpoint", []byte(content)))
			for range 2 { // after the crash, and after the clean stop that follows
				p = openProbe(t, commitlog.Config{FS: killed})
				require.Equal(t, []storage.Epoch{{Epoch: 0, Start: 0}}, p.Epochs())
				require.NoError(t, p.store.Close())
			}
		})
	}
}

// TestWrongOffsetLeadsNobodyAstray: a sequential reader goes on where the last read
// ended. A damaged base offset can make that a place before the batch that it wants.
func TestWrongOffsetLeadsNobodyAstray(t *testing.T) {
	t.Parallel()
	mem := vfs.NewMem()
	p := openProbe(t, commitlog.Config{FS: mem, Flush: commitlog.FlushOS})
	for i := range 10 {
		require.NoError(t, p.Append(p.batch(fmt.Sprint(i))))
	}
	f, err := mem.OpenFile(stoppedLog, os.O_RDWR)
	require.NoError(t, err)
	size, err := f.Size()
	require.NoError(t, err)
	_, err = f.WriteAt([]byte{5}, size/10*3+7) // 3 becomes 5
	require.NoError(t, err)
	require.NoError(t, f.Close())
	for _, from := range []int64{3, 6} {
		c, err := p.Read(t.Context(), storage.Range{From: from, To: 10, MaxBytes: int(size / 10)})
		require.NoError(t, err)
		require.GreaterOrEqual(t, record.Batch(c.Data).LastOffset(), from)
		c.Release()
	}
	require.NoError(t, p.store.Close())
}

// TestMissingSegment: each start reports a segment whose records are gone, and readers
// go on behind it. Indexes that are leftovers of a removed segment are removed.
func TestMissingSegment(t *testing.T) {
	t.Parallel()
	mem := vfs.NewMem()
	var logged bytes.Buffer
	cfg := commitlog.Config{FS: mem, Logger: slog.New(slog.NewTextHandler(&logged, nil))}
	p := openProbe(t, cfg)
	p.settings.SegmentBytes = 300
	for i := range 20 {
		require.NoError(t, p.Append(p.batch(fmt.Sprint(i))))
	}
	require.NoError(t, p.store.Close())
	names, err := mem.Names(stoppedDir)
	require.NoError(t, err)
	var segments []string
	for _, name := range names {
		if base, ok := strings.CutSuffix(name, ".log"); ok {
			segments = append(segments, base)
		}
	}
	slices.Sort(segments)
	require.Greater(t, len(segments), 3)
	const name = "00000000000000000001.index" // in the middle of the first segment
	require.NoError(t, vfs.WriteFile(mem, stoppedDir, name, make([]byte, 8)))
	require.NoError(t, mem.Remove(stoppedDir+"/"+segments[1]+".log"))
	from, err := strconv.Atoi(segments[1])
	require.NoError(t, err)
	next, err := strconv.Atoi(segments[2])
	require.NoError(t, err)
	for range 2 {
		logged.Reset()
		p = openProbe(t, cfg)
		require.Equal(t, 1, strings.Count(logged.String(), "a segment is missing"), logged.String())
		require.Contains(t, logged.String(), fmt.Sprintf("from=%d to=%d", from, next-1))
		there, err := vfs.Exists(mem, stoppedDir+"/"+name)
		require.NoError(t, err)
		require.False(t, there)
		c, err := p.Read(t.Context(), storage.Range{From: int64(from), To: p.End(), MaxBytes: 1 << 20})
		require.NoError(t, err)
		require.Equal(t, int64(next), record.Batch(c.Data).BaseOffset())
		c.Release()
		require.NoError(t, p.store.Close())
	}
}
