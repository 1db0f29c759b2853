package commitlog_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/internal/record"
	"github.com/botehq/bote/internal/storage"
	"github.com/botehq/bote/internal/storage/commitlog"
	"github.com/botehq/bote/internal/storage/vfs"
	"github.com/botehq/bote/internal/topic"
)

// flipBed is a stopped data directory in memory with one log. The log has several
// segments, their indexes, two leader epochs, snapshots, and a start inside a batch.
type flipBed struct {
	mem   *vfs.Mem
	part  storage.Partition
	truth flipView
}

const flipDir = "/data"

// flipView is everything that can be read of a log. An empty text stands for an error.
type flipView struct {
	start, end int64
	epochs     string
	reads      map[int64]string // by offset
	times      map[int64]string // by timestamp
	maxTime    string
	snapshot   string
}

func (b *flipBed) hooks(state func() ([]byte, int64)) storage.Hooks {
	set := storage.Settings{SegmentBytes: 3000, SegmentMs: math.MaxInt64, IndexBytes: 1 << 20, IndexInterval: 150, RetentionMs: -1, RetentionBytes: -1}
	return storage.Hooks{
		Settings: func() storage.Settings { return set }, Durable: func(int64) {}, Failed: func(error) {},
		Snapshot: state, ValidSnapshot: func(raw []byte) bool {
			return len(raw) >= 10 && binary.BigEndian.Uint32(raw[2:]) == crc32.Checksum(raw[6:], crc32.MakeTable(crc32.Castagnoli))
		},
		Deletable: func() int64 { return math.MaxInt64 }, Turn: func(f func() error) error { return f() }, StartMoved: func(int64) {},
	}
}

// flipSnapshot is a producer snapshot of one producer, as package partition writes it.
func flipSnapshot(last int64) []byte {
	out := binary.BigEndian.AppendUint16(nil, 1)
	out = append(out, 0, 0, 0, 0, 0, 0, 0, 1)
	out = binary.BigEndian.AppendUint64(out, 7)
	out = append(out, 0, 0, 0, 0, 0, 1)
	out = binary.BigEndian.AppendUint64(out, uint64(last))
	out = append(out, make([]byte, 16)...)
	out = binary.BigEndian.AppendUint64(out, math.MaxUint64)
	binary.BigEndian.PutUint32(out[2:], crc32.Checksum(out[6:], crc32.MakeTable(crc32.Castagnoli)))
	return out
}

// flips is how many bits of a file are tried; the environment variable BOTE_FLIPS
// changes it.
func flips(t *testing.T, few int) int {
	t.Helper()
	if text := os.Getenv("BOTE_FLIPS"); text != "" {
		n, err := strconv.Atoi(text)
		require.NoError(t, err)
		return n
	}
	return few
}

const (
	flipBatches = 60
	flipRecords = 3
	flipTime    = int64(1_700_000_000_000)
)

func newFlipBed(t *testing.T) *flipBed {
	t.Helper()
	b := &flipBed{mem: vfs.NewMem(), part: storage.Partition{Topic: "flips", ID: topic.NewID()}}
	require.NoError(t, commitlog.WriteIdentity(b.mem, flipDir, commitlog.Identity{ClusterID: "MkU3OEVBNTcwNTJENDM2Qg", NodeID: 1, DirectoryID: "MkU3OEVBNTcwNTJENDM2Qh"}))
	store, err := commitlog.Open(commitlog.Config{FS: b.mem, Dir: flipDir})
	require.NoError(t, err)
	end := int64(0)
	log, _, err := store.OpenLog(t.Context(), b.part, b.hooks(func() ([]byte, int64) { return flipSnapshot(end - 1), end }))
	require.NoError(t, err)
	for i := range flipBatches {
		var records []record.KeyValue
		for j := range flipRecords {
			records = append(records, record.KeyValue{Key: fmt.Appendf(nil, "%d.%d", i, j), Value: bytes.Repeat([]byte{byte(i)}, 40)})
		}
		batch := record.Build(flipTime+int64(i*10), records...)
		batch.SetBaseOffset(end)
		batch.SetLeaderEpoch(int32(i / 25))
		require.NoError(t, log.Append(batch))
		end += flipRecords
	}
	require.NoError(t, log.SetStart(t.Context(), 7))
	require.NoError(t, store.Close())
	b.truth, err = b.view(t, b.mem.Fork())
	require.NoError(t, err)
	require.Equal(t, int64(7), b.truth.start)
	require.Len(t, b.truth.reads, flipBatches*flipRecords-7)
	return b
}

