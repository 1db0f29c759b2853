package cli

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// configsTools are the tools that these tests call.
var configsTools = toolSet{"kafka-configs": runConfigs}

func TestConfigsTool(t *testing.T) {
	b := broker(t)
	require.Equal(t, result{out: "Completed updating config for topic one.\n"}, configsTools.call(t, b, "", "kafka-configs --alter --topic one --add-config retention.ms=1000,cleanup.policy=[compact,delete]"))
	got := configsTools.call(t, b, "", "kafka-configs --describe --topic one")
	require.Equal(t, 0, got.exit, got.err)
	require.Regexp(t, `^Dynamic configs for topic one are:\n  cleanup\.policy=compact,delete sensitive=false synonyms=\{.*DEFAULT_CONFIG:cleanup\.policy=delete\}\n  retention\.ms=1000 sensitive=false .*\n$`, got.out)
	require.Equal(t, result{exit: 1, err: "Invalid config(s): flush.ms\n"}, configsTools.call(t, b, "", "kafka-configs --alter --topic one --delete-config flush.ms"))
	require.Equal(t, result{out: "Completed updating config for topic one.\n"}, configsTools.call(t, b, "", "kafka-configs --alter --topic one --delete-config retention.ms"))
	require.Equal(t, result{out: "The topic 'nope' doesn't exist and doesn't have dynamic config.\n"}, configsTools.call(t, b, "", "kafka-configs --describe --topic nope"))
	require.Equal(t, result{out: "Completed updating config for user alice.\n"}, configsTools.call(t, b, "", "kafka-configs --alter --user alice --add-config producer_byte_rate=1024"))
	require.Equal(t, result{out: "Quota configs for user-principal 'alice' are producer_byte_rate=1024.0\n"}, configsTools.call(t, b, "", "kafka-configs --describe --user alice"))
}
