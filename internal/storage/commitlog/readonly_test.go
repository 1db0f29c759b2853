package commitlog_test

import (
	"os"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/internal/storage/commitlog"
	"github.com/botehq/bote/internal/storage/vfs"
)

// readOnly is a file system that can become read-only, as the kernel makes one that
// it finds damaged.
type readOnly struct {
	vfs.FS
	is atomic.Bool
}

func (f *readOnly) OpenFile(name string, flag int) (vfs.File, error) {
	if f.is.Load() && flag&(os.O_RDWR|os.O_WRONLY|os.O_CREATE) != 0 {
		return nil, &os.PathError{Op: "open", Path: name, Err: syscall.EROFS}
	}
	return f.FS.OpenFile(name, flag)
}

// TestReadsGoOnReadOnly: on a read-only file system, files that were closed are
// opened for reading, and for writing again once that is possible.
func TestReadsGoOnReadOnly(t *testing.T) {
	t.Parallel()
	disk := &readOnly{FS: vfs.NewMem()}
	p := openProbe(t, commitlog.Config{FS: disk})
	require.NoError(t, p.Append(p.batch("kept")))
	p.await(t, 1)
	require.NoError(t, p.store.Close())

	p = openProbe(t, commitlog.Config{FS: disk})
	disk.is.Store(true)
	require.Equal(t, []string{"kept"}, p.values(t))
	disk.is.Store(false)
	require.NoError(t, p.Append(p.batch("written")))
	p.await(t, 2)
	require.Equal(t, []string{"kept", "written"}, p.values(t))
	require.NoError(t, p.store.Close())
}
