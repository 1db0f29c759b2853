package commitlog_test

import (
	"strings"
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
