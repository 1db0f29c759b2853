package format

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/internal/cli/clitest"
	"github.com/botehq/bote/internal/cli/tool"
	"github.com/botehq/bote/internal/storage/commitlog"
	"github.com/botehq/bote/internal/storage/vfs"
)

const clusterID = "MkU3OEVBNTcwNTJENDM2Qg"

func TestFormatMakesADirectoryThatTheBrokerTakes(t *testing.T) {
	t.Parallel()
	file, data := clitest.WriteServerConfig(t, "")
	code, out, errs := clitest.Output(t, Run, "format", "--standalone", "-t", clusterID, "-c", file)
	require.Equal(t, tool.ExitOK, code, errs)
	require.True(t, strings.HasSuffix(out, "\nFormatting dynamic metadata voter directory "+data+" with metadata.version 4.2-IV1.\n"), out)
	id, err := commitlog.ReadIdentity(vfs.OS{}, data)
	require.NoError(t, err)
	require.Equal(t, clusterID, id.ClusterID)
	require.Equal(t, int32(1), id.NodeID)
	require.Len(t, id.DirectoryID, 22)

	code, _, errs = clitest.Output(t, Run, "format", "--standalone", "-t", clusterID, "-c", file)
	require.Equal(t, tool.ExitError, code)
	require.Equal(t, "Log directory "+data+" is already formatted. Use --ignore-formatted to ignore this directory and format the others.\n", errs)
}

func TestMisplacedBracketIsUnderstood(t *testing.T) {
	t.Parallel()
	file, data := clitest.WriteServerConfig(t, "")
	code, _, errs := clitest.Output(t, Run, "format", "--standalone", "-t", "/kafka-storage.sh", "random-uuid", "-c", file)
	require.Equal(t, tool.ExitOK, code, errs)
	id, err := commitlog.ReadIdentity(vfs.OS{}, data)
	require.NoError(t, err)
	require.True(t, isUUID(id.ClusterID))
	require.Contains(t, errs, "A new cluster ID takes its place: "+id.ClusterID+"\n")
}

func TestVoterRefusals(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"1": "No @ found in dynamic voter string.", "1@": "No hostname found after node id.", "1@localhost": "No colon following hostname could be found.",
		"1@localhost:9093": "No colon following port could be found.", "a@localhost:9093:AAAAAAAAAAAAAAAAAAAABQ": "Failed to parse node id in dynamic voter string.",
		"1@localhost:x:AAAAAAAAAAAAAAAAAAAABQ": "Failed to parse port in dynamic voter string.", "1@localhost:9093:zz": "Failed to parse directory ID in dynamic voter string.",
	} {
		_, err := parseVoters(text)
		require.EqualError(t, err, want, text)
	}
	list, err := parseVoters("1@[::1]:9093:AAAAAAAAAAAAAAAAAAAABQ,2@h:1:AAAAAAAAAAAAAAAAAAAABg")
	require.NoError(t, err)
	require.Len(t, list, 2)
	require.Equal(t, "::1", list[0].host)
}

func TestInfoWithoutDirectory(t *testing.T) {
	t.Parallel()
	file, data := clitest.WriteServerConfig(t, "")
	code, out, _ := clitest.Output(t, Run, "info", "-c", file)
	require.Equal(t, tool.ExitError, code)
	require.Equal(t, "Found problem:\n  "+data+" does not exist\n\n", out)
	require.NoError(t, os.Mkdir(data, 0o750))
	_, out, _ = clitest.Output(t, Run, "info", "-c", file)
	require.Equal(t, "Found log directory:\n  "+data+"\n\nFound problem:\n  "+data+" is not formatted.\n\n", out)
}