// view opens the directory as a broker does and reads everything. An error means that
// the broker refuses the directory.
func (b *flipBed) view(t *testing.T, fs *vfs.Mem) (v flipView, err error) {
	t.Helper()
	if _, err := commitlog.ReadIdentity(fs, flipDir); err != nil {
		return v, err
	}
	store, err := commitlog.Open(commitlog.Config{FS: fs, Dir: flipDir})
	if err != nil {
		return v, err
	}
	defer func() { require.NoError(t, store.Close()) }()
	err = store.SetAside(func(name string) (topic.ID, bool) { return b.part.ID, name == b.part.Topic })
	if err != nil {
		return v, err
	}
	log, rec, err := store.OpenLog(t.Context(), b.part, b.hooks(func() ([]byte, int64) { return nil, 0 }))
	if err != nil {
		return v, err
	}
	v = flipView{start: log.Start(), end: log.End(), epochs: fmt.Sprint(log.Epochs()), reads: map[int64]string{}, times: map[int64]string{}}
	if rec.Snapshot != nil {
		v.snapshot = fmt.Sprintf("%d %x", rec.SnapshotEnd, rec.Snapshot)
	}
	for at := log.Start(); at < min(log.End(), flipBatches*flipRecords); at++ {
		v.reads[at] = readOne(log, at)
	}
	for ts := flipTime - 5; ts < flipTime+flipBatches*10; ts += 7 {
		s, ok, err := log.FindTime(context.Background(), ts, math.MaxInt64)
		v.times[ts] = unlessError(fmt.Sprint(s, ok), err)
	}
	s, ok, err := log.FindMaxTime(context.Background(), math.MaxInt64)
	v.maxTime = unlessError(fmt.Sprint(s, ok), err)
	return v, nil
}

func unlessError(text string, err error) string {
	if err != nil {
		return ""
	}
	return text
}

// readOne returns the first batch of a read from an offset.
func readOne(log storage.Log, at int64) string {
	c, err := log.Read(context.Background(), storage.Range{From: at, To: math.MaxInt64, MaxBytes: 1, AtLeastOne: true})
	if err != nil {
		return ""
	}
	defer c.Release()
	return "batch " + string(c.Data)
}

func (b *flipBed) files(t *testing.T) []string {
	t.Helper()
	var out []string
	for _, dir := range []string{flipDir, flipDir + "/flips-0"} {
		entries, err := b.mem.ReadDir(dir)
		require.NoError(t, err)
		for _, e := range entries {
			if !e.Dir && e.Size > 0 {
				out = append(out, dir+"/"+e.Name)
			}
		}
	}
	return out
}

// flipped returns a copy of the directory with one bit of a file changed.
func (b *flipBed) flipped(t *testing.T, name string, at, bit int) *vfs.Mem {
	t.Helper()
	fs := b.mem.Fork()
	raw, err := vfs.ReadFile(fs, name)
	require.NoError(t, err)
	f, err := fs.OpenFile(name, os.O_RDWR)
	require.NoError(t, err)
	_, err = f.WriteAt([]byte{raw[at] ^ 1<<bit}, int64(at))
	require.NoError(t, err)
	require.NoError(t, f.Close())
	return fs
}

func (b *flipBed) size(t *testing.T, name string) int {
	t.Helper()
	info, err := b.mem.Stat(name)
	require.NoError(t, err)
	return int(info.Size)
}

