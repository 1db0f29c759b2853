package cli

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/internal/cli/tool"
)

// TestVerbsSayWhatIsWrong: no command fails without a message.
func TestVerbsSayWhatIsWrong(t *testing.T) {
	t.Parallel()
	for line, says := range map[string]string{
		"serve --foo":                  "unknown flag: --foo",
		"serve --port 9093":            "unknown flag: --port",
		"serve --config":               "flag needs an argument: --config",
		"serve none.properties":        "file none.properties does not exist",
		"serve a b":                    "usage: bote serve [FILE]",
		"serve a.properties -c b":      "both name a file with settings",
		"serve --set log.dirs":         `--set needs name=value, not "log.dirs"`,
		"serve --set =x":               `--set needs name=value, not "=x"`,
		"serve --listen 9092":          `--listen needs host:port, such as localhost:9092, not "9092"`,
		"serve --listen localhost:":    `--listen needs host:port, such as localhost:9092, not "localhost:"`,
		"serve --listen localhost:x":   `--listen needs host:port, such as localhost:9092, not "localhost:x"`,
		"serve --listen P://:9092":     `--listen needs host:port, such as localhost:9092, not "P://:9092"`,
		"serve .":                      "Error: read .: ",
		"health --foo":                 "unknown flag: --foo",
		"health localhost:1":           "refused. Is a broker running there? `bote serve` starts one.\n",
		"health a b":                   "usage: bote health [HOST:PORT]",
		"dlt nothing":                  `unknown command "nothing" for "bote dlt"; the commands are `,
		"dlt show topic":               "usage: bote dlt show TOPIC PARTITION:OFFSET",
		"completion foo":               `unknown command "foo" for "bote completion"; the commands are `,
		"nothing":                      `unknown command "nothing" for "bote"`,
		"halth":                        "Did you mean this?\n\thealth\n",
		"kafka-topic":                  "Did you mean this?\n\tkafka-topics\n",
		"topics":                       "Did you mean this?\n\tkafka-topics\n",
		"dlt ls -b localhost":          "Invalid url in bootstrap.servers: localhost",
		"check":                        "usage: bote check DIR",
		"version --foo":                "unknown flag: --foo",
		"dlt redrive -b localhost:1 t": "",
	} {
		var out, remarks bytes.Buffer
		s := &tool.Streams{In: strings.NewReader(""), Out: &out, Err: &remarks, Getenv: func(string) string { return "" }}
		require.NotZero(t, runVerbs(t.Context(), s, strings.Fields(line)), line)
		require.NotEmpty(t, remarks.String(), line)
		require.Contains(t, remarks.String(), says, line)
	}
}

func TestVersionByFlag(t *testing.T) {
	t.Parallel()
	for _, flag := range []string{"--version", "-v"} {
		var out bytes.Buffer
		s := &tool.Streams{Out: &out, Err: &out, Getenv: func(string) string { return "" }}
		require.Zero(t, runVerbs(t.Context(), s, []string{flag}))
		require.Equal(t, "bote "+tool.BuildVersion()+"\n", out.String())
	}
}

// TestHelpListsAllCommands: the help has bote's own commands first, then Kafka's tools, each with a line about it. The help of
// a tool is the tool's own.
func TestHelpListsAllCommands(t *testing.T) {
	t.Parallel()
	help := func(args ...string) string {
		var out bytes.Buffer
		s := &tool.Streams{In: strings.NewReader(""), Out: &out, Err: &out, Getenv: func(string) string { return "" }}
		runVerbs(t.Context(), s, args)
		return out.String()
	}
	own, kafkas, ok := strings.Cut(help("--help"), "\nKafka's tools:\n")
	require.True(t, ok)
	for _, name := range []string{"check", "completion", "dlt", "health", "help", "serve", "version"} {
		require.Regexp(t, `\n  `+name+` +[A-Z]`, own)
	}
	for _, name := range ToolNames() {
		require.Regexp(t, `(?m)^  `+name+` +[A-Z].*[^.]$`, kafkas)
	}
	require.NotContains(t, own+kafkas, "Additional Commands")
	require.NotContains(t, help("dlt", "--help"), "bote dlt [flags]")
	require.Contains(t, help("help", "kafka-topics"), "--partitions")
}
