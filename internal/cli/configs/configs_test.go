package configs

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/internal/cli/clitest"
)

// tools are the tools that these tests call.
var tools = clitest.Tools{"kafka-configs": Run}

func TestConfigsTool(t *testing.T) {
	b := clitest.Broker(t)
	require.Equal(t, clitest.Result{Out: "Completed updating config for topic one.\n"}, tools.Call(t, b, "", "kafka-configs --alter --topic one --add-config retention.ms=1000,cleanup.policy=[compact,delete]"))
	got := tools.Call(t, b, "", "kafka-configs --describe --topic one")
	require.Equal(t, 0, got.Exit, got.Err)
	require.Regexp(t, `^Dynamic configs for topic one are:\n  cleanup\.policy=compact,delete sensitive=false synonyms=\{.*DEFAULT_CONFIG:cleanup\.policy=delete\}\n  retention\.ms=1000 sensitive=false .*\n$`, got.Out)
	require.Equal(t, clitest.Result{Exit: 1, Err: "Invalid config(s): flush.ms\n"}, tools.Call(t, b, "", "kafka-configs --alter --topic one --delete-config flush.ms"))
	require.Equal(t, clitest.Result{Out: "Completed updating config for topic one.\n"}, tools.Call(t, b, "", "kafka-configs --alter --topic one --delete-config retention.ms"))
	require.Equal(t, clitest.Result{Out: "The topic 'nope' doesn't exist and doesn't have dynamic config.\n"}, tools.Call(t, b, "", "kafka-configs --describe --topic nope"))
	require.Equal(t, clitest.Result{Out: "Completed updating config for user alice.\n"}, tools.Call(t, b, "", "kafka-configs --alter --user alice --add-config producer_byte_rate=1024"))
	require.Equal(t, clitest.Result{Out: "Quota configs for user-principal 'alice' are producer_byte_rate=1024.0\n"}, tools.Call(t, b, "", "kafka-configs --describe --user alice"))
}