func (b *flipBed) metadata() (map[string]commitlog.CheckTopic, []commitlog.Finding, error) {
	return map[string]commitlog.CheckTopic{b.part.Topic: {ID: b.part.ID, Partitions: 1}}, nil, nil
}

// TestFlippedBitIsNotBelieved flips one bit in the files around the batches of a
// stopped directory: every bit of small files, random bits of the rest. Either a broker
// then refuses to start and the check names damage, or the broker finds everything as
// it was.
func TestFlippedBitIsNotBelieved(t *testing.T) {
	t.Parallel()
	b := newFlipBed(t)
	rng := rand.New(rand.NewPCG(3, 5))
	for _, name := range b.files(t) {
		if strings.HasSuffix(name, ".log") {
			continue
		}
		t.Run(filepath.Base(name), func(t *testing.T) {
			most := flips(t, 40)
			refused, named, bits := 0, 0, b.size(t, name)*8
			for i := range min(bits, most) {
				if bits > most {
					i = rng.IntN(bits)
				}
				fs := b.flipped(t, name, i/8, i%8)
				r, err := commitlog.Check(t.Context(), commitlog.CheckConfig{FS: fs, Dir: flipDir, Metadata: b.metadata})
				require.NoError(t, err)
				v, err := b.view(t, fs)
				if err != nil {
					require.Positive(t, r.Damaged(), "%s byte %d bit %d: check finds nothing, but the broker refuses: %v", name, i/8, i%8, err)
					refused++
					continue
				}
				if r.Damaged() > 0 {
					named++
				}
				v.snapshot = b.truth.snapshot // with an older one, or none, the partition reads more
				require.Equal(t, b.truth, v, "%s byte %d bit %d", name, i/8, i%8)
			}
			t.Logf("%d of %d bits: %d refused, %d named by the check and made good by the broker", min(bits, most), bits, refused, named)
		})
	}
}

// TestFlippedBatch flips random bits in segments. After a clean stop a broker serves
// all other batches as they were, and the damaged one as it is or not at all. After a
// kill it cuts the log there and serves nothing whose checksum is wrong. The check
// names the damaged batch.
func TestFlippedBatch(t *testing.T) {
	t.Parallel()
	b := newFlipBed(t)
	rng := rand.New(rand.NewPCG(11, 13))
	for _, name := range b.files(t) {
		if !strings.HasSuffix(name, ".log") {
			continue
		}
		batches := batchesOf(t, b.mem, name)
		for range flips(t, 25) {
			hurt := batches[rng.IntN(len(batches))]
			at := rng.IntN(hurt.size)
			if rng.IntN(2) == 0 {
				at = rng.IntN(record.HeaderSize) // headers are what the engine looks at
			}
			fs := b.flipped(t, name, hurt.at+at, rng.IntN(8))
			what := fmt.Sprintf("%s, batch at %d, byte %d", name, hurt.at, at)
			if hurt.last >= b.truth.start {
				b.mustName(t, fs, name, hurt, what)
			}
			b.mustServeOthers(t, fs.Fork(), hurt, at, what)
			require.NoError(t, fs.Remove(flipDir+"/.kafka_cleanshutdown"))
			b.mustNotServe(t, fs, hurt, at, what)
		}
	}
}

// TestCleanStopIsNotCut: after a clean stop the end of the log is known, so a batch
// before it that is not whole is damage and no torn write. Cutting the log there would
// remove it and the good batches behind it, all of which were acknowledged.
func TestCleanStopIsNotCut(t *testing.T) {
	t.Parallel()
	b := newFlipBed(t)
	names := b.files(t)
	name := names[len(names)-1]
	for _, n := range names {
		if strings.HasSuffix(n, ".log") {
			name = n
		}
	}
	batches := batchesOf(t, b.mem, name)
	hurt := batches[len(batches)-1]
	fs := b.flipped(t, name, hurt.at+8, 6) // its length
	before, err := vfs.ReadFile(fs, name)
	require.NoError(t, err)
	_, err = b.view(t, fs)
	require.ErrorContains(t, err, fmt.Sprintf("is damaged at byte %d, offset %d", hurt.at, hurt.first))
	after, err := vfs.ReadFile(fs, name)
	require.NoError(t, err)
	require.Equal(t, before, after)
}

