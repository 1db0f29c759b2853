package broker

import (
	"io"
	"net/http"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/internal/storage/vfs"
)

// TestReadyWhileTheDiskHangs: every request reports it within a second, and only one
// goroutine waits for the disk, however many requests there are.
func TestReadyWhileTheDiskHangs(t *testing.T) {
	disk := vfs.NewFaulty(vfs.NewMem())
	s := serve(t, disk, map[string]string{"console.listeners": "127.0.0.1:0"})
	ready := func() (code int, body string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.ConsoleAddrs()[0]+"/readyz", http.NoBody)
		require.NoError(t, err)
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		defer func() { _ = resp.Body.Close() }()
		text, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return resp.StatusCode, string(text)
	}
	isReady := func() bool {
		code, _ := ready()
		return code == http.StatusOK
	}
	require.Eventually(t, isReady, 10*time.Second, time.Millisecond, "the listeners are up")
	gate := make(chan struct{})
	var probes sync.WaitGroup
	disk.Inject(func(op vfs.Op, name string) error {
		if op == vfs.OpWrite && filepath.Base(name) == probeFile {
			<-gate
		}
		return nil
	})
	before := runtime.NumGoroutine()
	for range 20 {
		probes.Go(func() {
			began := time.Now()
			code, body := ready()
			require.Equal(t, http.StatusServiceUnavailable, code)
			require.Contains(t, body, "[-] disk writable: the disk has not answered for ")
			require.Less(t, time.Since(began), 5*time.Second, "a second, on a machine that has nothing else to do")
		})
	}
	probes.Wait()
	http.DefaultClient.CloseIdleConnections()
	require.Eventually(t, func() bool { return runtime.NumGoroutine() <= before+1 }, 10*time.Second, 10*time.Millisecond)
	close(gate)
	require.Eventually(t, isReady, 10*time.Second, 10*time.Millisecond)
	http.DefaultClient.CloseIdleConnections()
}
