package vfs_test

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/botehq/bote/internal/storage/vfs"
)

// TestShortReadIsNotTheEnd: a read may return fewer bytes than there are, for example
// before a page that cannot be read. A pipe does so too.
func TestShortReadIsNotTheEnd(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "pipe")
	require.NoError(t, unix.Mkfifo(name, 0o600))
	want := bytes.Repeat([]byte("0123456789"), 1000)
	wrote := make(chan error, 1)
	go func() {
		f, err := os.OpenFile(name, os.O_WRONLY, 0)
		if err != nil {
			wrote <- err
			return
		}
		_, err = f.Write(want[:5000])
		for left := 1; err == nil && left > 0; {
			runtime.Gosched()
			left, err = unix.IoctlGetInt(int(f.Fd()), unix.TIOCINQ)
		}
		if err == nil {
			_, err = f.Write(want[5000:])
		}
		if cerr := f.Close(); err == nil {
			err = cerr
		}
		wrote <- err
	}()
	got, err := vfs.ReadFile(vfs.OS{}, name)
	require.NoError(t, err)
	require.NoError(t, <-wrote)
	require.Equal(t, string(want), string(got))
}