// flipBatch says where a batch is.
type flipBatch struct {
	at, size    int
	first, last int64
}

func batchesOf(t *testing.T, fs vfs.FS, name string) (out []flipBatch) {
	t.Helper()
	raw, err := vfs.ReadFile(fs, name)
	require.NoError(t, err)
	for rest := raw; len(rest) > 0; {
		var batch record.Batch
		at := len(raw) - len(rest)
		batch, rest, err = record.Split(rest)
		require.NoError(t, err)
		out = append(out, flipBatch{at: at, size: len(batch), first: batch.BaseOffset(), last: batch.LastOffset()})
	}
	return out
}

// mustName requires that the check finds the damaged batch, and that what is behind it
// is good.
func (b *flipBed) mustName(t *testing.T, fs *vfs.Mem, name string, hurt flipBatch, what string) {
	t.Helper()
	r, err := commitlog.Check(t.Context(), commitlog.CheckConfig{FS: fs, Dir: flipDir})
	require.NoError(t, err)
	damage := found(r, true)
	require.NotEmpty(t, damage, what)
	want := fmt.Sprintf("damage flips-0/%s @%d offset ", filepath.Base(name), hurt.at)
	require.Contains(t, strings.Join(damage, "\n"), want, what)
	require.Len(t, damage, 1, "%s: one bit is one finding", what)
	require.GreaterOrEqual(t, r.Partitions[0].Batches, int64(flipBatches-1), what)
}

// steers reports whether a byte of the header says where a batch lies or which offsets
// it has. Readers use those bytes without verifying the checksum, as Apache Kafka's do.
func steers(at int) bool { return at < 27 }

// covered is the position from which a flipped bit makes the checksum wrong or
// impossible to compute.
const covered = 16

// mustServeOthers requires that every other batch can be read after a clean stop.
func (b *flipBed) mustServeOthers(t *testing.T, fs *vfs.Mem, hurt flipBatch, at int, what string) {
	t.Helper()
	v, err := b.view(t, fs)
	if err != nil {
		return
	}
	for offset, want := range b.truth.reads {
		got, there := v.reads[offset]
		switch {
		case offset >= hurt.first && offset <= hurt.last:
		case !there || got == "":
			require.True(t, steers(at), "%s: offset %d is gone", what, offset)
		case !steers(at):
			require.Equal(t, want, got, "%s: offset %d", what, offset)
		default:
			// A wrong base offset or length leads readers astray, but whatever they get is
			// batches as they were stored.
			require.True(t, b.stored(got, offset), "%s: offset %d", what, offset)
		}
	}
}

// stored reports whether what was read is one of the batches, or the damaged one, which
// a reader would recognise.
func (b *flipBed) stored(got string, offset int64) bool {
	batch := record.Batch(strings.TrimPrefix(got, "batch "))
	if len(batch) < record.HeaderSize {
		return len(batch) == 0
	}
	if !batch.ValidCRC() {
		return true
	}
	return batch.LastOffset() >= offset
}

// mustNotServe starts on the directory as after a kill. The recovery point is made 0,
// so the flipped batch lies above it.
func (b *flipBed) mustNotServe(t *testing.T, fs *vfs.Mem, hurt flipBatch, at int, what string) {
	t.Helper()
	require.NoError(t, fs.Remove(flipDir+"/recovery-point-offset-checkpoint"))
	v, err := b.view(t, fs)
	require.NoError(t, err, what)
	if at >= covered {
		require.LessOrEqual(t, v.end, max(hurt.first, v.start), what)
	}
	for offset, got := range v.reads {
		if got == "" || got == "batch " {
			continue
		}
		batch := record.Batch(strings.TrimPrefix(got, "batch "))
		require.True(t, batch.ValidCRC(), "%s: offset %d", what, offset)
	}
}
