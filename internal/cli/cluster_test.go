package cli

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// clusterTools are the tools that these tests call.
var clusterTools = toolSet{"kafka-cluster": runCluster, "kafka-broker-api-versions": runBrokerAPIVersions}

func TestClusterTools(t *testing.T) {
	b := broker(t)
	require.Regexp(t, `^Cluster ID: \S+\n$`, clusterTools.run(t, "", "kafka-cluster", "cluster-id", "-b", b).out)
	require.Regexp(t, `^ID +HOST +PORT +RACK +STATE +ENDPOINT_TYPE  \n\d+ +127\.0\.0\.1 \d+ +\S+ +unfenced   broker         \n$`, clusterTools.run(t, "", "kafka-cluster", "list-endpoints", "--bootstrap-server="+b).out)
	got := clusterTools.call(t, b, "", "kafka-broker-api-versions")
	require.Regexp(t, `^127\.0\.0\.1:\d+ \(id: \d+ rack: \S+ isFenced: false\) -> \(\n\tProduce\(0\): \d+ to \d+ \[usable: \d+\],\n`, got.out)
	require.Contains(t, got.out, "\tAddRaftVoter(80): UNSUPPORTED")
}
