package proc_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/bench/proc"
)

func TestCPUSecondsGrowWithWork(t *testing.T) {
	t.Parallel()
	before, err := proc.CPUSeconds(os.Getpid())
	require.NoError(t, err)
	sum := 0
	for began := time.Now(); time.Since(began) < 150*time.Millisecond; {
		sum++
	}
	require.Positive(t, sum)
	after, err := proc.CPUSeconds(os.Getpid())
	require.NoError(t, err)
	require.Greater(t, after, before)
	require.Less(t, after, before+60)
}

func TestMemoryOf(t *testing.T) {
	t.Parallel()
	m, err := proc.MemoryOf(os.Getpid())
	require.NoError(t, err)
	require.Greater(t, m.Resident, 1.0)
	require.GreaterOrEqual(t, m.Peak, m.Resident*0.9, "the kernel counts both with some delay")
	require.NoError(t, proc.ResetPeak(os.Getpid()))
	_, err = proc.MemoryOf(1 << 30)
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestDescribe(t *testing.T) {
	t.Parallel()
	m := proc.Describe(t.TempDir())
	require.Positive(t, m.Cores)
	require.Positive(t, m.MemoryGB)
	require.NotEmpty(t, m.Kernel)
	require.NotEmpty(t, m.FileSystem)
	require.Equal(t, "proc", proc.Describe("/proc/self").FileSystem, "the longest mount point wins")
}

func TestEvict(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a"), make([]byte, 1<<20), 0o600))
	require.NoError(t, proc.Evict(dir))
	text, err := os.ReadFile(filepath.Join(dir, "a"))
	require.NoError(t, err)
	require.Len(t, text, 1<<20)
	require.ErrorIs(t, proc.Evict(filepath.Join(dir, "none")), os.ErrNotExist)
}
