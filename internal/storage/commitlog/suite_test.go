package commitlog_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/botehq/bote/internal/storage"
	"github.com/botehq/bote/internal/storage/commitlog"
	"github.com/botehq/bote/internal/storage/storagetest"
	"github.com/botehq/bote/internal/storage/vfs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// engine runs the suite on a file system in memory that remembers what was synced,
// or on a real directory.
type engine struct {
	fs    vfs.FS
	mem   *vfs.Mem
	dir   string
	flush commitlog.FlushMode
	store *commitlog.Store
	cut   func(*vfs.Mem) *vfs.Mem // what a crash leaves
}

func (e *engine) start(t *testing.T) {
	t.Helper()
	var err error
	e.store, err = commitlog.Open(commitlog.Config{FS: e.fs, Dir: e.dir, Flush: e.flush})
	require.NoError(t, err)
}

func (e *engine) Open(t *testing.T, p storage.Partition, h storage.Hooks) (storage.Log, storage.Recovered) {
	t.Helper()
	l, rec, err := e.store.OpenLog(t.Context(), p, h)
	require.NoError(t, err)
	return l, rec
}

func (e *engine) Restart(t *testing.T) {
	t.Helper()
	require.NoError(t, e.store.Close())
	e.start(t)
	require.True(t, e.store.Clean())
}

// Crash leaves the old store running on the old file system; nobody sees what it
// writes from here on.
func (e *engine) Crash(t *testing.T) {
	t.Helper()
	old := e.store
	after := e.cut(e.mem)
	e.fs, e.mem = after, after
	e.start(t)
	require.False(t, e.store.Clean())
	require.NoError(t, old.Close())
}

// cuts are ways to crash: the worst, a kill, and power cuts by seed.
func cuts() map[string]func() func(*vfs.Mem) *vfs.Mem {
	all := map[string]func() func(*vfs.Mem) *vfs.Mem{
		"worst": func() func(*vfs.Mem) *vfs.Mem { return (*vfs.Mem).Crash },
		"kill":  func() func(*vfs.Mem) *vfs.Mem { return (*vfs.Mem).Fork },
	}
	for seed := range uint64(20) {
		all[fmt.Sprintf("seed %d", seed)] = func() func(*vfs.Mem) *vfs.Mem {
			rng := rand.New(rand.NewPCG(seed, 0))
			return func(m *vfs.Mem) *vfs.Mem { return m.CrashRandomly(rng) }
		}
	}
	return all
}

func TestSuiteInMemory(t *testing.T) {
	t.Parallel()
	for name, cut := range cuts() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storagetest.Run(t, func(t *testing.T) storagetest.Engine {
				t.Helper()
				mem := vfs.NewStrictMem()
				e := &engine{fs: mem, mem: mem, dir: "/data", cut: cut()}
				e.start(t)
				t.Cleanup(func() { require.NoError(t, e.store.Close()) })
				return e
			})
		})
	}
}

// diskEngine uses the operating system's files. A kill is a copy of the directory,
// made while the store is at work.
type diskEngine struct{ engine }

func (e *diskEngine) Crash(t *testing.T) {
	t.Helper()
	after := t.TempDir()
	require.NoError(t, os.CopyFS(after, os.DirFS(e.dir)))
	require.NoError(t, e.store.Close())
	e.dir = after
	e.start(t)
	require.False(t, e.store.Clean())
}

func TestSuiteOnDisk(t *testing.T) {
	t.Parallel()
	for name, mode := range map[string]commitlog.FlushMode{"commit": commitlog.FlushCommit, "os": commitlog.FlushOS, "interval": commitlog.FlushInterval} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storagetest.Run(t, func(t *testing.T) storagetest.Engine {
				t.Helper()
				e := &diskEngine{engine{fs: vfs.OS{}, dir: t.TempDir(), flush: mode}}
				e.start(t)
				t.Cleanup(func() { require.NoError(t, e.store.Close()) })
				return e
			})
		})
	}
}
