package commitlog_test

import (
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/internal/storage/vfs"
)

// TestRetentionThatCannotSync: the directory cannot be synced while retention removes
// segments. The leader epochs follow the log start all the same.
func TestRetentionThatCannotSync(t *testing.T) {
	t.Parallel()
	mem, set := vfs.NewStrictMem(), smallSegments()
	faulty := vfs.NewFaulty(mem)
	store := openStore(t, faulty)
	l := openLog(t, store, testPartition, hooksOf(set))
	fill(t, l, 20, "value")
	faulty.Inject(func(op vfs.Op, name string) error {
		if op == vfs.OpSyncDir && strings.HasSuffix(name, "t-0") {
			return syscall.EMFILE
		}
		return nil
	})
	store.Retain()
	faulty.Inject(nil)
	start := l.Start()
	require.Positive(t, start)
	store.Retain() // there is nothing more to remove
	require.NoError(t, store.Close())

	store = openStore(t, mem)
	require.True(t, store.Clean())
	require.Equal(t, start, openLog(t, store, testPartition, hooksOf(set)).Start())
	require.NoError(t, store.Close())
}

// noStat is a file system that cannot say of segments whether they are there, nor
// rename them, while it is told to.
type noStat struct {
	*vfs.Faulty
	on atomic.Bool
}

func (n *noStat) Stat(name string) (vfs.Info, error) {
	if n.on.Load() && strings.HasSuffix(name, ".log") {
		return vfs.Info{}, errDisk
	}
	return n.Faulty.Stat(name)
}

// TestSegmentsThatCannotBeLookedAt: a disk that cannot say whether a segment is there
// does not say that it is not. It is removed all the same, or found by the next start.
func TestSegmentsThatCannotBeLookedAt(t *testing.T) {
	t.Parallel()
	for name, rename := range map[string]error{"renamed": nil, "not renamed": errDisk} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mem, set := vfs.NewStrictMem(), smallSegments()
			disk := &noStat{Faulty: vfs.NewFaulty(mem)}
			store := openStore(t, disk)
			l := openLog(t, store, testPartition, hooksOf(set))
			fill(t, l, 20, "value")
			disk.on.Store(true)
			disk.Inject(func(op vfs.Op, name string) error {
				if op == vfs.OpRename && strings.HasSuffix(name, ".log.deleted") {
					return rename
				}
				return nil
			})
			store.Retain()
			disk.on.Store(false)
			disk.Inject(nil)
			start := l.Start()
			require.Positive(t, start)
			require.NoError(t, store.Checkpoint())
			killed := mem.Fork()
			require.NoError(t, store.Close())
			for _, after := range []*vfs.Mem{killed, mem} {
				store = openStore(t, after)
				require.Equal(t, start, openLog(t, store, testPartition, hooksOf(set)).Start())
				require.NoError(t, store.Close())
			}
		})
	}
}
