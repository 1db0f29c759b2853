package format_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/internal/cli/clitest"
	"github.com/botehq/bote/internal/cli/dumplog"
	"github.com/botehq/bote/internal/cli/format"
	"github.com/botehq/bote/internal/cli/tool"
	"github.com/botehq/bote/internal/storage/commitlog"
	"github.com/botehq/bote/internal/storage/vfs"
)

// TestFormatSnapshots reads the snapshots back. The voter's directory ID must be that of meta.properties, and the user's keys
// those that Kafka derives from the same password and salt.
func TestFormatSnapshots(t *testing.T) {
	t.Parallel()
	file, data := clitest.WriteServerConfig(t, "")
	code, _, errs := clitest.Output(t, format.Run, "format", "-s", "-t", "MkU3OEVBNTcwNTJENDM2Qg", "-c", file,
		"-S", `SCRAM-SHA-256=[name=alice,password=x,iterations=4096,salt="MWx2NHBkbnc0ZndxN25vdGN4bTB5Nml1"]`)
	require.Equal(t, tool.ExitOK, code, errs)
	id, err := commitlog.ReadIdentity(vfs.OS{}, data)
	require.NoError(t, err)
	code, out, errs := clitest.Output(t, dumplog.Run, "--cluster-metadata-decoder", "--files",
		filepath.Join(data, format.BootstrapFile)+","+filepath.Join(data, format.QuorumSnapshotPath))
	require.Equal(t, tool.ExitOK, code, errs)
	for _, want := range []string{
		"KRaft bootstrap snapshot\n", `payload: {"type":"FEATURE_LEVEL_RECORD","version":0,"data":{"name":"metadata.version","featureLevel":29}}`,
		`"data":{"name":"alice","mechanism":1,"salt":"MWx2NHBkbnc0ZndxN25vdGN4bTB5Nml1","storedKey":"o1E2ouYTqu73AWjXG0Nf3cislypVCI089EWvV23NLq4=","serverKey":"ckOzFaVl3E5RFtu4GrksOIoiIhWgZWpyR/M+joSK4tE=","iterations":4096}}`,
		"Snapshot end offset: 0, epoch: 0\n", `KRaftVoters {"version":0,"voters":[{"voterId":1,"voterDirectoryId":"` + id.DirectoryID + `",`,
	} {
		require.Contains(t, out, want)
	}
	require.NotContains(t, out, "isvalid: false")
}
