package proc_test

import (
	"bytes"
	"fmt"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/bench/proc"
)

// TestStartOn: a process sees the one core that it was started on, and this process
// keeps all of its own.
func TestStartOn(t *testing.T) {
	t.Parallel()
	before, err := proc.Cores()
	require.NoError(t, err)
	require.NotEmpty(t, before)
	for _, core := range before[max(0, len(before)-2):] {
		var out bytes.Buffer
		command := exec.Command("grep", "Cpus_allowed_list", "/proc/self/status")
		command.Stdout = &out
		require.NoError(t, proc.StartOn(command, core))
		require.NoError(t, command.Wait())
		require.Equal(t, fmt.Sprintf("Cpus_allowed_list:\t%d\n", core), out.String())
	}
	require.Error(t, proc.StartOn(exec.Command("true"), 1023), "there is no such core")
	after, err := proc.Cores()
	require.NoError(t, err)
	require.Equal(t, before, after)
}
