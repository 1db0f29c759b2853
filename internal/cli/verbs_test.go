package cli

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote"
	"github.com/botehq/bote/botetest"
)

// TestVerbsSayWhatIsWrong: no command ends with a code and without a word.
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
		"serve testdata":               "Error: read testdata: ",
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
		s := &streams{in: strings.NewReader(""), out: &out, err: &remarks, getenv: func(string) string { return "" }}
		require.NotZero(t, runVerbs(t.Context(), s, strings.Fields(line)), line)
		require.NotEmpty(t, remarks.String(), line)
		require.Contains(t, remarks.String(), says, line)
	}
}

func TestVersionByFlag(t *testing.T) {
	t.Parallel()
	for _, flag := range []string{"--version", "-v"} {
		var out bytes.Buffer
		s := &streams{out: &out, err: &out, getenv: func(string) string { return "" }}
		require.Zero(t, runVerbs(t.Context(), s, []string{flag}))
		require.Equal(t, "bote "+buildVersion()+"\n", out.String())
	}
}

// TestServeTakesAFile: what every user of Kafka types. A setting that is refused shows
// that the file was read, and plain words are what bote's own verb speaks.
func TestServeTakesAFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "server.properties")
	require.NoError(t, os.WriteFile(file, []byte("num.partitions=abc\n"), 0o600))
	var out bytes.Buffer
	s := &streams{out: &out, err: &out, getenv: func(string) string { return "" }}
	require.Equal(t, exitError, runVerbs(context.Background(), s, []string{"serve", file}))
	require.Contains(t, out.String(), "ERROR Cannot start: Invalid value abc for configuration num.partitions")
	require.NotContains(t, out.String(), "Exception")
}

// TestServeAdvisesOnListeners: below the sentence of the refusal, which most often is Kafka's, stands what to do.
func TestServeAdvisesOnListeners(t *testing.T) {
	t.Parallel()
	unparsed := func(listeners, listener string) string {
		return "Error creating broker listeners from '[" + listeners + "]': Unable to parse " + listener + " to a broker endpoint"
	}
	for listeners, want := range map[string]struct{ says, advice string }{
		"PLAINTEXT://127.0.0.1:9094": {
			"requirement failed: controller.listener.names must contain at least one value appearing in the 'listeners' configuration when running the KRaft controller role",
			"Add the controllers' listener to listeners, as listeners=PLAINTEXT://127.0.0.1:9094,CONTROLLER://127.0.0.1:9093, or leave listeners alone and choose the address with --listen HOST:PORT.",
		},
		"SASL_SSL://:9092":                  {says: "listener SASL_SSL has the security protocol SASL_SSL, which bote does not serve yet"},
		"PLAINTEXT://192.0.2.1":             {unparsed("PLAINTEXT://192.0.2.1", "PLAINTEXT://192.0.2.1"), "The port is missing: write PLAINTEXT://192.0.2.1:9092"},
		"PLAINTEXT://[::1]":                 {unparsed("PLAINTEXT://[::1]", "PLAINTEXT://[::1]"), "The port is missing: write PLAINTEXT://[::1]:9092"},
		"PLAINTEXT://h:9092,CONTROLLER://h": {unparsed("PLAINTEXT://h:9092, CONTROLLER://h", "CONTROLLER://h"), "The port is missing: write CONTROLLER://h:9093"},
		"PLAINTEXT://h:port":                {says: unparsed("PLAINTEXT://h:port", "PLAINTEXT://h:port")},
		"PLAINTEXT://h:":                    {says: unparsed("PLAINTEXT://h:", "PLAINTEXT://h:")},
	} {
		file, _ := writeServerConfig(t, "")
		var out bytes.Buffer
		s := &streams{out: &out, err: &out, getenv: func(string) string { return "" }}
		require.Equal(t, exitError, runVerbs(t.Context(), s, []string{"serve", file, "--set", "listeners=" + listeners}))
		require.Contains(t, out.String(), " ERROR Cannot start: "+want.says)
		if want.advice != "" {
			require.Contains(t, out.String(), "\n"+want.advice+"\n")
		} else {
			require.NotContains(t, out.String(), "The port is missing")
		}
	}
}

// TestServeNamesTheAddressForClients, which is the advertised one, not the one that is bound.
func TestServeNamesTheAddressForClients(t *testing.T) {
	t.Parallel()
	name, err := os.Hostname()
	require.NoError(t, err)
	for settings, says := range map[string]string{
		"advertised.listeners=PLAINTEXT://broker.example:7777": `broker\.example:7777`,
		"listeners=PLAINTEXT://:0":                             regexp.QuoteMeta(name) + `:[1-9]\d*`,
		"listeners=PLAINTEXT://127.0.0.1:0":                    `127\.0\.0\.1:[1-9]\d*`,
		"advertised.listeners=PLAINTEXT://[2001:db8::1]:0":     `\[2001:db8::1\]:[1-9]\d*`,
		"listeners=PLAINTEXT://127.0.0.1:0,B://127.0.0.1:0 advertised.listeners=PLAINTEXT://127.0.0.1:0,B://b.example:9 listener.security.protocol.map=PLAINTEXT:PLAINTEXT,B:PLAINTEXT": `127\.0\.0\.1:[1-9]\d* or b\.example:9`,
	} {
		args := []string{"serve", "--data-dir", t.TempDir(), "--set", "listeners=PLAINTEXT://127.0.0.1:0"}
		for setting := range strings.FieldsSeq(settings) {
			args = append(args, "--set", setting)
		}
		ctx, cancel := context.WithCancel(t.Context())
		out := &stopAfter{line: "Ctrl-C stops the broker", stop: cancel}
		s := &streams{out: out, err: out, getenv: func(string) string { return "" }}
		require.Equal(t, exitInterrupted, runVerbs(ctx, s, args), out.String())
		require.Regexp(t, "Clients connect to "+says+`\. `, out.String(), settings)
	}
}

// stopAfter calls stop when a line is written.
type stopAfter struct {
	bytes.Buffer // the log writes one line at a time

	line string
	stop func()
}

func (w *stopAfter) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte(w.line)) {
		w.stop()
	}
	return w.Buffer.Write(p)
}

// TestHealthEndsWithoutAWordByCtrlC, as all tools do.
func TestHealthEndsWithoutAWordByCtrlC(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	var out bytes.Buffer
	time.AfterFunc(200*time.Millisecond, cancel)
	require.Equal(t, exitInterrupted, Main(ctx, []string{"bote", "health", "--wait", "30s", "localhost:1"}, strings.NewReader(""), &out, &out))
	require.Empty(t, out.String())
}

// TestHealthTriesTheAdvertisedAddress: clients are sent there.
func TestHealthTriesTheAdvertisedAddress(t *testing.T) {
	t.Parallel()
	health := func(b *bote.Broker) (int, string) {
		var out bytes.Buffer
		s := &streams{out: &out, err: &out, getenv: func(string) string { return "" }}
		code := runVerbs(t.Context(), s, []string{"health", "--timeout", "2s", b.Addr()})
		return code, out.String()
	}
	code, says := health(botetest.New(t))
	require.Zero(t, code, says)
	code, says = health(botetest.New(t, botetest.WithConfig(func(c *bote.Config) {
		c.Listen = ""
		c.Properties["listeners"] = "PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:0"
		c.Properties["advertised.listeners"] = "PLAINTEXT://127.0.0.1:1,CONTROLLER://127.0.0.1:2"
	})))
	require.Equal(t, exitError, code)
	require.Contains(t, says, "broker 1 tells clients to connect to 127.0.0.1:1 (advertised.listeners), where it does not answer")
}
