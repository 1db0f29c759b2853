package model_test

import (
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/internal/storage/commitlog"
	"github.com/botehq/bote/internal/storage/vfs"
)

// TestFailedSyncThenRestartThenPowerCut: Sync and Truncate fail, and the process ends
// while the log has failed. The next process starts on the same page cache and
// acknowledges more. Then the power is cut.
func TestFailedSyncThenRestartThenPowerCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWard(t, commitlog.FlushCommit)
		w.create("sick")
		_, err := w.produce("sick", "a")
		require.NoError(t, err)
		w.disk.Inject(func(op vfs.Op, name string) error {
			if (op == vfs.OpSync || op == vfs.OpTruncate) && strings.Contains(name, "sick") && strings.HasSuffix(name, ".log") {
				return &vfs.FaultError{Err: syscall.EIO, Forget: true}
			}
			return nil
		})
		_, err = w.produce("sick", "unacknowledged")
		require.Error(t, err)
		time.Sleep(3 * time.Second)
		_ = w.close()
		w.open(commitlog.FlushCommit)
		t.Logf("after the restart: %s", w.values("sick"))
		_, err = w.produce("sick", "acknowledged")
		require.NoError(t, err)
		before := w.values("sick")
		w.mem = w.mem.Crash()
		_ = w.close()
		defer func() { _ = w.close() }()
		w.open(commitlog.FlushCommit)
		if got := w.values("sick"); got != before {
			t.Errorf("readers saw %q, after the power cut there is %q", before, got)
		}
	})
}
