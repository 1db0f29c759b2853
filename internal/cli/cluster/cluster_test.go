package cluster

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/internal/cli/clitest"
)

// tools are the tools that these tests call.
var tools = clitest.Tools{"kafka-cluster": Run, "kafka-broker-api-versions": RunBrokerAPIVersions}

func TestClusterTools(t *testing.T) {
	b := clitest.Broker(t)
	require.Regexp(t, `^Cluster ID: \S+\n$`, tools.Run(t, "", "kafka-cluster", "cluster-id", "-b", b).Out)
	require.Regexp(t, `^ID +HOST +PORT +RACK +STATE +ENDPOINT_TYPE  \n\d+ +127\.0\.0\.1 \d+ +\S+ +unfenced   broker         \n$`, tools.Run(t, "", "kafka-cluster", "list-endpoints", "--bootstrap-server="+b).Out)
	got := tools.Call(t, b, "", "kafka-broker-api-versions")
	require.Regexp(t, `^127\.0\.0\.1:\d+ \(id: \d+ rack: \S+ isFenced: false\) -> \(\n\tProduce\(0\): \d+ to \d+ \[usable: \d+\],\n`, got.Out)
	require.Contains(t, got.Out, "\tAddRaftVoter(80): UNSUPPORTED")
}
