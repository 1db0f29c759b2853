package commitlog_test

import (
	"math"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/internal/record"
	"github.com/botehq/bote/internal/storage"
	"github.com/botehq/bote/internal/storage/commitlog"
	"github.com/botehq/bote/internal/storage/vfs"
)

// held returns how many bytes a file occupies on the disk.
func held(t *testing.T, name string) int64 {
	t.Helper()
	info, err := os.Stat(name)
	require.NoError(t, err)
	return info.Sys().(*syscall.Stat_t).Blocks * 512
}

func (p *probe) grow(t *testing.T, bytes int) {
	t.Helper()
	for range bytes >> 20 {
		b := record.Build(p.End()+1, record.KeyValue{Value: make([]byte, 1<<20)})
		b.SetBaseOffset(p.End())
		require.NoError(t, p.Append(b))
	}
}

// TestReservedSpaceIsGivenBack: space is reserved ahead of a growing log. It is
// given back when the log rests, when it is rolled or closed, and after a crash.
func TestReservedSpaceIsGivenBack(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, free, err := vfs.OS{}.Space(dir)
	require.NoError(t, err)
	if free < 9<<30 {
		t.Skip("little room on this disk: nothing is reserved")
	}
	p := openProbe(t, commitlog.Config{Dir: dir, Flush: commitlog.FlushOS})
	p.settings.SegmentBytes = 40 << 20
	first := filepath.Join(p.Dir(), "00000000000000000000.log")
	p.grow(t, 10<<20)
	if held(t, first) < 12<<20 {
		t.Skip("this file system reserves nothing")
	}
	const slack = 1 << 20
	require.NoError(t, p.store.Checkpoint())
	require.NoError(t, p.store.Checkpoint(), "nothing came since the last")
	require.Less(t, held(t, first), int64(11<<20)+slack, "given back to rest")

	p.grow(t, 20<<20)
	require.Greater(t, held(t, first), int64(33<<20))
	p.grow(t, 16<<20)
	require.Less(t, held(t, first), int64(40<<20)+slack, "never more than a segment, and given back when rolled")
	info, err := os.Stat(first)
	require.NoError(t, err)
	require.Less(t, held(t, first), info.Size()+slack)

	p.grow(t, 5<<20)
	require.NoError(t, p.store.Close())
	names, err := filepath.Glob(filepath.Join(p.Dir(), "*.log"))
	require.NoError(t, err)
	require.Greater(t, len(names), 1)
	for _, name := range names {
		info, err := os.Stat(name)
		require.NoError(t, err)
		require.Less(t, held(t, name), info.Size()+slack, "given back when closed")
	}

	// A killed broker leaves it like this.
	require.NoError(t, os.Remove(filepath.Join(dir, ".kafka_cleanshutdown")))
	last := names[len(names)-1]
	f, err := os.OpenFile(last, os.O_RDWR, 0)
	require.NoError(t, err)
	info, err = f.Stat()
	require.NoError(t, err)
	require.NoError(t, syscall.Fallocate(int(f.Fd()), 1, info.Size(), 30<<20))
	require.NoError(t, f.Close())
	require.Greater(t, held(t, last), info.Size()+20<<20)
	p = openProbe(t, commitlog.Config{Dir: dir, Flush: commitlog.FlushOS})
	require.Less(t, held(t, last), info.Size()+slack, "given back after a crash")
	require.NoError(t, p.store.Close())
}

// TestSpaceThatCannotBeReserved: a disk without space to reserve may still have
// enough to write.
func TestSpaceThatCannotBeReserved(t *testing.T) {
	t.Parallel()
	faulty := vfs.NewFaulty(vfs.NewMem())
	tried := 0
	faulty.Inject(func(op vfs.Op, _ string) error {
		if op == vfs.OpPreallocate {
			tried++
			return syscall.ENOSPC
		}
		return nil
	})
	p := openProbe(t, commitlog.Config{FS: faulty, Flush: commitlog.FlushOS})
	p.settings.SegmentBytes = 1 << 30
	p.grow(t, 20<<20)
	require.Equal(t, 1, tried, "not again and again")
	require.Equal(t, int64(20), p.End())
	c, err := p.Read(t.Context(), storage.Range{From: 19, To: math.MaxInt64, MaxBytes: 1, AtLeastOne: true})
	require.NoError(t, err)
	c.Release()
	require.NoError(t, p.store.Close())
}
