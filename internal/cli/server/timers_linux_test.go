package server

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// Only a broker executes itself again. If a tool did, this test would start a second time.
func TestCoarseTimersLeaveToolsAlone(t *testing.T) {
	t.Parallel()
	before, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	require.NoError(t, err)
	for _, args := range [][]string{nil, {"bote"}, {"bote", "version"}, {"kafka-topics", "--list"}, {"kafka-server-start", "-daemon", "x.properties"}} {
		CoarseTimers(args)
	}
	after, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	require.NoError(t, err)
	require.Equal(t, before, after)
}
