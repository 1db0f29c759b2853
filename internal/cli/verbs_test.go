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
		"serve none.properties":        "there is no file none.properties",
		"serve a b":                    "usage: bote serve [FILE]",
		"serve a.properties -c b":      "both name the file of settings",
		"serve --set log.dirs":         "--set wants name=value: log.dirs",
		"serve --set =x":               "--set wants name=value: =x",
		"serve --listen 9092":          "--listen wants host:port, such as localhost:9092: 9092",
		"serve --listen localhost:":    "--listen wants host:port, such as localhost:9092: localhost:",
		"serve --listen localhost:x":   "--listen wants host:port, such as localhost:9092: localhost:x",
		"serve --listen P://:9092":     "--listen wants host:port, such as localhost:9092: P://:9092",
		"serve .":                      "Error: read .: ",
		"health --foo":                 "unknown flag: --foo",
		"health localhost:1":           "refused. Is a broker running there? `bote serve` starts one.\n",
		"health a b":                   "usage: bote health [HOST:PORT]",
		"dlt nothing":                  `unknown command "nothing" for "bote dlt": it has `,
		"dlt show topic":               "usage: bote dlt show TOPIC PARTITION:OFFSET",
		"completion foo":               `unknown command "foo" for "bote completion": it has `,
		"nothing":                      `unknown command "nothing" for "bote"`,
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
